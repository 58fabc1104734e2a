"""Live segmentation of one volume into the segments of one segmentation.

All methods are for the thread that owns the scene. Questions run in a worker's thread; ``pump()``,
called every few milliseconds while ``status.busy``, takes their answers into the scene. Whatever goes
wrong ends as a sentence in ``status.error``; the scene is then as it was before.
"""

from __future__ import annotations

import functools
from typing import Any, Callable, List, Optional

import promptseg
import vtk
from promptseg_mrml import Box, Click, Editor, SceneError, box_of_roi

from .batch import Prompted
from .exports import Exports
from .history import NO_PROMPT_STAYS, History
from .known import KnownSegments
from .questions import Questions
from .scene_prompts import ScenePrompts
from .status import Status
from .steps import State, Step, Steps
from .work import Work
from .worker import Library, Options


def _says_errors(method: Callable) -> Callable:
    """The method returns whether it could; why not is the status's error."""

    @functools.wraps(method)
    def wrapped(self: "LiveLogic", *arguments: Any, **named: Any) -> bool:
        self.status.error = ""
        try:
            method(self, *arguments, **named)
            return True
        except (SceneError, promptseg.PromptSegError) as error:
            self.status.error = str(error)
            return False
        finally:
            self._say_unfinished()
            self._changed()

    return wrapped


class LiveLogic:
    """See the module. ``on_change`` is called whenever ``status`` is another one. Front ends in one
    scene have different tags: rules are kept in the scene by tag."""

    def __init__(self, scene: Any, options: Options = Options(),
                 on_change: Callable[[], None] = lambda: None, tag: str = Editor.NODE_TAG) -> None:
        self.scene, self.on_change, self.status, self.one_slice = scene, on_change, Status(), False
        self._work, self._steps, self._library = Work(scene, options, tag), Steps(), Library()
        self._prompts = ScenePrompts(self._work, self._edited)
        self._known = KnownSegments(self._work, self._prompts, self._steps)
        self._history = History(self._work, self._prompts, self._known, self._steps, self.status)
        self._questions = Questions(self._library, self._work, self._known, self._history, self._steps,
                                    self.status, self._say_unfinished)
        self._exports = Exports(self._work, self._prompts, self._known)
        self._said_unfinished = ""  # the last of the warnings, if it is there
        self._observed = scene.AddObserver(scene.NodeAboutToBeRemovedEvent, self._node_removed)
        self._observed_close = scene.AddObserver(scene.StartCloseEvent, lambda *_: self.forget())

    def close(self) -> None:
        """Ends the thread; the logic is of no use afterwards."""
        self.scene.RemoveObserver(self._observed)
        self.scene.RemoveObserver(self._observed_close)
        self._prompts.unwatch()
        self._questions.close()

    # ------------------------------------------------------------------------------- what is worked on

    @property
    def volume(self) -> Any:
        return self._work.volume

    @property
    def segmentation(self) -> Any:
        return self._work.segmentation

    @property
    def segment_id(self) -> Optional[str]:
        return self._work.segment_id

    @property
    def refused(self) -> str:
        """Why what was chosen last cannot be worked on."""
        return self._work.refused

    @property
    def histories(self) -> List[Any]:
        """Undo of other tools: each has SaveStateForUndo()."""
        return self._work.histories

    @property
    def rules(self) -> Any:
        """The vtkMRMLSegmentEditorNode with the editable area and the rule for other segments."""
        return self._work.editor.node if self._work.editor is not None else None

    @_says_errors
    def choose(self, volume: Any, segmentation: Any = None) -> None:
        """Works on this volume and this segmentation; without one, one is made for it. A segment that
        has prompts in the scene goes on from them. When that cannot be, it works on nothing: a click
        must not go into what was chosen before."""
        if volume is not None and volume is self.volume:
            self._let_go()  # the library goes on from what it has seen of it
        else:
            self.forget()
        try:
            self._work.choose(volume, segmentation)
        except SceneError as error:
            self.forget()
            self._work.refused = str(error)
            raise
        self._watch_all()
        self.status.text = f"{volume.GetName()}: click on an object."
        if self._work.editor.is_resampled:
            self.status.warnings = (f"{self.segmentation.GetName()} has another grid than "
                                    f"{volume.GetName()}: masks are resampled to it",)

    def forget(self) -> None:
        """Works on nothing. The scene stays as it is."""
        self._let_go()
        self._questions.forget()

    def _let_go(self) -> None:
        self._questions.cancel()
        self._work.forget()
        self._steps.clear()
        self._known.clear()
        self._prompts.unwatch()
        self.status.clear()

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _node_removed(self, _scene: Any, _event: Any, node: Any) -> None:
        """Before selectors see it and choose something else: what they choose is no reason."""
        self._lost(node)

    def _lost(self, going: Any = None) -> bool:
        """Lets go of nodes that are no longer in the scene, or about to leave it."""
        what = self._work.lost(going)
        if what:
            self.forget()
            self.status.error = f"The {what} was removed. What was segmented so far stays in the scene."
            self._changed()
        return bool(what)

    @_says_errors
    def new_segment(self, name: str = "", colour: Any = None) -> None:
        """Adds a segment and works on it."""
        self._ready(segment=False)
        self._work.add_segment(name, colour)

    @_says_errors
    def choose_segment(self, segment_id: str) -> None:
        self._ready(segment=False)
        self._work.choose_segment(segment_id)

    @property
    def options(self) -> Options:
        return self._work.options

    @options.setter
    def options(self, options: Options) -> None:
        self._work.options = options

    @_says_errors
    def set_options(self, options: Options) -> None:
        """Another model, device or window: the next question uses them."""
        self.options = options
        self.status.device = ""

    def _ready(self, segment: bool = True) -> None:
        """For an act of the user. Where the volume has other voxels, or is elsewhere, segments stay and
        are gone on with, earlier steps end. A question about what it was is refused as its answer would
        be: the slice that is shown of it is no mask to go on from."""
        if self._lost() or self.volume is None:
            raise SceneError(self.status.error or self.refused or "Choose a volume first.")
        self._questions.refuse_moved()
        if self._work.see_volume_again():
            self._questions.cancel()
            self._known.settle_all()
            self._steps.clear()
        if segment:
            self._work.want_segment()

    # ---------------------------------------------------------------------------------------- prompts

    @_says_errors
    def click(self, ras: Any, inside: bool = True, normal: Any = None) -> None:
        """A point of the world. ``normal`` is the normal of the slice view it was made in."""
        self._ready()
        click = self._work.click_at(ras, inside, normal)
        self._work.refuse_outside([click])
        before = self._history.open_state()
        after = self._known.for_slice(self.segment_id, before, click) if self.one_slice \
            else self._known.for_object(self.segment_id, before, click.axis)
        self._begin(before, after.with_click(click))

    @_says_errors
    def add_box(self, box: Any) -> None:
        """A box around the object: a Box, or an ROI node, which is taken into the segment's prompts."""
        self._ready()
        if not isinstance(box, Box):
            read = box_of_roi(box)
            if read is None:
                raise SceneError(f"{box.GetName()} has no size yet: draw it first.")
            box = read
        before = self._history.open_state()
        self._begin(before, self._known.for_object(self.segment_id, before, None).with_box(box))

    @_says_errors
    def prompts_edited(self) -> None:
        """The user moved or removed points or boxes of the segment in a view. Where none is left, nobody is
        asked: the mask is what it was before there were any."""
        self._ready()
        before = self._known.state(self.segment_id)
        if before.plane:
            if not self.status.busy and not self._prompts.read(self.segment_id):
                self.status.text = NO_PROMPT_STAYS
            return
        if (after := self._known.with_edits(self.segment_id, before, True)) is before:
            return
        if after:
            self._begin(before, after)
        else:
            self._questions.cancel()
            self._history.without_prompts(before, after)

    def _edited(self, segment_id: str) -> None:
        self._work.segment_id = segment_id
        self.prompts_edited()

    def _begin(self, before: State, after: State) -> None:
        after.refuse_outside_alone()
        self._questions.ask(self._history.begin(before, after))

    def watch(self, on: bool) -> None:
        """Whether prompts that the user edits in a view are a question. Only the front end in use is to
        answer it."""
        self._prompts.watching = on
        if not on:
            self._prompts.unwatch()
        elif self.volume is not None:
            self._watch_again()

    @_says_errors
    def _watch_again(self) -> None:
        self._ready(segment=False)
        self._watch_all()

    def _watch_all(self) -> None:
        """Edits are told from what is known of a segment before."""
        if not self._prompts.watching:
            return
        for segment_id in self._work.editor.segment_ids():
            if self._prompts.nodes(segment_id):
                self._known.state(segment_id)
                self._prompts.watch(segment_id)

    def state_of(self, segment_id: Optional[str] = None) -> State:
        """What a segment is asked with now."""
        return self._known.look(segment_id or self.segment_id)

    # -------------------------------------------------------------------------------------- questions

    def look_at(self, ras: Any, normal: Any = None) -> None:
        """Encodes ahead where the user looks, while nobody asks: the first click there, made in a slice
        view with this normal, is fast then."""
        if self.volume is not None:
            self._questions.look_at(self._work.click_at(ras, True, normal), self.one_slice)

    @property
    def looking(self) -> bool:
        """Whether it looks ahead."""
        return self._questions.looking

    def cancel(self) -> None:
        """Ends the running question; the step stays, with what is shown of it."""
        self._questions.cancel()
        self._say_unfinished()
        self._changed()

    def pump(self) -> bool:
        """Takes answers into the scene; returns whether more are to come."""
        if self._lost():
            return False
        if self._questions.take_answers():
            self._changed()
        return self.status.busy

    def unfinished(self) -> List[str]:
        """Segments whose mask is not whole: their question runs, or it was ended by a prompt of another
        segment or another tool. A further prompt of theirs makes it whole."""
        return self._known.unfinished() if self._work.editor is not None else []

    def _say_unfinished(self) -> None:
        """A slice that is all there is of a mask is told from a thin object by this warning alone. What the
        user has completed is right as it is, and refuses the click."""
        running = self._questions.asked_segment
        try:
            names = [self._work.name(one) for one in self.unfinished()
                     if one != running and not self._work.is_completed(one)]
        except SceneError:
            names = []  # a volume that cannot be used: that is what is said
        said, self._said_unfinished = self._said_unfinished, ""
        if names:
            self._said_unfinished = (f"{', '.join(names)}: the mask is not whole, its question was ended. "
                                     "Click in it once more, or undo.")
        kept = tuple(one for one in self.status.warnings if one != said)
        self.status.warnings = kept + ((self._said_unfinished,) if names else ())

    # ------------------------------------------------------------------------------- undo, redo, accept

    @property
    def can_undo(self) -> bool:
        return self._steps.last() is not None

    @property
    def can_redo(self) -> bool:
        return self._steps.next() is not None

    @_says_errors
    def undo(self) -> None:
        """Takes back the last prompt and what it did to the mask."""
        self._ready(segment=False)
        self._ask_again(self._history.undo(self._questions.cancel))

    @_says_errors
    def redo(self) -> None:
        self._ready(segment=False)
        self._ask_again(self._history.redo(self._questions.cancel))

    def _ask_again(self, unanswered: Optional[Step]) -> None:
        if unanswered is not None:
            self._questions.ask(unanswered)

    @_says_errors
    def accept(self) -> None:
        """The segment is right: its status becomes "completed", its prompts are hidden."""
        self._finish(True)

    @_says_errors
    def reopen(self) -> None:
        self._finish(False)

    def _finish(self, completed: bool) -> None:
        self._ready()
        self._work.set_completed(self.segment_id, completed)
        self._known.note(self.segment_id)
        self._prompts.show(self.segment_id, not completed)

    # ---------------------------------------------------------------------------- what is taken elsewhere

    def prompted(self) -> List[Prompted]:
        """All segments, for write_manifest: asked there as they were here, or where that is not known,
        as the options are now. SceneError: nothing is chosen."""
        self._ready(segment=False)
        return self._exports.prompted()

    def not_from_prompts(self) -> str:
        """Says of which segments their prompts and the options alone do not give the mask; "": of none.
        SceneError: nothing is chosen."""
        self._ready(segment=False)
        return self._exports.not_from_prompts()

    def _changed(self) -> None:
        self.on_change()
