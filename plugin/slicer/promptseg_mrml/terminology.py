"""New segments with a name, a colour and a meaning.

``structures.csv`` and ``palette.csv`` are made from the tables of the programs
(io/src/segmentation_colours.c) when the package is put together, so that a segment means the same
wherever it was made.
"""

from __future__ import annotations

import csv
from functools import lru_cache
from pathlib import Path
from typing import Any, Dict, Optional, Sequence, Tuple

_GENERAL = "Segmentation category and type - 3D Slicer General Anatomy list"
_MASTER = "Segmentation category and type - DICOM master list"
_REGIONS = "Anatomic codes - DICOM master list"
_CATEGORIES = {
    "STRUCTURE": "SCT^123037004^Anatomical Structure",
    "ALTERED": "SCT^49755003^Morphologically Altered Structure",
    "TISSUE": "SCT^85756007^Tissue",
}
_SLICERS_COLOURS = "vtkMRMLColorTableNodeFileGenericAnatomyColors.txt"  # ID of 3D Slicer's own table
_SIDES = {"left": "SCT^7771000^Left", "right": "SCT^24028007^Right"}


@lru_cache(maxsize=None)
def _structures() -> Dict[str, Dict[str, str]]:
    path = Path(__file__).with_name("structures.csv")
    with open(path, newline="", encoding="utf-8") as stream:
        return {row["name"]: row for row in csv.DictReader(stream)}


@lru_cache(maxsize=None)
def _palette() -> Tuple[Tuple[float, float, float], ...]:
    with open(Path(__file__).with_name("palette.csv"), newline="", encoding="utf-8") as stream:
        return tuple(tuple(int(row[c]) / 255 for c in ("red", "green", "blue"))
                     for row in csv.DictReader(stream))


def _known(name: str) -> Tuple[Optional[Dict[str, str]], str]:
    """The row of a structure, and the code of its side."""
    words = name.lower().replace("_", " ").replace("-", " ")
    side = ""
    for word, code in _SIDES.items():
        if words.startswith(word + " "):
            words, side = words[len(word) + 1:], code
        elif words.endswith(" " + word):
            words, side = words[:-len(word) - 1], code
        if side:
            break
    return _structures().get(words), side


def terminology_entry(name: str) -> str:
    """Slicer's TerminologyEntry of a segment's name; "Tissue" for a name that is not known."""
    row, side = _known(name)
    if row is None:
        context, category, kind, modifier = _GENERAL, _CATEGORIES["TISSUE"], _CATEGORIES["TISSUE"], "^^"
    else:
        context = _MASTER if row["list"] == "MASTER" else _GENERAL
        category, kind = _CATEGORIES[row["category"]], row["type"]
        modifier = side if side and row["sides"] == "1" else "^^"
    return "~".join([context, category, kind, modifier, _REGIONS, "^^", "^^"])


def colour_of(name: str) -> Optional[Tuple[float, float, float]]:
    """Red, green, blue (0 to 1) of a structure; None: its name is not known."""
    row, _ = _known(name)
    return None if row is None else tuple(int(row[c]) / 255 for c in ("red", "green", "blue"))


def _next_colour(segmentation: Any) -> Optional[Tuple[float, float, float]]:
    """The programs' for a segment at this place, or the next one that no segment has. None: Slicer's own
    order is there. Where its table is not, as outside of 3D Slicer, a segment would get a random colour,
    which may be a grey that nobody sees in an image."""
    scene, inner = segmentation.GetScene(), segmentation.GetSegmentation()
    if scene is not None and scene.GetNodeByID(_SLICERS_COLOURS) is not None:
        return None
    taken = [_bytes(inner.GetNthSegment(n).GetColor()) for n in range(inner.GetNumberOfSegments())]
    order = [_palette()[(len(taken) + n) % len(_palette())] for n in range(len(_palette()))]
    return next((one for one in order if _bytes(one) not in taken), order[0])


def _bytes(colour: Sequence[float]) -> Tuple[int, ...]:
    return tuple(round(255 * part) for part in colour)


def add_segment(segmentation: Any, name: str = "", colour: Optional[Sequence[float]] = None) -> str:
    """Adds an empty segment and returns its ID. The colour follows the name, else Slicer's order, else the
    programs'."""
    inner = segmentation.GetSegmentation()
    chosen = colour if colour is not None else colour_of(name) or _next_colour(segmentation)
    segment_id = inner.AddEmptySegment("", name, list(chosen)) if chosen is not None \
        else inner.AddEmptySegment("", name)
    segment = inner.GetSegment(segment_id)
    if name:
        segment.SetTag("TerminologyEntry", terminology_entry(name))
    return segment_id
