"""What a user marks, and how it becomes voxel indices."""

from __future__ import annotations

import ctypes as c
from dataclasses import dataclass
from typing import Any, Optional, Sequence

import numpy as np

from . import _abi
from ._errors import PromptError, UsageError
from ._image import Image, as_labels

Points = Sequence[Sequence[float]]


@dataclass
class Prompts:
    """All prompts of one object.

    foreground, background
        Points ``(x, y, z)`` that belong to the object and that do not, ``(x, y)`` in a plane image.
        Those inside come first.
    clicks
        Points of both kinds in the order they were made, which matters when they correct one
        another: ``(x, y, z, inside)``, 1 or 0. They come before the other two.
    roi
        Boxes ``(cx, cy, cz, rx, ry, rz)``: centre and half the size along x, y, z; nine more numbers
        (a rotation, row by row) turn it. One box or a list of them; several are united. Points on
        slices that none of them crosses are not used; a warning says so.
    initial
        A segmentation to start from: an array of the image's shape (numpy, torch, nested lists) or an
        image on its grid; ``True`` or any value but 0 belongs to the object, or ``initial_value``
        alone if it is given.
    coordinates
        ``"lps"`` (millimetres as DICOM and ITK have them), ``"ras"`` (as 3D Slicer shows and nibabel
        has them), or ``"index"``: voxel indices ``(i, j, k)``, i being the fastest axis in memory of
        an ITK image and the first one of a nibabel array.
    name
        For messages and reports.
    """

    foreground: Points = ()
    background: Points = ()
    roi: Any = ()
    initial: Any = None
    initial_value: Optional[int] = None
    coordinates: str = "lps"
    name: Optional[str] = None
    clicks: Sequence[Sequence[float]] = ()


def _rows(rows: Any, what: str, wanted: str, widths: Sequence[int]) -> np.ndarray:
    """One row of numbers or several, n x one of `widths`, from an array, lists or an iterator."""
    if rows is None:
        return np.empty((0, widths[-1]))
    try:
        array = np.asarray(rows if hasattr(rows, "__len__") else list(rows), dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise PromptError(f"{what}: {wanted} are wanted: {error}") from None
    if array.size == 0:
        return np.empty((0, widths[-1]))
    if array.ndim == 1:
        array = array[np.newaxis]
    if array.ndim != 2 or array.shape[1] not in widths:
        raise PromptError(f"{what}: {wanted} are wanted, found an array of shape {array.shape}")
    return array


def _points(points: Any, what: str, is_plane: bool) -> np.ndarray:
    array = _rows(points, what, "points (x, y, z)", (2, 3))
    if array.shape[1] == 3:
        return array
    if not is_plane:
        raise PromptError(f"{what}: points (x, y, z) are wanted, two numbers are a place in a plane image")
    return np.column_stack([array, np.zeros(len(array))])


def _clicks(clicks: Any) -> np.ndarray:
    """n x 4: a point, and 1 inside, 0 outside."""
    array = _rows(clicks, "clicks", "(x, y, z, inside)", (4,))
    wrong = array[~np.isin(array[:, 3], (0, 1)), 3]
    if len(wrong):
        raise PromptError(f"clicks: 1 is inside and 0 outside, found {wrong[0]:g}")
    return array


def _seeds(prompts: Prompts, is_plane: bool) -> np.ndarray:
    """All points of an object in their order, as _clicks() has them."""
    parts = [_clicks(prompts.clicks)]
    for name, inside in (("foreground", 1.0), ("background", 0.0)):
        points = _points(getattr(prompts, name), name, is_plane)
        parts.append(np.column_stack([points, np.full(len(points), inside)]))
    return np.vstack(parts)


def _boxes(roi: Any) -> np.ndarray:
    """n x 15: centre, half sizes, rotation."""
    if roi is None:
        return np.empty((0, 15))
    rows = list(roi)
    if not rows:
        return np.empty((0, 15))
    if np.isscalar(rows[0]) or np.ndim(rows[0]) == 0:
        rows = [rows]
    out = np.empty((len(rows), 15))
    for row, box in zip(out, rows):
        numbers = np.asarray(box, dtype=np.float64).ravel()
        if numbers.size not in (6, 15):
            raise PromptError(f"a roi has 6 or 15 numbers, found {numbers.size}")
        row[:6] = numbers[:6]
        row[6:] = numbers[6:] if numbers.size == 15 else np.eye(3).ravel()
    if (out[:, 3:6] < 0).any():
        raise PromptError("a roi's half sizes cannot be negative")
    return out


class _Frame:
    """From the coordinates of prompts to continuous voxel indices."""

    def __init__(self, image: Image, coordinates: str) -> None:
        if coordinates not in ("lps", "ras", "index"):
            raise UsageError(f"coordinates are lps, ras or index, not {coordinates!r}")
        self._flip = np.array([-1.0, -1.0, 1.0]) if coordinates == "ras" else np.ones(3)
        self._index = coordinates == "index"
        self._image = image

    def place(self, points: np.ndarray) -> np.ndarray:
        if self._index:
            return points
        return self._image.index_of(points * self._flip)

    def step(self, vector: np.ndarray) -> np.ndarray:
        if self._index:
            return vector
        return self._image.inverse[:, :3] @ (vector * self._flip)


class Packed:
    """Prompts as the library takes them. Keeps alive what the C structure points to."""

    def __init__(self, prompts: Prompts, image: Image) -> None:
        frame = _Frame(image, prompts.coordinates)
        points = _seeds(prompts, is_plane=image.array.shape[0] == 1)
        self._seeds = (_abi.Seed * len(points))()
        for seed, point, inside in zip(self._seeds, frame.place(points[:, :3]), points[:, 3]):
            seed.index[:] = point.tolist()
            seed.label = 1 if inside else 0
        self._rois = self._pack_rois(_boxes(prompts.roi), frame)
        self._name = prompts.name.encode() if prompts.name else None
        self._labels = None
        self.struct = _abi.Object(
            name=self._name,
            seeds=self._seeds, seed_count=len(self._seeds),
            rois=self._rois, roi_count=len(self._rois),
        )
        if prompts.initial is not None:
            self._pack_initial(prompts, image)

    @staticmethod
    def _pack_rois(boxes: np.ndarray, frame: _Frame) -> Any:
        rois = (_abi.Roi * len(boxes))()
        for roi, box in zip(rois, boxes):
            roi.center[:] = frame.place(box[np.newaxis, :3])[0].tolist()
            axes = box[6:].reshape(3, 3)
            for n in range(3):
                roi.half_axis[n][:] = frame.step(axes[:, n] * box[3 + n]).tolist()
        return rois

    def _pack_initial(self, prompts: Prompts, image: Image) -> None:
        self._labels = as_labels(prompts.initial, image, "initial")
        self.struct.labels = self._labels.ctypes.data_as(c.c_void_p)
        self.struct.label_type = _abi.VOXEL_TYPES[self._labels.dtype.str[1:]]
        self.struct.label_value = prompts.initial_value or 0


def prompts_of(value: Any) -> Prompts:
    """Prompts, or a mapping with their fields."""
    if isinstance(value, Prompts):
        return value
    if isinstance(value, dict):
        try:
            return Prompts(**value)
        except TypeError as error:
            raise UsageError(f"prompts: {error}") from None
    raise UsageError(f"prompts are a promptseg.Prompts or a dict, not {type(value).__name__}")
