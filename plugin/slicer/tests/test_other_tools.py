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


# ------------------------------------------------------------------------------------ what was accepted


@pytest.fixture
def accepted(logic, blob):
    """A completed segment where the blob is, and a next one that overwrites others."""
    logic.choose(blob)
    logic.new_segment("a")
    a = logic.segment_id
    paint(logic, Voxels((50, 40, 3), np.ones((3, 20, 20), bool)))
    assert logic.accept()
    logic.new_segment("b")
    logic.rules.SetOverwriteMode(logic.rules.OverwriteAllSegments)
    return a


def test_an_accepted_segment_stays_under_the_rule_that_others_are_overwritten(logic, accepted):
    """One that is not accepted is overwritten, and comes back with Undo."""
    before = content(logic, accepted)
    logic.new_segment("open")
    other = logic.segment_id
    paint(logic, Voxels((60, 40, 3), np.ones((3, 20, 20), bool)))
    logic.new_segment("c")
    click(logic, CENTRE)
    found = content(logic)
    assert np.array_equal(content(logic, accepted), before) and found[4, 50, 60]
    assert not (content(logic, other) & found).any() and (found & before).any()
    click(logic, EDGE)
    assert logic.undo() and np.array_equal(content(logic), found)
    assert logic.undo() and not content(logic).any() and content(logic, other).sum() == 1200
    assert logic.redo() and np.array_equal(content(logic), found)
    assert np.array_equal(content(logic, accepted), before)


def test_undo_of_what_an_accepted_segment_lost_before_is_refused(logic, accepted):
    logic.choose_segment(accepted)
    assert logic.reopen()
    logic.new_segment("c")
    click(logic, CENTRE)
    c, found, left = logic.segment_id, content(logic), content(logic, accepted)
    assert left.sum() < 1200
    logic.choose_segment(accepted)
    assert logic.accept()
    assert not logic.undo() and "a is completed" in logic.status.error and logic.can_undo
    assert np.array_equal(content(logic, accepted), left) and np.array_equal(content(logic, c), found)
    assert logic.reopen() and logic.undo() and content(logic, accepted).sum() == 1200
    logic.choose_segment(accepted)
    assert logic.accept() and not logic.redo() and "a is completed" in logic.status.error
    assert content(logic, accepted).sum() == 1200 and not content(logic, c).any()


def test_a_failure_leaves_a_segment_alone_that_was_accepted_meanwhile(logic, blob, accepted):
    """The first slice had overwritten a part of it."""
    logic.choose_segment(accepted)
    assert logic.reopen()
    logic.new_segment("c")
    first_slice_of(logic, CENTRE)
    c, left = logic.segment_id, content(logic, accepted)
    assert left.sum() < 1200
    logic.choose_segment(accepted)
    assert logic.accept()
    blob.SetAndObserveImageData(_other_voxels(blob))
    settle(logic)
    assert "other voxels" in logic.status.error and not content(logic, c).any()
    assert np.array_equal(content(logic, accepted), left)


def _other_voxels(volume):
    image = volume.GetImageData().NewInstance()
    image.DeepCopy(volume.GetImageData())
    return image
