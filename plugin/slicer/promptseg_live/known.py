"""What is known of each segment: the state that it was asked with, and whether that is still so."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Dict, List, Optional, Tuple

from promptseg_mrml import Click, SceneError, Voxels
from promptseg_mrml.prompts import owner_of

from .marks import (
    MARK_TAG,
    UNFINISHED_TAG,
    Asked,
    make_unfinished,
    mark_of,
    owed_state,
    read_mark,
    says_prompts,
    set_tag,
)
from .scene_prompts import ScenePrompts
from .steps import Owed, State, Steps
from .work import Work


@dataclass
class _Known:
    """The state that a segment was asked with, what came of it, and the state whose prompts the scene
    shows (a state that goes on from them has none of its own yet). When the segment holds anything else,
    another tool was there."""

    state: State
    content: Voxels
    shown: State
    owner: str


class KnownSegments:
    def __init__(self, work: Work, prompts: ScenePrompts, steps: Steps) -> None:
        self._work, self._prompts, self._steps = work, prompts, steps
        self._known: Dict[str, _Known] = {}

    def clear(self) -> None:
        self._known.clear()

    # ------------------------------------------------------------------------------------ what is known

    def state(self, segment_id: str) -> State:
        """For an act of the user: what look() finds is known from now on."""
        self._known[segment_id] = self._look(segment_id)
        return self._known[segment_id].state

    def look(self, segment_id: str) -> State:
        """What the segment was asked with. If it holds something else than what came of that, it goes
        on from what it holds. Nothing is changed by looking: a question that runs must find what it was
        asked about."""
        return self._look(segment_id).state

    def _look(self, segment_id: str) -> _Known:
        content = self._work.editor.read(segment_id)
        known, found = self._of(segment_id), self._prompts.read(segment_id)
        if known is not None and known.content == content and known.state.same_prompts(found):
            return known
        unfinished = mark_of(self._work.segment(segment_id), UNFINISHED_TAG)
        if self.asked(segment_id, content, found) is not None:
            state = found  # of a scene that was loaded, or another front end asked
        elif (owed := owed_state(unfinished, found, content, self._work.editor.view)) is not None:
            state = owed
        elif known is None:
            state = self._come_upon(unfinished, found, content)
        elif known.content == content:
            return known  # the user is editing
        else:
            state = self.settled(segment_id, known.state, content.without(known.content),
                                 known.content.without(content))
            found = known.shown  # so that edits are still told from it
        if unfinished and state.base is not None and state.owed is None:
            state = replace(state, cut=True)  # what for is not known any more
        return _Known(state, content, found, owner_of(self._work.segment(segment_id)))

    def _come_upon(self, unfinished: str, found: State, content: Voxels) -> State:
        """Of a segment that nothing is known of but its prompts, its mask, and its tag. Clicks that may have
        been for their slices alone are none for the whole object."""
        if content:
            return found.settled(content)
        if unfinished and found and not says_prompts(unfinished):
            return replace(found.settled(content), cut=True)
        return replace(found, unanswered=bool(unfinished and found))

    def asked(self, segment_id: str, content: Voxels, state: State) -> Optional[Asked]:
        """How these prompts were asked for to give this mask; None: they did not."""
        return read_mark(mark_of(self._work.segment(segment_id)), state, content, self._work.editor.view)

    def content(self, segment_id: str) -> Voxels:
        """What came of the state, as far as it is known."""
        known = self._of(segment_id)
        return known.content if known is not None else Voxels()

    def is_in(self, segment_id: str, state: State) -> bool:
        """Whether it is this very state that the segment is known by."""
        known = self._of(segment_id)
        return known is not None and known.state is state

    def _of(self, segment_id: str) -> Optional[_Known]:
        """None also where a segment that was removed had the ID."""
        known = self._known.get(segment_id)
        return known if known and known.owner == owner_of(self._work.segment(segment_id)) else None

    def unfinished(self) -> List[str]:
        """Segments that show less than they were asked for."""
        return [one for one in self._work.editor.segment_ids() if self._may_be_unfinished(one)
                and not self._steps.is_whole(one, self.look(one))]

    def _may_be_unfinished(self, segment_id: str) -> bool:
        """Asked first: to read masks costs more."""
        known = self._of(segment_id)
        return bool(mark_of(self._work.segment(segment_id), UNFINISHED_TAG)) \
            or (known is not None and not self._steps.is_whole(segment_id, known.state))

    # ---------------------------------------------------------------------------------- what becomes known

    def _know(self, segment_id: str, state: State, content: Voxels, shown: State) -> None:
        self._known[segment_id] = _Known(state, content, shown, owner_of(self._work.segment(segment_id)))

    def remember(self, segment_id: str, state: State) -> None:
        """The state led to what the segment holds now."""
        self._know(segment_id, state, self._work.editor.read(segment_id), state)

    def ask_with(self, segment_id: str, state: State) -> None:
        """The state is in the scene, its answer is to come."""
        self._know(segment_id, state, self._known[segment_id].content, state)
        self.note(segment_id)

    def set_mark(self, segment_id: str, mark: str) -> None:
        set_tag(self._work.segment(segment_id), MARK_TAG, mark)
        self.note(segment_id)

    def note(self, segment_id: str) -> None:
        """Whether the segment shows all that it was asked for is said in the scene: another front end,
        or session, knows nothing else of the question."""
        known, segment = self._of(segment_id), self._work.segment(segment_id)
        if self._work.is_completed(segment_id):  # the user has said that it is right as it is
            set_tag(segment, UNFINISHED_TAG, "")
        elif known is not None:
            whole = self._steps.is_whole(segment_id, known.state)
            unfinished = "" if whole else make_unfinished(known.state, known.content, self._work.editor.view)
            set_tag(segment, UNFINISHED_TAG, unfinished)

    def settle_all(self) -> None:
        """Every segment goes on from what it holds: its volume is another one. What was not whole stays so
        until it is asked for again."""
        unfinished = self.unfinished()
        for segment_id in self._work.editor.segment_ids():
            if (known := self._of(segment_id)) is not None:
                content = self._work.editor.read(segment_id)
                state = replace(known.state.settled(content), cut=segment_id in unfinished)
                self._know(segment_id, state, content, known.shown)
            self.set_mark(segment_id, "")

    # --------------------------------------------------------------------------------- from state to state

    def settled(self, segment_id: str, state: State, came: Voxels = Voxels(),
                went: Voxels = Voxels()) -> State:
        """Going on from what the segment holds now; what another tool drew and erased meanwhile is part
        of that. A slice that is all there is yet of an answer is not what the user meant: the next
        question asks for the whole first."""
        settled = state.settled(self._work.editor.read(segment_id))
        if self._steps.is_answered(segment_id, state) or not (state or state.owed):
            return settled
        return replace(settled, owed=Owed(state, came, went))

    def with_edits(self, segment_id: str, before: State, asks: bool = False) -> State:
        """The prompts as the user has left them in the scene; this very state when they are as they
        were. What cannot be is put back as it was before; so is what cannot be asked, if it ``asks``."""
        edited, known = self._prompts.read(segment_id), self._known[segment_id]
        if known.shown.same_prompts(edited):
            return before
        after = self._edited(before, known.shown, edited)
        try:
            self.refuse_closed(segment_id)
            self._work.refuse_outside(edited.clicks)
            if asks:
                after.refuse_outside_alone()
        except SceneError:
            self._prompts.write(segment_id, before, locked_too=True)
            known.shown = before
            raise
        return after

    def _edited(self, before: State, shown: State, edited: State) -> State:
        base, owed = before.base, before.owed
        if owed is not None and not before and shown.same_prompts(owed.state):
            # It is the prompts still to be asked that were edited, not what was set beside them.
            state = replace(owed.state, clicks=edited.clicks, boxes=edited.boxes)
            owed = Owed(state, owed.came, owed.went)
            if not state and state.owed is None:  # none is left: what there was before them, and the drawing
                base, owed = owed.with_answer(state.base or Voxels()) or None, None
        axis = before.axis if edited else edited.axis
        return State(base, edited.clicks, edited.boxes, edited.used, axis, before.plane, owed=owed,
                     cut=before.cut)

    def refuse_closed(self, segment_id: str) -> None:
        """What the user has completed or locked is not changed."""
        self._work.refuse_completed(segment_id)
        self._prompts.refuse_locked(segment_id)

    def for_object(self, segment_id: str, state: State, axis: Optional[str]) -> State:
        """The state to add a prompt for the whole object to. The axis of its slices is the acquired
        one where slices are thick, else that of the view of the first click."""
        if state.plane:
            state = self.settled(segment_id, state)
        return replace(state, axis=self._axis_for_object(state, axis))

    def _axis_for_object(self, state: State, axis: Optional[str]) -> Optional[str]:
        begins = not state or state.plane  # clicks of a slice alone are in the mask then
        if begins and state.axis is None and self._work.editor.view.coarse_axis() is None:
            return axis
        return state.axis

    def for_slice(self, segment_id: str, state: State, click: Click) -> State:
        """The same for a click that is for its slice alone. Clicks of one slice ask together; the next
        slice goes on from what the last one made."""
        plane = self._plane(state, click)
        if state.plane != plane:
            state = replace(self.settled(segment_id, state), plane=plane)
        return state

    def _plane(self, state: State, click: Click) -> Tuple[str, int]:
        view = self._work.editor.view
        axis = click.axis or state.axis or view.coarse_axis() or "k"
        return axis, view.slice_of(click.ras, axis)

    def to_look(self, segment_id: Optional[str], click: Click, one_slice: bool) -> State:
        """A state that is asked along the axis, and in the way, that this click would be. Masks are not
        read for it: a mouse moves often."""
        state = State()
        if segment_id in self._work.editor.segment_ids():  # else the click makes one
            known = self._of(segment_id)
            state = known.state if known is not None else self._prompts.read(segment_id)
        if one_slice:
            return State(plane=self._plane(state, click))
        return State(axis=self._axis_for_object(state, click.axis))
