"""A volume node as the model library sees it: voxels where they lie, and where they are in the world."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from itertools import permutations
from typing import Any, Optional, Tuple

import numpy as np
import vtk
from vtk.util import numpy_support

from .errors import SceneError

RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
AXES = "ijk"
DIGESTED = 2**21  # voxels: milliseconds, however large the volume is
TOUCHING = 1e-4  # of a voxel: more than rounding, less than anybody means, as the library has it


def matrix_of(vtk_matrix: Any) -> np.ndarray:
    """4 x 4 of a vtkMatrix4x4."""
    return np.array([[vtk_matrix.GetElement(r, c) for c in range(4)] for r in range(4)])


def vtk_matrix_of(matrix: np.ndarray) -> Any:
    out = vtk.vtkMatrix4x4()
    for row in range(4):
        for column in range(4):
            out.SetElement(row, column, float(matrix[row, column]))
    return out


def to_world(node: Any) -> np.ndarray:
    """4 x 4 from a node's own coordinates to the world: its parent transforms, which must be linear."""
    parent = node.GetParentTransformNode()
    if parent is None:
        return np.eye(4)
    out = vtk.vtkMatrix4x4()
    if not parent.IsTransformToWorldLinear() or not parent.GetMatrixTransformToWorld(out):
        raise SceneError(f"{node.GetName()}: its transform {parent.GetName()} is not linear; "
                         "harden it (Transforms module), then choose the volume again")
    return matrix_of(out)


def affine_of(volume: Any) -> np.ndarray:
    """4 x 4 from voxel indices (i, j, k) to world RAS, parent transforms included."""
    out = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(out)
    return to_world(volume) @ matrix_of(out)


def is_hounsfield(volume: Any) -> Optional[bool]:
    """True where the volume says so (volumes loaded from DICOM do); None: it says nothing."""
    entry = volume.GetVoxelValueUnits() if hasattr(volume, "GetVoxelValueUnits") else None
    value = entry.GetCodeValue() if entry is not None else None
    return True if value and value.strip("[]").lower() in ("hnsf'u", "hu") else None


@dataclass(frozen=True)
class View:
    """A volume at one moment. ``voxels`` is (i, j, k), or (i, j, k, 3) for colours, without a copy;
    ``affine`` leads from indices to world RAS; ``stamp`` changes when the voxels do."""

    name: str
    voxels: np.ndarray
    affine: np.ndarray
    rgb: bool
    hounsfield: Optional[bool]
    stamp: Tuple

    def is_of(self, volume: Any) -> bool:
        """Whether the volume still has these voxels, and is still there."""
        now = view_of(volume)
        return now.stamp == self.stamp and np.array_equal(now.affine, self.affine)

    @functools.cached_property
    def digest(self) -> str:
        """A short name of the voxels, whatever the volume is called. Of a large volume every n-th voxel
        counts, so that nobody waits for it."""
        flat = self.voxels.transpose((2, 1, 0, 3)[: self.voxels.ndim]).ravel()  # as they lie
        some = np.ascontiguousarray(flat[:: 1 + flat.size // DIGESTED])
        text = f"{self.voxels.shape}{some.dtype}".encode() + some.tobytes()
        return hashlib.sha256(text).hexdigest()[:16]

    @property
    def size(self) -> Tuple[int, int, int]:
        return tuple(int(n) for n in self.voxels.shape[:3])

    @property
    def spacing(self) -> np.ndarray:
        """Millimetres in the world along i, j, k."""
        return np.sqrt((self.affine[:3, :3] ** 2).sum(axis=0))

    def index_of(self, ras: Any) -> np.ndarray:
        """A world point as continuous voxel index."""
        return np.linalg.solve(self.affine[:3, :3], np.asarray(ras, float) - self.affine[:3, 3])

    def holds(self, ras: Any) -> bool:
        """Whether a world point lies in a voxel's cell. The faces belong to the volume: nothing hangs
        on a rounding."""
        index = self.index_of(ras)
        return bool((index >= -0.5 - 1e-6).all() and (index <= np.array(self.size) - 0.5 + 1e-6).all())

    def bounds(self) -> np.ndarray:
        """2 x 3: lowest and highest world coordinates of the voxels' cells."""
        ends = np.array([-0.5, 0.5])
        corners = [[i, j, k] for i in ends + [0, self.size[0] - 1] for j in ends + [0, self.size[1] - 1]
                   for k in ends + [0, self.size[2] - 1]]
        places = np.array(corners) @ self.affine[:3, :3].T + self.affine[:3, 3]
        return np.array([places.min(axis=0), places.max(axis=0)])

    def axis_near(self, normal_ras: Any) -> str:
        """The index axis ("i", "j", "k") most nearly along a direction of the world, as a slice
        view's normal."""
        steps = self.affine[:3, :3] / self.spacing
        return AXES[int(np.abs(steps.T @ np.asarray(normal_ras, float)).argmax())]

    def slice_of(self, ras: Any, axis: str) -> int:
        """The slice along an index axis that the model library takes a point for: the nearest one, and
        between two the one farther to the left, posterior or superior, however the voxels lie."""
        n = AXES.index(axis)
        place = float(self.index_of(ras)[n])
        lies = np.abs(self.affine[:3, :3] / self.spacing)
        pairs = max(permutations(range(3)), key=lambda rows: round(sum(lies[rows, range(3)]), 9))
        flipped = (RAS_TO_LPS @ self.affine)[pairs[n], n] < 0
        nearest = -np.floor(TOUCHING + 0.5 - place) if flipped else np.floor(place + 0.5 + TOUCHING)
        return int(np.clip(nearest, 0, self.size[n] - 1))

    def coarse_axis(self) -> Optional[str]:
        """The axis whose spacing is at least 10 % above both others, along which slices were
        acquired; None: there is none."""
        order = np.argsort(self.spacing)
        return AXES[order[2]] if self.spacing[order[2]] >= 1.1 * self.spacing[order[1]] else None

    def open(self, model: Any, **options: Any) -> Any:
        """A live volume of the package promptseg."""
        if self.hounsfield is not None:
            options.setdefault("hounsfield", self.hounsfield)
        return model.open(self.voxels, affine=self.affine, rgb=self.rgb, **options)


def view_of(volume: Any) -> View:
    """The volume of a node. Its memory is held by the view, also when the node is removed."""
    image = volume.GetImageData() if volume is not None else None
    scalars = image.GetPointData().GetScalars() if image is not None else None
    if scalars is None or not scalars.GetNumberOfTuples():
        raise SceneError("there is no volume" if volume is None else f"{volume.GetName()} has no voxels")
    channels = scalars.GetNumberOfComponents()
    if channels not in (1, 3):
        raise SceneError(f"{volume.GetName()} has {channels} values per voxel; one or three (colour) "
                         "are wanted")
    shape = image.GetDimensions()[::-1] + ((3,) if channels == 3 else ())
    voxels = numpy_support.vtk_to_numpy(scalars).reshape(shape)
    order = (2, 1, 0, 3) if channels == 3 else (2, 1, 0)
    return View(volume.GetName() or "volume", voxels.transpose(order), affine_of(volume), channels == 3,
                is_hounsfield(volume), (image.GetAddressAsString(""), scalars.GetMTime()))
