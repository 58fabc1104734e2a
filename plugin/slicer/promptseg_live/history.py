"""Steps in the scene: done, taken back, done again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable, Optional, Tuple

from promptseg_mrml import SceneError, Voxels
from promptseg_mrml.prompts import claim

from .known import KnownSegments
from .marks import mark_of
from .scene_prompts import ScenePrompts
from .status import Status
from .steps import State, Step, Steps
from .work import Work

NO_PROMPT_STAYS = "No prompt is left: the mask stays as it is."


class History:
    def __init__(self, work: Work, prompts: ScenePrompts, known: KnownSegments, steps: Steps,
                 status: Status) -> None:
        self._work, self._prompts, self._known = work, prompts, known
        self._steps, self._status = steps, status

    def open_state(self) -> State:
        """The state of the segment to add prompts to. Prompts that were edited elsewhere than in a view
        (in a table, by a script, a list or box removed) are a step before, whose answer nobody needs."""
        segment_id = self._work.segment_id
        self._known.refuse_closed(segment_id)
        before = self._known.state(segment_id)
        edited = self._known.with_edits(segment_id, before)
        if edited is not before:
            step = self._step(before, edited)
            step.complete = self._steps.is_answered(segment_id, before)  # an edit ends no question
            edited = step.after
            self._steps.add(step)
            self._known.ask_with(segment_id, edited)
        return edited

    def _step(self, before: State, after: State) -> Step:
        segment = self._work.segment(self._work.segment_id)
        asked = replace(after, options=self._work.options_now(), unanswered=False)  # the step says whether
        return Step(self._work.segment_id, before, asked, mark_of(segment), owner=claim(segment))

    def begin(self, before: State, after: State) -> Step:
        """One step: prompts into the scene now, the mask when it is there."""
        step = self._step(before, after)
        self._prompts.write(step.segment_id, step.after)
        self._work.editor.save_state()
        self._steps.add(step)
        self._known.ask_with(step.segment_id, step.after)
        return step

    def without_prompts(self, before: State, after: State) -> None:
        """One step that asks nothing: the last prompts were removed, the mask is what it was before them.
        Where another tool was there since, or in an earlier session, that is not known: it stays."""
        step = self.begin(before, after)
        step.to_base = True
        self._write_base(step)
        self._known.remember(step.segment_id, step.after)
        self._known.set_mark(step.segment_id, step.mark_after)
        in_base = len(after.used) < len(before.used) and (before.owed is None or after.owed is not None)
        if not in_base:
            self._status.text = "No prompt is left: the mask is what it was before them."
        elif step.change.names():
            self._status.text = "No prompt is left: the mask is what it was before the last ones."
        else:
            self._status.text = NO_PROMPT_STAYS

    def _write_base(self, step: Step) -> None:
        step.add(self._work.editor.write(step.segment_id, step.after.base or Voxels()))
        step.complete = step.after.owed is None

    def take_back(self, step: Step) -> None:
        """A step that came to nothing: the scene is as it was before, but for what the user has completed
        since."""
        self._status.text = "The last prompt was taken back."
        self._steps.drop(step)
        if not self._work.has_segment_of(step):
            return
        open_ones = [one for one in step.change.names() & {*self._work.editor.segment_ids()}
                     if one == step.segment_id or not self._work.is_completed(one)]
        change = step.change.only(open_ones).reversed()
        before, _ = self._change(step.segment_id, change, step.after, step.before)
        self._prompts.move(step.segment_id, step.after, before, locked_too=True)
        self._known.remember(step.segment_id, before)
        self._known.set_mark(step.segment_id, step.mark_before)

    def _change(self, segment_id: str, change: Any, old: State, state: State) -> Tuple[State, Any]:
        """The change that leads from the old state to another one, which goes on from what other tools
        did since the old one; and what came of the change."""
        ours, left = self._known.is_in(segment_id, old), self._known.content(segment_id)
        try:
            held = self._work.editor.read(segment_id)
        except SceneError:  # where the volume is cannot be said; what is the change's is gone all the same
            held = left
        done = self._work.editor.apply(change)
        if not ours:  # what is whose is not known: all that is there is kept
            state = self._known.settled(segment_id, state, self._work.editor.read(segment_id))
        elif left != held:  # another tool was there: its work stays, and prompts go on from it
            state = self._known.settled(segment_id, state, held.without(left), left.without(held))
        return state, done

    # ----------------------------------------------------------------------------------- undo and redo

    def undo(self, end_question: Callable[[], None]) -> Optional[Step]:
        """Takes back the last step. Both return a step whose mask was still to come when the next one
        ended its question."""
        step = self._steps.last()
        if step is None:
            return None
        self._open(step, end_question)
        self._steps.back()
        return self._move(step, step.change.reversed(), step.after, step.before, step.mark_before)

    def redo(self, end_question: Callable[[], None]) -> Optional[Step]:
        step = self._steps.next()
        if step is None:
            return None
        self._open(step, end_question)
        self._steps.forward()
        return self._move(step, step.change, step.before, step.after, step.mark_after)

    def _open(self, step: Step, end_question: Callable[[], None]) -> None:
        """Refuses before anything is changed, the question that runs included."""
        if self._work.has_segment_of(step):
            self._known.refuse_closed(step.segment_id)
            for segment_id in step.change.names():  # where rules let it change others
                if self._work.editor.is_of(step.change, segment_id):
                    self._work.refuse_completed(segment_id)
        end_question()

    def _move(self, step: Step, change: Any, old: State, state: State, mark: str) -> Optional[Step]:
        """From the old state to another one, which the mark belongs to."""
        segment_id = step.segment_id
        if not self._work.has_segment_of(step):
            return None
        state, done = self._change(segment_id, change, old, state)
        if change is step.change:
            self._done_again(step, state, done)
            self._status.text = "Done again."
        else:
            self._status.text = "Taken back."
        self._prompts.move(segment_id, old, state)
        self._known.remember(segment_id, state)
        made = self._steps.made(segment_id, state)  # its answer may be a later one than the step knows
        self._known.set_mark(segment_id, made.mark_after if made is not None else mark)
        self._work.segment_id = segment_id
        asks = bool(state) or state.owed is not None  # prompts may all have been removed
        return made if asks and made is not None and not made.complete else None

    def _done_again(self, step: Step, state: State, done: Any) -> None:
        """Undo takes back what was done now: the segment may hold more than when the step was first done,
        above all where the answer before it was not whole then."""
        step.change = done
        if step.to_base and not step.complete and state is step.after:
            self._write_base(step)
