"""What the worker's thread asks the model library, and tells of the answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, List, Sequence, Tuple

from promptseg_mrml import Voxels

from .steps import State
from .worker import Job, Library


def look_ahead(library: Library, view: Any, state: State, place: Sequence[float], job: Job) -> None:
    """Encodes what a click at a place (LPS) will need that is asked as this state is."""
    _volume(library, view, state, job).ahead(place, cancel=job.cancel)


def _volume(library: Library, view: Any, state: State, job: Job) -> Any:
    """The live volume that a state is asked of. A look ahead at another one is none."""
    if state.plane:
        return library.volume(view, state.options, job, axis=state.plane[0], propagate=False)
    return library.volume(view, state.options, job, axis=state.axis or "auto")


def ask_object(library: Library, view: Any, state: State, label: int, job: Job) -> None:
    """The slice of the last prompt at once, then the whole object."""
    live = _volume(library, view, state, job)
    first = live.preview(label, state.prompts(view.size), cancel=job.cancel, sentences=[])
    _show(first, job)
    voxels, *said = _object(library, view, _with_base(library, view, state, label, job), label, job)
    quality, sentences = said
    job.tell("mask", voxels, "ijk"[first.axis], quality, library.assumed() + sentences)


def ask_slice(library: Library, view: Any, state: State, label: int, job: Job) -> None:
    """One slice, all others as they are."""
    if state.owed is not None:
        _show(_slice(library, view, state, label, job), job)
        state = _with_base(library, view, state, label, job)
    found = _slice(library, view, state, label, job)
    job.tell("mask", _with_slice(state.base or Voxels(), found), state.plane[0], found.predicted_iou,
             library.assumed())


def _object(library: Library, view: Any, state: State, label: int, job: Job) -> Tuple:
    """The whole object's voxels, their quality, and the library's sentences."""
    sentences: List[str] = []
    live = _volume(library, view, state, job)
    report = live.predict(label, state.prompts(view.size), progress=job.progress, cancel=job.cancel,
                          sentences=sentences)
    mask = live.mask(label)
    return Voxels(mask.first, mask.array), report.quality, sentences


def _slice(library: Library, view: Any, state: State, label: int, job: Job) -> Any:
    live = _volume(library, view, state, job)
    return live.preview(label, state.prompts(view.size), slice=state.plane[1], cancel=job.cancel,
                        sentences=[])


def _show(found: Any, job: Job) -> None:
    """A slice that no prompt lies on is as an earlier question left it, one that was undone maybe."""
    if found.prompted:
        job.tell("preview", found)


def _with_slice(voxels: Voxels, found: Any) -> Voxels:
    """What was found on a slice that no prompt lies on is no answer."""
    return voxels.with_slice(found.axis, found.slice, found.mask) if found.prompted else voxels


def _with_base(library: Library, view: Any, state: State, label: int, job: Job) -> State:
    """The state, its base being the answer that it is owed: asked for now, unless an earlier question
    has found it out."""
    owed = state.owed
    if owed is None:
        return state
    if owed.whole is None:
        asked = _with_base(library, view, replace(owed.state, options=state.options), label, job)
        answer = asked.base or Voxels()
        if asked and asked.plane:
            found = _slice(library, view, asked, label, job)
            answer = _with_slice(answer, found)
        elif asked:
            answer = _object(library, view, asked, label, job)[0]
        owed.with_answer(answer)
    return replace(state, base=owed.whole, owed=None)
