"""The C interface of libsegmodel, as ctypes sees it. Nothing here knows of images or prompts.

The structures follow segmodel/segmodel.h and segmodel/volume.h of the version that this package
belongs to. When the library is loaded its version and the sizes of all structures are compared, so
that a library of another build is refused instead of misread.
"""

from __future__ import annotations

import ctypes as c
import os
import sys
from pathlib import Path
from typing import Any

VERSION = "0.3.0"

STATUS_OK = 0
STATUS_CANCELLED = 8

VOXEL_TYPES = {"u1": 0, "i1": 1, "u2": 2, "i2": 3, "u4": 4, "i4": 5, "f4": 6, "f8": 7, "u8": 8, "i8": 9}

DEVICES = {"auto": 0, "cpu": 1, "cuda": 2, "reference": 3}
PRECISIONS = {"auto": 0, "fp32": 1, "bf16": 2}
AXES = {"auto": 0, "axial": 1, "coronal": 2, "sagittal": 3, "i": 4, "j": 5, "k": 6}
WINDOWS = {
    "auto": 0, "none": 1, "percentile": 2, "brain": 3, "lung": 4, "abdomen": 5, "bone": 6,
    "mediastinum": 7,
}
WINDOW_MANUAL = 8
ZOOMS = {"auto": 0, "off": 1, "on": 2}

LogFn = c.CFUNCTYPE(None, c.c_void_p, c.c_char_p)
CancelFn = c.CFUNCTYPE(c.c_int, c.c_void_p)
ProgressFn = c.CFUNCTYPE(None, c.c_void_p, c.c_double, c.c_char_p)


class Call(c.Structure):
    _fields_ = [
        ("size", c.c_size_t),
        ("cancel", CancelFn), ("cancel_user", c.c_void_p),
        ("progress", ProgressFn), ("progress_user", c.c_void_p),
        ("warning", LogFn), ("warning_user", c.c_void_p),
    ]


class ContextOptions(c.Structure):
    _fields_ = [
        ("size", c.c_size_t),
        ("device", c.c_int), ("precision", c.c_int), ("threads", c.c_int),
        ("memory_limit", c.c_size_t),
        ("log", LogFn), ("log_user", c.c_void_p),
        ("cancel", CancelFn), ("cancel_user", c.c_void_p),
    ]


class ModelInfo(c.Structure):
    _fields_ = [
        ("variant", c.c_char_p), ("assumption", c.c_char_p), ("image_size", c.c_int),
        ("embedding_shape", c.c_int * 3), ("embedding_count", c.c_size_t), ("mask_tokens", c.c_int), ("classes", c.c_int),
        ("low_res_shape", c.c_int * 2),
        ("parameters", c.c_int64), ("hash", c.c_uint64), ("precision", c.c_int),
    ]


class Volume(c.Structure):
    _fields_ = [
        ("data", c.c_void_p), ("type", c.c_int), ("channels", c.c_int), ("size", c.c_int64 * 3),
        ("matrix", (c.c_double * 4) * 3), ("hounsfield", c.c_int), ("has_padding", c.c_int),
        ("padding", c.c_double),
    ]


class Seed(c.Structure):
    _fields_ = [("index", c.c_double * 3), ("label", c.c_int)]


class Roi(c.Structure):
    _fields_ = [("center", c.c_double * 3), ("half_axis", (c.c_double * 3) * 3)]


class Object(c.Structure):
    _fields_ = [
        ("name", c.c_char_p),
        ("seeds", c.POINTER(Seed)), ("seed_count", c.c_size_t),
        ("rois", c.POINTER(Roi)), ("roi_count", c.c_size_t),
        ("labels", c.c_void_p), ("label_type", c.c_int), ("label_value", c.c_int64),
        ("label_stamp", c.c_uint64),
    ]


class Store(c.Structure):
    _fields_ = [("get", c.c_void_p), ("put", c.c_void_p), ("user", c.c_void_p)]


class VolumeOptions(c.Structure):
    _fields_ = [
        ("size", c.c_size_t),
        ("axis", c.c_int), ("window", c.c_int), ("window_low", c.c_double), ("window_high", c.c_double),
        ("hounsfield", c.c_int), ("padding", c.c_int), ("padding_value", c.c_double),
        ("zoom", c.c_int), ("no_propagation", c.c_int), ("max_slices", c.c_int),
        ("keep_largest", c.c_int), ("fill_holes", c.c_int),
        ("embedding_memory", c.c_size_t), ("answer_memory", c.c_size_t),
        ("store", Store), ("class_index", c.c_int), ("is_sequence", c.c_int),
    ]


class SliceReport(c.Structure):
    _fields_ = [
        ("slice", c.c_int64), ("predicted_iou", c.c_float), ("voxels", c.c_int64), ("prompted", c.c_int),
    ]


class WalkReport(c.Structure):
    _fields_ = [
        ("from_slice", c.c_int64), ("last", c.c_int64), ("direction", c.c_int), ("stop", c.c_int),
    ]


class LiveResult(c.Structure):
    _fields_ = [
        ("size", c.c_size_t), ("voxels", c.c_int64),
        ("first", c.c_int64 * 3), ("last", c.c_int64 * 3),
        ("changed_first", c.c_int64 * 3), ("changed_last", c.c_int64 * 3),
        ("quality", c.c_double), ("stopped", c.c_int * 2),
        ("slices", c.POINTER(SliceReport)), ("slice_count", c.c_size_t),
        ("walks", c.POINTER(WalkReport)), ("walk_count", c.c_size_t),
        ("axis", c.c_int), ("window", c.c_double * 2), ("hounsfield", c.c_int),
        ("encoded", c.c_int64), ("cached", c.c_int64), ("decoded", c.c_int64), ("reused", c.c_int64),
    ]


class LiveSlice(c.Structure):
    _fields_ = [
        ("size", c.c_size_t), ("axis", c.c_int), ("slice", c.c_int64),
        ("mask", c.POINTER(c.c_uint8)), ("mask_size", c.c_int64 * 2), ("voxels", c.c_int64),
        ("predicted_iou", c.c_float), ("prompted", c.c_int),
        ("encoded", c.c_int64), ("cached", c.c_int64), ("decoded", c.c_int64),
    ]


class ObjectResult(c.Structure):
    _fields_ = [
        ("mask", c.POINTER(c.c_uint8)), ("voxels", c.c_int64),
        ("first", c.c_int64 * 3), ("last", c.c_int64 * 3), ("quality", c.c_double),
        ("stopped", c.c_int * 2),
        ("slices", c.POINTER(SliceReport)), ("slice_count", c.c_size_t),
        ("walks", c.POINTER(WalkReport)), ("walk_count", c.c_size_t),
    ]


class VolumeResult(c.Structure):
    _fields_ = [
        ("objects", c.POINTER(ObjectResult)), ("object_count", c.c_size_t), ("axis", c.c_int),
        ("window", c.c_double * 2), ("hounsfield", c.c_int), ("encoded", c.c_int64), ("cached", c.c_int64),
    ]


STRUCTURES = {
    "sgm_call": Call,
    "sgm_context_options": ContextOptions,
    "sgm_model_info": ModelInfo,
    "sgm_volume": Volume,
    "sgm_seed": Seed,
    "sgm_roi": Roi,
    "sgm_object": Object,
    "sgm_embedding_store": Store,
    "sgm_volume_options": VolumeOptions,
    "sgm_slice_report": SliceReport,
    "sgm_walk_report": WalkReport,
    "sgm_live_result": LiveResult,
    "sgm_live_slice": LiveSlice,
    "sgm_object_result": ObjectResult,
    "sgm_volume_result": VolumeResult,
}

_p = c.c_void_p
_prototypes = {
    "sgm_version": (c.c_char_p, []),
    "sgm_struct_size": (c.c_size_t, [c.c_char_p]),
    "sgm_last_message": (c.c_char_p, []),
    "sgm_stop_name": (c.c_char_p, [c.c_int]),
    "sgm_context_create": (c.c_int, [c.POINTER(ContextOptions), c.POINTER(_p)]),
    "sgm_context_destroy": (None, [_p]),
    "sgm_context_device": (c.c_char_p, [_p]),
    "sgm_model_load": (c.c_int, [_p, c.c_char_p, c.c_char_p, c.POINTER(_p)]),
    "sgm_model_destroy": (None, [_p]),
    "sgm_model_get_info": (None, [_p, c.POINTER(ModelInfo)]),
    "sgm_store_open": (c.c_int, [c.c_char_p, c.c_uint64, c.POINTER(Store)]),
    "sgm_store_close": (None, [c.POINTER(Store)]),
    "sgm_volume_check": (c.c_int, [c.POINTER(Volume)]),
    "sgm_volume_predict": (
        c.c_int,
        [_p, c.POINTER(Volume), c.POINTER(Object), c.c_size_t, c.POINTER(VolumeOptions),
         c.POINTER(Call), c.POINTER(VolumeResult)],
    ),
    "sgm_volume_result_clear": (None, [c.POINTER(VolumeResult)]),
    "sgm_live_volume_create": (
        c.c_int, [_p, c.POINTER(Volume), c.POINTER(VolumeOptions), c.POINTER(_p)],
    ),
    "sgm_live_volume_destroy": (None, [_p]),
    "sgm_live_volume_predict": (
        c.c_int, [_p, c.c_int64, c.POINTER(Object), c.POINTER(Call), c.POINTER(LiveResult)],
    ),
    "sgm_live_volume_hold_axis": (c.c_int, [_p, c.POINTER(Object), c.c_size_t]),
    "sgm_live_volume_preview": (
        c.c_int,
        [_p, c.c_int64, c.POINTER(Object), c.c_int64, c.POINTER(Call), c.POINTER(LiveSlice)],
    ),
    "sgm_live_volume_ahead": (c.c_int, [_p, c.POINTER(c.c_double), c.POINTER(Call)]),
    "sgm_live_volume_get": (c.c_int, [_p, c.c_int64, c.POINTER(LiveResult)]),
    "sgm_live_volume_mask": (
        c.c_int, [_p, c.c_int64, c.POINTER(c.c_int64), c.POINTER(c.c_int64), c.POINTER(c.c_uint8)],
    ),
    "sgm_live_volume_paint": (c.c_int, [_p, c.c_int64, _p, c.c_int, c.c_int64]),
    "sgm_live_volume_remove": (None, [_p, c.c_int64]),
}


def c_function(name: str) -> Any:
    """A function of the C library of this process."""
    return getattr(c.cdll.msvcrt if sys.platform == "win32" else c.CDLL(None), name)


def _library_path() -> Path:
    """PROMPTSEG_LIBRARY, else the library that lies in the package."""
    chosen = os.environ.get("PROMPTSEG_LIBRARY")
    if chosen:
        return Path(chosen)
    names = {"win32": "segmodel.dll", "darwin": "libsegmodel.dylib"}
    return Path(__file__).with_name(names.get(sys.platform, "libsegmodel.so"))


def _check(library: c.CDLL, path: Path) -> None:
    found = library.sgm_version().decode()
    if found != VERSION:
        raise ImportError(f"{path} is segmodel {found}, this package needs {VERSION}")
    for name, structure in STRUCTURES.items():
        wanted, size = c.sizeof(structure), library.sgm_struct_size(name.encode())
        if size != wanted:
            raise ImportError(f"{path}: {name} has {size} bytes, this package knows {wanted}")


def load() -> c.CDLL:
    """The library with all prototypes set. Calls release the interpreter's lock."""
    path = _library_path()
    try:
        library = c.CDLL(str(path))
    except OSError as error:
        raise ImportError(f"the model library cannot be loaded: {error}") from None
    for name, (result, arguments) in _prototypes.items():
        try:
            function = getattr(library, name)
        except AttributeError:
            raise ImportError(f"{path} lacks {name}: it is of another version") from None
        function.restype, function.argtypes = result, arguments
    _check(library, path)
    return library
