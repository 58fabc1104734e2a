"""Segments of other tools stay bit for bit what they were, whatever is clicked and taken back."""

import hashlib

import numpy as np
import pytest
import slicer
from vtk.util.numpy_support import vtk_to_numpy
from conftest import ras_of, settle

from promptseg_mrml import Editor, Voxels, add_segment, view_of


def foreign_segments(world, volume, seed):
    """Three that overlap, two of them in one layer, of which one is a surface's labelmap."""
    node = world.segmentation(volume, "foreign")
    editor = Editor(node, volume, view_of(volume))
    generator = np.random.default_rng(seed)
    ids = []
    for n in range(3):
        ids.append(add_segment(node, f"foreign {n}"))
        shape = generator.integers(3, [9, 60, 70])
        first = [int(generator.integers(0, s - m + 1)) for s, m in zip((112, 96, 9), shape[::-1])]
        editor.write(ids[-1], Voxels(tuple(first), generator.random(tuple(shape)) < 0.4))
    return node, ids


def names_of(node, ids):
    """Everything that a foreign segment is: voxels where they lie, label, name, colour, tags."""
    out = []
    for one in ids:
        segment = node.GetSegmentation().GetSegment(one)
        image = slicer.vtkOrientedImageData()
        node.GetBinaryLabelmapRepresentation(one, image)
        scalars = image.GetPointData().GetScalars()
        extent = image.GetExtent()
        found = np.argwhere(vtk_to_numpy(scalars).reshape(
            [extent[2 * n + 1] - extent[2 * n] + 1 for n in (2, 1, 0)])) + extent[4::-2][:3]
        out.append((hashlib.sha256(found.astype(np.int64).tobytes()).hexdigest(), len(found),
                    segment.GetName(), segment.GetColor()))
    return out


@pytest.mark.parametrize("seed", [1, 2])
def test_twenty_random_clicks_and_undos_leave_foreign_segments_alone(logic, world, blob, seed):
    node, ids = foreign_segments(world, blob, seed)
    before = names_of(node, ids)
    assert all(count > 0 for _, count, _, _ in before)
    logic.choose(blob, node)
    logic.new_segment("mine")
    generator = np.random.default_rng(seed)
    acts = []
    for n in range(20):
        act = generator.choice(["click", "click", "click", "undo", "redo", "new", "slice"])
        if n == 0:
            act = "click"
        acts.append(str(act))
        if act == "undo":
            logic.undo()
        elif act == "redo":
            logic.redo()
        else:
            if act == "new":
                logic.new_segment()
            logic.one_slice = act == "slice"
            place = ras_of(blob, [int(generator.integers(0, s)) for s in (112, 96, 9)])
            logic.click(place, bool(generator.random() < 0.7), normal=np.eye(3)[generator.integers(3)])
            if generator.random() < 0.6:  # else the next act ends it
                settle(logic)
        assert names_of(node, ids) == before, acts
    settle(logic)
    while logic.can_undo:
        logic.undo()
    settle(logic)
    assert names_of(node, ids) == before
    mine = [one for one in node.GetSegmentation().GetSegmentIDs() if one not in ids]
    editor = Editor(node, blob, view_of(blob))
    assert mine and not any(editor.read(one) for one in mine)
