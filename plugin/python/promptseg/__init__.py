"""Promptable segmentation of medical images: mark an object with points or a box, get its mask.

>>> import promptseg
>>> result = promptseg.segment(image, foreground=[(41.5, -12, 230)])

One shared library and numpy, no torch; the bundled model lies in the package. Not a medical device.
"""

from ._abi import VERSION as __version__
from ._errors import (
    CancelledError,
    DeviceError,
    ImageError,
    ModelError,
    OutOfMemoryError,
    OutputError,
    PromptError,
    PromptSegError,
    PromptSegWarning,
    UsageError,
)
from ._model import BUNDLED_MODEL, CancelFlag, LiveVolume, Model
from ._prompts import Prompts
from ._result import Mask, ObjectReport, Preview, Segmentation, SliceReport
from ._segment import default_model, prompt_segmentation, segment, tqdm_progress

__all__ = [
    "BUNDLED_MODEL", "CancelFlag", "CancelledError", "DeviceError", "ImageError", "LiveVolume",
    "Mask", "Model", "ModelError", "ObjectReport", "OutOfMemoryError", "OutputError", "Preview", "PromptError",
    "PromptSegError", "PromptSegWarning", "Prompts", "Segmentation", "SliceReport", "UsageError",
    "__version__", "default_model", "prompt_segmentation", "segment", "tqdm_progress",
]
