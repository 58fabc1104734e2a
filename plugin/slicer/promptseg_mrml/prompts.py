"""Markups as prompts, and prompts as markups.

A point list holds the clicks of one segment in their order; the list's name is the segment's. A point
lies outside the object if its label or description is "-" or "bg", or begins with "-" or "bg:". Points
that are not selected, or have no place yet, count for nothing. These are the rules of the prompt files
that the programs read, so that a list saved by Slicer does in a shell what it does here.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any, Iterable, List, Optional, Sequence, Tuple

import numpy as np
import vtk

from .errors import SceneError
from .volumes import matrix_of

SEGMENT_ATTRIBUTE = "PromptSeg.SegmentID"
# Of a list, and the tag of its segment. IDs do not tell: Slicer 5.10 makes them of names, so that a segment
# gets the one of a removed segment of its name.
OWNER = "PromptSeg.Owner"
AXIS_ATTRIBUTE = "PromptSeg.Axis"
SEGMENTATION_ROLE = "promptsegSegmentation"
SELF_ROLE = "promptsegSelf"  # a list's reference to itself, which a copy does not have: it leads to the first
# That a node had such a reference: one to a node that was removed is in no file. Earlier versions say nothing.
SELF_ATTRIBUTE = "PromptSeg.Self"
USED_ATTRIBUTE = "PromptSeg.Used"  # IDs of points that are in the mask already, apart by blanks
ONE_SLICE = "this slice only"


@dataclass(frozen=True)
class Click:
    """A point of the world (RAS), inside the object or outside. ``axis`` is the index axis across
    the view it was made in, if that is known."""

    ras: Tuple[float, float, float]
    inside: bool = True
    axis: Optional[str] = None

    @property
    def lps(self) -> Tuple[float, float, float]:
        return (-self.ras[0], -self.ras[1], self.ras[2])


@dataclass(frozen=True)
class Box:
    """A box of the world: centre, half sizes, axes as columns of a 3 x 3 matrix, all RAS."""

    center: Tuple[float, float, float]
    half: Tuple[float, float, float]
    axes: Tuple[Tuple[float, float, float], ...]

    @property
    def numbers(self) -> List[float]:
        """15 numbers in LPS, as promptseg.Prompts.roi and --roi want them."""
        flip = np.array([-1.0, -1.0, 1.0])
        axes = np.array(self.axes) * flip[:, None]
        return [*(np.array(self.center) * flip), *self.half, *axes.ravel()]


def is_background(label: Optional[str], description: Optional[str]) -> bool:
    return any(text == "bg" or text.startswith(("-", "bg:")) for text in (label or "", description or ""))


def clicks_of_list(node: Any) -> List[Click]:
    """The points that count, in the world: parent transforms are applied."""
    return [_click_of(node, n) for n in _defined_points(node) if node.GetNthControlPointSelected(n)]


def used_of_list(node: Any) -> List[Click]:
    """The points that write_clicks has left there as used."""
    return [_click_of(node, n) for n in _own_points(node) if not node.GetNthControlPointSelected(n)]


def _click_of(node: Any, n: int) -> Click:
    place = [0.0, 0.0, 0.0]
    node.GetNthControlPointPositionWorld(n, place)
    outside = is_background(node.GetNthControlPointLabel(n), node.GetNthControlPointDescription(n))
    return Click(tuple(place), not outside)


def box_of_roi(node: Any) -> Optional[Box]:
    """The box of an ROI node in the world; None for one that was never drawn."""
    if not node.GetNumberOfDefinedControlPoints() and not any(node.GetSize()):
        return None
    matrix = matrix_of(node.GetObjectToWorldMatrix())
    scale = np.sqrt((matrix[:3, :3] ** 2).sum(axis=0))
    half = np.array(node.GetSize()) / 2 * scale
    if not (scale > 0).all() or not half.any():
        return None
    axes = matrix[:3, :3] / scale
    return Box(tuple(matrix[:3, 3]), tuple(half), tuple(map(tuple, axes)))


def prompts_of_nodes(nodes: Iterable[Any]) -> Tuple[List[Click], List[Box]]:
    """All points and boxes of markup nodes, which are of one segment."""
    clicks: List[Click] = []
    boxes: List[Box] = []
    for node in nodes:
        if node.IsA("vtkMRMLMarkupsROINode"):
            box = box_of_roi(node)
            boxes += [] if box is None else [box]
        elif node.IsA("vtkMRMLMarkupsFiducialNode"):
            clicks += clicks_of_list(node)
        else:
            raise SceneError(f"{node.GetName()}: point lists and ROIs are prompts, this is a "
                             f"{node.GetMarkupType()}")
    return clicks, boxes


def owner_of(segment: Any) -> str:
    """What the segment's prompts, and steps that were done with it, know it by; "": it has none. The
    Segment Editor's undo takes tags off too: the object remembers."""
    value = vtk.mutable("")
    return str(value) if segment.GetTag(OWNER, value) else getattr(segment, "promptseg_owner", "")


def claim(segment: Any) -> str:
    """The segment's owner, made when there is none."""
    owner = segment.promptseg_owner = owner_of(segment) or uuid.uuid4().hex
    if not segment.HasTag(OWNER):
        segment.SetTag(OWNER, owner)
    return owner


def of_segment(node: Any, segmentation: Any, segment_id: str) -> bool:
    """Whether a markup node holds prompts of a segment that is there. Scenes of earlier versions name no
    owner: there the ID alone says it. What the user has cloned of a list or box is a copy to keep."""
    if node.GetAttribute(SEGMENT_ATTRIBUTE) != segment_id \
            or node.GetNodeReferenceID(SEGMENTATION_ROLE) != segmentation.GetID() or _is_clone(node):
        return False
    segment, owner = segmentation.GetSegmentation().GetSegment(segment_id), node.GetAttribute(OWNER)
    return segment is not None and (not owner or owner == owner_of(segment))


def _is_clone(node: Any) -> bool:
    original = node.GetNodeReferenceID(SELF_ROLE)
    return original != node.GetID() if original else bool(node.GetAttribute(SELF_ATTRIBUTE))


def _refer_to_itself(node: Any) -> None:
    node.SetNodeReferenceID(SELF_ROLE, node.GetID())
    node.SetAttribute(SELF_ATTRIBUTE, "1")


def prompt_lists(segmentation: Any, segment_id: str) -> List[Any]:
    """The point lists and ROIs of the scene that are a segment's prompts."""
    scene, out = segmentation.GetScene(), []
    for kind in ("vtkMRMLMarkupsFiducialNode", "vtkMRMLMarkupsROINode"):
        for n in range(scene.GetNumberOfNodesByClass(kind)):
            node = scene.GetNthNodeByClass(n, kind)
            if of_segment(node, segmentation, segment_id):
                out.append(node)
    return out


def make_prompts_of(node: Any, segmentation: Any, segment_id: str) -> None:
    """Says in the scene that a markup node holds prompts of a segment; it gets the segment's name."""
    node.SetAttribute(SEGMENT_ATTRIBUTE, segment_id)
    node.SetAttribute(OWNER, claim(segmentation.GetSegmentation().GetSegment(segment_id)))
    node.SetNodeReferenceID(SEGMENTATION_ROLE, segmentation.GetID())
    _refer_to_itself(node)
    name_as_segment(node, segmentation, segment_id)


def claim_prompts(segmentation: Any) -> None:
    """Lists of a scene that names no owners are from now on of the segments that are there, and none that
    is cloned of them."""
    for segment_id in segmentation.GetSegmentation().GetSegmentIDs():
        for node in prompt_lists(segmentation, segment_id):
            node.SetAttribute(OWNER, claim(segmentation.GetSegmentation().GetSegment(segment_id)))
            _refer_to_itself(node)


def name_as_segment(node: Any, segmentation: Any, segment_id: str) -> None:
    """The name is the segment's for the programs that read the list; the user may have changed that."""
    name = segmentation.GetSegmentation().GetSegment(segment_id).GetName()
    if node.GetName() != name:
        node.SetName(name)


def list_of_segment(segmentation: Any, segment_id: str) -> Any:
    """The point list of a segment, made when there is none."""
    for node in prompt_lists(segmentation, segment_id):
        if node.IsA("vtkMRMLMarkupsFiducialNode"):
            return node
    node = segmentation.GetScene().AddNewNodeByClass("vtkMRMLMarkupsFiducialNode")
    make_prompts_of(node, segmentation, segment_id)
    node.CreateDefaultDisplayNodes()
    segment = segmentation.GetSegmentation().GetSegment(segment_id)
    node.GetDisplayNode().SetSelectedColor(segment.GetColor())
    node.GetDisplayNode().SetGlyphScale(2)
    return node


def refuse_locked(node: Any) -> None:
    if node.GetLocked():
        raise SceneError(f"{node.GetName()}: the point list is locked; unlock it in the Markups module")


def write_clicks(node: Any, clicks: Sequence[Click], used: Sequence[Click] = (),
                 locked_too: bool = False) -> None:
    """Makes a list hold these clicks: first those that are in the mask already (``used``, not
    selected: they are no prompts any more), then those that count. Points that have no place yet, and
    those that somebody else made count for nothing, stay as they are. ``locked_too``: to put back what
    was there."""
    if not locked_too:
        refuse_locked(node)
    wanted = [(click, False) for click in used] + [(click, True) for click in clicks]
    was = node.StartModify()
    try:
        have, not_counting = _own_points(node), []
        for n in reversed(have[len(wanted):]):
            node.RemoveNthControlPoint(n)
        for row, (click, counts) in enumerate(wanted):
            n = have[row] if row < len(have) else node.AddControlPointWorld(list(click.ras))
            _write_point(node, n, click, counts)
            not_counting += [] if counts else [node.GetNthControlPointID(n)]
        node.SetAttribute(USED_ATTRIBUTE, " ".join(not_counting) or None)
    finally:
        node.EndModify(was)


def _defined_points(node: Any) -> List[int]:
    return [n for n in range(node.GetNumberOfControlPoints())
            if node.GetNthControlPointPositionStatus(n) == node.PositionDefined]


def _own_points(node: Any) -> List[int]:
    """Those that count, and those that do not because they are used."""
    used = (node.GetAttribute(USED_ATTRIBUTE) or "").split()
    return [n for n in _defined_points(node)
            if node.GetNthControlPointSelected(n) or node.GetNthControlPointID(n) in used]


def _write_point(node: Any, n: int, click: Click, counts: bool) -> None:
    place = [0.0, 0.0, 0.0]
    node.GetNthControlPointPositionWorld(n, place)
    if not np.allclose(place, click.ras, rtol=0, atol=1e-9):
        node.SetNthControlPointPositionWorld(n, *click.ras)
    if click.inside and is_background(None, node.GetNthControlPointDescription(n)):
        node.SetNthControlPointDescription(n, "")  # it would say that the point lies outside
    node.SetNthControlPointLabel(n, "+" if click.inside else "-")
    node.SetNthControlPointSelected(n, counts)


def remove_markup(node: Any) -> None:
    """Removes a list or box from its scene, and the display nodes that are of it alone: a scene keeps, and
    saves, those that nothing has."""
    scene, shown = node.GetScene(), _displays_of(node)
    scene.RemoveNode(node)
    kind = "vtkMRMLDisplayableNode"
    for n in range(scene.GetNumberOfNodesByClass(kind) if shown else 0):
        others = _displays_of(scene.GetNthNodeByClass(n, kind))  # a clone has those of its original
        shown = [one for one in shown if one not in others]
    for display in shown:
        scene.RemoveNode(display)


def _displays_of(node: Any) -> List[Any]:
    nodes = [node.GetNthDisplayNode(n) for n in range(node.GetNumberOfDisplayNodes())]
    return [one for one in nodes if one is not None]


def write_boxes(segmentation: Any, segment_id: str, boxes: Sequence[Box]) -> None:
    """Makes the segment's ROI nodes hold these boxes. Nodes whose box is as wanted stay as they are,
    with their transforms."""
    have = [node for node in prompt_lists(segmentation, segment_id) if node.IsA("vtkMRMLMarkupsROINode")]
    for node in have[len(boxes):]:
        remove_markup(node)
    for n, box in enumerate(boxes):
        if n < len(have):
            node = have[n]
        else:
            node = segmentation.GetScene().AddNewNodeByClass("vtkMRMLMarkupsROINode")
            node.CreateDefaultDisplayNodes()
            node.GetDisplayNode().SetFillVisibility(False)
            node.GetDisplayNode().SetPropertiesLabelVisibility(False)
            make_prompts_of(node, segmentation, segment_id)
        if not _same_box(box_of_roi(node), box):
            _write_box(node, box)


def _same_box(one: Optional[Box], other: Box) -> bool:
    return one is not None and np.allclose(one.numbers, other.numbers, rtol=0, atol=1e-6)


def _write_box(node: Any, box: Box) -> None:
    node.SetAndObserveTransformNodeID(None)
    matrix = vtk.vtkMatrix4x4()
    for row in range(3):
        for column in range(3):
            matrix.SetElement(row, column, box.axes[row][column])
        matrix.SetElement(row, 3, box.center[row])
    node.SetAndObserveObjectToNodeMatrix(matrix)
    node.SetSize([2 * n for n in box.half])
