"""What writing one segment leaves alone: other grids, other segments, what lies beyond the volume."""

import time

import numpy as np
import pytest
import slicer
import vtk
from test_mrml import noise, turn

from promptseg_mrml import Editor, Voxels, add_segment, view_of
from promptseg_mrml.volumes import vtk_matrix_of


def drawn(world, matrix, array):
    """A segmentation of its own grid that another tool drew, and what it holds there (k, j, i)."""
    image = slicer.vtkOrientedImageData()
    image.SetImageToWorldMatrix(vtk_matrix_of(np.asarray(matrix, float)))
    image.SetDimensions(*array.shape[::-1])
    scalars = vtk.util.numpy_support.numpy_to_vtk(array.astype(np.uint8).ravel(), deep=True)
    scalars.SetName("ImageScalars")
    image.GetPointData().SetScalars(scalars)
    node, segment = world.node("vtkMRMLSegmentationNode", "drawn"), slicer.vtkSegment()
    segment.AddRepresentation("Binary labelmap", image)
    node.GetSegmentation().SetSourceRepresentationName("Binary labelmap")
    node.GetSegmentation().AddSegment(segment, "drawn")

    def holds():
        own = world.volume(array.astype(np.int16), matrix, "own grid")
        voxels = Editor(node, own, view_of(own), "reader").read("drawn")
        return voxels.over((0, 0, 0), tuple(n - 1 for n in array.shape[::-1]))

    return node, holds


FINE, TURNED = [[0.5, 0, 0, -0.25], [0, 0.5, 0, -0.25], [0, 0, 1, 0], [0, 0, 0, 1]], turn(17) @ turn(9, 0)


@pytest.mark.parametrize("rules", [False, True], ids=["no rules", "rules"])
@pytest.mark.parametrize("matrix", [FINE, TURNED], ids=["finer", "turned"])
def test_a_mask_on_another_grid_leaves_what_others_drew_elsewhere(world, matrix, rules):
    """A line of single voxels of the segmentation's grid, which no resampling gives back."""
    volume = world.volume(noise((12, 60, 60)))
    array = np.zeros((8, 50, 50), bool)
    array[2, 41, 5:45] = True
    node, holds = drawn(world, matrix, array)
    editor = Editor(node, volume, view_of(volume))
    assert editor.is_resampled and np.array_equal(holds(), array)
    if rules:
        editor.node.SourceVolumeIntensityMaskOn()
        editor.node.SetSourceVolumeIntensityMaskRange(-1, 1000)
    centre = np.asarray(matrix) @ [15, 10, 4, 1]
    first = tuple(int(round(n)) for n in centre[:3] - [1, 1, 1])
    blob = Voxels(first, np.ones((3, 3, 3), bool))
    change = editor.write("drawn", editor.read("drawn").plus(blob))
    after = holds()
    assert after[4, 10, 15] and np.array_equal(after[:, 30:], array[:, 30:])
    editor.apply(change.reversed())
    assert np.array_equal(holds(), array)
    editor.apply(change)
    assert np.array_equal(holds(), after)


def test_what_lies_outside_the_volume_stays(world):
    """A segmentation of a whole series, and a cropped volume of the same lattice, or of another one."""
    array = np.zeros((8, 50, 50), bool)
    array[2:5, 2:9, 5:45] = True
    for matrix in (np.eye(4), np.diag([1, 1, 1.5, 1])):
        node, holds = drawn(world, matrix, array)
        volume = world.volume(noise((12, 50, 20)))
        editor = Editor(node, volume, view_of(volume))
        editor.write("drawn", Voxels((10, 30, 3), np.ones((3, 3, 3), bool)))
        assert np.array_equal(holds()[:, :, 20:], array[:, :, 20:])
        assert not holds()[:, :20, :20].any() and holds()[3, 31, 11]


def test_a_change_is_taken_back_though_the_segmentation_got_another_grid(world):
    volume = world.volume(noise((12, 60, 60)))
    node = world.segmentation(volume)
    segment, editor = add_segment(node, "x"), Editor(node, volume, view_of(volume))
    change = editor.write(segment, Voxels((20, 10, 2), np.ones((4, 12, 12), bool)))
    other = world.volume(noise((24, 120, 120)), np.diag([0.5, 0.5, 0.5, 1]))
    node.SetReferenceImageGeometryParameterFromVolumeNode(other)
    assert editor.is_resampled
    editor.apply(change.reversed())
    assert not editor.read(segment)
    editor.apply(change)
    assert editor.read(segment).count > 400


def many_segments(world, volume, count, edge):
    """Cubes of one layer, and two segments that overlap them."""
    size = view_of(volume).size
    node, random = world.segmentation(volume), np.random.default_rng(4)
    editor = Editor(node, volume, view_of(volume))
    editor.node.SetOverwriteMode(editor.node.OverwriteAllSegments)
    ids = [add_segment(node, f"s{n}") for n in range(count + 2)]
    for n, one in enumerate(ids):
        if n == count:
            editor.node.SetOverwriteMode(editor.node.OverwriteNone)
        first = tuple(int(random.integers(0, m - edge)) for m in size)
        editor.write(one, Voxels(first, np.ones((edge, edge, edge), bool)))
    return editor, ids


def test_a_change_names_what_it_did_to_each_segment_that_it_overwrote(world):
    volume = world.volume(noise((20, 30, 30)))
    editor, ids = many_segments(world, volume, 9, 10)
    assert editor.segmentation.GetSegmentation().GetNumberOfLayers() > 1
    before = {one: editor.read(one) for one in ids}
    editor.node.SetOverwriteMode(editor.node.OverwriteAllSegments)
    for target, voxels in ((ids[2], Voxels((0, 0, 0), np.ones((10, 30, 30), bool))),
                           (ids[-1], Voxels((0, 0, 8), np.ones((5, 30, 30), bool))), (ids[4], Voxels())):
        change = editor.write(target, voxels)
        after = {one: editor.read(one) for one in ids}
        for one in ids:
            assert change.came.get(one, Voxels()) == after[one].without(before[one])
            assert change.went.get(one, Voxels()) == before[one].without(after[one])
        assert target == ids[4] or len(change.went) > 3
        before = after


def test_overwriting_others_costs_what_changes_not_what_there_is(world):
    """By the time of this thread's own, so that a busy machine says nothing."""
    volume = world.volume(np.zeros((80, 200, 200), np.int16))
    editor, ids = many_segments(world, volume, 40, 20)
    spent = {}
    for mode in (editor.node.OverwriteNone, editor.node.OverwriteAllSegments):
        editor.node.SetOverwriteMode(mode)
        start = time.thread_time()
        for n in range(3):
            editor.write(ids[0], Voxels((n, 5, 5), np.ones((1, 20, 20), bool)))
        spent[mode] = time.thread_time() - start
    assert spent[editor.node.OverwriteAllSegments] < 3 * spent[editor.node.OverwriteNone], spent
