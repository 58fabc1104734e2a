"""Point lists and ROIs that the user clones, empties and edits."""

import numpy as np
import pytest
from conftest import World, content, ras_of, settle
from test_meanwhile import CENTRE, CORNER, EDGE, at, click, places_of, points_of
from test_sessions import saved

from promptseg_mrml import Box, prompt_lists

BOX = ((8, 8, 9), ((1, 0, 0), (0, 1, 0), (0, 0, 1)))


def cloned(node, name):
    """As Slicer clones: all but the ID and the name."""
    copy = node.GetScene().AddNewNodeByClass(node.GetClassName())
    copy.Copy(node)
    copy.SetName(name)
    return copy


def boxes_of(logic):
    return [node for node in prompt_lists(logic.segmentation, logic.segment_id)
            if node.IsA("vtkMRMLMarkupsROINode")]


def test_a_cloned_list_is_a_copy_to_keep(logic, blob):
    logic.choose(blob)
    click(logic, CENTRE)
    click(logic, CORNER, False)
    points = points_of(logic)
    copy = cloned(points, "backup")
    click(logic, EDGE)
    assert len(logic.state_of().clicks) == points.GetNumberOfControlPoints() == 3
    assert copy.GetName() == "backup" and places_of(copy) == [at(logic, CENTRE), at(logic, CORNER)]
    assert prompt_lists(logic.segmentation, logic.segment_id) == [points]


def test_a_cloned_box_is_a_copy_to_keep(logic, world, blob):
    logic.choose(blob)
    assert logic.add_box(Box(ras_of(blob, CENTRE), *BOX))
    settle(logic)
    copy = cloned(boxes_of(logic)[0], "backup")
    click(logic, EDGE)
    assert len(logic.state_of().boxes) == len(boxes_of(logic)) == 1 and copy.GetName() == "backup"
    while logic.can_undo:
        assert logic.undo()
    assert not boxes_of(logic) and world.scene.IsNodePresent(copy) and any(copy.GetSize())


def test_a_clone_is_none_in_a_scene_that_is_imported_either(logic, world, blob, tmp_path):
    """Nodes get other IDs there."""
    logic.choose(blob)
    click(logic, CENTRE)
    cloned(points_of(logic), "backup")
    path, segment = saved(world, tmp_path), logic.segment_id
    assert world.scene.ReadFromMRB(path, False)
    node = world.scene.GetNthNodeByClass(1, "vtkMRMLSegmentationNode")
    volume = world.scene.GetNthNodeByClass(1, "vtkMRMLScalarVolumeNode")
    lists = prompt_lists(node, segment)
    assert len(lists) == 1 and lists[0].GetName() != "backup" and lists[0] is not points_of(logic)
    assert logic.choose(volume, node) and len(logic.state_of().clicks) == 1
    other = World()
    assert other.scene.ReadFromMRB(path)
    lists = prompt_lists(other.scene.GetFirstNodeByClass("vtkMRMLSegmentationNode"), segment)
    assert len(lists) == 1 and lists[0].GetName() != "backup"
    other.clear()
