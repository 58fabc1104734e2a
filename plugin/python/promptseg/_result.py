"""What a prediction gives beside the labels."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Tuple

from ._errors import PromptSegWarning

Index = Tuple[int, int, int]


@dataclass(frozen=True)
class SliceReport:
    """One slice that was taken: its index along the axis, the network's rating (an IoU, 0 to 1),
    voxels marked, and whether prompts lie on it."""

    slice: int
    predicted_iou: float
    voxels: int
    prompted: bool


@dataclass(frozen=True)
class ObjectReport:
    """One object. ``first`` and ``last`` are the corners (i, j, k) of its bounding box, inclusive,
    None when nothing was found. ``stopped`` says why the walks below the first and above the last
    prompted slice ended."""

    label: int
    name: Optional[str]
    voxels: int
    millilitres: float
    quality: float
    first: Optional[Index]
    last: Optional[Index]
    stopped: Tuple[Optional[str], Optional[str]]
    slices: List[SliceReport] = field(repr=False)


@dataclass(frozen=True)
class Segmentation:
    """``labels`` is of the kind that the image was (array, itk.Image, SimpleITK, nibabel), 0 where
    nothing was marked; where objects overlap, the one that was given last has the voxel.
    ``objects`` has a report for each label. ``axis`` is the index axis (0: i) that slices were taken
    along, ``window`` the intensities shown as black and white, ``encoded`` and ``cached`` count
    slices seen by the network and taken from the cache."""

    labels: Any
    objects: Dict[int, ObjectReport]
    axis: int
    window: Tuple[float, float]
    hounsfield: bool
    encoded: int
    cached: int
    device: str
    warnings: List[str] = field(default_factory=list)


@dataclass(frozen=True)
class Preview:
    """One slice of an object. ``mask`` is a boolean array over the other two index axes, the later
    one first: (k, j) for a slice along i, (k, i) along j, (j, i) along k. ``prompted``: the mask is
    what these prompts give on this slice; else it is the object's of its last prediction, whatever
    that was asked with, and empty if there was none."""

    axis: int
    slice: int
    mask: Any
    voxels: int
    predicted_iou: float
    prompted: bool


@dataclass(frozen=True)
class Mask:
    """An object's voxels: a boolean array (k, j, i) over its bounding box, which begins at the voxel
    ``first`` (i, j, k). Without voxels the array is empty."""

    first: Index
    array: Any


def tell(sentences: List[str], stacklevel: int = 4) -> None:
    """Hands the library's warnings on as Python's."""
    for sentence in sentences:
        warnings.warn(sentence, PromptSegWarning, stacklevel=stacklevel)
