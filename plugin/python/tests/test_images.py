"""Every kind of image gives the same mask, and gets it back as its own kind."""

import numpy as np
import pytest
import SimpleITK as sitk

import promptseg
from conftest import affine_of, dice


@pytest.fixture(scope="module")
def wanted(model, brain, brain_prompts):
    return sitk.GetArrayFromImage(model.segment(brain, **brain_prompts).labels)


def test_a_mask_is_not_empty(wanted):
    assert 500 < (wanted != 0).sum() < 20000


def test_simpleitk_comes_back_with_its_geometry(model, brain, brain_prompts, wanted):
    result = model.segment(brain, **brain_prompts)
    assert isinstance(result.labels, sitk.Image)
    assert result.labels.GetOrigin() == brain.GetOrigin()
    assert result.labels.GetDirection() == brain.GetDirection()
    assert result.objects[1].voxels == (wanted != 0).sum()


def test_an_array_with_itk_geometry(model, brain, brain_prompts, wanted):
    result = model.segment(
        sitk.GetArrayFromImage(brain), spacing=brain.GetSpacing(), origin=brain.GetOrigin(),
        direction=brain.GetDirection(), **brain_prompts)
    assert isinstance(result.labels, np.ndarray)
    assert np.array_equal(result.labels, wanted)


def test_an_array_with_an_affine(model, brain, brain_prompts, wanted):
    array = sitk.GetArrayFromImage(brain).transpose(2, 1, 0)
    result = model.segment(array, affine=affine_of(brain), **brain_prompts)
    assert result.labels.shape == array.shape
    assert np.array_equal(result.labels.transpose(2, 1, 0), wanted)


def test_nibabel_comes_back_as_nibabel(model, brain, brain_prompts, wanted):
    nib = pytest.importorskip("nibabel")
    array = np.asfortranarray(sitk.GetArrayFromImage(brain).transpose(2, 1, 0))
    image = nib.Nifti1Image(array, affine_of(brain))
    result = model.segment(image, **brain_prompts)
    assert isinstance(result.labels, nib.Nifti1Image)
    assert np.allclose(result.labels.affine, image.affine)
    assert np.array_equal(np.asarray(result.labels.dataobj).transpose(2, 1, 0), wanted)


def test_itk_comes_back_as_itk(model, brain, brain_prompts, wanted):
    itk = pytest.importorskip("itk", reason="itk-core is not installed (CI installs it)")
    image = itk.image_from_array(sitk.GetArrayFromImage(brain))
    image.SetSpacing(brain.GetSpacing())
    image.SetOrigin(brain.GetOrigin())
    image.SetDirection(np.array(brain.GetDirection()).reshape(3, 3))
    result = model.segment(image, **brain_prompts)
    assert np.array_equal(itk.array_from_image(result.labels), wanted)
    assert np.allclose(result.labels.GetOrigin(), image.GetOrigin())
    assert np.array_equal(itk.array_from_matrix(result.labels.GetDirection()),
                          itk.array_from_matrix(image.GetDirection()))


UNITS = (("CT", "", 1), ("MR", "", 2), ("CT", "HU", 1), ("CT ", "HU_MOD ", 1), ("CT", "MGML", 2),
         ("CT", "Z_EFF", 2), ("MR", "HU", 2))


def test_simpleitk_says_what_its_tags_say(model):
    """Modality and rescale type: not every value of a CT is a Hounsfield unit."""
    for modality, unit, wanted in UNITS:
        image = sitk.Image(8, 8, 4, sitk.sitkInt16)
        assert model.open(image)._volume.hounsfield == 0
        image.SetMetaData("0008|0060", modality)
        if unit:
            image.SetMetaData("0028|1054", unit)
        assert model.open(image)._volume.hounsfield == wanted


def test_itk_says_what_its_tags_say(model, liver, liver_prompts):
    itk = pytest.importorskip("itk", reason="itk-core is not installed (CI installs it)")
    image = itk.image_from_array(sitk.GetArrayFromImage(liver))
    image.SetSpacing(liver.GetSpacing())
    image.SetOrigin(liver.GetOrigin())
    assert model.open(image)._volume.hounsfield == 0
    for modality, unit, wanted in UNITS:
        image.GetMetaDataDictionary()["0008|0060"] = modality
        image.GetMetaDataDictionary()["0028|1054"] = unit
        assert model.open(image)._volume.hounsfield == wanted
    plane = itk.image_from_array(np.asarray(sitk.GetArrayFromImage(liver)[1]))
    plane.SetSpacing(liver.GetSpacing()[:2])
    found = model.segment(plane, foreground=[(100, 100)], hounsfield=True)
    assert itk.array_from_image(found.labels).shape == plane.shape


@pytest.mark.parametrize("kind", ["u1", "u2", "i4", "f4", "f8", "i8", ">i2"])
def test_the_voxel_type_changes_nothing(model, brain, brain_prompts, kind):
    array = np.clip(sitk.GetArrayFromImage(brain), 0, 250)
    geometry = dict(spacing=brain.GetSpacing(), origin=brain.GetOrigin(),
                    direction=brain.GetDirection())
    wanted = model.segment(array.astype("i2"), **geometry, **brain_prompts).labels
    found = model.segment(array.astype(kind), **geometry, **brain_prompts).labels
    assert np.array_equal(found, wanted)


def test_a_stored_order_is_not_the_anatomy(model, brain, brain_prompts, wanted):
    """As arrays with an affine, contiguous and not; test_program.py has all 48 orders."""
    import itertools

    array = sitk.GetArrayFromImage(brain).transpose(2, 1, 0)
    affine = affine_of(brain)
    for axes in itertools.permutations(range(3)):
        for signs in ((1, 1, 1), (-1, 1, -1)):
            turn = np.eye(4)[[*axes, 3]]
            turned = array.transpose(axes)
            matrix = affine @ turn.T
            for axis, sign in enumerate(signs):
                if sign < 0:
                    turned = np.flip(turned, axis)
                    matrix[:, 3] += matrix[:, axis] * (turned.shape[axis] - 1)
                    matrix[:, axis] *= -1
            labels = model.segment(turned, affine=matrix, **brain_prompts).labels
            for axis, sign in enumerate(signs):
                if sign < 0:
                    labels = np.flip(labels, axis)
            back = labels.transpose(np.argsort(axes)).transpose(2, 1, 0)
            assert np.array_equal(back, wanted), (axes, signs)


def test_a_plane_image(model, brain):
    plane = sitk.GetArrayFromImage(brain)[12]
    result = model.segment(plane, foreground=[(120, 120)], spacing=(1, 1))
    assert result.labels.shape == plane.shape


def test_colours(model):
    picture = np.random.default_rng(1).normal(80, 10, (64, 80, 3)).astype(np.uint8)
    picture[16:48, 20:60, 0] += 100
    truth = np.zeros((64, 80), bool)
    truth[16:48, 20:60] = True
    result = model.segment(picture, rgb=True, roi=(39.5, 31.5, 0, 21, 17, 1), spacing=(1, 1))
    assert dice(result.labels, truth) > 0.9


def test_two_labels_and_an_initial_one(model, brain, brain_prompts, wanted):
    start = sitk.GetImageFromArray((wanted != 0).astype(np.uint8) * 3)
    start.CopyInformation(brain)
    points = {key: value for key, value in brain_prompts.items() if key != "roi"}
    result = model.segment(brain, {
        1: promptseg.Prompts(**points, initial=start, initial_value=3),
        300: promptseg.Prompts(**points),
    })
    labels = sitk.GetArrayFromImage(result.labels)
    assert labels.dtype == np.uint16 and set(np.unique(labels)) <= {0, 1, 300}
    assert result.objects[300].voxels == (labels == 300).sum()  # the last one has the overlap
    assert result.objects[1].voxels >= (labels == 1).sum()


POINT = {"foreground": [(12, 20, 2)], "coordinates": "index"}


@pytest.fixture(scope="module")
def small():
    """A blob, as (k, j, i)."""
    k, j, i = np.indices((5, 40, 32))
    noise = np.random.default_rng(2).integers(-8, 8, k.shape)
    return (40 + 160 * (((j - 20) / 9) ** 2 + ((i - 12) / 7) ** 2 < 1) + noise).astype(np.int16)


class Tensor:
    """What numpy can make an array of, as a tensor of another library is."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return self.array.astype(dtype) if dtype else self.array


@pytest.mark.parametrize("make", [Tensor, np.ndarray.tolist, lambda a: a.astype(">i8"),
                                  lambda a: a.astype("f4"), lambda a: a.astype(">u2")])
@pytest.mark.parametrize("geometry", [dict(spacing=(1, 1, 3), origin=(5, 6, 7)), dict(affine=np.diag([-2, -2, 3, 1]))])
def test_an_initial_array_of_any_kind(model, small, make, geometry):
    """It has the image's axes, whatever holds it."""
    image = small.transpose(2, 1, 0) if "affine" in geometry else small
    start = (image > 120).astype(np.int64) * 7
    wanted = model.segment(image, initial=start, initial_value=7, **geometry).labels
    found = model.segment(image, initial=make(start), initial_value=7, **geometry).labels
    assert wanted.any() and np.array_equal(found, wanted)


def test_an_initial_array_that_is_none(model, small):
    for wrong in ("labels.nrrd", {"no": "array"}, [[1], [2, 3]], np.zeros((3, 3)), small * 0.5,
                  np.full(small.shape, np.inf)):
        with pytest.raises(promptseg.ImageError, match="initial"):
            model.segment(small, initial=wrong, **POINT)


def test_a_tensor_with_an_affine(model, small):
    """As MONAI has it, with and without a channel; its affine is taken."""
    image, affine = small.transpose(2, 1, 0), np.diag([-1.0, -1, 3, 1])
    wanted = model.segment(image, affine=affine, foreground=[(12, 20, 6)]).labels
    for voxels, matrix, space in ((image, affine, None), (image[np.newaxis], affine, "RAS"),
                                  (image, np.diag([1.0, 1, 3, 1]), "LPS")):
        tensor = Tensor(voxels)
        tensor.affine = matrix
        if space:
            tensor.meta = {"space": space}
        labels = model.segment(tensor, foreground=[(12, 20, 6)], initial=Tensor(voxels > 300)).labels
        assert labels.shape == voxels.shape and np.array_equal(labels.reshape(wanted.shape), wanted)
    with pytest.raises(promptseg.UsageError, match="its own"):
        model.segment(tensor, spacing=1, **POINT)
    tensor.meta = {"space": "SCREEN"}
    with pytest.raises(promptseg.ImageError, match="SCREEN"):
        model.segment(tensor, **POINT)
    tensor = Tensor(np.stack([image] * 2))
    tensor.affine = affine
    with pytest.raises(promptseg.ImageError, match="one volume"):
        model.segment(tensor, **POINT)


@pytest.mark.parametrize("shape", [(32, 40), (32, 40, 1), (32, 40, 5), (32, 40, 5, 1), (32, 40, 5, 1, 1)])
@pytest.mark.parametrize("colours", [False, True])
def test_labels_have_the_array_s_shape(model, small, shape, colours):
    """Of planes and of volumes with further axes of one voxel, and a label array of it is taken."""
    nib = pytest.importorskip("nibabel")
    point = {**POINT, "foreground": [(12, 20, 0)]}
    grey = small[: shape[2] if len(shape) > 2 else 1].transpose(2, 1, 0).reshape(shape).clip(0, 255).astype("u1")
    array = np.stack([grey] * 3, -1) if colours else grey
    found = model.segment(array, affine=np.eye(4), rgb=colours, **point)
    assert found.labels.shape == shape and found.labels.any()
    again = model.segment(array, affine=np.eye(4), rgb=colours, initial=found.labels)
    assert again.labels.shape == shape and again.labels.any()
    image = nib.Nifti1Image(array if not colours else array.view([(c, "u1") for c in "RGB"])[..., 0],
                            np.eye(4))
    by_nibabel = model.segment(image, **point).labels
    assert by_nibabel.shape == shape
    assert np.array_equal(np.asarray(by_nibabel.dataobj), found.labels)


@pytest.mark.parametrize("ending", ["nii", "nii.gz"])
def test_colours_in_a_nifti_file(model, small, tmp_path, ending):
    """Whose first axis is the fastest one in memory."""
    nib = pytest.importorskip("nibabel")
    voxels = np.stack([small.transpose(2, 1, 0) + n for n in (0, 10, 20)], -1).clip(0, 255).astype("u1")
    image = nib.Nifti1Image(voxels.view([(c, "u1") for c in "RGB"])[..., 0], np.eye(4))
    nib.save(image, tmp_path / f"colours.{ending}")
    wanted = model.segment(voxels, affine=np.eye(4), rgb=True, **POINT).labels
    found = model.segment(nib.load(tmp_path / f"colours.{ending}"), **POINT).labels
    assert wanted.any() and np.array_equal(np.asarray(found.dataobj), wanted)


def test_voxels_are_not_copied(brain):
    from promptseg._image import image_of

    array = sitk.GetArrayFromImage(brain)
    assert np.shares_memory(image_of(array).array, array)
    fortran = np.asfortranarray(array.transpose(2, 1, 0))
    assert np.shares_memory(image_of(fortran, affine=np.eye(4)).array, fortran)
    assert np.shares_memory(image_of(brain).array, sitk.GetArrayViewFromImage(brain))
