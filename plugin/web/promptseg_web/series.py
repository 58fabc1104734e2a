"""Which files of a folder are one volume: where there are several, nobody but the user knows which."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from .files import RefusedError

_TAGS = ["SOPClassUID", "SeriesInstanceUID", "SeriesNumber", "SeriesDescription", "Rows", "Columns",
         "NumberOfFrames"]
_MASKS = "1.2.840.10008.5.1.4.1.1.66.4"  # a DICOM SEG has rows too, and is no volume


@dataclass(frozen=True)
class Series:
    """A DICOM series. ``size``: columns, rows, slices."""

    uid: str
    number: int
    name: str
    size: Tuple[int, int, int]
    files: Tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.number}: {self.name}, {'x'.join(map(str, self.size))}, {self.uid}"


def files_of(path: Path, series: Optional[str] = None) -> Sequence[str]:
    """The files of a volume: of a folder those of its only series, or of the one that has this UID."""
    if path.is_dir():
        files = [str(one) for one in sorted(path.iterdir()) if one.is_file()]
    else:
        files = [str(path)]
    found = _series_in(files)
    chosen = [one for one in found if series in (None, one.uid)]
    if series is not None and not chosen:
        raise RefusedError(f"{path.name} holds no series {series}{_listed(found)}")
    if len(chosen) > 1:
        raise RefusedError(f"{path.name} holds several series, choose one with --series UID{_listed(found)}")
    return chosen[0].files if chosen else files


def _listed(found: Sequence[Series]) -> str:
    return "".join(f"\n  {one}" for one in found)


def _series_in(files: Sequence[str]) -> List[Series]:
    """In the order of their numbers."""
    by_uid: Dict[str, List[Tuple[str, Any]]] = {}
    for file in files:
        header = _header(file)
        if header is not None:
            by_uid.setdefault(str(header.get("SeriesInstanceUID", "")), []).append((file, header))
    return sorted((_series(uid, members) for uid, members in by_uid.items()),
                  key=lambda one: (one.number, one.uid))


def _header(file: str) -> Any:
    """None of a file that is no DICOM picture."""
    try:
        header = dcmread(file, stop_before_pixels=True, force=True, specific_tags=_TAGS)
    except InvalidDicomError:
        return None
    has_pixels = header.get("SOPClassUID") not in (None, _MASKS) and header.get("Rows") is not None
    return header if has_pixels else None


def _series(uid: str, members: Sequence[Tuple[str, Any]]) -> Series:
    first = members[0][1]
    slices = sum(int(header.get("NumberOfFrames") or 1) for _, header in members)
    return Series(uid, int(first.get("SeriesNumber") or 0), str(first.get("SeriesDescription") or "no name"),
                  (int(first.Columns), int(first.Rows), slices), tuple(file for file, _ in members))


def only_one(path: Path, nodes: Sequence[Any]) -> Any:
    """The volume that was read, if it is the only one: a folder may hold several files, a series several
    acquisitions or kinds of images."""
    if not nodes:
        raise RefusedError(f"{path.name} cannot be read as a volume")
    if len(nodes) > 1:
        sizes = sorted(f"{node.GetName()} ({'x'.join(map(str, node.GetImageData().GetDimensions()))})"
                       for node in nodes)
        raise RefusedError(f"{path.name} holds several volumes, {', '.join(sizes)}: name a file, or a folder "
                           "with the files of one of them")
    return nodes[0]
