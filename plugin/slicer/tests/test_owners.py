"""Prompts and steps are a segment's: one that gets the name and ID of a removed one has none of them."""

import csv
import gc
import json

import numpy as np
import pytest
import slicer
from conftest import World, content, ras_of, settle

from promptseg_live import LiveLogic, Options, write_manifest
from promptseg_mrml import Editor, Voxels, prompt_lists, view_of

OWNER = "PromptSeg.Owner"
CENTRE, EDGE, CORNER = (60, 50, 4), (75, 50, 4), (20, 20, 4)


def click(logic, ijk, inside=True):
    assert logic.click(ras_of(logic.volume, ijk), inside), logic.status.error
    settle(logic)


def removed_and_added(logic, name="liver"):
    """The new segment has the old one's ID: Slicer 5.10 makes it of the name, files bring theirs."""
    inner, old = logic.segmentation.GetSegmentation(), logic.segment_id
    inner.RemoveSegment(old)
    assert inner.AddEmptySegment(old, name) == old
    return old


@pytest.fixture
def liver(logic, blob):
    """A segment with two clicks, of which one is answered: the logic knows it well."""
    logic.choose(blob)
    logic.new_segment("liver")
    click(logic, CENTRE)
    return logic


def test_a_new_segment_of_a_removed_one_s_name_has_no_prompts(liver, blob, tmp_path):
    old = prompt_lists(liver.segmentation, liver.segment_id)[0]
    segment = removed_and_added(liver)
    assert not prompt_lists(liver.segmentation, segment) and not liver.state_of().clicks
    assert [list(one.nodes) for one in liver.prompted()] == [[]] and liver.not_from_prompts() == ""
    click(liver, CORNER)
    points = prompt_lists(liver.segmentation, segment)
    assert len(points) == 1 and points[0] is not old and len(liver.state_of().clicks) == 1
    assert old.GetNumberOfControlPoints() == points[0].GetNumberOfControlPoints() == 1
    path = write_manifest(tmp_path, [(blob, liver.prompted())])
    with open(path, newline="", encoding="utf-8") as stream:
        row = next(csv.DictReader(stream))
    markups = json.loads((tmp_path / row["prompts"]).read_text())["markups"]
    assert [len(one["controlPoints"]) for one in markups] == [1]


def test_undo_and_redo_of_a_removed_segment_s_steps_leave_the_new_one_alone(liver, blob):
    """Each step: what the first segment had must not come or go in the second one."""
    segment = removed_and_added(liver)
    editor = Editor(liver.segmentation, blob, view_of(blob), "another tool")
    editor.write(segment, Voxels((50, 45, 3), np.ones((3, 10, 20), bool)))  # within the old mask
    before = content(liver)
    assert before.any() and liver.undo() and np.array_equal(content(liver), before)
    assert liver.redo() and np.array_equal(content(liver), before)
    assert not prompt_lists(liver.segmentation, segment)


@pytest.mark.parametrize("loses", ["an earlier one's", "the present one's"])
def test_what_a_click_took_from_another_segment_does_not_come_into_its_follower(logic, blob, loses):
    """With the rule that other segments are overwritten. Another one keeps its own."""
    logic.choose(blob)
    logic.new_segment("other")
    other, editor = logic.segment_id, Editor(logic.segmentation, blob, view_of(blob), "another tool")
    editor.write(other, Voxels((50, 40, 3), np.ones((3, 20, 20), bool)))
    before = content(logic)
    logic.new_segment("liver")
    logic.rules.SetOverwriteMode(logic.rules.OverwriteAllSegments)
    click(logic, CENTRE)
    liver = logic.segment_id
    assert (before & ~content(logic, other)).sum() > 500
    if loses == "an earlier one's":
        inner = logic.segmentation.GetSegmentation()
        inner.RemoveSegment(other)
        assert inner.AddEmptySegment(other, "other") == other
        before[:] = False
    assert logic.undo() and not content(logic, liver).any()
    assert np.array_equal(content(logic, other), before)


def test_an_answer_for_a_removed_segment_is_not_the_new_one_s(liver, blob):
    assert liver.click(ras_of(blob, EDGE), False)
    removed_and_added(liver)
    settle(liver)
    assert "was removed" in liver.status.error and not content(liver).any()


def test_a_point_of_a_removed_segment_that_is_moved_asks_nothing(liver, blob):
    old = prompt_lists(liver.segmentation, liver.segment_id)[0]
    liver.segmentation.GetSegmentation().RemoveSegment(liver.segment_id)
    old.SetNthControlPointPositionWorld(0, *ras_of(blob, CORNER))
    old.InvokeEvent(old.PointEndInteractionEvent)
    assert not liver.status.busy and not liver.segmentation.GetSegmentation().GetNumberOfSegments()


def test_the_segment_editor_s_undo_leaves_a_segment_its_prompts(logic, blob):
    """It brings the tags back that a segment had: none, where it was not asked for yet."""
    logic.choose(blob)
    logic.new_segment("liver")
    history = slicer.vtkSegmentationHistory()
    history.SetSegmentation(logic.segmentation.GetSegmentation())
    history.SaveState()
    click(logic, CENTRE)
    points = prompt_lists(logic.segmentation, logic.segment_id)
    assert len(points) == 1 and history.RestorePreviousState()
    gc.collect()
    assert not content(logic).any() and prompt_lists(logic.segmentation, logic.segment_id) == points
    click(logic, EDGE)
    assert prompt_lists(logic.segmentation, logic.segment_id) == points
    assert points[0].GetNumberOfControlPoints() == 2


@pytest.mark.parametrize("version", ["this", "an earlier one"])
def test_a_scene_that_was_saved_and_loaded(liver, world, version, tmp_path):
    """Scenes of earlier versions name no owners: their lists are taken by the segments' IDs, once."""
    segment, wanted = liver.segment_id, content(liver)
    if version != "this":
        prompt_lists(liver.segmentation, segment)[0].SetAttribute(OWNER, None)
        liver.segmentation.GetSegmentation().GetSegment(segment).RemoveTag(OWNER)
    world.scene.SetURL(str(tmp_path / "session.mrml"))
    assert world.scene.WriteToMRB(str(tmp_path / "session.mrb"))
    other = World()
    assert other.scene.ReadFromMRB(str(tmp_path / "session.mrb"))
    again = LiveLogic(other.scene, Options(threads=1))
    assert again.choose(other.scene.GetFirstNodeByName("blob"),
                        other.scene.GetFirstNodeByClass("vtkMRMLSegmentationNode")), again.status.error
    assert again.segment_id == segment and np.array_equal(content(again), wanted)
    assert len(again.state_of().clicks) == 1 and again.state_of().base is None
    assert removed_and_added(again) == segment
    assert not prompt_lists(again.segmentation, segment) and not again.state_of().clicks
    again.close()
    other.clear()
