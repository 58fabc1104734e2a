"""What other tools drew, and what the user has accepted, outlives questions, failures and Undo."""

import numpy as np
import pytest
from conftest import content, ras_of, settle
from test_meanwhile import CENTRE, EDGE, click, first_slice_of, paint

from promptseg_live import Options
from promptseg_mrml import Voxels

STROKE = Voxels((2, 2, 4), np.ones((1, 10, 10), bool))


def stroke_of(logic):
    """How much of the stroke is left, of 100 voxels."""
    return int(content(logic)[4, 2:12, 2:12].sum())


def _set_options(logic):
    logic.set_options(Options(threads=1))


def _watch_again(logic):
    logic.watch(False)
    logic.watch(True)


def _choose_the_segment(logic):
    logic.choose_segment(logic.segment_id)


def _ask_what_is_known(logic):
    logic.state_of()
    logic.unfinished()


@pytest.mark.parametrize("act", [_set_options, _watch_again, _choose_the_segment, _ask_what_is_known])
def test_a_stroke_during_a_question_outlives_what_asks_nothing(logic, blob, act):
    logic.choose(blob)
    first_slice_of(logic, CENTRE)
    paint(logic, STROKE)
    act(logic)
    settle(logic)
    assert stroke_of(logic) == 100 and "changed by another tool" in logic.status.error
    assert logic.unfinished() == [logic.segment_id]
    click(logic, EDGE)
    assert stroke_of(logic) == 100 and content(logic)[2].any() and not logic.unfinished()


@pytest.mark.parametrize("first", [False, True], ids=["the first click", "a later click"])
def test_a_stroke_during_a_question_that_failed_outlives_the_next_click(logic, blob, first):
    logic.choose(blob)
    logic.new_segment()
    if first:
        click(logic, CENTRE)
    before = content(logic)
    logic.set_options(Options(model="no/such.safetensors", threads=1))
    assert logic.click(ras_of(blob, EDGE))
    paint(logic, STROKE)
    settle(logic)
    assert "such.safetensors" in logic.status.error and stroke_of(logic) == 100
    logic.set_options(Options(threads=1))
    click(logic, EDGE)
    assert stroke_of(logic) == 100 and content(logic).sum() > 100 and not logic.unfinished()
    assert logic.undo()
    before[4, 2:12, 2:12] = True
    assert np.array_equal(content(logic), before)
