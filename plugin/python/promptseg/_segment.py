"""One call from an image to its segmentation."""

from __future__ import annotations

import threading
from typing import Any, Optional

from ._errors import PromptSegError
from ._model import Cancel, Model, Progress
from ._programs import is_path, run_program
from ._result import Segmentation

_lock = threading.Lock()
_default: Optional[Model] = None


def default_model() -> Model:
    """The bundled model, loaded on first use and again after a fork."""
    global _default
    with _lock:
        try:
            if _default is not None:
                _default.device
        except PromptSegError:
            _default = None
        if _default is None:
            _default = Model()
        return _default


def segment(image: Any, objects: Any = None, *, model: Optional[Model] = None,
            progress: Optional[Progress] = None, cancel: Optional[Cancel] = None,
            **arguments: Any) -> Segmentation:
    """Segments an image from prompts.

    >>> result = promptseg.segment(image, foreground=[(41.5, -12, 230)])
    >>> result.labels             # of the kind that `image` is
    >>> result.objects[1].millilitres

    image
        An ``itk.Image``, a SimpleITK or nibabel image, a numpy array with ``affine`` or ``spacing``,
        ``origin``, ``direction`` (see :meth:`Model.open`), or a path: then the PromptSeg program
        reads and writes the files (``output=`` names the result), where it is installed.
    objects
        ``{label: Prompts}``; or leave it out and describe one object, label 1, by ``foreground``,
        ``background``, ``roi``, ``initial``, ``coordinates`` (see :class:`Prompts`).
    model
        None: the bundled one. The program loads its file anew, as the model was loaded.
    progress
        Called with (fraction, phrase); ``tqdm_progress()`` makes one. An exception in it, or Ctrl-C,
        ends the work, that of the program too.
    cancel
        Asked again and again; something true ends the work with :class:`CancelledError`.
    arguments
        Options of :meth:`Model.open`: axis, window, hounsfield, keep_largest, cache ...
    """
    if is_path(image):
        return run_program(image, objects, model, arguments, progress, cancel)
    chosen = default_model() if model is None else model
    return chosen.segment(image, objects, progress=progress, cancel=cancel, **arguments)


def tqdm_progress(**options: Any) -> Progress:
    """A progress callback that draws a bar with tqdm (which must be installed)."""
    from tqdm.auto import tqdm

    options.setdefault("bar_format", "{desc}{percentage:3.0f}% |{bar}| {elapsed}<{remaining}")
    bar = tqdm(total=1, **options)

    def show(fraction: float, message: str) -> None:
        bar.set_description(message, refresh=False)
        bar.update(fraction - bar.n)
        if fraction >= 1:
            bar.close()

    return show


def prompt_segmentation(image: Any, *, foreground_points: Any = (), background_points: Any = (),
                        box: Any = (), **arguments: Any) -> Any:
    """The label image alone, in the style of ITK's functional filters."""
    return segment(image, foreground=foreground_points, background=background_points, roi=box,
                   **arguments).labels
