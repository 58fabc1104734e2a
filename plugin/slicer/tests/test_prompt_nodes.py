"""Point lists and ROIs that the user clones, empties and edits."""

import numpy as np
import pytest
from conftest import World, content, ras_of, settle
from test_meanwhile import CENTRE, CORNER, EDGE, at, click, paint, places_of, points_of
from test_other_tools import STROKE
from test_sessions import _saved_and_loaded, saved

from promptseg_mrml import Box, prompt_lists
from promptseg_mrml.prompts import SELF_ATTRIBUTE, SELF_ROLE

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


def _box_displays(scene):
    return scene.GetNumberOfNodesByClass("vtkMRMLMarkupsROIDisplayNode")


def test_a_box_goes_with_its_display(logic, world, blob):
    logic.choose(blob)
    click(logic, CENTRE)
    for _ in range(3):
        assert logic.add_box(Box(ras_of(blob, CENTRE), *BOX)) and _box_displays(world.scene) == 1
        assert logic.undo() and not boxes_of(logic) and not _box_displays(world.scene)


def test_a_display_that_a_clone_shows_stays(logic, world, blob):
    logic.choose(blob)
    click(logic, CENTRE)
    assert logic.add_box(Box(ras_of(blob, CENTRE), *BOX))
    copy = cloned(boxes_of(logic)[0], "backup")
    assert copy.GetDisplayNode() is boxes_of(logic)[0].GetDisplayNode() is not None
    assert logic.undo() and not boxes_of(logic)
    assert world.scene.IsNodePresent(copy.GetDisplayNode())


@pytest.mark.parametrize("kind", ["list", "box"])
@pytest.mark.parametrize("imported", [False, True], ids=["loaded", "imported"])
def test_a_clone_is_none_either_where_its_original_was_removed(logic, world, blob, tmp_path, kind, imported):
    """In a file it refers to nothing any more."""
    logic.choose(blob)
    click(logic, CENTRE)
    if kind == "box":
        assert logic.add_box(Box(ras_of(blob, CENTRE), *BOX))
        settle(logic)
    node, segment = boxes_of(logic)[0] if kind == "box" else points_of(logic), logic.segment_id
    cloned(node, "backup")
    world.scene.RemoveNode(node)
    kept = [one.GetName() for one in prompt_lists(logic.segmentation, segment)]
    path, other = saved(world, tmp_path), world if imported else World()
    assert other.scene.ReadFromMRB(path, not imported)
    found = other.scene.GetNthNodeByClass(int(imported), "vtkMRMLSegmentationNode")
    assert [one.GetName() for one in prompt_lists(found, segment)] == kept and "backup" not in kept
    assert other.scene.GetFirstNodeByName("backup") is not None
    if other is not world:
        other.clear()


def test_prompts_of_scenes_that_name_no_original_are_prompts(logic, world, blob, tmp_path):
    """Of earlier versions."""
    logic.choose(blob)
    click(logic, CENTRE)
    points, segment = points_of(logic), logic.segment_id
    points.SetAttribute(SELF_ATTRIBUTE, None)
    points.SetNodeReferenceID(SELF_ROLE, None)
    path, other = saved(world, tmp_path), World()
    assert other.scene.ReadFromMRB(path)
    lists = prompt_lists(other.scene.GetFirstNodeByClass("vtkMRMLSegmentationNode"), segment)
    assert len(lists) == 1 and lists[0].GetNumberOfControlPoints() == 1
    other.clear()


# ---------------------------------------------------------------------------------- no prompt is left


def _the_last_point(logic):
    points = points_of(logic)
    while points.GetNumberOfControlPoints():
        points.RemoveNthControlPoint(points.GetNumberOfControlPoints() - 1)


def _all_points(logic):
    points_of(logic).RemoveAllControlPoints()


@pytest.mark.parametrize("remove", [_the_last_point, _all_points])
@pytest.mark.parametrize("running", [False, True], ids=["answered", "computing"])
def test_removing_all_points_takes_the_mask_back_and_asks_nothing(logic, blob, remove, running):
    logic.choose(blob)
    logic.new_segment()
    paint(logic, STROKE)
    drawn = content(logic)
    if running:
        assert logic.click(ras_of(blob, CENTRE))
    else:
        click(logic, CENTRE)
    before = content(logic)
    remove(logic)
    assert not logic.status.busy and not logic.status.error
    assert np.array_equal(content(logic), drawn) and not places_of(points_of(logic))
    assert not logic.unfinished() and not logic.state_of() and "No prompt is left" in logic.status.text
    assert logic.undo() and places_of(points_of(logic)) == [at(logic, CENTRE)]
    assert np.array_equal(content(logic), before) and logic.status.busy == running
    if not running:
        assert logic.redo() and not logic.status.busy and np.array_equal(content(logic), drawn)
        assert not places_of(points_of(logic))


def test_removing_the_point_of_a_question_that_a_stroke_ended_leaves_the_stroke(logic, blob):
    logic.choose(blob)
    assert logic.click(ras_of(blob, CENTRE))
    paint(logic, STROKE)
    settle(logic)
    assert logic.unfinished()
    points_of(logic).RemoveAllControlPoints()
    assert not logic.status.error and not logic.status.busy and not logic.unfinished()
    assert content(logic).sum() == content(logic)[4, 2:12, 2:12].sum() == 100
    click(logic, EDGE)
    assert content(logic)[4, 2:12, 2:12].all() and not logic.unfinished()


def _another_tool_draws(logic, _world, _folder):
    paint(logic, STROKE)
    return logic


def _another_slice_only(logic, _world, _folder):
    click(logic, (60, 50, 3))
    return logic


@pytest.mark.parametrize("one_slice", [False, True], ids=["object", "slice"])
@pytest.mark.parametrize("since", [_another_tool_draws, _another_slice_only, _saved_and_loaded])
def test_a_mask_that_stays_without_its_prompts_is_said_to_stay(logic, world, blob, tmp_path, one_slice, since):
    """Where what was there before them is not known, or one slice alone was asked for."""
    logic.choose(blob)
    logic.new_segment("liver")
    logic.one_slice = one_slice
    if not one_slice and since is _saved_and_loaded:
        paint(logic, STROKE)  # else the file says what the mask came from
    click(logic, CENTRE)
    logic.one_slice = True
    segment, again = logic.segment_id, since(logic, world, tmp_path)
    again.choose_segment(segment)
    before = content(again)
    _all_points(again)
    assert not again.status.busy and np.array_equal(content(again), before) and before.any()
    assert "the mask stays as it is" in again.status.text and not places_of(points_of(again))
    if again is not logic:
        again.close()


def test_a_mask_that_is_what_it_was_before_the_last_points_is_said_to_be(logic, blob):
    """The first one is part of what another tool drew on."""
    logic.choose(blob)
    click(logic, CENTRE)
    paint(logic, STROKE)
    before = content(logic)
    click(logic, (20, 70, 4))
    assert not np.array_equal(content(logic), before)
    _all_points(logic)
    assert np.array_equal(content(logic), before) and "before the last ones" in logic.status.text


def test_points_outside_alone_are_refused_in_words(logic, blob):
    """As clicks, and when the point inside is removed in a view."""
    logic.choose(blob)
    assert not logic.click(ras_of(blob, CORNER), False) and not logic.status.busy
    assert "click inside it first" in logic.status.error and not logic.can_undo
    click(logic, CENTRE)
    click(logic, CORNER, False)
    before, points = content(logic), points_of(logic)
    points.RemoveNthControlPoint(0)
    assert "remove that click last" in logic.status.error and not logic.status.busy
    assert places_of(points) == [at(logic, CENTRE), at(logic, CORNER)]
    assert np.array_equal(content(logic), before)
    points.RemoveNthControlPoint(1)
    settle(logic)
    assert not logic.status.error and places_of(points) == [at(logic, CENTRE)]
