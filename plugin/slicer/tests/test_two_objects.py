"""What one segment was asked shows in no other one, nor in itself once it is undone."""

import numpy as np
import pytest
from conftest import content, ras_of, settle

import promptseg
from promptseg_mrml import Box, Editor, Voxels

LEFT, RIGHT = (24, 24, 4), (70, 24, 4)
EYE = ((1, 0, 0), (0, 1, 0), (0, 0, 1))


@pytest.fixture
def pair(world):
    """Two bright ellipsoids in noise."""
    k, j, i = np.mgrid[:9, :48, :96]
    inside = [((k - z) / 4) ** 2 + ((j - y) / 11) ** 2 + ((i - x) / 11) ** 2 < 1 for x, y, z in (LEFT, RIGHT)]
    array = np.random.default_rng(7).normal(60, 8, k.shape) + 110 * (inside[0] | inside[1])
    return world.volume(array.astype(np.int16), np.diag([1, 1, 3, 1]), "pair")


@pytest.fixture
def written(monkeypatch):
    """Every mask that the logic has a segment show."""
    masks, write = [], Editor.write

    def seen(editor, segment_id, voxels):
        masks.append(Voxels(voxels.first, voxels.array.copy()))
        return write(editor, segment_id, voxels)

    monkeypatch.setattr(Editor, "write", seen)
    return masks


def click(logic, ijk, inside=True):
    assert logic.click(ras_of(logic.volume, ijk), inside), logic.status.error
    settle(logic)


def boxed(logic, pair):
    """The object on the right, in its box. A click outside it on a further slice asks for none."""
    assert logic.add_box(Box(ras_of(pair, RIGHT), (15, 15, 12), EYE))
    settle(logic)
    click(logic, RIGHT)


def test_a_segment_never_shows_what_a_removed_one_was_asked(logic, pair, written, monkeypatch):
    logic.choose(pair)
    logic.new_segment("left")
    left = logic.segment_id
    click(logic, LEFT)
    logic.new_segment("right")
    boxed(logic, pair)
    logic.segmentation.GetSegmentation().RemoveSegment(left)
    del written[:]
    click(logic, (78, 24, 6), False)
    assert written and content(logic)[:, :, 55:].any()
    assert not any(mask.over((0, 0, 0), (47, 47, 8)).any() for mask in written)


def test_the_library_knows_a_segment_by_one_label(logic, pair, monkeypatch):
    labels, predict = [], promptseg.LiveVolume.predict

    def seen(live, label, *arguments, **named):
        labels.append(label)
        return predict(live, label, *arguments, **named)

    monkeypatch.setattr(promptseg.LiveVolume, "predict", seen)
    logic.choose(pair)
    logic.new_segment("left")
    left = logic.segment_id
    click(logic, LEFT)
    logic.new_segment("right")
    right = logic.segment_id
    click(logic, RIGHT)
    inner = logic.segmentation.GetSegmentation()
    inner.RemoveSegment(left)
    assert inner.AddEmptySegment(left, "left") == left  # at the end of the list, and another one
    click(logic, (72, 24, 4))
    logic.choose_segment(left)
    click(logic, LEFT)
    assert logic.segment_id != right and labels[1] == labels[2] and len({*labels}) == 3


def test_a_click_after_undo_never_shows_what_was_undone(logic, pair, written):
    logic.choose(pair)
    boxed(logic, pair)
    before = content(logic)
    click(logic, (58, 12, 6))
    undone = content(logic)
    assert logic.undo() and np.array_equal(content(logic), before)
    del written[:]
    click(logic, (78, 24, 6), False)
    gone = undone & ~before & ~content(logic)
    assert gone[6].any() and written
    assert not any((mask.over((0, 0, 0), (95, 47, 8)) & gone).any() for mask in written)
