"""Voxel by voxel what the PromptSeg program makes of the same file and prompts."""

import csv
import itertools
import subprocess
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

import promptseg
from conftest import DEMO, affine_of, flags

FCSV = """# Markups fiducial file version = 4.11
# CoordinateSystem = LPS
# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID
"""


def write_points(path, rows):
    """A Slicer list of points (x, y, z, label)."""
    lines = (f"{n},{x},{y},{z},0,0,0,1,1,1,0,p,{'' if label else '-'},\n"
             for n, (x, y, z, label) in enumerate(rows))
    path.write_text(FCSV + "".join(lines))
    return path


def array(result):
    return sitk.GetArrayFromImage(result.labels)


def read_series(folder):
    """The image as its files have it, and whether they say that it is CT."""
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    reader.MetaDataDictionaryArrayUpdateOn()
    reader.SetForceOrthogonalDirection(False)
    return reader.Execute(), reader.GetMetaData(0, "0008|0060").strip() == "CT"


def tilt(folder, shift):
    """The demo's CT as a tilted gantry leaves it: each slice moved by `shift` mm along y. The files
    are implicit little endian: tag, length of 32 bits, value."""
    folder.mkdir()
    for n in range(3):
        data = (DEMO / "ct-3slice" / "dicom" / f"0{n + 1}.dcm").read_bytes()
        at = data.index(bytes.fromhex("20003200"))
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        x, y, z = (float(v) for v in data[at + 8 : at + 8 + length].split(b"\\"))
        moved = f"{x:.6f}\\{y + n * shift:.6f}\\{z:.6f}".encode().ljust(length)
        assert len(moved) == length
        (folder / f"{n}.dcm").write_bytes(data[: at + 8] + moved + data[at + 8 + length :])
    return folder


@pytest.mark.parametrize("shift", [0, 0.25])
def test_a_dicom_series(model, program, tmp_path, liver_prompts, shift):
    """Also a tilted one, whose axes are not at right angles."""
    folder = tilt(tmp_path / "dicom", shift)
    image, is_ct = read_series(folder)
    points = {"foreground": liver_prompts["foreground"]}
    result = model.segment(image, hounsfield=is_ct, **points)
    assert result.hounsfield and result.objects[1].voxels > 10000
    assert np.array_equal(array(result), program(folder, tmp_path / "out.nrrd", *flags(points)))


@pytest.mark.parametrize("kind", ["int16", "scaled", "float32"])
def test_nifti_by_nibabel_and_by_simpleitk(model, program, tmp_path, brain, brain_prompts, kind):
    nib = pytest.importorskip("nibabel")
    voxels = sitk.GetArrayFromImage(brain).transpose(2, 1, 0)
    image = nib.Nifti1Image(voxels.astype("f4" if kind == "float32" else "i2"), affine_of(brain))
    if kind == "scaled":
        image = nib.Nifti1Image(voxels * 0.37 - 11.25, affine_of(brain))
        image.set_data_dtype(np.int16)  # with a slope and an intercept
    path = tmp_path / "brain.nii.gz"
    nib.save(image, path)
    if kind == "scaled":
        assert nib.load(path).dataobj.slope not in (1, None)
    wanted = program(path, tmp_path / "out.nrrd", *flags(brain_prompts))
    assert wanted.any()
    by_nibabel = model.segment(nib.load(path), **brain_prompts)
    assert np.array_equal(np.asarray(by_nibabel.labels.dataobj).transpose(2, 1, 0), wanted)
    by_simpleitk = model.segment(sitk.ReadImage(str(path)), **brain_prompts)
    assert np.array_equal(array(by_simpleitk), wanted)


@pytest.mark.parametrize("kind", [sitk.sitkInt16, sitk.sitkUInt16, sitk.sitkFloat32])
def test_nrrd(model, program, tmp_path, brain, brain_prompts, kind):
    path = tmp_path / "brain.nrrd"
    sitk.WriteImage(sitk.Cast(brain, kind), str(path))
    wanted = program(path, tmp_path / "out.nrrd", *flags(brain_prompts))
    assert wanted.any()
    assert np.array_equal(array(model.segment(sitk.ReadImage(str(path)), **brain_prompts)), wanted)


def stored(image, axes, signs):
    """The same anatomy with its index axes in another order and direction; by hand, because ITK's
    Flip and PermuteAxes do not leave it in place."""
    voxels = sitk.GetArrayFromImage(image).transpose(2, 1, 0).transpose(axes)
    first = [0, 0, 0]
    for position, (axis, sign) in enumerate(zip(axes, signs)):
        if sign < 0:
            voxels = np.flip(voxels, position)
            first[axis] = image.GetSize()[axis] - 1
    out = sitk.GetImageFromArray(np.ascontiguousarray(voxels.transpose(2, 1, 0)))
    out.SetOrigin(image.TransformIndexToPhysicalPoint(first))
    out.SetSpacing([image.GetSpacing()[axis] for axis in axes])
    direction = np.array(image.GetDirection()).reshape(3, 3)[:, list(axes)] * signs
    out.SetDirection(direction.ravel().tolist())
    return out


def test_all_48_axis_orders(model, program, tmp_path, brain, brain_prompts):
    point = brain_prompts["foreground"][1]
    middle = np.array(brain.TransformPhysicalPointToIndex(point))
    part = sitk.RegionOfInterest(brain, [72, 80, 4], [int(v) for v in middle - (36, 40, 2)])
    images = {}
    with open(tmp_path / "m.csv", "w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["id", "image", "foreground"])
        for axes in itertools.permutations(range(3)):
            for signs in itertools.product((1, -1), repeat=3):
                name = "".join(f"{a}{'+' if s > 0 else '-'}" for a, s in zip(axes, signs))
                images[name] = stored(part, axes, signs)
                sitk.WriteImage(images[name], str(tmp_path / f"{name}.nrrd"))
                rows.writerow([name, f"{name}.nrrd", ",".join(str(v) for v in point)])
    batch = Path(program.path).with_name("PromptSegBatch")
    done = subprocess.run([batch, tmp_path / "m.csv", "--output", tmp_path / "out",
                           "--outputEnding", "nrrd"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    voxels = set()
    for name, image in images.items():
        result = model.segment(image, foreground=[point])
        wanted = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "out" / f"{name}.nrrd")))
        assert np.array_equal(array(result), wanted), name
        voxels.add(result.objects[1].voxels)
    assert len(voxels) == 1 and voxels.pop() > 100


def test_labels_that_overlap(model, program, tmp_path, brain, brain_prompts):
    points = brain_prompts["foreground"]
    lists = [[(*p, 1) for p in points], [(*points[0], 1)], [(*points[1], 1)]]
    arguments = []
    for n, rows in enumerate(lists):
        arguments += ["--prompts", str(write_points(tmp_path / f"part{n}.fcsv", rows))]
    wanted = program(DEMO / "brain1" / "image.nrrd", tmp_path / "out.nrrd", *arguments)
    result = model.segment(brain, {n + 1: promptseg.Prompts(clicks=rows) for n, rows in enumerate(lists)})
    assert set(np.unique(wanted)) == {0, 1, 2, 3}
    assert result.objects[1].voxels > (wanted == 1).sum()  # the later ones have the overlap
    assert np.array_equal(array(result), wanted)


def test_clicks_in_their_order(model, program, tmp_path, brain, brain_prompts):
    first = brain_prompts["foreground"][0]
    clicks = [(*first, 1), (52.5, 20.5, 6.5, 0), (50, 15, 6.5, 1)]
    path = write_points(tmp_path / "clicks.fcsv", clicks)
    wanted = program(DEMO / "brain1" / "image.nrrd", tmp_path / "out.nrrd", "--prompts", str(path))
    assert np.array_equal(array(model.segment(brain, clicks=clicks)), wanted)
    other = model.segment(brain, clicks=[clicks[0], clicks[2], clicks[1]])
    assert not np.array_equal(array(other), wanted)  # the order matters here
    # an image given by its path: the program has them as options, in the same order
    named = promptseg.segment(DEMO / "brain1" / "image.nrrd", output=tmp_path / "named.nrrd",
                              clicks=clicks)
    assert np.array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(named.labels))), wanted)


def test_an_initial_label(model, program, tmp_path, brain, brain_prompts):
    points = brain_prompts["foreground"]
    initial = model.segment(brain, foreground=points[:1]).labels
    path = tmp_path / "initial.nrrd"
    sitk.WriteImage(initial, str(path))
    wanted = program(DEMO / "brain1" / "image.nrrd", tmp_path / "out.nrrd",
                     *flags({"foreground": points}), "--initial", str(path),
                     "--segmentName", "Segment_1")
    result = model.segment(brain, foreground=points, initial=initial)
    assert not np.array_equal(wanted, sitk.GetArrayFromImage(initial))
    assert np.array_equal(array(result), wanted)
