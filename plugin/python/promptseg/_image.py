"""Images as people have them, seen by the library without a copy, and label images in return."""

from __future__ import annotations

import ctypes as c
import sys
from dataclasses import dataclass
from typing import Any, Callable, Optional

import numpy as np

from . import _abi
from ._errors import ImageError, UsageError

RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass
class Image:
    """An image's voxels as a C-contiguous array (k, j, i) or (k, j, i, 3), its index-to-LPS matrix
    (3 x 4), and the way back to the caller's kind of image.

    ``wrap`` makes one of a label array (k, j, i); ``shape`` and ``is_ijk`` say how the caller's
    arrays of this image lie: as (k, j, i), or as (i, j, k) where an affine says where they are; a
    plane has two axes, and an affine's volume may have further ones of length 1."""

    array: np.ndarray
    matrix: np.ndarray
    rgb: bool
    wrap: Callable[[np.ndarray], Any]
    shape: tuple
    is_ijk: bool = False
    hounsfield: Optional[bool] = None
    assumed_spacing: bool = False

    def __post_init__(self) -> None:
        square = np.vstack([self.matrix, [0, 0, 0, 1]])
        if not np.isfinite(square).all():
            raise ImageError("the image's origin, spacing or direction is not a number")
        if abs(np.linalg.det(square[:3, :3])) < 1e-300:
            raise ImageError("the image's axes do not span a volume")
        self.inverse = np.linalg.inv(square)[:3]

    @property
    def size(self) -> tuple:
        """Voxels along i, j, k."""
        return tuple(int(n) for n in self.array.shape[2::-1])

    @property
    def voxel_ml(self) -> float:
        return float(abs(np.linalg.det(self.matrix[:, :3]))) / 1000

    def index_of(self, points: np.ndarray) -> np.ndarray:
        """LPS millimetres (n x 3) to continuous voxel indices (i, j, k)."""
        return points @ self.inverse[:, :3].T + self.inverse[:, 3]

    def struct(self, padding: Optional[float], hounsfield: Optional[bool]) -> _abi.Volume:
        known = self.hounsfield if hounsfield is None else hounsfield
        volume = _abi.Volume(
            data=self.array.ctypes.data_as(c.c_void_p),
            type=_abi.VOXEL_TYPES[self.array.dtype.str[1:]],
            channels=self.array.shape[3] if self.rgb else 1,
            hounsfield=0 if known is None else 1 if known else 2,
            has_padding=padding is not None,
            padding=padding or 0,
        )
        volume.size[:] = self.size
        for row in range(3):
            volume.matrix[row][:] = self.matrix[row].tolist()
        return volume


def _native(array: np.ndarray) -> np.ndarray:
    """An array of a type the library knows: the same memory where that is possible."""
    kind = array.dtype.kind
    if kind == "b":
        array = np.ascontiguousarray(array).view(np.uint8)
    elif kind == "f" and array.dtype.itemsize not in (4, 8):
        array = array.astype(np.float32 if array.dtype.itemsize < 4 else np.float64)
    elif kind in "iu" and array.dtype.itemsize == 8:
        array = _narrowed(array)
    elif kind not in "iuf":
        raise ImageError(f"voxels of type {array.dtype} are not supported")
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return np.ascontiguousarray(array)


def _narrowed(array: np.ndarray) -> np.ndarray:
    """64-bit integers as 32-bit ones, if none is lost."""
    if array.size and (array.min() < -(2**31) or array.max() >= 2**31):
        raise ImageError("64-bit voxels beyond 32 bits are not supported; scale them first")
    return array.astype(np.int32)


def _three_axes(array: np.ndarray, rgb: bool) -> np.ndarray:
    planes = array.ndim - (1 if rgb else 0)
    if planes == 2:
        array = array[np.newaxis]
    elif planes != 3:
        raise ImageError(f"a plane or a volume is wanted, found an array of shape {array.shape}")
    if 0 in array.shape:
        raise ImageError(f"an image without voxels: shape {array.shape}")
    return array


def _matrix(spacing: Any, origin: Any, direction: Any, dimension: int) -> np.ndarray:
    """3 x 4 from ITK's numbers, of 2 or 3 dimensions."""
    matrix = np.eye(3, 4)
    d = np.asarray(direction, float).reshape(dimension, dimension)
    with np.errstate(invalid="ignore"):  # what is no number is refused by Image
        matrix[:dimension, :dimension] = d * np.asarray(spacing, float)
    matrix[:dimension, 3] = np.asarray(origin, float)
    return matrix


def _from_array(array: np.ndarray, affine: Any, spacing: Any, origin: Any, direction: Any,
                rgb: bool) -> Image:
    if affine is not None and (spacing is not None or origin is not None or direction is not None):
        raise UsageError("an affine, or spacing, origin and direction: not both")
    if affine is not None:
        return _from_ijk(array, np.asarray(affine, float), rgb, lambda labels: labels)
    dimension = array.ndim - (1 if rgb else 0)
    shape = array.shape[:dimension]
    voxels = _three_axes(array, rgb)
    assumed = spacing is None
    matrix = _matrix(
        np.ones(dimension) if spacing is None else np.broadcast_to(spacing, dimension),
        np.zeros(dimension) if origin is None else origin,
        np.eye(dimension) if direction is None else direction,
        dimension,
    )
    return Image(_native(voxels), matrix, rgb, lambda labels: labels.reshape(shape), shape,
                 assumed_spacing=assumed)


def _with_three_axes(array: np.ndarray, rgb: bool) -> np.ndarray:
    """(i, j, k), and colours: with axes of length 1 added or left out behind the others."""
    shape = array.shape[: array.ndim - rgb]
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) == 2:
        shape = (*shape, 1)
    if len(shape) != 3:
        raise ImageError(f"one volume is wanted, found an array of shape {array.shape}")
    return array.reshape(shape + array.shape[array.ndim - rgb :])


def _from_ijk(array: np.ndarray, affine: np.ndarray, rgb: bool, wrap: Callable) -> Image:
    """An array with axes (i, j, k) and a RAS affine, as nibabel has them."""
    if affine.shape != (4, 4):
        raise UsageError(f"an affine has 4 x 4 numbers, found {affine.shape}")
    shape = array.shape[: array.ndim - rgb]
    volume = _with_three_axes(array, rgb)
    order = (2, 1, 0, 3) if rgb else (2, 1, 0)
    return Image(
        _native(_three_axes(volume.transpose(order), rgb)), (RAS_TO_LPS @ affine)[:3], rgb,
        lambda labels: wrap(labels.transpose(2, 1, 0).reshape(shape)), shape, is_ijk=True,
    )


_MODALITY, _RESCALE_TYPE = "0008|0060", "0028|1054"
_HOUNSFIELD = ("", "HU", "HU_MOD")  # iodine maps and the like are of modality CT too


def _is_hounsfield(has: Callable[[str], bool], get: Callable[[str], Any]) -> Optional[bool]:
    """What DICOM tags that came along say; None: nothing."""
    if not has(_MODALITY):
        return None
    unit = str(get(_RESCALE_TYPE)).strip(" \0") if has(_RESCALE_TYPE) else ""
    return str(get(_MODALITY)).strip(" \0") == "CT" and unit in _HOUNSFIELD


def _from_simpleitk(image: Any) -> Image:
    sitk = sys.modules[type(image).__module__.split(".")[0]]
    components = image.GetNumberOfComponentsPerPixel()
    dimension = image.GetDimension()
    view = sitk.GetArrayViewFromImage(image)
    rgb = components > 1

    def wrap(labels: np.ndarray) -> Any:
        out = sitk.GetImageFromArray(labels.reshape(labels.shape[-dimension:]))
        out.CopyInformation(image)
        return out

    matrix = _matrix(image.GetSpacing(), image.GetOrigin(), image.GetDirection(), dimension)
    return Image(_native(_three_axes(view, rgb)), matrix, rgb, wrap, view.shape[:dimension],
                 hounsfield=_is_hounsfield(image.HasMetaDataKey, image.GetMetaData))


def _from_itk(image: Any) -> Image:
    import itk

    dimension = image.GetImageDimension()
    rgb = image.GetNumberOfComponentsPerPixel() > 1
    view = itk.array_view_from_image(image)
    # The whole buffer, whatever index it begins at: the origin is that of index 0.
    start = np.array([image.GetLargestPossibleRegion().GetIndex()[n] for n in range(dimension)], float)
    matrix = _matrix(image.GetSpacing(), image.GetOrigin(),
                     itk.array_from_matrix(image.GetDirection()), dimension)
    matrix[:, 3] += matrix[:, :dimension] @ start

    def wrap(labels: np.ndarray) -> Any:
        out = itk.image_from_array(np.ascontiguousarray(labels.reshape(labels.shape[-dimension:])))
        out.SetSpacing(image.GetSpacing())
        out.SetDirection(image.GetDirection())
        out.SetOrigin(matrix[:dimension, 3].tolist())
        return out

    tags = image.GetMetaDataDictionary()
    return Image(_native(_three_axes(view, rgb)), matrix, rgb, wrap, view.shape[:dimension],
                 hounsfield=_is_hounsfield(tags.HasKey, tags.__getitem__))


def _from_nibabel(image: Any) -> Image:
    array = np.asanyarray(image.dataobj)
    rgb = array.dtype.names == ("R", "G", "B")
    if rgb:  # colours side by side in memory; a file's first axis is the fastest one
        turned = np.ascontiguousarray(array.T)
        turned = turned.view(np.uint8).reshape(*turned.shape, 3)
        array = turned.transpose(*range(array.ndim)[::-1], array.ndim)

    def wrap(labels: np.ndarray) -> Any:
        header = image.header.copy()
        header.set_data_dtype(labels.dtype)
        return type(image)(labels, image.affine, header)

    return _from_ijk(array, np.asarray(image.affine, float), rgb, wrap)


def _array_of(value: Any, wanted: str) -> np.ndarray:
    """A number array of whatever numpy can see as one: nested lists, a torch tensor."""
    try:
        array = np.asarray(value)
    except Exception as error:  # noqa: BLE001 - whatever another library says of its own arrays
        raise ImageError(f"{wanted} is wanted, and {type(value).__name__} is none: {error}") from None
    if array.dtype.kind not in "biufcV":
        raise ImageError(f"{wanted} is wanted, found {type(value).__name__}")
    return array


def _from_metatensor(image: Any) -> Image:
    """A tensor with an affine (monai.data.MetaTensor): one channel, if any, and (i, j, k). Its
    metadata may say that the affine is not RAS."""
    array = _array_of(image, "a tensor in the memory of the processor")
    affine = np.asarray(image.affine, float)
    space = str(dict(getattr(image, "meta", None) or {}).get("space", "RAS"))
    if space not in ("RAS", "LPS"):
        raise ImageError(f"the affine's space is {space!r}, RAS or LPS is wanted")
    if space == "LPS":
        affine = RAS_TO_LPS @ affine
    if array.ndim < 4 or array.shape[0] != 1:
        return _from_ijk(array, affine, False, lambda labels: labels)
    found = _from_ijk(array[0], affine, False, lambda labels: labels[np.newaxis])
    found.shape = array.shape
    return found


def _reader_of(image: Any) -> Optional[Callable[[Any], Image]]:
    """What reads an image that knows where it lies; None: an array."""
    module = type(image).__module__.split(".")[0]
    if hasattr(image, "dataobj") and hasattr(image, "affine"):
        return _from_nibabel
    if module == "SimpleITK":
        return _from_simpleitk
    if module == "itk" or hasattr(image, "GetLargestPossibleRegion"):
        return _from_itk
    if getattr(image, "affine", None) is not None:
        return _from_metatensor
    return None


def image_of(image: Any, affine: Any = None, spacing: Any = None, origin: Any = None,
             direction: Any = None, rgb: bool = False) -> Image:
    """An image of any known kind; geometry arguments are for arrays alone."""
    if isinstance(image, Image):
        return image
    given = affine is not None or spacing is not None or origin is not None or direction is not None
    read = _reader_of(image)
    if read is not None:
        if given:
            raise UsageError("geometry is given beside an image that has its own")
        return read(image)
    array = _array_of(image, "an array, an itk.Image, a SimpleITK or a nibabel image")
    return _from_array(array, affine, spacing, origin, direction, bool(rgb))


def _array_on_grid(labels: np.ndarray, image: Image, what: str) -> np.ndarray:
    """An array of the image's own shape, or of one that differs in axes of length 1 at its end."""
    wanted = tuple(image.shape)
    if image.is_ijk and labels.shape != wanted:
        wanted = image.size
    if labels.shape != wanted:
        raise ImageError(f"{what}: shape {labels.shape}, the image has {tuple(image.shape)}")
    if image.is_ijk:
        return labels.reshape(image.size).transpose(2, 1, 0)
    return labels.reshape(image.array.shape[:3])


def _image_on_grid(value: Any, image: Image, what: str) -> np.ndarray:
    """Grids are the same when no corner is off by more than 2 % of the smallest spacing: headers
    hold few digits."""
    other = image_of(value)
    if other.size != image.size:
        raise ImageError(f"{what}: {other.size} voxels, the image has {image.size}")
    last = np.array(image.size) - 1
    corners = np.array([[*(last * [i, j, k]), 1] for i in (0, 1) for j in (0, 1) for k in (0, 1)], float)
    apart = np.abs(corners @ (other.matrix - image.matrix).T).max()
    spacing = np.sqrt((image.matrix[:, :3] ** 2).sum(axis=0)).min()
    if not apart <= 0.02 * spacing:
        raise ImageError(f"{what}: its grid lies {apart:.3g} mm off the image's")
    return other.array


def _whole_numbers(labels: np.ndarray, what: str) -> np.ndarray:
    if not (np.abs(labels) < 2.0**63).all() or not (labels == np.floor(labels)).all():
        raise ImageError(f"{what}: labels are whole numbers")
    return labels.astype(np.int64)


def as_labels(value: Any, image: Image, what: str) -> np.ndarray:
    """A label array (k, j, i) of a type the library knows, on the image's grid."""
    if _reader_of(value) is not None:
        labels = _image_on_grid(value, image, what)
    else:
        labels = _array_on_grid(_array_of(value, f"{what}: an array or an image"), image, what)
    if labels.dtype.kind == "f":
        labels = _whole_numbers(labels, what)
    if labels.dtype.kind in "iu" and labels.dtype.itemsize == 8:
        return np.ascontiguousarray(labels, labels.dtype.newbyteorder("="))
    return _native(labels)
