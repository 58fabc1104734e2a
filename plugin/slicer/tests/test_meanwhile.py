"""What the user and other tools do while a question runs, or between two."""

import numpy as np
import pytest
import slicer
from conftest import content, ras_of, settle

from promptseg_live import Options
from promptseg_mrml import Editor, Voxels, prompt_lists, view_of
from promptseg_mrml.volumes import vtk_matrix_of

CENTRE, EDGE, CORNER = (60, 50, 4), (75, 50, 4), (20, 20, 4)


def click(logic, ijk, inside=True):
    assert logic.click(ras_of(logic.volume, ijk), inside), logic.status.error
    settle(logic)


def first_slice_of(logic, ijk):
    """A question whose first slice is there while the others are computed."""
    assert logic.click(ras_of(logic.volume, ijk))
    before = content(logic)
    settle(logic, until=lambda: logic.status.busy and not np.array_equal(content(logic), before))
    assert logic.status.busy


def points_of(logic):
    return prompt_lists(logic.segmentation, logic.segment_id)[0]


# -------------------------------------------------------------------------------- the volume changes


@pytest.mark.parametrize("shown", [False, True], ids=["nothing shown", "a slice shown"])
@pytest.mark.parametrize("together", [True, False], ids=["segments move too", "segments stay"])
def test_an_answer_about_a_volume_that_has_moved_is_not_taken(logic, world, blob, together, shown):
    shift = world.transform(np.eye(4))
    logic.choose(blob)
    click(logic, CENTRE)
    blob.SetAndObserveTransformNodeID(shift.GetID())
    if together:
        logic.segmentation.SetAndObserveTransformNodeID(shift.GetID())
    before = content(logic)
    if shown:
        first_slice_of(logic, CORNER)
    else:
        assert logic.click(ras_of(blob, CORNER))
    moved = np.eye(4)
    moved[0, 3] = 16  # 20 voxels
    shift.SetMatrixTransformToParent(vtk_matrix_of(moved))
    settle(logic)
    assert "blob was moved" in logic.status.error and not logic.status.busy
    wanted = before if together else np.roll(before, -20, 2)
    assert np.array_equal(content(logic), wanted) and points_of(logic).GetNumberOfControlPoints() == 1
    click(logic, CENTRE)
    assert content(logic).any() and not logic.status.error


def test_an_answer_about_another_frame_is_not_taken(logic, world, blob):
    logic.choose(blob)
    assert logic.click(ras_of(blob, CENTRE))
    blob.SetAndObserveImageData(world.volume(np.zeros((9, 96, 112), np.int16)).GetImageData())
    settle(logic)
    assert "other voxels" in logic.status.error and not content(logic).any()
    assert not points_of(logic).GetNumberOfControlPoints() and not logic.can_undo


# ------------------------------------------------------------------------------ other tools, and the user


def test_what_is_painted_while_it_computes_stays(logic, blob):
    logic.choose(blob)
    first_slice_of(logic, CENTRE)
    editor = Editor(logic.segmentation, blob, view_of(blob), "another tool")
    stroke = Voxels((2, 2, 4), np.ones((1, 10, 10), bool))
    editor.write(logic.segment_id, editor.read(logic.segment_id).plus(stroke))
    painted = content(logic)
    settle(logic)
    assert np.array_equal(content(logic), painted) and not logic.status.busy
    assert "changed by another tool" in logic.status.error
    click(logic, EDGE)
    assert content(logic)[4, 2:12, 2:12].all() and not logic.status.error
    while logic.can_undo:
        assert logic.undo()
    assert content(logic)[4, 2:12, 2:12].all() and content(logic).sum() == 100


def test_a_segment_completed_while_it_computes_stays_as_it_was_accepted(logic, blob):
    logic.choose(blob)
    first_slice_of(logic, CENTRE)
    shown = content(logic)
    assert logic.accept()
    settle(logic)
    assert "was completed before its mask was whole" in logic.status.error
    assert np.array_equal(content(logic), shown)
    logic.reopen()
    click(logic, EDGE)
    assert content(logic)[2].any()


def test_a_segment_removed_before_its_question_fails(logic, world, blob):
    logic.set_options(Options(model="no/such.safetensors", threads=1))
    logic.choose(blob)
    assert logic.click(ras_of(blob, CENTRE))
    world.scene.RemoveNode(points_of(logic))
    logic.segmentation.GetSegmentation().RemoveSegment(logic.segment_id)
    settle(logic)
    assert "such.safetensors" in logic.status.error and not logic.can_undo
