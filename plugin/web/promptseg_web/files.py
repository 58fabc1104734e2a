"""Files that the page may name: those of the folder where the program was started, nothing else."""

from __future__ import annotations

import re
from pathlib import Path

ENDING, DICOM_ENDING, PROMPTS_ENDING = ".seg.nrrd", ".dcm", ".mrk.json"


class RefusedError(ValueError):
    """A file that may not be read or written."""


def within(folder: Path, name: str) -> Path:
    """A file below the folder, links followed."""
    path = (folder / name).resolve()
    if folder.resolve() not in path.parents:
        raise RefusedError(f"{name} is not in {folder}, where the program was started")
    return path


def readable(folder: Path, name: str) -> Path:
    path = within(folder, name)
    if not path.exists():
        raise RefusedError(f"{name}: there is no such file in {folder}")
    return path


def is_dicom(path: Path) -> bool:
    """Whether a file, or any that shows in a folder, is DICOM: then what is made of it can be written as DICOM
    SEG. What else lies there (notes, .DS_Store, ._01.dcm) is no slice."""
    if not path.is_dir():
        return _begins_as_dicom(path)
    visible = (one for one in sorted(path.rglob("*"))
               if not any(part.startswith(".") for part in one.relative_to(path).parts))
    return any(_begins_as_dicom(one) for one in visible)


def _begins_as_dicom(path: Path) -> bool:
    if not path.is_file():
        return False
    try:
        with path.open("rb") as stream:
            return stream.read(132)[128:] == b"DICM"
    except OSError:  # it may not be read
        return False


def writable(folder: Path, name: str, ending: str = ENDING) -> Path:
    """A new file beside the volume; what is there is never replaced."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._ -]{0,100}", name):
        raise RefusedError("a plain file name is wanted: letters, digits, points, dashes")
    path = within(folder, name if name.endswith(ending) else name + ending)
    if path.exists():
        raise RefusedError(f"{path.name} is there already: choose another name")
    return path
