"""The command-line modules as 3D Slicer runs them: its parser, its command line, its files, its reading."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import slicer
import vtk
from conftest import BIN, DEMO, ROOT, World, points_of, ras_of
from modules import Modules, build_shim
from vtk.util.numpy_support import vtk_to_numpy

from promptseg_mrml import affine_of, view_of
from promptseg_mrml.volumes import matrix_of, vtk_matrix_of

NAMES = ("PromptSeg", "PromptSegBatch", "PromptSegEvaluate", "PromptSegEverything")
DATA = Path(os.environ.get("PROMPTSEG_DATA", ROOT.parent / "shared/data"))


@pytest.fixture(scope="session")
def shim(tmp_path_factory):
    return build_shim(tmp_path_factory.mktemp("shim"))


@pytest.fixture
def modules(world, shim):
    return Modules(world, shim, BIN)


def point_list(world, points, name="seeds"):
    node = world.node("vtkMRMLMarkupsFiducialNode", name)
    for place in points:
        node.AddControlPointWorld(list(place))
    return node


def finish(modules, name, **parameters):
    node = modules.node(name, **parameters)
    modules.start(node)
    modules.wait(node)
    return node


def segments_of(node):
    """{name: sorted world places of its voxels} of a segmentation."""
    out = {}
    inner = node.GetSegmentation()
    for segment_id in inner.GetSegmentIDs():
        image = slicer.vtkOrientedImageData()
        if not node.GetBinaryLabelmapRepresentation(segment_id, image):
            out[inner.GetSegment(segment_id).GetName()] = np.zeros((0, 3))
            continue
        extent = image.GetExtent()
        array = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(
            [extent[2 * n + 1] - extent[2 * n] + 1 for n in (2, 1, 0)])
        matrix = vtk.vtkMatrix4x4()
        image.GetImageToWorldMatrix(matrix)
        index = np.argwhere(array)[:, ::-1] + [extent[0], extent[2], extent[4]]
        out[inner.GetSegment(segment_id).GetName()] = index @ matrix_of(matrix)[:3, :3].T \
            + matrix_of(matrix)[:3, 3]
    return out


def same_places(one, other):
    """Slicer turns round the slices of some files, so voxels may come in another order."""
    def ordered(places):
        return places[np.lexsort(np.round(places, 3).T)]

    return len(one) == len(other) and np.allclose(ordered(one), ordered(other), atol=0.01)


def program(*arguments, report):
    done = subprocess.run([BIN / "PromptSeg", "--threads", "1", "--report", report, *map(str, arguments)],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(Path(report).read_text())


def lps(place):
    return ",".join(f"{n:.12g}" for n in np.array(place) * [-1, -1, 1])


# -------------------------------------------------------------------------------------------- the XML


@pytest.mark.parametrize("name", NAMES)
def test_slicers_parser_takes_the_description(modules, name):
    assert modules.parse(name) == 0
    node = modules.node(name)
    groups = range(node.GetNumberOfParameterGroups())
    for group in groups:
        assert node.GetParameterGroupLabel(group) and node.GetParameterGroupDescription(group)
        for n in range(node.GetNumberOfParametersInGroup(group)):
            assert node.GetParameterLabel(group, n) and node.GetParameterDescription(group, n)
            assert len(node.GetParameterLabel(group, n)) < 32, node.GetParameterLabel(group, n)
    assert not node.GetParameterGroupAdvanced(0) or node.GetParameterGroupAdvanced(0) == "false"


def test_slicers_parser_refuses_what_is_wrong(shim):
    assert shim.register_module(b'<?xml version="1.0"?><executable><nonsense/></executable>', b"/x") != 0


# --------------------------------------------------------------------------------------- from nodes


def test_points_of_both_kinds_and_a_turned_roi(world, modules, blob, tmp_path):
    inside = point_list(world, [ras_of(blob, (60, 50, 4))])
    outside = point_list(world, [ras_of(blob, (20, 20, 4))], "not")
    roi = world.node("vtkMRMLMarkupsROINode", "box")
    turn = np.eye(4)
    turn[:2, :2] = [[0.8, -0.6], [0.6, 0.8]]
    turn[:3, 3] = ras_of(blob, (60, 50, 4))
    roi.SetAndObserveObjectToNodeMatrix(vtk_matrix_of(turn))
    roi.SetSize(44, 40, 24)
    output = world.node("vtkMRMLSegmentationNode", "out")
    node = finish(modules, "PromptSeg", input=blob, output=output, foreground=inside,
                  background=outside, roi=roi, segmentName="thing", segmentColor="0.25,0.5,1")
    assert node.GetStatusString() == "Completed" and not node.GetErrorText(), node.GetErrorText()
    found = segments_of(output)
    assert list(found) == ["thing"] and len(found["thing"]) > 500
    assert output.GetSegmentation().GetNthSegment(0).GetColor() == pytest.approx((0.25, 0.5, 1), abs=1e-3)
    # Slicer shows what the program said
    assert node.GetParameterAsString("segments") == "1"
    assert node.GetParameterAsString("deviceUsed").startswith("cpu")
    volume = float(node.GetParameterAsString("volumeInMl"))
    assert volume == pytest.approx(len(found["thing"]) * 0.8 * 0.8 * 3 / 1000, rel=1e-5)
    # nothing lies outside of the box
    local = (found["thing"] - turn[:3, 3]) @ turn[:3, :3]
    assert (np.abs(local) <= np.array([22, 20, 12]) + [0.8, 0.8, 3]).all()


def test_an_roi_that_was_never_drawn_and_points_not_selected(world, modules, blob):
    inside = point_list(world, [ras_of(blob, (60, 50, 4)), ras_of(blob, (20, 20, 4))])
    inside.SetNthControlPointSelected(1, False)
    one, two = (world.node("vtkMRMLSegmentationNode") for _ in range(2))
    finish(modules, "PromptSeg", input=blob, output=one, foreground=inside)
    alone = point_list(world, [ras_of(blob, (60, 50, 4))])
    finish(modules, "PromptSeg", input=blob, output=two, foreground=alone)
    a, b = segments_of(one)["Segment_1"], segments_of(two)["Segment_1"]
    assert len(a) and np.array_equal(a, b)
    node = finish(modules, "PromptSeg", input=blob, output=world.node("vtkMRMLSegmentationNode"),
                  foreground=alone, roi=world.node("vtkMRMLMarkupsROINode", "undrawn"))
    # a box of no size at the origin: the program refuses it or says what it made of it
    assert node.GetErrorText() or node.GetStatusString() == "Completed"


def test_a_list_as_prompt_file_and_the_same_node_in_and_out(world, modules, blob):
    """Slicer's prompt selector passes one list; its segment has the given name. With the output node
    as initial segmentation the other segments stay."""
    node = world.segmentation(blob, "both")
    first = point_list(world, [ras_of(blob, (60, 50, 4)), ras_of(blob, (20, 20, 4))])
    first.SetNthControlPointLabel(1, "-")
    finish(modules, "PromptSeg", input=blob, output=node, prompts=first, segmentName="one")
    one = segments_of(node)
    assert list(one) == ["one"] and len(one["one"]) > 500
    second = point_list(world, [ras_of(blob, (90, 20, 4))], "others")
    done = finish(modules, "PromptSeg", input=blob, output=node, initial=node, prompts=second,
                  segmentName="two")
    assert done.GetStatusString() == "Completed", done.GetErrorText()
    both = segments_of(node)
    assert sorted(both) == ["one", "two"] and np.array_equal(both["one"], one["one"])


def test_evaluate_and_batch_from_nodes(world, modules, blob, tmp_path):
    node = world.node("vtkMRMLSegmentationNode", "seg")
    finish(modules, "PromptSeg", input=blob, output=node,
           foreground=point_list(world, [ras_of(blob, (60, 50, 4))]))
    done = finish(modules, "PromptSegEvaluate", reference=node, prediction=node,
                  csv=str(tmp_path / "scores.csv"))
    assert done.GetStatusString() == "Completed", done.GetErrorText()
    assert "1" in (tmp_path / "scores.csv").read_text()
    (tmp_path / "cases.csv").write_text(f"id,image,prompts\nbrain,{DEMO}/brain1/image.nrrd,"
                                        f"{DEMO}/brain1/prompts.mrk.json\n")
    done = finish(modules, "PromptSegBatch", manifest=str(tmp_path / "cases.csv"),
                  output=str(tmp_path / "out"), threads=1)
    assert done.GetStatusString() == "Completed", done.GetErrorText()
    assert (tmp_path / "out/brain.seg.nrrd").exists()


# ------------------------------------------------------------------------- progress, cancel, failures


def test_progress_reaches_the_node(world, modules, blob):
    node = modules.node("PromptSeg", input=blob, output=world.node("vtkMRMLSegmentationNode"),
                        foreground=point_list(world, [ras_of(blob, (60, 50, 4))]))
    seen = []
    modules.start(node)
    modules.wait(node, until=lambda n: seen.append(n.GetProgress()) and False)
    while seen and not seen[-1]:  # Slicer sets it to 0 at the end
        seen.pop()
    assert seen == sorted(seen) and any(0 < value < 100 for value in seen)
    assert node.GetStatusString() == "Completed"


def test_cancel_ends_the_program_and_leaves_the_output_alone(world, modules, brain, tumour):
    output = world.segmentation(brain)
    node = modules.node("PromptSeg", input=brain, output=output, foreground=point_list(world, tumour))
    modules.start(node)
    modules.wait(node, until=lambda n: n.GetProgress() > 0)
    node.Cancel()
    start = time.monotonic()
    modules.wait(node)
    assert time.monotonic() - start < 20 and node.GetStatusString() == "Cancelled"
    assert output.GetSegmentation().GetNumberOfSegments() == 0


def test_a_killed_program_is_said_and_nothing_is_lost(world, modules, brain, tumour):
    output = world.segmentation(brain)
    from promptseg_mrml import Editor, Voxels, add_segment

    editor = Editor(output, brain, view_of(brain))
    mine = add_segment(output, "mine")
    voxels = Voxels((10, 10, 3), np.ones((2, 3, 4), bool))
    editor.write(mine, voxels)
    node = modules.node("PromptSeg", input=brain, output=output, foreground=point_list(world, tumour))
    modules.start(node)
    modules.wait(node, until=lambda n: n.GetProgress() > 0)
    children = subprocess.run(["ps", "-o", "pid=,comm=", "--ppid", str(os.getpid())],
                              capture_output=True, text=True).stdout.split("\n")
    for line in children:
        if line.split()[1:] == ["PromptSeg"]:
            os.kill(int(line.split()[0]), signal.SIGKILL)
    modules.wait(node)
    assert node.GetStatusString() == "Completed with errors"
    assert editor.read(mine) == voxels


@pytest.mark.parametrize("what", ["outside", "model"])
def test_what_goes_wrong_is_said_in_slicers_log(world, modules, blob, what):
    place = ras_of(blob, (500, 50, 4) if what == "outside" else (60, 50, 4))
    output = world.segmentation(blob)
    more = {"model": "/nowhere/weights.safetensors"} if what == "model" else {}
    node = finish(modules, "PromptSeg", input=blob, output=output,
                  foreground=point_list(world, [place]), **more)
    assert node.GetStatusString() == "Completed with errors"
    assert ("outside" if what == "outside" else "weights.safetensors") in node.GetErrorText()
    assert output.GetSegmentation().GetNumberOfSegments() == 0


# ------------------------------------------------------------------------------------ shared/data

SPACE = "niivue+niivue/packages/niivue/tests/images/nifti_space/"
VOLUMES = {
    **{f"permuted {name}": f"{SPACE}{name}.nii.gz"
       for name in ("SPR", "IAL", "SRA", "PIR", "ASL", "LPS", "RAS", "LAS")},
    "left-handed AIL": "niivue+niivue/packages/niivue/demos/images/AIL.nii.gz",
    "MetaImage": "niivue+niivue/packages/niivue/demos/images/mha.mha",
    "NRRD FLAIR": "niivue+niivue/packages/niivue/demos/images/FLAIR.nrrd",
    "oblique CT pitch": "neurolabusc+niivue-images/CT_pitch.nii.gz",
    "anisotropic brain": "AIM-Harvard+pyradiomics/data/brain1_image.nrrd",
    "anisotropic prostate": "AIM-Harvard+pyradiomics/data/prostate_phantom_subvolume.nrrd",
    "oblique cord": "spinalcordtoolbox+sct_testing_data/t2s/t2s.nii.gz",
    "cord t1": "spinalcordtoolbox+sct_testing_data/t1/t1w.nii.gz",
    "anatomical": "nipy+nibabel/nibabel/tests/data/anatomical.nii",
    "CT TotalSegmentator": "wasserth+TotalSegmentator/tests/reference_files/example_ct_sm.nii.gz",
    "MNI": "nilearn+nilearn/nilearn/datasets/data/mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz",
    "DICOM CT": "QIICR+dcmqi/data/segmentations/ct-3slice/",
    "DICOM 24x38x3": "QIICR+dcmqi/data/segmentations/24x38x3/image/",
}


def corners(node):
    size = np.array(node.GetImageData().GetDimensions()) - 1
    index = np.array([[i, j, k, 1] for i in (0, size[0]) for j in (0, size[1]) for k in (0, size[2])])
    places = (index @ affine_of(node).T)[:, :3]
    return places[np.lexsort(np.round(places, 3).T)]


def dice_of_places(one, other, affine):
    """Dice of two sets of world places on one grid."""
    sets = []
    for places in (one, other):
        index = np.linalg.solve(affine[:3, :3], (places - affine[:3, 3]).T).T
        assert np.abs(index - np.rint(index)).max() < 0.05, "voxels of the volume's grid"
        sets.append(set(map(tuple, np.rint(index).astype(int))))
    return 2 * len(sets[0] & sets[1]) / (len(sets[0]) + len(sets[1]))


@pytest.mark.parametrize("name", VOLUMES)
def test_a_volume_of_the_shared_data(shim, name, tmp_path):
    """Slicer reads it, hands it to the module, and reads the result: as many voxels in the same
    places as when the program reads the file itself."""
    path = DATA / VOLUMES[name]
    if not DATA.is_dir():
        pytest.skip("shared/data is not there")
    assert path.exists(), path
    world = World()
    first = sorted(p for p in path.iterdir() if p.is_file())[0] if path.is_dir() else path
    volume = world.node("vtkMRMLScalarVolumeNode", "volume")
    storage = world.node("vtkMRMLVolumeArchetypeStorageNode")
    storage.SetFileName(str(first))
    storage.SetSingleFile(0 if path.is_dir() else 1)
    assert storage.ReadData(volume)
    modules = Modules(world, shim, BIN)
    size = np.array(volume.GetImageData().GetDimensions())
    middle = ras_of(volume, (size - 1) / 2)
    spacing = view_of(volume).spacing
    axes = affine_of(volume)[:3, :3] / spacing
    roi = world.node("vtkMRMLMarkupsROINode", "box")
    turn = np.eye(4)
    turn[:3, :3], turn[:3, 3] = axes, middle
    if np.linalg.det(axes) < 0:
        turn[:3, 0] *= -1
    roi.SetAndObserveObjectToNodeMatrix(vtk_matrix_of(turn))
    roi.SetSize(*(size * spacing * [0.5, 0.5, 0.5]))
    output = world.node("vtkMRMLSegmentationNode")
    points = point_list(world, [middle])
    options = {"window": "percentile", "propagate": "none", "axis": "auto"}
    node = finish(modules, "PromptSeg", input=volume, output=output, foreground=points, roi=roi,
                  report=str(tmp_path / "slicer.json"), **options)
    assert node.GetStatusString() == "Completed", node.GetErrorText()
    half = size * spacing * 0.25
    numbers = [*(np.array(middle) * [-1, -1, 1]), *half,
               *(turn[:3, :3] * np.array([[-1], [-1], [1]])).ravel()]
    report = program("--foreground", lps(middle), "--roi", ",".join(f"{n:.12g}" for n in numbers),
                     "--window", "percentile", "--propagate", "none", "--",
                     path, tmp_path / "direct.seg.nrrd", report=tmp_path / "report.json")
    direct = world.node("vtkMRMLSegmentationNode")
    reader = world.node("vtkMRMLSegmentationStorageNode")
    reader.SetFileName(str(tmp_path / "direct.seg.nrrd"))
    assert reader.ReadData(direct)
    here, there = segments_of(output)["Segment_1"], segments_of(direct)["Segment_1"]
    own = json.loads((tmp_path / "slicer.json").read_text())
    assert len(here) == own["segments"][0]["voxels"] and len(there) == report["segments"][0]["voxels"]
    assert sorted(own["volume"]["size"]) == sorted(report["volume"]["size"]) == sorted(size)
    # Slicer hands places on with six digits and a series without its tags (padding), so the masks may
    # differ by some voxels, not in where they lie.
    assert len(here) and dice_of_places(here, there, affine_of(volume)) > (
        0.85 if path.is_dir() else 0.98)
    # the corners of the volume: as Slicer read it, and as the program wrote it (a label map)
    program("--foreground", lps(middle), "--window", "percentile", "--propagate", "none", "--",
            path, tmp_path / "labels.nrrd", report=tmp_path / "report.json")
    labels = world.load(tmp_path / "labels.nrrd", labelmap=True)
    assert np.allclose(corners(labels), corners(volume), atol=0.02)
    world.clear()


# ------------------------------------------------------------------------------------------- scenes


@pytest.mark.parametrize("kind", ["mrml", "mrb"])
def test_scenes_with_prompts_are_saved_and_loaded(world, modules, tumour, kind, tmp_path):
    """What Slicer saves and loads again gives the same segment; a scene of ours is read by Slicer, and
    Slicer's by us."""
    brain = world.load(DEMO / "brain1/image.nrrd")
    points = point_list(world, tumour, "tumour")
    output = world.segmentation(brain, "result")
    finish(modules, "PromptSeg", input=brain, output=output, prompts=points, segmentName="tumour")
    wanted = segments_of(output)["tumour"]
    assert len(wanted)
    folder = tmp_path / "scene"
    folder.mkdir()
    for node, storage_kind, name in (
            (points, "vtkMRMLMarkupsJsonStorageNode", "tumour.mrk.json"),
            (output, "vtkMRMLSegmentationStorageNode", "result.seg.nrrd")):
        storage = world.node(storage_kind)
        storage.SetFileName(str(folder / name))
        assert storage.WriteData(node)
        node.SetAndObserveStorageNodeID(storage.GetID())
    world.scene.SetRootDirectory(str(folder))
    world.scene.SetURL(str(folder / "scene.mrml"))
    other = World()
    others = Modules(other, modules.shim, BIN)
    if kind == "mrml":
        assert world.scene.Commit()
        other.scene.SetURL(str(folder / "scene.mrml"))
        assert other.scene.Connect()
    else:
        assert world.scene.WriteToMRB(str(tmp_path / "scene.mrb"))
        assert other.scene.ReadFromMRB(str(tmp_path / "scene.mrb"))
    loaded = other.scene.GetFirstNodeByName("result")
    assert same_places(segments_of(loaded)["tumour"], wanted)
    again = other.node("vtkMRMLSegmentationNode", "again")
    finish(others, "PromptSeg",
           input=other.scene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode"), output=again,
           prompts=other.scene.GetFirstNodeByName("tumour"), segmentName="tumour")
    assert same_places(segments_of(again)["tumour"], wanted)
    if kind == "mrml":  # the prompts of Slicer's scene, in a shell
        report = program("--prompts", folder / "scene.mrml", "--", DEMO / "brain1/image.nrrd",
                         tmp_path / "shell.mrml", report=tmp_path / "report.json")
        assert report["segments"][0]["voxels"] == len(wanted)
        third = World()
        third.scene.SetURL(str(tmp_path / "shell.mrml"))
        assert third.scene.Connect()
        ours = third.scene.GetFirstNodeByClass("vtkMRMLSegmentationNode")
        assert same_places(segments_of(ours)["tumour"], wanted)
        third.clear()
    other.clear()
    assert points_of(DEMO / "brain1/prompts.mrk.json")[0]
