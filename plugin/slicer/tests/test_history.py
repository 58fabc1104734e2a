"""Undo and Redo of what is not whole, and beside what is not the step's."""

import numpy as np
import pytest
from conftest import content, ras_of, settle
from test_meanwhile import CENTRE, EDGE, at, click, first_slice_of, paint, places_of, points_of

from promptseg_live import LiveLogic, Options
from promptseg_mrml import Voxels
from promptseg_mrml.prompts import make_prompts_of


def undone(logic):
    assert logic.undo(), logic.status.error
    settle(logic)
    return content(logic)


def done_again(logic):
    assert logic.redo(), logic.status.error
    settle(logic)
    return content(logic)


@pytest.mark.parametrize("second", [(EDGE, True), ((60, 50, 6), False)], ids=["inside", "outside"])
def test_a_step_made_before_the_answer_to_the_last_one_is_asked_again(logic, blob, second):
    """What the second click did was measured from the first one's first slice, which Undo makes whole."""
    logic.choose(blob)
    first_slice_of(logic, CENTRE)
    click(logic, *second)
    both = content(logic)
    first = undone(logic)
    assert first[2].any() and not logic.unfinished()
    for _ in range(2):
        assert np.array_equal(done_again(logic), both)
        assert not logic.unfinished() and logic.not_from_prompts() == ""
        assert np.array_equal(undone(logic), first)
        assert not logic.unfinished() and logic.not_from_prompts() == ""
    assert not undone(logic).any()
    assert np.array_equal(done_again(logic), first) and np.array_equal(done_again(logic), both)


def test_removing_the_last_point_before_its_answer_is_done_again(logic, blob):
    """Nobody is asked then: the mask is what it was before the point."""
    logic.choose(blob)
    logic.new_segment()
    paint(logic, Voxels((2, 2, 8), np.ones((1, 10, 10), bool)))
    drawn = content(logic)
    first_slice_of(logic, CENTRE)
    points_of(logic).RemoveAllControlPoints()
    first = undone(logic)
    assert first[2].any()
    for _ in range(2):
        assert np.array_equal(done_again(logic), drawn) and not logic.unfinished()
        assert np.array_equal(undone(logic), first) and not logic.unfinished()


def test_redo_takes_no_voxel_for_its_own_that_another_tool_has_drawn_meanwhile(logic, blob):
    logic.choose(blob)
    click(logic, CENTRE)
    answer = content(logic)
    assert answer[4, 50, 60] and not undone(logic).any()
    drawn = np.zeros_like(answer)
    drawn[4, 48:52, 58:62] = True
    assert (answer & drawn).sum() == 16
    paint(logic, Voxels((58, 48, 4), np.ones((1, 4, 4), bool)))
    assert np.array_equal(done_again(logic), answer)
    assert np.array_equal(undone(logic), drawn)


# ------------------------------------------------------------------------- prompts that are none of the step's


ABOVE, BELOW = (60, 62, 4), (60, 40, 4)


def places(logic):
    return sorted(place for place, _ in places_of(points_of(logic)))


def wanted(logic, *voxels):
    return sorted(at(logic, one)[0] for one in voxels)


def test_points_added_in_the_markups_module_stay_at_undo_and_redo(logic, blob):
    """The next click goes on from them."""
    logic.choose(blob)
    click(logic, CENTRE)
    first = content(logic)
    click(logic, EDGE)
    for ijk in (ABOVE, BELOW):
        points_of(logic).AddControlPointWorld(list(ras_of(blob, ijk)))
    assert np.array_equal(undone(logic), first) and places(logic) == wanted(logic, CENTRE, ABOVE, BELOW)
    done_again(logic)
    assert places(logic) == wanted(logic, CENTRE, EDGE, ABOVE, BELOW)
    undone(logic)
    undone(logic)
    assert places(logic) == wanted(logic, ABOVE, BELOW) and not content(logic).any()
    click(logic, CENTRE)
    assert len(logic.state_of().clicks) == 3 and places(logic) == wanted(logic, CENTRE, ABOVE, BELOW)


def test_clicks_of_the_other_front_end_stay_at_undo_and_redo(logic, world, blob):
    logic.choose(blob)
    click(logic, CENTRE)
    logic.watch(False)
    other = LiveLogic(world.scene, Options(threads=1), tag="PromptSegEffect")
    assert other.choose(blob, logic.segmentation) and other.choose_segment(logic.segment_id)
    for ijk in (EDGE, ABOVE):
        click(other, ijk)
    other.close()
    logic.watch(True)
    for _ in range(2):
        undone(logic)
        assert places(logic) == wanted(logic, EDGE, ABOVE)
        done_again(logic)
        assert places(logic) == wanted(logic, CENTRE, EDGE, ABOVE)


def test_a_box_that_is_added_stays_at_undo(logic, blob):
    logic.choose(blob)
    click(logic, CENTRE)
    click(logic, EDGE)
    box = points_of(logic).GetScene().AddNewNodeByClass("vtkMRMLMarkupsROINode")
    box.SetXYZ(*ras_of(blob, CENTRE))
    box.SetSize(40, 36, 18)
    make_prompts_of(box, logic.segmentation, logic.segment_id)
    undone(logic)
    assert places(logic) == wanted(logic, CENTRE) and box.GetScene() is not None and box.GetSize()[0] == 40


@pytest.mark.parametrize("whose", ["this step's", "an earlier one's"])
def test_a_point_that_was_moved_is_still_the_step_s(logic, blob, whose):
    """By a script; in a view that is a step of its own."""
    logic.choose(blob)
    click(logic, CENTRE)
    click(logic, EDGE)
    logic.watch(False)
    row = 1 if whose == "this step's" else 0
    points_of(logic).SetNthControlPointPositionWorld(row, *ras_of(blob, ABOVE))
    undone(logic)
    assert places(logic) == wanted(logic, CENTRE if row else ABOVE)


def test_a_question_that_fails_takes_no_other_point_with_it(logic, blob):
    logic.choose(blob)
    click(logic, CENTRE)
    logic.set_options(Options(model="missing.safetensors", threads=1))
    assert logic.click(ras_of(blob, EDGE))
    points_of(logic).AddControlPointWorld(list(ras_of(blob, ABOVE)))
    settle(logic)
    assert logic.status.error and places(logic) == wanted(logic, CENTRE, ABOVE)
