"""What a segment's mask came from, kept with the segment.

A mark knows volume, mask and prompts by digests, and where the volume lies: when any tool changes one of
them, in this session or another one, the mark is none of them any more. Nobody has to take it off. Names may
change; marks of earlier versions know the volume by its name alone.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any, Optional
from urllib.parse import parse_qs, urlencode

import numpy as np
import vtk
from promptseg_mrml import View, Voxels

from .steps import State
from .worker import Options

MARK_TAG = "PromptSeg.Result"
UNFINISHED_TAG = "PromptSeg.Unfinished"  # of a segment that shows less than it was asked for


@dataclass(frozen=True)
class Asked:
    """How the model was asked: the index axis ("i", "j", "k") of the slices, and the options that the
    mask depends on."""

    axis: str
    options: Options


def _prompts_digest(state: State) -> str:
    """Places by micrometres: files keep no more digits than they need."""
    clicks = [(*(round(n, 3) + 0.0 for n in click.ras), click.inside) for click in state.clicks]
    boxes = [[round(n, 3) + 0.0 for n in box.numbers] for box in state.boxes]
    return hashlib.sha256(repr((clicks, boxes)).encode()).hexdigest()[:16]


def _sources(state: State, content: Voxels) -> dict:
    return {"mask": content.digest(), "prompts": _prompts_digest(state)}


def _place(view: View) -> np.ndarray:
    """Twelve numbers, from voxel indices to the world."""
    return view.affine[:3].ravel()


def _volume(view: View) -> dict:
    return {"voxels": view.digest, "place": " ".join(f"{n:.9g}" for n in _place(view))}


def make_mark(state: State, axis: str, content: Voxels, view: View) -> str:
    """The mark of a whole answer; "" where the mask does not follow from the prompts alone."""
    if state.base is not None or state.owed is not None or state.plane or not state:
        return ""
    options = state.options or Options()
    window = options.window if isinstance(options.window, str) else "{!r},{!r}".format(*options.window)
    if window == "auto" and view.hounsfield:
        window = "abdomen"  # what it is for CT; a file may not say that it is CT
    return urlencode({**_sources(state, content), **_volume(view), "axis": axis, "window": window,
                      "model": options.model or "", "keepLargest": int(options.keep_largest),
                      "fillHoles": int(options.fill_holes)})


def _is_of_volume(parts: dict, view: View) -> bool:
    if "voxels" not in parts:  # of an earlier version
        return parts.get("volume") == view.name
    place = [float(n) for n in parts["place"].split()]
    return parts["voxels"] == view.digest and np.allclose(place, _place(view), rtol=0, atol=1e-4)  # mm


def _parts(mark: str) -> dict:
    return {key: values[0] for key, values in parse_qs(mark, keep_blank_values=True).items()}


def _is_from(parts: dict, state: State, content: Voxels, view: View) -> bool:
    """Whether it is the mark of these prompts, of this volume, and of what the segment holds."""
    return bool(parts and state) and _is_of_volume(parts, view) \
        and all(parts.get(key) == value for key, value in _sources(state, content).items())


def make_unfinished(state: State, content: Voxels, view: View) -> str:
    """Of a segment that holds less than the state asks for. Prompts that go on from another mask, or from
    a question that was ended before, do not say by themselves what was asked: then it says only that."""
    if state.base is not None or state.owed is not None or (state.plane and state.cut) or not state:
        return urlencode({"mask": content.digest()})
    plane = {"plane": "{},{}".format(*state.plane)} if state.plane else {}
    return urlencode({**_sources(state, content), **_volume(view), **plane})


def says_prompts(unfinished: str) -> bool:
    """Whether the prompts of the scene were a question for the whole object, or for the slice it names."""
    return "prompts" in _parts(unfinished)


def owed_state(unfinished: str, state: State, content: Voxels, view: View) -> Optional[State]:
    """What is still to be asked where these prompts are, and the mask is what is there yet of their
    answer; else None."""
    parts = _parts(unfinished)
    if "prompts" not in parts or not _is_from(parts, state, content, view):
        return None
    axis, _, number = parts.get("plane", "").partition(",")
    return replace(state, plane=(axis, int(number)) if axis else None, unanswered=True)


def read_mark(mark: str, state: State, content: Voxels, view: View) -> Optional[Asked]:
    """How these prompts were asked for to give this mask; None: it is not known, or they did not."""
    parts = _parts(mark)
    if not _is_from(parts, state, content, view):
        return None
    window = parts["window"]
    if "," in window:
        window = tuple(float(n) for n in window.split(","))
    return Asked(parts["axis"], Options(
        model=parts["model"] or None, window=window, keep_largest=parts["keepLargest"] == "1",
        fill_holes=parts["fillHoles"] == "1"))


def mark_of(segment: Any, tag: str = MARK_TAG) -> str:
    value = vtk.mutable("")
    return str(value) if segment.GetTag(tag, value) else ""


def set_tag(segment: Any, tag: str, value: str) -> None:
    """Segments tell everybody of each change: only where it is one."""
    if value != mark_of(segment, tag):
        segment.SetTag(tag, value)
