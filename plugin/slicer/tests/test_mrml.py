"""MRML nodes as the model library sees them: volumes, prompts, segments."""

import json
import math
import subprocess

import numpy as np
import pytest
import slicer
import vtk
from conftest import BIN, DEMO, points_of, ras_of

import promptseg
from promptseg_mrml import (
    Box,
    Click,
    Editor,
    SceneError,
    Voxels,
    add_segment,
    affine_of,
    box_of_roi,
    clicks_of_list,
    prompts_of_nodes,
    terminology_entry,
    view_of,
    write_clicks,
)
from promptseg_mrml.volumes import vtk_matrix_of


def turn(degrees, axis=2):
    a, b = [n for n in range(3) if n != axis]
    out = np.eye(4)
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    out[[a, a, b, b], [a, b, a, b]] = c, -s, s, c
    return out


GRIDS = {
    "straight": np.diag([1.0, 1.0, 1.0, 1.0]),
    "as ITK writes it": np.array([[-0.8, 0, 0, 90], [0, -0.8, 0, 80], [0, 0, 3, -40], [0, 0, 0, 1.0]]),
    "left-handed": np.array([[0.9, 0, 0, 3], [0, 0.9, 0, 4], [0, 0, -2, 5], [0, 0, 0, 1.0]]),
    "permuted": np.array([[0, 0, 2.5, 3], [0.7, 0, 0, 4], [0, -0.7, 0, 5], [0, 0, 0, 1.0]]),
    "oblique": turn(23) @ turn(-11, 0) @ np.diag([0.5, 0.5, 4, 1.0]),
    "sheared": np.array([[1, 0, 0.4, 3], [0, 1, 0, 4], [0, 0.2, 2, 5], [0, 0, 0, 1.0]]),
}
grids = pytest.mark.parametrize("matrix", GRIDS.values(), ids=GRIDS.keys())


def noise(shape=(6, 9, 11), seed=1):
    return np.random.default_rng(seed).integers(0, 200, shape).astype(np.int16)


# ------------------------------------------------------------------------------------------- volumes


@grids
def test_a_point_between_two_slices_is_in_the_library_s(world, matrix):
    """Also on the outermost faces, which belong to the volume."""
    view = view_of(world.volume(noise(), matrix))
    model = promptseg.Model(threads=1)
    for axis in "ijk":
        live = view.open(model, axis=axis, propagate=False)
        for index in (-0.5, -0.5, -0.5), (1.5, 1.5, 1.5), (4.5, 3.5, 2.5), np.array(view.size) - 0.5:
            ras = tuple((view.affine @ [*index, 1])[:3])
            found = live.preview(clicks=[(*Click(ras).lps, 1)], sentences=[])
            assert found.prompted and view.slice_of(ras, axis) == found.slice


@grids
def test_a_volume_is_seen_where_it_lies_and_without_a_copy(world, matrix):
    array = noise()
    node = world.volume(array, matrix)
    parent = world.transform(turn(30) + np.array([[0, 0, 0, 7]] * 3 + [[0] * 4]))
    node.SetAndObserveTransformNodeID(parent.GetID())
    view = view_of(node)
    assert view.size == (11, 9, 6) and np.array_equal(view.voxels.transpose(2, 1, 0), array)
    place, corner = [0.0] * 3, [10, 8, 5, 1]
    ras = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(parent, None, ras)
    ras.TransformPoint((matrix @ corner)[:3], place)
    assert np.allclose((view.affine @ corner)[:3], place, atol=1e-9)
    scalars = node.GetImageData().GetPointData().GetScalars()
    scalars.SetValue(0, 77)
    assert view.voxels[0, 0, 0] == 77


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
def test_voxel_types(world, kind):
    node = world.volume(noise().astype(kind))
    assert promptseg.Model(threads=1).open(view_of(node).voxels, affine=view_of(node).affine).size == (11, 9, 6)


def test_a_colour_volume_has_three_channels(world):
    view = view_of(world.volume(np.zeros((1, 20, 30, 3), np.uint8)))
    assert view.rgb and view.open(promptseg.Model(threads=1)).size == (30, 20, 1)


def test_what_cannot_be_a_source_is_said(world):
    with pytest.raises(SceneError, match="no voxels"):
        view_of(world.node("vtkMRMLScalarVolumeNode", "empty"))
    node = world.volume(noise())
    grid = world.node("vtkMRMLGridTransformNode", "warp")
    warp = vtk.vtkThinPlateSplineTransform()
    grid.SetAndObserveTransformToParent(warp)
    node.SetAndObserveTransformNodeID(grid.GetID())
    with pytest.raises(SceneError, match="warp is not linear"):
        view_of(node)


def test_hounsfield_units_are_believed(world):
    node = world.volume(noise())
    assert view_of(node).hounsfield is None
    entry = slicer.vtkCodedEntry()
    entry.SetValueSchemeMeaning("[hnsf'U]", "UCUM", "Hounsfield unit")
    node.SetVoxelValueUnits(entry)
    assert view_of(node).hounsfield is True


def test_the_voxels_outlive_their_node(world):
    array = noise()
    node = world.volume(array)
    view = view_of(node)
    world.scene.RemoveNode(node)
    del node
    assert np.array_equal(view.voxels.transpose(2, 1, 0), array)


# ------------------------------------------------------------------------------------------- prompts


def point_list(world, *points, name="kidney"):
    node = world.node("vtkMRMLMarkupsFiducialNode", name)
    for place in points:
        node.AddControlPointWorld(list(place))
    return node


def test_points_in_the_world_and_their_polarity(world):
    node = point_list(world, (1, 2, 3), (4, 5, 6), (7, 8, 9), (1, 1, 1), (2, 2, 2), name="-x")
    node.SetNthControlPointLabel(1, "-")
    node.SetNthControlPointDescription(2, "bg: vessel")
    node.SetNthControlPointLabel(3, "bgood")
    node.SetNthControlPointLabel(0, "first")
    node.SetNthControlPointLabel(4, "kidney-1")
    assert [c.inside for c in clicks_of_list(node)] == [True, False, False, True, True]
    parent = world.transform([[1, 0, 0, 10], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
    node.SetAndObserveTransformNodeID(parent.GetID())
    assert np.allclose(clicks_of_list(node)[0].ras, (11, -3, 2))
    assert np.allclose(clicks_of_list(node)[0].lps, (-11, 3, 2))


def test_points_without_a_place_and_points_not_selected_count_for_nothing(world):
    node = point_list(world, (1, 2, 3), (4, 5, 6), (7, 8, 9))
    node.SetNthControlPointSelected(0, False)
    node.UnsetNthControlPointPosition(1)
    assert [c.ras for c in clicks_of_list(node)] == [(7, 8, 9)]


def test_a_turned_and_transformed_roi(world):
    roi = world.node("vtkMRMLMarkupsROINode", "box")
    assert box_of_roi(roi) is None
    roi.SetCenter(1, 2, 3)
    roi.SetSize(20, 10, 6)
    own = turn(40)
    own[:3, 3] = 1, 2, 3
    roi.SetAndObserveObjectToNodeMatrix(vtk_matrix_of(own))
    scale = np.diag([1.0, 2.0, 1.0, 1.0])  # a registration may scale
    parent = world.transform(turn(20, 0) @ np.diag([1.0, 1.0, 1.0, 1.0]))
    roi.SetAndObserveTransformNodeID(parent.GetID())
    box = box_of_roi(roi)
    assert np.allclose(box.half, (10, 5, 3))
    assert np.allclose(np.array(box.axes), (turn(20, 0) @ own)[:3, :3])
    assert np.allclose(box.center, (turn(20, 0) @ own)[:3, 3])
    numbers = np.array(box.numbers)
    assert np.allclose(numbers[:3], np.array(box.center) * [-1, -1, 1])
    # a corner of the box, by Slicer's matrix and by ours
    lps = numbers[:3] + numbers[6:].reshape(3, 3) @ (numbers[3:6] * [1, -1, 1])
    ras = (turn(20, 0) @ own @ [10, -5, 3, 1])[:3]
    assert np.allclose(lps * [-1, -1, 1], ras)
    parent.SetMatrixTransformToParent(vtk_matrix_of(scale))
    size = [0.0] * 3
    roi.GetSizeWorld(size)
    assert np.allclose(box_of_roi(roi).half, np.array(size) / 2, rtol=1e-6)


def test_several_nodes_are_the_prompts_of_one_segment(world):
    roi = world.node("vtkMRMLMarkupsROINode")
    roi.SetSize(2, 2, 2)
    undrawn = world.node("vtkMRMLMarkupsROINode")
    clicks, boxes = prompts_of_nodes([point_list(world, (1, 2, 3)), roi, point_list(world), undrawn,
                                      point_list(world, (4, 5, 6))])
    assert [c.ras for c in clicks] == [(1, 2, 3), (4, 5, 6)] and len(boxes) == 1
    with pytest.raises(SceneError, match="point lists and ROIs"):
        prompts_of_nodes([world.node("vtkMRMLMarkupsLineNode", "line")])


def test_clicks_written_to_a_list_are_read_again(world):
    node = point_list(world, (9, 9, 9), (8, 8, 8), (7, 7, 7), (6, 6, 6))
    clicks = [Click((1, 2, 3)), Click((4, 5, 6), False)]
    write_clicks(node, clicks, used=[Click((0, 0, 1))])
    assert clicks_of_list(node) == clicks
    assert node.GetNumberOfControlPoints() == 3
    node.SetLocked(True)
    with pytest.raises(SceneError, match="locked"):
        write_clicks(node, [])


def test_a_list_that_slicer_saves_does_the_same_in_a_shell(world, tmp_path, tumour):
    """Clicks of both kinds, written by Slicer, read by PromptSeg, beside the Python package."""
    volume = world.load(DEMO / "brain1/image.nrrd")
    outside = tuple(np.array(tumour[0]) + [0, 0, 15])
    clicks = [Click(tumour[0]), Click(outside, False), *(Click(place) for place in tumour[1:])]
    node = world.node("vtkMRMLMarkupsFiducialNode", "tumour")
    write_clicks(node, clicks)
    path = tmp_path / "tumour.mrk.json"
    storage = world.node("vtkMRMLMarkupsJsonStorageNode")
    storage.SetFileName(str(path))
    assert storage.WriteData(node)
    report = tmp_path / "report.json"
    subprocess.run([BIN / "PromptSeg", "--threads", "1", "--prompts", path, "--report", report, "--",
                    DEMO / "brain1/image.nrrd", tmp_path / "out.seg.nrrd"], check=True,
                   stdout=subprocess.DEVNULL)
    live = view_of(volume).open(promptseg.Model(threads=1))
    found = live.predict(clicks=[(*c.lps, c.inside) for c in clicks])
    segment = json.loads(report.read_text())["segments"][0]
    assert found.voxels == segment["voxels"] > 0 and segment["name"] == "tumour"


# ------------------------------------------------------------------------------------------ segments


def random_voxels(seed, size=(11, 9, 6)):
    generator = np.random.default_rng(seed)
    first = tuple(int(generator.integers(0, n - 2)) for n in size)
    shape = tuple(int(generator.integers(1, n - f + 1)) for n, f in zip(size, first))[::-1]
    return Voxels(first, generator.random(shape) < 0.5)


@grids
@pytest.mark.parametrize("under", [True, False], ids=["under the transform", "in the world"])
def test_a_mask_becomes_a_segment_and_is_read_again(world, matrix, under):
    volume = world.volume(noise(), matrix)
    volume.SetAndObserveTransformNodeID(world.transform(turn(30)).GetID())
    node = world.segmentation(volume)
    if under:
        node = world.node("vtkMRMLSegmentationNode")
        node.CreateDefaultDisplayNodes()
        node.SetAndObserveTransformNodeID(volume.GetTransformNodeID())
        node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    editor = Editor(node, volume, view_of(volume))
    segment = add_segment(node, "kidney")
    first, second = random_voxels(1), random_voxels(2)
    assert not editor.is_resampled
    one = editor.write(segment, first)
    assert editor.read(segment) == first
    two = editor.write(segment, second)
    assert editor.read(segment) == second
    for change, wanted in ((two.reversed(), first), (two, second), (two.reversed(), first),
                           (one.reversed(), Voxels())):
        editor.apply(change)
        assert editor.read(segment) == wanted


@grids
def test_a_segment_lies_in_the_world_where_the_voxels_do(world, matrix):
    """By Slicer's own export to a labelmap volume."""
    volume = world.volume(noise(), matrix)
    node = world.segmentation(volume)
    segment, voxels = add_segment(node, "x"), random_voxels(5)
    Editor(node, volume, view_of(volume)).write(segment, voxels)
    labels = world.node("vtkMRMLLabelMapVolumeNode")
    slicer.vtkSlicerSegmentationsModuleLogic.ExportSegmentsToLabelmapNode(
        node, [segment], labels, volume)
    exported = view_of(labels)
    assert np.allclose(exported.affine, affine_of(volume), atol=1e-6)
    whole = voxels.over((0, 0, 0), (10, 8, 5))
    assert np.array_equal(exported.voxels.transpose(2, 1, 0) != 0, whole)


def test_a_segmentation_of_another_grid_is_resampled(world):
    """Every voxel of the segmentation is where the volume's voxel that holds its centre is."""
    volume = world.volume(noise((20, 40, 40)), np.diag([1.0, 1.0, 1.0, 1.0]))
    other = world.volume(noise((10, 20, 20)), [[2, 0, 0, 0.5], [0, 2, 0, 0.5], [0, 0, 2, 0.5],
                                               [0, 0, 0, 1]])
    node = world.segmentation(other)
    editor = Editor(node, volume, view_of(volume))
    assert editor.is_resampled
    segment = add_segment(node, "x")
    even = Voxels((4, 6, 8), np.ones((6, 8, 10), bool))  # whole blocks of 2 x 2 x 2
    editor.write(segment, even)
    assert editor.read(segment) == even


def three_foreign_segments(world, volume):
    node = world.segmentation(volume)
    ids = []
    for n in range(3):
        ids.append(add_segment(node, f"other {n}"))
        Editor(node, volume, view_of(volume)).write(ids[-1], random_voxels(10 + n))
    return node, ids


def test_overlap_is_allowed_unless_the_rule_says_otherwise(world):
    volume = world.volume(noise())
    node, ids = three_foreign_segments(world, volume)
    editor = Editor(node, volume, view_of(volume))
    before = [editor.read(one) for one in ids]
    mine, whole = add_segment(node, "mine"), Voxels((0, 0, 0), np.ones((6, 9, 11), bool))
    change = editor.write(mine, whole)
    assert [editor.read(one) for one in ids] == before and set(change.came) == {mine}
    editor.apply(change.reversed())
    editor.node.SetOverwriteMode(editor.node.OverwriteAllSegments)
    change = editor.write(mine, whole)
    assert not any(editor.read(one) for one in ids) and set(change.went) == set(ids)
    editor.apply(change.reversed())
    assert [editor.read(one) for one in ids] == before and not editor.read(mine)


def test_the_editable_area_and_intensities_are_obeyed(world):
    array = noise()
    volume = world.volume(array)
    node, ids = three_foreign_segments(world, volume)
    editor = Editor(node, volume, view_of(volume))
    mine, whole = add_segment(node, "mine"), Voxels((0, 0, 0), np.ones((6, 9, 11), bool))
    foreign = editor.read(ids[0])
    editor.node.SetMaskMode(slicer.vtkMRMLSegmentationNode.EditAllowedInsideSingleSegment)
    editor.node.SetMaskSegmentID(ids[0])
    editor.write(mine, whole)
    assert editor.read(mine) == foreign
    editor.node.SetMaskMode(slicer.vtkMRMLSegmentationNode.EditAllowedEverywhere)
    editor.node.SourceVolumeIntensityMaskOn()
    editor.node.SetSourceVolumeIntensityMaskRange(50, 100)
    editor.write(mine, Voxels())  # what is not editable stays
    editor.write(mine, whole)
    allowed = (array >= 50) & (array <= 100)
    wanted = Voxels((0, 0, 0), allowed | foreign.over((0, 0, 0), (10, 8, 5)) & ~allowed)
    assert editor.read(mine) == wanted


def test_other_tools_can_undo_what_was_written(world):
    """The state before is saved in the history of a segment editor that works on the same segments."""
    volume = world.volume(noise())
    node = world.segmentation(volume)
    segment = add_segment(node, "x")
    own = slicer.vtkMRMLSegmentEditorNode()
    world.scene.AddNode(own)
    other = slicer.vtkSlicerSegmentEditorLogic()
    other.SetMRMLScene(world.scene)
    other.SetSegmentEditorNode(own)
    other.SetSegmentationNode(node)
    editor = Editor(node, volume, view_of(volume))
    editor.histories = [other]
    first, second = random_voxels(1), random_voxels(2)
    editor.write(segment, first)
    editor.save_state()
    editor.write(segment, second)
    other.Undo()
    assert editor.read(segment) == first


def test_a_surface_becomes_a_labelmap_when_it_is_written(world):
    volume = world.volume(noise((20, 30, 30)))
    node = world.segmentation(volume)
    sphere = vtk.vtkSphereSource()
    sphere.SetCenter(15, 15, 10)
    sphere.SetRadius(6)
    sphere.Update()
    node.GetSegmentation().SetSourceRepresentationName("Closed surface")
    node.AddSegmentFromClosedSurfaceRepresentation(sphere.GetOutput(), "ball", [1, 0, 0], "ball")
    editor = Editor(node, volume, view_of(volume))
    assert editor.read("ball").count > 500


def test_a_new_segment_means_what_the_programs_say(world, tmp_path):
    """Names, colours and codes equal those of a file that PromptSeg wrote, for every known name."""
    from promptseg_mrml.terminology import _structures, colour_of

    names = ["Left_Kidney", "kidney-right", "liver", "thing", "right liver", "Femur left", "tumor"]
    points = [{"position": list(place), "label": "p"} for place in
              [tuple(np.array(p) * [-1, -1, 1]) for p, _ in
               points_of(DEMO / "brain1/prompts.mrk.json")[0][:1]]]
    prompts = tmp_path / "all.mrk.json"
    prompts.write_text(json.dumps({"markups": [
        {"type": "Fiducial", "name": name, "coordinateSystem": "LPS", "controlPoints": points}
        for name in names + list(_structures())]}))
    out = tmp_path / "out.seg.nrrd"
    subprocess.run([BIN / "PromptSeg", "--threads", "1", "--prompts", prompts, "--propagate", "none", "--",
                    DEMO / "brain1/image.nrrd", out], check=True, stdout=subprocess.DEVNULL)
    node = world.node("vtkMRMLSegmentationNode")
    storage = world.node("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(str(out))
    assert storage.ReadData(node)
    inner = node.GetSegmentation()
    assert inner.GetNumberOfSegments() == len({*names, *_structures()}) > 45
    for n in range(inner.GetNumberOfSegments()):
        segment, entry = inner.GetNthSegment(n), vtk.mutable("")
        segment.GetTag("TerminologyEntry", entry)
        assert terminology_entry(segment.GetName()) == str(entry), segment.GetName()
        colour = colour_of(segment.GetName())
        assert colour is None or np.allclose(colour, segment.GetColor(), atol=1e-4)
    # made here, one after the other, as outside of 3D Slicer
    assert [one for one in names if colour_of(one) is None] == ["thing"]
    made = world.segmentation(world.volume(noise()))
    for n in range(inner.GetNumberOfSegments()):
        segment = inner.GetNthSegment(n)
        mine = made.GetSegmentation().GetSegment(add_segment(made, segment.GetName()))
        assert np.allclose(mine.GetColor(), segment.GetColor(), atol=1e-4), segment.GetName()


def test_colours_of_nameless_segments_are_never_random(world):
    """Each is another one and far from grey; they are Slicer's where its table is."""
    def colours(count):
        node = world.segmentation(world.volume(noise()))
        ids = [add_segment(node, "") for _ in range(count)]
        return node, [node.GetSegmentation().GetSegment(one).GetColor() for one in ids]

    node, made = colours(24)
    assert made == colours(24)[1] and len(set(made)) == 24
    assert min(np.ptp(one) for one in made) > 0.3
    inner = node.GetSegmentation()
    inner.RemoveSegment(inner.GetNthSegmentID(3))  # its colour is free again, and no other is
    assert inner.GetSegment(add_segment(node, "")).GetColor() == made[3]
    table = slicer.vtkMRMLColorTableNode()
    table.SetTypeToUser()
    table.SetSingletonTag("FileGenericAnatomyColors.txt")
    table.SetNumberOfColors(4)
    for n in range(4):
        table.SetColor(n, f"colour {n}", 0.1 * n, 0.2 * n, 0.3 * n, 1.0)
    world.scene.AddNode(table)
    assert np.allclose(colours(3)[1], [[0.1 * n, 0.2 * n, 0.3 * n] for n in (1, 2, 3)],
                       atol=0.5 / 255)


# -------------------------------------------------------------------------------------------- voxels


def test_sets_of_voxels():
    size, last = (11, 9, 6), (10, 8, 5)
    for seed in range(40):
        a, b = random_voxels(seed), random_voxels(seed + 100)
        x, y = a.over((0, 0, 0), last), b.over((0, 0, 0), last)
        for made, wanted in ((a.plus(b), x | y), (a.also(b), x & y), (a.without(b), x & ~y)):
            assert np.array_equal(made.over((0, 0, 0), last), wanted)
            assert made == Voxels((0, 0, 0), wanted) and made.count == wanted.sum()
            assert made.digest() == Voxels((0, 0, 0), wanted).digest()
        axis = seed % 3
        plane = np.random.default_rng(seed).random([n for m, n in enumerate(x.shape) if m != 2 - axis]) < 0.5
        wanted = x.copy()
        wanted[tuple(3 if m == 2 - axis else slice(None) for m in range(3))] = plane
        assert a.with_slice(axis, 3, plane) == Voxels((0, 0, 0), wanted)
    assert not Voxels() and Voxels() == Voxels((3, 3, 3), np.zeros((2, 2, 2), bool))
    assert size == tuple(n + 1 for n in last)


def test_faces_belong_to_the_volume(world):
    view = view_of(world.volume(noise(), GRIDS["oblique"]))
    edge = (view.affine @ [-0.5, -0.5, -0.5, 1])[:3]
    assert view.holds(edge) and view.holds(edge - 1e-9)
    assert not view.holds((view.affine @ [-0.6, 0, 0, 1])[:3])
    assert view.coarse_axis() == "k" and view.axis_near(view.affine[:3, 1]) == "j"
    assert np.allclose(Box((1, 2, 3), (4, 5, 6), ((1, 0, 0), (0, 1, 0), (0, 0, 1))).numbers,
                       [-1, -2, 3, 4, 5, 6, -1, 0, 0, 0, -1, 0, 0, 0, 1])
    assert len(ras_of(world.volume(noise()), (1, 2, 3))) == 3
