"""The question that runs, and its answers on their way into the scene."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any, Callable, Dict, List, Optional, Tuple

from promptseg_mrml import Click, SceneError, Voxels

from .asking import ask_object, ask_slice, look_ahead
from .history import History
from .known import KnownSegments
from .marks import make_mark
from .status import Status
from .steps import Step, Steps
from .work import Work
from .worker import Job, Library, Worker


class Questions:
    """``on_end`` is called when a question ended by itself or was refused, not by ``cancel``."""

    def __init__(self, library: Library, work: Work, known: KnownSegments, history: History,
                 steps: Steps, status: Status, on_end: Callable[[], None]) -> None:
        self._library, self._work, self._known, self._history = library, work, known, history
        self._steps = steps
        self._status, self._on_end, self._worker = status, on_end, Worker()
        self._job: Optional[Tuple[Job, Optional[Step]]] = None
        self._labels: Dict[Tuple[str, str, str], int] = {}

    def close(self) -> None:
        self._worker.close()
        self._library.clear()

    @property
    def looking(self) -> bool:
        """Whether it looks ahead."""
        return self._job is not None and self._job[1] is None

    @property
    def asked_segment(self) -> Optional[str]:
        """The segment that a question runs for."""
        return self._job[1].segment_id if self._job and self._job[1] else None

    # -------------------------------------------------------------------------------------- questions

    def ask(self, step: Step) -> None:
        editor, state = self._work.editor, step.after
        ask = ask_slice if state.plane else ask_object
        label = self._label_of(step)
        job = self._worker.ask(functools.partial(ask, self._library, editor.view, state, label))
        self._job = (job, step)
        self._status.busy, self._status.progress = True, 0.0
        self._status.text = "Looking at the slice ..."

    def _label_of(self, step: Step) -> int:
        """What the library knows the segment by. It keeps masks by label, so that a segment has its own
        as long as it lives, whatever is removed or moved in the list, and no later one has it."""
        key = (self._work.segmentation.GetID(), step.segment_id, step.owner)
        return self._labels.setdefault(key, 1 + len(self._labels))

    def look_at(self, click: Click, one_slice: bool) -> None:
        """Encodes ahead where the user looks, while nobody asks: such a click is fast then. A mouse
        that moves is no act: the status stays as it is, above all its error."""
        work = self._work
        if work.volume is None or self._status.busy or not work.editor.view.holds(click.ras):
            return
        try:
            state = replace(self._known.to_look(work.segment_id, click, one_slice),
                            options=work.options_now())
        except SceneError:
            return  # a click will say it
        look = functools.partial(look_ahead, self._library, work.editor.view, state, click.lps)
        job = self._worker.ask(look, idle=True)
        if job is not None:
            self._job = (job, None)

    def cancel(self) -> None:
        """Ends the running question; the step stays, with what is shown of it."""
        if self._job is not None:  # what forget() asks for is to be done
            self._worker.cancel()
        self._job = None
        self._status.busy = False

    def forget(self) -> None:
        """Ends the running question; what the library keeps of the volume is let go of."""
        self.cancel()
        if self._worker.started:
            self._worker.ask(lambda _job: self._library.clear())

    # ---------------------------------------------------------------------------------------- answers

    def take_answers(self) -> bool:
        """Returns whether there was one to take into the scene or the status."""
        changed = False
        for job, kind, what in self._worker.fetch():
            if self._job is None or job is not self._job[0]:
                if kind == "device":
                    self._status.device = what[0]
                continue
            changed = True
            try:
                if kind in ("preview", "mask"):
                    self._refuse_late(self._job[1])
                getattr(self, f"_on_{kind}")(self._job[1], *what)
            except SceneError as error:
                self.cancel()
                self._on_end()
                self._status.error = str(error)
        return changed

    def _refuse_late(self, step: Step) -> None:
        """An answer is about what was asked: a volume that has moved or shows other voxels since then
        has none, and what other tools did to the segment is not overwritten. Ends the question."""
        work = self._work
        if not work.has_segment_of(step):
            raise SceneError(f"{step.segment_id} was removed from {work.segmentation.GetName()} before its "
                             "mask was there.")
        self.refuse_moved()
        name = work.name(step.segment_id)
        if work.is_completed(step.segment_id):
            raise SceneError(f"{name} was completed before its mask was whole: it stays as it is shown. "
                             "Reopen it and click once more to go on.")
        if not self._known.is_in(step.segment_id, step.after) \
                or self._known.content(step.segment_id) != work.editor.read(step.segment_id):
            raise SceneError(f"{name} was changed by another tool while its mask was computed: it stays as "
                             "it is shown. Click once more: the whole is asked for, what was drawn is kept.")

    def refuse_moved(self) -> None:
        """Ends the question that runs about a volume that is another one now, and takes its step back,
        unless the user has completed the segment as it is shown."""
        step, work = self._job[1] if self._job else None, self._work
        if step is None or step.complete or not work.has_segment_of(step) \
                or work.is_completed(step.segment_id) or work.is_same_volume():
            return
        self.cancel()
        name = work.name(step.segment_id)
        self._history.take_back(step)
        raise SceneError(f"{work.volume.GetName()} was moved or shows other voxels since {name} was "
                         "asked for: the last prompt was taken back, set it again.")

    def _on_device(self, _step: Optional[Step], device: str) -> None:
        self._status.device = device

    def _on_progress(self, step: Optional[Step], fraction: float, phrase: str) -> None:
        if step is not None:
            self._status.progress, self._status.text = fraction, phrase

    def _on_preview(self, step: Step, preview: Any) -> None:
        content = self._work.editor.read(step.segment_id)
        self._write(step, content.with_slice(preview.axis, preview.slice, preview.mask))
        self._known.note(step.segment_id)

    def _on_mask(self, step: Step, voxels: Voxels, axis: str, quality: float,
                 sentences: List[str]) -> None:
        self._write(step, voxels)
        step.complete = True
        editor = self._work.editor
        if not editor.has_rules:  # else what may not be edited was cut off
            step.mark_after = make_mark(step.after, axis, self._known.content(step.segment_id), editor.view)
        self._known.set_mark(step.segment_id, step.mark_after)
        self._status.quality, self._status.warnings = quality, tuple(sentences)
        self._status.text = f"{voxels.count} voxels" if voxels else "Nothing was found there."

    def _write(self, step: Step, voxels: Voxels) -> None:
        step.add(self._work.editor.write(step.segment_id, voxels))
        self._steps.outdate_taken_back(step.segment_id)
        self._known.remember(step.segment_id, step.after)

    def _on_done(self, _step: Optional[Step]) -> None:
        self._status.busy = False
        self._job = None
        self._on_end()

    def _on_cancelled(self, _step: Optional[Step]) -> None:
        self._on_done(None)

    def _on_failed(self, step: Optional[Step], error: Exception) -> None:
        """The step is taken back: the scene is as it was before."""
        if step is not None:  # else it was a look ahead; a click will say it
            self._status.error = str(error)
            self._history.take_back(step)
        self._on_done(None)
