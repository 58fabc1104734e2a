"""Undo and Redo of steps that were made before the answer to the one before them was whole."""

import numpy as np
import pytest
from conftest import content, ras_of, settle
from test_meanwhile import CENTRE, EDGE, click, first_slice_of, paint, points_of

from promptseg_mrml import Voxels


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
