"""What a segment was asked with, and the steps that led there."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Dict, List, Optional, Tuple

import numpy as np

from promptseg_mrml import Box, Click, SceneError, Voxels
from promptseg_mrml.segments import Change

from .worker import Options


@dataclass(frozen=True)
class State:
    """All that a segment's mask follows from.

    base
        What the segment held before its prompts, None: nothing. Prompts change it where they reach.
    clicks, boxes
        The prompts, in their order.
    used
        Clicks that are in the base already; they stay in the scene for people to see.
    axis
        The index axis that slices are taken along, None: the library chooses.
    plane
        (axis, slice) when the clicks are for this slice alone.
    options
        How the model was asked, None: it was not asked yet.
    owed
        A question that ended before its answer, which the base is to be; ``base`` is then what was shown.
    cut
        The base is less than was asked for, and nobody can be asked for the rest: the volume of that
        question is another one now. An answer about the whole object makes up for it.
    unanswered
        The prompts are those of a question that was ended in another session or front end. The next one
        asks for all of them.
    """

    base: Optional[Voxels] = None
    clicks: Tuple[Click, ...] = ()
    boxes: Tuple[Box, ...] = ()
    used: Tuple[Click, ...] = ()
    axis: Optional[str] = None
    plane: Optional[Tuple[str, int]] = None
    options: Optional[Options] = None
    owed: Optional["Owed"] = None
    cut: bool = False
    unanswered: bool = False

    def __bool__(self) -> bool:
        return bool(self.clicks or self.boxes)

    @property
    def stays_cut(self) -> bool:
        """Whether slices are missing even when the state is answered."""
        return self.cut and (self.plane is not None or not self)

    def same_prompts(self, other: "State") -> bool:
        """To a nanometre: the scene gives numbers back that were computed with."""
        mine, others = _numbers(self), _numbers(other)
        return [len(n) for n in mine] == [len(n) for n in others] \
            and np.allclose(sum(mine, []), sum(others, []), rtol=0, atol=1e-6)

    def settled(self, content: Voxels) -> "State":
        """Going on from what the segment holds now, whatever made it."""
        return State(base=content if content else None, used=self.used + self.clicks, axis=self.axis,
                     cut=self.stays_cut)

    def refuse_outside_alone(self) -> None:
        """Clicks outside change what is there, and say nothing of where an object is."""
        if self.clicks and not self.boxes and not self.base and self.owed is None \
                and not any(click.inside for click in self.clicks):
            raise SceneError("Clicks outside alone do not say where the object is: click inside it first, and "
                             "remove that click last.")

    def with_click(self, click: Click) -> "State":
        return replace(self, clicks=self.clicks + (click,))

    def with_box(self, box: Box) -> "State":
        return replace(self, boxes=self.boxes + (box,))

    def prompts(self, shape: Tuple[int, int, int]) -> Dict[str, Any]:
        """The fields of promptseg.Prompts, for a volume of `shape` (i, j, k)."""
        out: Dict[str, Any] = {
            "clicks": [(*click.lps, 1.0 if click.inside else 0.0) for click in self.clicks],
            "roi": [box.numbers for box in self.boxes],
        }
        if self.base:
            full = self.base.over((0, 0, 0), tuple(n - 1 for n in shape))
            out["initial"] = np.ascontiguousarray(full).transpose(2, 1, 0)
        return out


@dataclass(eq=False)
class Owed:
    """The answer to a question that was ended, and what another tool drew and erased before it came.
    ``whole`` is both together once a later question has found it out."""

    state: State
    came: Voxels = field(default_factory=Voxels)
    went: Voxels = field(default_factory=Voxels)
    whole: Optional[Voxels] = None

    def with_answer(self, answer: Voxels) -> Voxels:
        self.whole = answer.plus(self.came).without(self.went)
        return self.whole


def _numbers(state: State) -> List[List[float]]:
    return [[*click.ras, click.inside] for click in state.clicks] + [box.numbers for box in state.boxes]


@dataclass(eq=False)
class Step:
    """One act of the user, undone as a whole: prompts, mask and the mask's mark (marks.py). Two acts
    are two steps, whatever they hold."""

    segment_id: str
    before: State
    after: State
    mark_before: str = ""
    mark_after: str = ""
    change: Change = field(default_factory=lambda: Change({}, {}))
    complete: bool = False  # the whole mask is there
    to_base: bool = False  # no prompt was left: the mask is what it was before there were any
    owner: str = ""  # of the segment: a later one may have its ID

    def add(self, later: Change) -> None:
        """The change of this step, followed by another one, as one."""
        one = self.change.on(later.matrix)
        ids = {*one.came, *one.went, *later.came, *later.went}
        came, went = {}, {}
        for segment_id in ids:
            a, b = (change.get(segment_id, Voxels()) for change in (one.came, one.went))
            c, d = (change.get(segment_id, Voxels()) for change in (later.came, later.went))
            came[segment_id] = a.without(d).plus(c.without(b))
            went[segment_id] = b.without(c).plus(d.without(a))
        self.change = Change({k: v for k, v in came.items() if v}, {k: v for k, v in went.items() if v},
                             later.matrix, {**one.owners, **later.owners})


class Steps:
    """The steps done, and those taken back that can be done again."""

    def __init__(self, limit: int = 200) -> None:
        self._all: List[Step] = []
        self._at, self._limit = 0, limit

    def add(self, step: Step) -> None:
        del self._all[self._at:]
        self._all.append(step)
        del self._all[:-self._limit]
        self._at = len(self._all)

    def drop(self, step: Step) -> None:
        """A step that came to nothing."""
        if step in self._all:
            self._at -= self._all.index(step) < self._at
            self._all.remove(step)

    def last(self) -> Optional[Step]:
        return self._all[self._at - 1] if self._at else None

    def next(self) -> Optional[Step]:
        return self._all[self._at] if self._at < len(self._all) else None

    def outdate_taken_back(self, segment_id: str) -> None:
        """The segment has got another mask than the one that its steps taken back went on from: what they
        did to that is no answer any more."""
        for step in self._all[self._at:]:
            if step.segment_id == segment_id:
                step.complete, step.mark_after = False, ""

    def back(self) -> Step:
        self._at -= 1
        return self._all[self._at]

    def forward(self) -> Step:
        self._at += 1
        return self._all[self._at - 1]

    def made(self, segment_id: str, state: State) -> Optional[Step]:
        """The step done that led a segment to this very state."""
        for step in reversed(self._all[: self._at]):
            if step.segment_id == segment_id:
                return step if step.after is state else None
        return None

    def is_answered(self, segment_id: str, state: State) -> bool:
        """Whether all that led to this state has been answered, as far as it can be."""
        made = self.made(segment_id, state)
        return made.complete if made is not None else state.owed is None and not state.unanswered

    def is_whole(self, segment_id: str, state: State) -> bool:
        """Whether the segment shows all that it was asked for."""
        return self.is_answered(segment_id, state) and not state.stays_cut

    def clear(self) -> None:
        self._all.clear()
        self._at = 0
