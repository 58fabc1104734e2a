"""Masks and segments: read, write, take back.

Masks are on the grid of the volume. Segments are on the grid of their segmentation, which is the same
one in most scenes, a part of it, or another one: then masks are resampled.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any, Dict, Iterable, List, Optional, Set, Tuple

import numpy as np
import slicer
import vtk
from vtk.util import numpy_support

from .errors import SceneError
from .prompts import claim, owner_of
from .volumes import View, matrix_of, to_world, vtk_matrix_of

TAG_ATTRIBUTE = "PromptSeg.FrontEnd"  # of the node with its rules
NOTHING = np.zeros((0, 0, 0), bool)


@dataclass(frozen=True, eq=False)
class Voxels:
    """A set of voxels: a boolean array (k, j, i) whose corner is the voxel ``first`` (i, j, k)."""

    first: Tuple[int, int, int] = (0, 0, 0)
    array: np.ndarray = field(default_factory=lambda: NOTHING)

    def __bool__(self) -> bool:
        return self.array.size > 0 and bool(self.array.any())

    def __eq__(self, other: Any) -> bool:
        if not isinstance(other, Voxels):
            return NotImplemented
        mine, others = self.trimmed(), other.trimmed()
        return mine.first == others.first and np.array_equal(mine.array, others.array)

    __hash__ = None

    @property
    def count(self) -> int:
        return int(np.count_nonzero(self.array))

    @property
    def last(self) -> Tuple[int, int, int]:
        return tuple(f + n - 1 for f, n in zip(self.first, self.array.shape[::-1]))

    def trimmed(self) -> "Voxels":
        """Over its bounding box."""
        if not self:
            return Voxels()
        ends = []
        for axis in range(3):
            others = tuple(n for n in range(3) if n != axis)
            found = np.flatnonzero(self.array.any(axis=others))
            ends.append((int(found[0]), int(found[-1]) + 1))
        if all(end == (0, n) for end, n in zip(ends, self.array.shape)):
            return self
        part = self.array[tuple(slice(*end) for end in ends)]
        return Voxels(tuple(f + ends[2 - n][0] for n, f in enumerate(self.first)), part)

    def over(self, first: Tuple, last: Tuple) -> np.ndarray:
        """An array over the box from first to last, both inclusive."""
        out = np.zeros([last[n] - first[n] + 1 for n in (2, 1, 0)], self.array.dtype)
        if not self.array.size:
            return out
        low = [max(a, b) for a, b in zip(first, self.first)]
        high = [min(a, b) + 1 for a, b in zip(last, self.last)]
        if all(a < b for a, b in zip(low, high)):
            target = tuple(slice(low[n] - first[n], high[n] - first[n]) for n in (2, 1, 0))
            source = tuple(slice(low[n] - self.first[n], high[n] - self.first[n]) for n in (2, 1, 0))
            out[target] = self.array[source]
        return out

    def within(self, first: Tuple, last: Tuple) -> "Voxels":
        """What lies in the box from first to last, both inclusive; this very set when all does."""
        low = tuple(max(a, b) for a, b in zip(first, self.first))
        high = tuple(min(a, b) for a, b in zip(last, self.last))
        if not self.array.size or (low == tuple(self.first) and high == self.last):
            return self
        if any(a > b for a, b in zip(low, high)):
            return Voxels()
        return Voxels(low, self.over(low, high))

    def box_with(self, other: "Voxels") -> Tuple[Tuple, Tuple]:
        if not self.array.size:
            return other.first, other.last
        if not other.array.size:
            return self.first, self.last
        return (tuple(map(min, self.first, other.first)), tuple(map(max, self.last, other.last)))

    def without(self, other: "Voxels") -> "Voxels":
        if not self.array.size:
            return Voxels()
        return Voxels(self.first, self.array & ~other.over(self.first, self.last)).trimmed()

    def also(self, other: "Voxels") -> "Voxels":
        return Voxels(*self._both(other, np.logical_and)).trimmed()

    def plus(self, other: "Voxels") -> "Voxels":
        return Voxels(*self._both(other, np.logical_or)).trimmed()

    def _both(self, other: "Voxels", join: Any) -> Tuple[Tuple, np.ndarray]:
        first, last = self.box_with(other)
        if not self.array.size and not other.array.size:
            return (0, 0, 0), NOTHING
        return first, join(self.over(first, last), other.over(first, last))

    def with_slice(self, axis: int, index: int, mask: np.ndarray) -> "Voxels":
        """This set with one slice replaced; ``mask`` is over the whole slice, as promptseg.Preview
        has it."""
        at = tuple(index if n == axis else 0 for n in range(3))
        plane = Voxels(at, np.expand_dims(mask, 2 - axis)).trimmed()
        kept = self.array.copy()
        row = index - self.first[axis]
        if 0 <= row < kept.shape[2 - axis]:
            kept[tuple(row if n == 2 - axis else slice(None) for n in range(3))] = False
        return Voxels(self.first, kept).plus(plane)

    def digest(self) -> str:
        """A short name of exactly these voxels."""
        one = self.trimmed()
        text = f"{one.first}{one.array.shape}".encode() + np.packbits(one.array).tobytes()
        return hashlib.sha256(text).hexdigest()[:16]


@dataclass
class Change:
    """What one step did to segments: voxels that came and voxels that went, by segment ID, on the grid
    of the segmentation: there they are taken back as they came, wherever volume and segmentation are
    then. ``matrix`` is that grid's in the segmentation's own coordinates, None: nothing changed.
    ``owners``: of these segments; one that gets the ID of a removed one is another one."""

    came: Dict[str, Voxels]
    went: Dict[str, Voxels]
    matrix: Optional[np.ndarray] = None
    owners: Dict[str, str] = field(default_factory=dict)

    def names(self) -> Set[str]:
        """IDs of the segments that it changes."""
        return {*self.came, *self.went}

    def only(self, segment_ids: Iterable[str]) -> "Change":
        """What it does to these segments."""
        kept = set(segment_ids)
        came, went = ({k: v for k, v in part.items() if k in kept} for part in (self.came, self.went))
        return Change(came, went, self.matrix, self.owners)

    def reversed(self) -> "Change":
        return Change(self.went, self.came, self.matrix, self.owners)

    def on(self, matrix: Optional[np.ndarray]) -> "Change":
        """The same on another grid: another tool has given the segmentation one."""
        if self.matrix is None or matrix is None or np.array_equal(self.matrix, matrix):
            return self
        sets = [{one: _Grid(self.matrix, matrix).from_image(_image_of(voxels, self.matrix), 1)
                 for one, voxels in part.items()} for part in (self.came, self.went)]
        return Change(*sets, matrix, self.owners)


class _Grid:
    """Where a segmentation's voxels are, beside those of another lattice, a volume's mostly: the same,
    shifted by whole voxels (a cropped segmentation), or elsewhere. Both are matrices of the
    segmentation's own coordinates; ``size`` is that of the lattice, in voxels."""

    def __init__(self, matrix: np.ndarray, lattice: np.ndarray, size: int = 512) -> None:
        self.matrix, self._lattice = matrix, lattice
        shift = np.linalg.solve(lattice, matrix[:, 3])[:3]
        steps = np.abs(np.linalg.solve(lattice[:3, :3], matrix[:3, :3]) - np.eye(3)).max()
        # 2 % of a voxel at the far end of the volume: headers hold few digits.
        same = steps * size < 0.02 and np.abs(shift - np.rint(shift)).max() < 0.02
        self.shift = tuple(int(n) for n in np.rint(shift)) if same else None

    def to_image(self, voxels: Voxels) -> Any:
        """A vtkOrientedImageData of 0 and 1 in the segmentation's coordinates."""
        if self.shift is not None:
            first = tuple(f - s for f, s in zip(voxels.first, self.shift))
            return _image_of(Voxels(first, voxels.array), self.matrix)
        return _resampled(_image_of(voxels, self._lattice), self.matrix)

    def from_image(self, image: Any, label: int) -> Voxels:
        """The voxels of a value in a layer, on the lattice."""
        first, values = _values_of(image)
        if self.shift is None and values.size:
            first, values = _values_of(_resampled(image, self._lattice))
        shift = self.shift or (0, 0, 0)
        return Voxels(tuple(f + s for f, s in zip(first, shift)), values == label).trimmed()


def _values_of(image: Any) -> Tuple[Tuple, np.ndarray]:
    """The first voxel and the values (k, j, i), without a copy; nothing of an empty image."""
    extent, scalars = image.GetExtent(), image.GetPointData().GetScalars()
    shape = [extent[2 * n + 1] - extent[2 * n] + 1 for n in (2, 1, 0)]
    if scalars is None or min(shape) < 1:
        return (0, 0, 0), np.zeros((0, 0, 0), np.uint8)
    return extent[::2], numpy_support.vtk_to_numpy(scalars).reshape(shape)


def _image_of(voxels: Voxels, matrix: np.ndarray) -> Any:
    out = slicer.vtkOrientedImageData()
    if voxels.array.size:
        first, last = voxels.first, voxels.last
        out.SetExtent(first[0], last[0], first[1], last[1], first[2], last[2])
        data = np.ascontiguousarray(voxels.array).view(np.uint8).ravel()
    else:  # the segmentation's logic wants an image also where nothing is
        out.SetExtent(0, 0, 0, 0, 0, 0)
        data = np.zeros(1, np.uint8)
    scalars = numpy_support.numpy_to_vtk(data, deep=True, array_type=vtk.VTK_UNSIGNED_CHAR)
    scalars.SetName("ImageScalars")
    out.GetPointData().SetScalars(scalars)
    out.SetImageToWorldMatrix(vtk_matrix_of(matrix))
    return out


def _resampled(image: Any, matrix: np.ndarray) -> Any:
    """Nearest neighbours on the lattice of another matrix, as far as the image reaches."""
    reference, out = slicer.vtkOrientedImageData(), slicer.vtkOrientedImageData()
    reference.SetImageToWorldMatrix(vtk_matrix_of(matrix))
    reference.SetExtent(*_extent_on(image, matrix))
    slicer.vtkOrientedImageDataResample.ResampleOrientedImageToReferenceOrientedImage(
        image, reference, out, False, False)
    return out


def _extent_on(image: Any, matrix: np.ndarray) -> List[int]:
    """The smallest extent on a lattice that holds an image's voxels."""
    extent = np.array(image.GetExtent(), float).reshape(3, 2) + [-0.5, 0.5]
    corners = np.array([[i, j, k, 1] for i in extent[0] for j in extent[1] for k in extent[2]])
    places = corners @ (np.linalg.inv(matrix) @ _matrix_of_image(image)).T
    low, high = np.floor(places.min(axis=0)), np.ceil(places.max(axis=0))
    return [int(n) for axis in range(3) for n in (low[axis], high[axis])]


def _reach(voxels: Voxels, images: List[Any]) -> Tuple[Tuple, Tuple]:
    """The box that holds a set and what the images can change, all of one grid."""
    ends = [image.GetExtent() for image in images]
    corners = [(end[::2], end[1::2]) for end in ends] + ([(voxels.first, voxels.last)] if voxels else [])
    firsts, lasts = zip(*corners)
    return tuple(map(min, zip(*firsts))), tuple(map(max, zip(*lasts)))


def _values_in(image: Any, matrix: np.ndarray, first: Tuple, last: Tuple) -> np.ndarray:
    """A copy of a layer's values (k, j, i) in a box of the grid of a matrix; 0 where it does not reach."""
    start, values = _values_of(image) if image is not None else ((0, 0, 0), NOTHING.view(np.uint8))
    if values.size:
        shift = _Grid(_matrix_of_image(image), matrix).shift
        if shift is None:
            start, values = _values_of(_resampled(image, matrix))
        start = tuple(a + b for a, b in zip(start, shift or (0, 0, 0)))
    return Voxels(start, values).over(first, last)


def _differences(before: Dict[str, Tuple], after: Dict[str, Tuple], first: Tuple) -> Tuple[Dict, Dict]:
    """What came and what went, by segment, from layers in a box that begins at ``first``. Layers are
    compared once each: most segments have no voxel where something changed."""
    came, went, values = {}, {}, {}
    for one, (old, label) in before.items():
        new, label_now = after[one]
        key = id(old), id(new)
        if key not in values:
            other = old != new
            values[key] = {*np.unique(old[other]), *np.unique(new[other])}
        if label == label_now and label not in values[key]:
            continue
        was, now = Voxels(first, old == label), Voxels(first, new == label_now)
        came[one], went[one] = now.without(was), was.without(now)
    return came, went


def _matrix_of_image(image: Any) -> np.ndarray:
    out = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(out)
    return matrix_of(out)


class Editor:
    """Changes segments of one segmentation through the segment editor's own logic, which obeys the
    editable area, the editable intensities and the rule for other segments that a
    vtkMRMLSegmentEditorNode holds. By default other segments are never touched. Each front end has
    such a node of its own, told by ``tag``: rules of one are none of another. The node is of this session:
    no scene that is saved, loaded or imported has it."""

    NODE_TAG = "PromptSeg"

    def __init__(self, segmentation: Any, volume: Any, view: View, tag: str = NODE_TAG) -> None:
        self.segmentation, self.view, self._volume = segmentation, view, volume
        scene = segmentation.GetScene()
        self.node = _editor_node(scene, tag)
        self._node_logic = _logic_for(self.node, scene)
        self._plain_node = slicer.vtkMRMLSegmentEditorNode()  # without rules, for taking back
        self._plain_node.SetOverwriteMode(self._plain_node.OverwriteNone)
        self._plain = _logic_for(self._plain_node, scene)
        _give_grid(segmentation, volume)
        self.histories: List[Any] = []  # of other tools; each has SaveStateForUndo()
        self._check_grid()

    @property
    def _logic(self) -> Any:
        """On this segmentation and this volume, whatever has had the node work on others meanwhile."""
        if self.node.GetSegmentationNode() is not self.segmentation:
            self.node.SetAndObserveSegmentationNode(self.segmentation)
        if self.node.GetSourceVolumeNode() is not self._volume:
            self.node.SetAndObserveSourceVolumeNode(self._volume)
        return self._node_logic

    def _check_grid(self) -> None:
        if not self._logic.SetSourceRepresentationToBinaryLabelMap():
            raise SceneError(f"{self.segmentation.GetName()} has no binary labelmap and cannot be "
                             "converted to one")
        self._grid()

    def _own_matrix(self) -> np.ndarray:
        """Of the segmentation's grid, in its own coordinates: known under any transform."""
        text = self._logic.GetReferenceImageGeometryString()
        image = slicer.vtkOrientedImageData()
        if not text or not slicer.vtkSegmentationConverter.DeserializeImageGeometry(text, image, False):
            raise SceneError(f"{self.segmentation.GetName()} has no grid")
        return _matrix_of_image(image)

    def _grid(self) -> _Grid:
        return self._beside_volume(self._own_matrix())

    def _beside_volume(self, matrix: np.ndarray) -> _Grid:
        volume = np.linalg.inv(to_world(self.segmentation)) @ self.view.affine
        return _Grid(matrix, volume, max(self.view.size))

    @property
    def is_resampled(self) -> bool:
        """Whether the segmentation has another grid than the volume."""
        return self._grid().shift is None

    def segment_ids(self) -> List[str]:
        return list(self.segmentation.GetSegmentation().GetSegmentIDs())

    def segment(self, segment_id: str) -> Any:
        found = self.segmentation.GetSegmentation().GetSegment(segment_id) if segment_id else None
        if found is None:
            raise SceneError(f"{self.segmentation.GetName()} has no segment {segment_id!r}")
        return found

    def read(self, segment_id: str) -> Voxels:
        """What a segment holds now, on the volume's grid."""
        segment = self.segment(segment_id)
        image = self.segmentation.GetBinaryLabelmapInternalRepresentation(segment_id)
        if image is None:
            return Voxels()
        return self._beside_volume(_matrix_of_image(image)).from_image(image, int(segment.GetLabelValue()))

    def _own(self, segment_id: str, matrix: np.ndarray) -> Voxels:
        """What a segment holds now, on the segmentation's own grid."""
        label = int(self.segment(segment_id).GetLabelValue())
        image = self.segmentation.GetBinaryLabelmapInternalRepresentation(segment_id)
        return _Grid(_matrix_of_image(image), matrix).from_image(image, label) if image else Voxels()

    def save_state(self) -> None:
        """Lets other tools' undo know the state before a step."""
        for history in self.histories:
            history.SaveStateForUndo()

    def write(self, segment_id: str, voxels: Voxels) -> Change:
        """Makes a segment hold these voxels, as far as the volume reaches and the editor's rules allow,
        and says what that changed, in other segments too where the rules let it. Those that the user has
        completed stay as they are under any rule."""
        matrix, modifiers = self._own_matrix(), self._modifiers(segment_id, voxels)
        if not modifiers:
            return Change({}, {})
        old = self._own(segment_id, matrix)
        box = _reach(old, [image for _, image in modifiers])
        others = [] if self.node.GetOverwriteMode() == self.node.OverwriteNone \
            else [one for one in self.segment_ids() if one != segment_id]
        before = self._layers(others, matrix, box)
        self._logic.SetCurrentSegmentID(segment_id)
        for mode, image in modifiers:
            self._logic.ModifySegmentByLabelmap(self.segmentation, segment_id, image, mode, False, False)
        new = self._own(segment_id, matrix)
        came, went = _differences(before, self._layers(others, matrix, box), box[0])
        for one in [one for one in went if is_completed(self.segment(one))]:
            self._modify(one, went.pop(one), matrix, remove=False)
        came[segment_id], went[segment_id] = new.without(old), old.without(new)
        came, went = ({k: v for k, v in part.items() if v} for part in (came, went))
        return Change(came, went, matrix, {one: claim(self.segment(one)) for one in {*came, *went}})

    def _layers(self, segment_ids: List[str], matrix: np.ndarray, box: Tuple) -> Dict[str, Tuple]:
        """By segment its layer's values in a box of the segmentation's grid, and its value there. Many
        segments share a layer, which is copied once."""
        copies, out = {}, {}
        for one in segment_ids:
            image = self.segmentation.GetBinaryLabelmapInternalRepresentation(one)
            key = image.GetAddressAsString("") if image is not None else ""
            if key not in copies:
                copies[key] = _values_in(image, matrix, *box)
            out[one] = copies[key], int(self.segment(one).GetLabelValue())
        return out

    def _modifiers(self, segment_id: str, voxels: Voxels) -> List[Tuple[int, Any]]:
        """Modes and images for the segment editor's logic. What lies outside the volume stays. On
        another grid only the difference is written: resampled there and back, what other tools drew
        would be another thing where nothing was asked."""
        grid, now, logic = self._grid(), self.read(segment_id), self._logic
        inside = now.within((0, 0, 0), tuple(n - 1 for n in self.view.size))
        if grid.shift is None:
            parts = ((logic.ModificationModeAdd, voxels.without(now)),
                     (logic.ModificationModeRemove, inside.without(voxels)))
            return [(mode, grid.to_image(part)) for mode, part in parts if part]
        if inside is not now:
            voxels = voxels.plus(now.without(inside))
        if self.has_rules:  # what may not be edited is kept only as far as the image reaches
            first, last = voxels.box_with(now)
            voxels = Voxels(first, voxels.over(first, last))
        return [(logic.ModificationModeSet, grid.to_image(voxels))]

    @property
    def has_rules(self) -> bool:
        """Whether something may not be edited."""
        everywhere = slicer.vtkMRMLSegmentationNode.EditAllowedEverywhere
        return self.node.GetMaskMode() != everywhere or bool(self.node.GetSourceVolumeIntensityMask())

    def apply(self, change: Change) -> Change:
        """Does a change (again), or its reverse. Only voxels that are as the change left them are
        touched, so what other tools did since then stays. Returns what it did; what is another segment's
        than one that is there stays in it."""
        matrix = self._own_matrix()
        change = change.on(matrix)
        came, went = dict(change.came), dict(change.went)
        for segment_id, voxels in change.went.items():
            if self.is_of(change, segment_id):
                went[segment_id] = voxels.also(self._own(segment_id, matrix))
                self._modify(segment_id, went[segment_id], matrix, remove=True)
        for segment_id, voxels in change.came.items():
            if self.is_of(change, segment_id):
                came[segment_id] = voxels.without(self._own(segment_id, matrix))
                self._modify(segment_id, came[segment_id], matrix, remove=False)
        came, went = ({k: v for k, v in part.items() if v} for part in (came, went))
        return replace(change, came=came, went=went)

    def is_of(self, change: Change, segment_id: str) -> bool:
        """Whether the segment that the change was made to is there."""
        return segment_id in self.segment_ids() \
            and change.owners.get(segment_id) == owner_of(self.segment(segment_id))

    def _modify(self, segment_id: str, voxels: Voxels, matrix: np.ndarray, remove: bool) -> None:
        if not voxels:
            return
        mode = self._plain.ModificationModeRemove if remove else self._plain.ModificationModeAdd
        self._plain_node.SetAndObserveSegmentationNode(self.segmentation)
        self._plain_node.SetSelectedSegmentID(segment_id)
        self._plain.ModifySegmentByLabelmap(self.segmentation, segment_id, _image_of(voxels, matrix),
                                            mode, False, True)


def is_completed(segment: Any) -> bool:
    """Whether the user has said that it is right."""
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    return logic.GetSegmentStatus(segment) == logic.Completed


def _editor_node(scene: Any, tag: str) -> Any:
    """Told by an attribute: a singleton of a scene that is imported would be copied over it. Earlier
    versions had such singletons, and saved them."""
    old = scene.GetSingletonNode(tag, "vtkMRMLSegmentEditorNode")
    if old is not None:
        scene.RemoveNode(old)
    for n in range(scene.GetNumberOfNodesByClass("vtkMRMLSegmentEditorNode")):
        node = scene.GetNthNodeByClass(n, "vtkMRMLSegmentEditorNode")
        if node.GetAttribute(TAG_ATTRIBUTE) == tag:
            return node
    node = slicer.vtkMRMLSegmentEditorNode()
    node.SetAttribute(TAG_ATTRIBUTE, tag)
    node.SetSaveWithScene(False)
    node.SetOverwriteMode(node.OverwriteNone)
    return scene.AddNode(node)


def _logic_for(node: Any, scene: Any) -> Any:
    logic = slicer.vtkSlicerSegmentEditorLogic()
    logic.SetMRMLScene(scene)
    logic.SetSegmentEditorNode(node)
    logic.SetMaximumNumberOfUndoStates(0)  # Editor keeps changes instead of states
    return logic


def _give_grid(segmentation: Any, volume: Any) -> None:
    """A segmentation without a grid gets the volume's."""
    name = slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName()
    if not segmentation.GetSegmentation().GetConversionParameter(name) \
            and not segmentation.GetSegmentation().GetNumberOfSegments():
        segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume)
