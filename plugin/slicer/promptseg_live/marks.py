"""What a segment's mask came from, kept with the segment.

A mark knows volume, mask and prompts by digests, and where the volume lies: when any tool changes one of
them, in this session or another one, the mark is none of them any more. Nobody has to take it off. Names may
change; marks of earlier versions know the volume by its name alone.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Optional
from urllib.parse import parse_qs, urlencode

import numpy as np
import vtk
from promptseg_mrml import View, Voxels

from .steps import State
from .worker import Options

MARK_TAG = "PromptSeg.Result"


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


def make_mark(state: State, axis: str, content: Voxels, view: View) -> str:
    """The mark of a whole answer; "" where the mask does not follow from the prompts alone."""
    if state.base is not None or state.owed is not None or state.plane or not state:
        return ""
    options = state.options or Options()
    window = options.window if isinstance(options.window, str) else "{!r},{!r}".format(*options.window)
    if window == "auto" and view.hounsfield:
        window = "abdomen"  # what it is for CT; a file may not say that it is CT
    return urlencode({**_sources(state, content), "voxels": view.digest,
                      "place": " ".join(f"{n:.9g}" for n in _place(view)), "axis": axis, "window": window,
                      "model": options.model or "", "keepLargest": int(options.keep_largest),
                      "fillHoles": int(options.fill_holes)})


def _is_of_volume(parts: dict, view: View) -> bool:
    if "voxels" not in parts:
        return parts.get("volume") == view.name
    place = [float(n) for n in parts["place"].split()]
    return parts["voxels"] == view.digest and np.allclose(place, _place(view), rtol=0, atol=1e-4)  # mm


def read_mark(mark: str, state: State, content: Voxels, view: View) -> Optional[Asked]:
    """How these prompts were asked for to give this mask; None: it is not known, or they did not."""
    parts = {key: values[0] for key, values in parse_qs(mark, keep_blank_values=True).items()}
    if not parts or not state \
            or any(parts.get(key) != value for key, value in _sources(state, content).items()) \
            or not _is_of_volume(parts, view):
        return None
    window = parts["window"]
    if "," in window:
        window = tuple(float(n) for n in window.split(","))
    return Asked(parts["axis"], Options(
        model=parts["model"] or None, window=window, keep_largest=parts["keepLargest"] == "1",
        fill_holes=parts["fillHoles"] == "1"))


def mark_of(segment: Any) -> str:
    value = vtk.mutable("")
    return str(value) if segment.GetTag(MARK_TAG, value) else ""
