"""Models and live volumes."""

from __future__ import annotations

import contextlib
import ctypes as c
import os
import threading
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np

from . import _abi
from ._call import Call, Cancel, CancelFlag, Progress, check, library
from ._errors import UsageError
from ._image import Image, image_of
from ._prompts import Packed, Prompts, prompts_of
from ._result import Mask, ObjectReport, Preview, Segmentation, SliceReport, tell

_library = library

BUNDLED_MODEL = Path(__file__).with_name("models") / "promptseg-lite.safetensors"


def _choice(table: Mapping[str, int], value: str, what: str) -> int:
    try:
        return table[value]
    except (KeyError, TypeError):
        raise UsageError(f"{what}: {value!r} is none of {', '.join(table)}") from None


class _Handle:
    """A handle of the library, given back once. It does not survive a fork: the library's threads
    do not either."""

    def __init__(self, handle: c.c_void_p, destroy: Callable[[c.c_void_p], None]) -> None:
        self._handle, self._destroy, self._process = handle, destroy, os.getpid()

    def get(self) -> c.c_void_p:
        if os.getpid() != self._process:
            raise UsageError("this was made before a fork: load the model in the new process")
        if not self._handle:
            raise UsageError("this volume is closed")
        return self._handle

    def release(self) -> None:
        if self._handle and os.getpid() == self._process:
            self._destroy(self._handle)
            self._handle = c.c_void_p()

    __del__ = release


def _create_context(device: str, precision: str, threads: int, memory_limit: int) -> _Handle:
    options = _abi.ContextOptions(
        size=c.sizeof(_abi.ContextOptions),
        device=_choice(_abi.DEVICES, device, "device"),
        precision=_choice(_abi.PRECISIONS, precision, "precision"),
        threads=threads,
        memory_limit=memory_limit,
    )
    handle = c.c_void_p()
    check(_library.sgm_context_create(c.byref(options), c.byref(handle)))
    return _Handle(handle, _library.sgm_context_destroy)


class Model:
    """A network with its weights, loaded once and shared by any number of threads.

    path
        ``.safetensors`` or an official PyTorch ``.pth`` (nothing in it is executed); None: the
        bundled model.
    variant
        The network, where the file does not tell (see ``segmodel info``).
    device, precision
        ``"auto"``, ``"cpu"``, ``"cuda"``; ``"auto"``, ``"fp32"``, ``"bf16"``.
    threads
        0: one per core. memory_limit: bytes of working memory, 0: none.

    Where the file leaves open which network it is and no variant is given, a
    :class:`PromptSegWarning` says what was assumed.

    A model is pickled by its arguments: another process loads the same file.
    """

    def __init__(self, path: Union[str, os.PathLike, None] = None, *, variant: str = "auto",
                 device: str = "auto", precision: str = "auto", threads: int = 0,
                 memory_limit: int = 0) -> None:
        self.path = Path(path) if path is not None else BUNDLED_MODEL
        self._arguments = (None if path is None else str(path), variant, device, precision, threads,
                           memory_limit)
        self._context = _create_context(device, precision, threads, memory_limit)
        handle = c.c_void_p()
        check(_library.sgm_model_load(self._context.get(), os.fsencode(self.path),
                                       variant.encode(), c.byref(handle)))
        self._model = _Handle(handle, _library.sgm_model_destroy)
        if self.assumption:
            tell([self.assumption], stacklevel=3)

    def __reduce__(self) -> Any:
        return _load_again, self._arguments

    def __repr__(self) -> str:
        return f"<promptseg.Model {self.variant} on {self.device}>"

    def _info(self) -> _abi.ModelInfo:
        info = _abi.ModelInfo()
        _library.sgm_model_get_info(self._model.get(), c.byref(info))
        return info

    @property
    def variant(self) -> str:
        """The network's name: "sam_vit_b", "mobile_sam" ..."""
        return self._info().variant.decode()

    @property
    def assumption(self) -> str:
        """What was taken for granted about the network; "" if nothing."""
        return self._info().assumption.decode()

    @property
    def parameters(self) -> int:
        return self._info().parameters

    @property
    def classes(self) -> int:
        """How many classes the network can be asked for; 0: it is prompted by places."""
        return self._info().classes

    @property
    def device(self) -> str:
        """Such as "cpu, 2 threads, bf16 (AMX)"."""
        return _library.sgm_context_device(self._context.get()).decode()

    def open(self, image: Any, *, affine: Any = None, spacing: Any = None, origin: Any = None,
             direction: Any = None, rgb: bool = False, **options: Any) -> "LiveVolume":
        """Opens an image for questions; see :class:`LiveVolume`.

        image
            An ``itk.Image``, a SimpleITK or nibabel image, or a numpy array: (i, j, k) with an RAS
            ``affine`` as nibabel has it; (k, j, i) with ``spacing``, ``origin`` and ``direction`` as
            ITK has them (LPS), 1 mm if they are not given. ``rgb``: an array's last axis has three
            channels. Two axes make a plane image. The voxels are not copied where they lie
            contiguously; they must not change while the volume is open.
        options
            axis "auto" (the coarsest, else as the prompts lie; one for all objects of a call), "axial",
            "coronal", "sagittal", "i", "j", "k"; window "auto", "none", "percentile", "brain", "lung",
            "abdomen", "bone", "mediastinum" or (low, high);
            hounsfield True, False or None (as the image says, else as its values look); padding: the
            value that is no data; zoom "auto", "on", "off"; propagate False: prompted slices only;
            max_slices per direction; keep_largest; fill_holes; embedding_memory in bytes; class_index
            for networks that are prompted by a class (1 to :attr:`classes`); is_sequence True: slices
            are moments, not places; cache: a folder that
            keeps embeddings between runs, cache_limit in bytes.
        """
        view = image_of(image, affine, spacing, origin, direction, rgb)
        return LiveVolume(self, view, _Options(**options))

    def segment(self, image: Any, objects: Any = None, *, progress: Optional[Progress] = None,
                cancel: Optional[Cancel] = None, affine: Any = None, spacing: Any = None,
                origin: Any = None, direction: Any = None, rgb: bool = False,
                **arguments: Any) -> Segmentation:
        """Segments an image at once; see :func:`promptseg.segment`."""
        prompts, options = _split(objects, arguments)
        view = image_of(image, affine, spacing, origin, direction, rgb)
        return _predict_at_once(self, view, prompts, _Options(**options), Call(progress, cancel))


def _load_again(path: Optional[str], variant: str, device: str, precision: str, threads: int,
                memory_limit: int) -> Model:
    return Model(path, variant=variant, device=device, precision=precision, threads=threads,
                 memory_limit=memory_limit)


_PROMPT_FIELDS = ("foreground", "background", "roi", "initial", "initial_value", "coordinates", "name",
                  "clicks")


def _split(objects: Any, arguments: Dict[str, Any]) -> Tuple[Dict[int, Prompts], Dict[str, Any]]:
    """Objects by label, and the other options."""
    own = {key: arguments.pop(key) for key in _PROMPT_FIELDS if key in arguments}
    if objects is None:
        return {1: Prompts(**own)}, arguments
    if own:
        raise UsageError(f"{', '.join(own)}: give it with the objects, or no objects")
    if isinstance(objects, Prompts):
        return {1: objects}, arguments
    return {int(label): prompts_of(value) for label, value in dict(objects).items()}, arguments


class _Options:
    """sgm_volume_options, and the cache it borrows."""

    def __init__(self, *, axis: str = "auto", window: Union[str, Sequence[float]] = "auto",
                 hounsfield: Optional[bool] = None, padding: Optional[float] = None,
                 zoom: str = "auto", propagate: bool = True, max_slices: int = 0,
                 keep_largest: bool = False, fill_holes: bool = False, embedding_memory: int = 0,
                 class_index: int = 0, is_sequence: bool = False,
                 cache: Union[str, os.PathLike, None] = None, cache_limit: int = 0) -> None:
        self.hounsfield, self.padding = hounsfield, padding
        self.struct = _abi.VolumeOptions(
            size=c.sizeof(_abi.VolumeOptions),
            axis=_choice(_abi.AXES, axis, "axis"),
            zoom=_choice(_abi.ZOOMS, zoom, "zoom"),
            no_propagation=not propagate,
            max_slices=max_slices,
            keep_largest=keep_largest,
            fill_holes=fill_holes,
            embedding_memory=embedding_memory,
            class_index=class_index,
            is_sequence=is_sequence,
        )
        self._set_window(window)
        self._open = False
        if cache is not None:
            check(_library.sgm_store_open(os.fsencode(cache), cache_limit,
                                           c.byref(self.struct.store)))
            self._open = True

    def _set_window(self, window: Union[str, Sequence[float]]) -> None:
        if isinstance(window, str):
            self.struct.window = _choice(_abi.WINDOWS, window, "window")
            return
        try:
            low, high = (float(value) for value in window)
        except (TypeError, ValueError):
            raise UsageError(f"window: a name or (low, high) is wanted, found {window!r}") from None
        self.struct.window = _abi.WINDOW_MANUAL
        self.struct.window_low, self.struct.window_high = low, high

    def __del__(self) -> None:
        if getattr(self, "_open", False):
            _library.sgm_store_close(c.byref(self.struct.store))
            self._open = False


def _label_type(labels: Sequence[int]) -> np.dtype:
    if any(label < 1 for label in labels):
        raise UsageError("labels are whole numbers above 0")
    most = max(labels, default=1)
    for kind in (np.uint8, np.uint16, np.int32):
        if most <= np.iinfo(kind).max:
            return np.dtype(kind)
    raise UsageError(f"label {most} is too large")


def _stop_name(stop: int) -> Optional[str]:
    name = _library.sgm_stop_name(stop)
    return name.decode() if name else None


def _report(label: int, prompts: Prompts, result: Any, image: Image) -> ObjectReport:
    found = result.voxels > 0
    return ObjectReport(
        label=label,
        name=prompts.name,
        voxels=result.voxels,
        millilitres=result.voxels * image.voxel_ml,
        quality=result.quality,
        first=tuple(result.first) if found else None,
        last=tuple(result.last) if found else None,
        stopped=(_stop_name(result.stopped[0]), _stop_name(result.stopped[1])),
        slices=[
            SliceReport(s.slice, s.predicted_iou, s.voxels, bool(s.prompted))
            for s in result.slices[: result.slice_count]
        ],
    )


def _paint(labels: np.ndarray, label: int, result: _abi.ObjectResult) -> None:
    if not result.voxels:
        return
    size = labels.shape
    mask = np.ctypeslib.as_array(result.mask, shape=size)
    part = tuple(slice(result.first[n], result.last[n] + 1) for n in (2, 1, 0))
    labels[part][mask[part] != 0] = label


def _predict_at_once(model: Model, image: Image, objects: Dict[int, Prompts], options: _Options,
                     call: Call) -> Segmentation:
    volume = image.struct(options.padding, options.hounsfield)
    packed = [Packed(prompts, image) for prompts in objects.values()]
    structs = (_abi.Object * len(packed))(*(p.struct for p in packed))
    labels = np.zeros(image.array.shape[:3], _label_type(list(objects)))
    result = _abi.VolumeResult()
    try:
        call.run(_library.sgm_volume_predict, model._model.get(), c.byref(volume), structs,
                 len(packed), c.byref(options.struct), c.byref(call.struct), c.byref(result))
        reports = {}
        for (label, prompts), one in zip(objects.items(), result.objects[: result.object_count]):
            _paint(labels, label, one)
            reports[label] = _report(label, prompts, one, image)
        tell(call.sentences, stacklevel=5)
        return Segmentation(
            labels=image.wrap(labels), objects=reports, axis=result.axis, window=tuple(result.window),
            hounsfield=bool(result.hounsfield), encoded=result.encoded, cached=result.cached,
            device=model.device, warnings=call.sentences)
    finally:
        _library.sgm_volume_result_clear(c.byref(result))


class LiveVolume:
    """An image that stays open between questions: what was computed is kept, so that a further click
    costs milliseconds. Each question brings all prompts of its object; undo is asking again with the
    earlier ones. The same prompts give the same masks, whatever was asked before.

    Made by :meth:`Model.open`. One thread at a time: calls of other threads wait. A new question can
    end a running one through ``cancel``, and does not come from its callbacks. An object is its label's,
    whichever thread asked: threads that take a :meth:`mask` after their :meth:`predict` have labels of
    their own, or call :meth:`segment`, which draws what it asked.
    """

    def __init__(self, model: Model, image: Image, options: _Options) -> None:
        self._model, self._image, self._options = model, image, options
        self._volume = image.struct(options.padding, options.hounsfield)
        handle = c.c_void_p()
        check(_library.sgm_live_volume_create(
            model._model.get(), c.byref(self._volume), c.byref(options.struct), c.byref(handle)))
        self._live = _Handle(handle, _library.sgm_live_volume_destroy)
        self._lock = threading.RLock()

    def _turn(self) -> Any:
        """The lock, to be held while the volume is asked. The thread that has it would not wait, and
        the library is not to be asked from its own callbacks."""
        if self._lock._is_owned():
            raise UsageError("this volume is asked inside a callback of its own question (progress, cancel, "
                             "a signal's handler): end that one first")
        return self._lock

    def close(self) -> None:
        """Gives the memory back; nothing can be asked afterwards."""
        with self._turn():
            self._live.release()

    def __enter__(self) -> "LiveVolume":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_live"):  # before the options, whose cache it borrows
            self._live.release()

    @property
    def model(self) -> Model:
        return self._model

    @property
    def size(self) -> Tuple[int, int, int]:
        """Voxels along i, j, k."""
        return self._image.size

    def predict(self, label: int = 1, prompts: Any = None, *, progress: Optional[Progress] = None,
                cancel: Optional[Cancel] = None, sentences: Optional[List[str]] = None,
                **fields: Any) -> ObjectReport:
        """Segments one object. ``prompts``, or its fields (``foreground=...``). ``sentences``, a
        list, is given the warnings: Python's own are not made for threads."""
        call = Call(progress, cancel)
        asked = prompts_of(fields if prompts is None else prompts)
        packed = Packed(asked, self._image)
        with self._turn():
            report = self._predict(label, asked, packed, call)[0]
        _hand_on(call, sentences)
        return report

    def _predict(self, label: int, prompts: Prompts, packed: Packed,
                 call: Call) -> Tuple[ObjectReport, Any]:
        result = _abi.LiveResult(size=c.sizeof(_abi.LiveResult))
        call.run(_library.sgm_live_volume_predict, self._live.get(), label,
                 c.byref(packed.struct), c.byref(call.struct), c.byref(result))
        return _report(label, prompts, result, self._image), result

    @contextlib.contextmanager
    def _one_axis(self, packed: Sequence[Packed]) -> Iterator[None]:
        """Several objects are taken along one axis, as :meth:`Model.segment` does it."""
        structs = (_abi.Object * len(packed))(*(p.struct for p in packed))
        check(_library.sgm_live_volume_hold_axis(self._live.get(), structs, len(packed)))
        try:
            yield
        finally:
            _library.sgm_live_volume_hold_axis(self._live.get(), None, 0)

    def segment(self, objects: Any = None, *, progress: Optional[Progress] = None,
                cancel: Optional[Cancel] = None, **fields: Any) -> Segmentation:
        """Segments objects: ``{label: Prompts}``, or one object by its fields. Objects of earlier
        calls that are not named are not part of the result. The masks are those of
        :meth:`Model.segment`; a :meth:`predict` alone may choose another axis for its object."""
        prompts, rest = _split(objects, fields)
        if rest:
            raise UsageError(f"unknown: {', '.join(rest)}")
        labels = np.zeros(self._image.array.shape[:3], _label_type(list(prompts)))
        if not prompts:
            raise UsageError("no objects")
        packed = [Packed(one, self._image) for one in prompts.values()]
        reports, sentences, encoded, cached = {}, [], 0, 0
        with self._turn(), self._one_axis(packed):  # no other thread asks for these labels meanwhile
            for n, (label, one) in enumerate(prompts.items()):
                call = Call(_part(progress, n, len(prompts)), cancel)
                reports[label], last = self._predict(label, one, packed[n], call)
                self._paint(label, labels)
                sentences += call.sentences
                encoded, cached = encoded + last.encoded, cached + last.cached
        tell(sentences)
        return Segmentation(
            labels=self._image.wrap(labels), objects=reports, axis=last.axis,
            window=tuple(last.window), hounsfield=bool(last.hounsfield), encoded=encoded,
            cached=cached, device=self._model.device, warnings=sentences)

    def _paint(self, label: int, labels: np.ndarray) -> None:
        check(_library.sgm_live_volume_paint(
            self._live.get(), label, labels.ctypes.data_as(c.c_void_p),
            _abi.VOXEL_TYPES[labels.dtype.str[1:]], label))

    def mask(self, label: int = 1) -> Mask:
        """The voxels of an object as the last prediction found them: what it covers, not the volume."""
        result = _abi.LiveResult(size=c.sizeof(_abi.LiveResult))
        with self._turn():
            check(_library.sgm_live_volume_get(self._live.get(), label, c.byref(result)))
            if not result.voxels:
                return Mask((0, 0, 0), np.zeros((0, 0, 0), bool))
            first, last = tuple(result.first), tuple(result.last)
            array = np.empty([last[n] - first[n] + 1 for n in (2, 1, 0)], np.uint8)
            check(_library.sgm_live_volume_mask(
                self._live.get(), label, (c.c_int64 * 3)(*first), (c.c_int64 * 3)(*last),
                array.ctypes.data_as(c.POINTER(c.c_uint8))))
        return Mask(first, array.view(bool))

    def preview(self, label: int = 1, prompts: Any = None, *, slice: int = -1,
                progress: Optional[Progress] = None, cancel: Optional[Cancel] = None,
                sentences: Optional[List[str]] = None, **fields: Any) -> Preview:
        """One slice now, without walking and without changing the object: an index along the axis
        that these prompts choose; -1: the slice of the last point."""
        call = Call(progress, cancel)
        packed = Packed(prompts_of(fields if prompts is None else prompts), self._image)
        out = _abi.LiveSlice(size=c.sizeof(_abi.LiveSlice))
        with self._turn():
            call.run(_library.sgm_live_volume_preview, self._live.get(), label,
                     c.byref(packed.struct), slice, c.byref(call.struct), c.byref(out))
            shape = (out.mask_size[1], out.mask_size[0])
            mask = np.ctypeslib.as_array(out.mask, shape=shape).astype(bool)
        _hand_on(call, sentences)
        return Preview(axis=out.axis, slice=out.slice, mask=mask, voxels=out.voxels,
                       predicted_iou=out.predicted_iou, prompted=bool(out.prompted))

    def ahead(self, point: Sequence[float], *, coordinates: str = "lps",
              cancel: Optional[Cancel] = None) -> None:
        """Lets the network see what a click at ``point`` will need, while nobody asks: call it in a
        thread of its own and end it by ``cancel`` (:class:`CancelledError` then; what was done
        stays)."""
        packed = Packed(Prompts(foreground=[point], coordinates=coordinates), self._image)
        call = Call(None, cancel)
        with self._turn():
            call.run(_library.sgm_live_volume_ahead, self._live.get(),
                     packed.struct.seeds[0].index, c.byref(call.struct))

    def remove(self, label: int) -> None:
        """Forgets an object."""
        with self._turn():
            _library.sgm_live_volume_remove(self._live.get(), label)


def _hand_on(call: Call, sentences: Optional[List[str]]) -> None:
    if sentences is None:
        tell(call.sentences)
    else:
        sentences += call.sentences


def _part(progress: Optional[Progress], n: int, count: int) -> Optional[Progress]:
    """The n-th of `count` equal parts of a progress."""
    if progress is None:
        return None
    return lambda fraction, message: progress((n + fraction) / count, message)
