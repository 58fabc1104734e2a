"""What can go wrong, as exceptions. Each carries the library's sentence, which says what was wanted
and what was found."""

from __future__ import annotations


class PromptSegError(Exception):
    """Any failure of the library. ``status`` is its number (sgm_status in segmodel.h)."""

    status = 9


class UsageError(PromptSegError, ValueError):
    """An argument that cannot be."""

    status = 1


class ImageError(PromptSegError, ValueError):
    """An image that is not supported: its type, size or geometry."""

    status = 2


class PromptError(PromptSegError, ValueError):
    """No prompt, or one outside the image or not a number."""

    status = 3


class ModelError(PromptSegError):
    """A model file that is missing, damaged, incomplete or of an unknown kind."""

    status = 4


class OutOfMemoryError(PromptSegError, MemoryError):
    """Not enough memory, or the memory limit reached."""

    status = 5


class DeviceError(PromptSegError):
    """No such device, or it failed."""

    status = 6


class OutputError(PromptSegError, OSError):
    """Something could not be written."""

    status = 7


class CancelledError(PromptSegError):
    """``cancel`` said so."""

    status = 8


class PromptSegWarning(UserWarning):
    """Something the user should know: a guess, an overlap, a limit that was met."""


_BY_STATUS = {
    kind.status: kind
    for kind in (
        UsageError, ImageError, PromptError, ModelError, OutOfMemoryError, DeviceError, OutputError,
        CancelledError,
    )
}


def error_of(status: int, sentence: str) -> PromptSegError:
    """The exception for a status of the library."""
    return _BY_STATUS.get(status, PromptSegError)(sentence)
