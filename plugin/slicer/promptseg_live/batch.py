"""The scene's volumes and prompts as a manifest for PromptSegBatch."""

from __future__ import annotations

import csv
import json
import os
import re
from pathlib import Path
from typing import Any, Dict, Iterable, List, NamedTuple, Tuple

import slicer
from promptseg_mrml import SceneError, prompts_of_nodes

from .worker import Options


class Prompted(NamedTuple):
    """A segment's name, the markup nodes that are its prompts, and how the model is asked with them:
    the index axis of the slices ("": as the program chooses) and what of the options the manifest takes
    (all but the model, which is one for all)."""

    name: str
    nodes: Iterable[Any]
    axis: str = ""
    options: Options = Options()


def _file_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_") or "case"


def _own_file(volume: Any) -> str:
    """The file that holds exactly this volume, or ""."""
    storage = volume.GetStorageNode()
    name = storage.GetFileName() if storage is not None else None
    clean = name and Path(name).is_file() and not volume.GetModifiedSinceRead() \
        and storage.GetNumberOfFileNames() == 0 and volume.GetParentTransformNode() is None
    return str(Path(name).resolve()) if clean else ""


def _write_volume(volume: Any, path: Path) -> None:
    """In world coordinates: a linear parent transform becomes part of the file's geometry."""
    from promptseg_mrml import affine_of
    from promptseg_mrml.volumes import vtk_matrix_of

    scene, copy = slicer.vtkMRMLScene(), volume.CreateNodeInstance()
    copy.CopyContent(volume, False)
    scene.AddNode(copy)
    copy.SetAndObserveTransformNodeID(None)
    copy.SetIJKToRASMatrix(vtk_matrix_of(affine_of(volume)))
    storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
    scene.AddNode(storage)
    storage.SetFileName(str(path))
    if not storage.WriteData(copy):
        raise SceneError(f"{path} cannot be written")


def _markup(name: str, nodes: Iterable[Any]) -> List[dict]:
    clicks, boxes = prompts_of_nodes(nodes)
    out = []
    if clicks:
        points = [{"position": list(c.lps), "label": "+" if c.inside else "-"} for c in clicks]
        out.append({"type": "Fiducial", "name": name, "coordinateSystem": "LPS", "controlPoints": points})
    for box in boxes:
        numbers = box.numbers
        out.append({"type": "ROI", "name": name, "coordinateSystem": "LPS", "center": numbers[:3],
                    "size": [2 * n for n in numbers[3:6]], "orientation": numbers[6:]})
    return out


def _named_apart(segments: Iterable[Tuple]) -> List[Prompted]:
    """Segments of one name would be one for the programs: later ones get a number that no name has."""
    out = [Prompted(*one) for one in segments]
    taken, seen = {one.name for one in out}, set()
    for n, one in enumerate(out):
        name, number = one.name, 2
        while name in seen or (number > 2 and name in taken):
            name, number = f"{one.name or 'segment'}_{number}", number + 1
        seen.add(name)
        out[n] = one._replace(name=name)
    return out


def write_prompts(path: Any, segments: Iterable[Tuple]) -> int:
    """A prompt file for ``PromptSeg --prompts`` and for 3D Slicer: of each segment its name and the
    markup nodes that are its prompts, in world coordinates; what else a Prompted holds has no place
    there. Of segments of one name, later ones get a number. Returns how many markups it holds."""
    markups = [one for name, nodes, *_ in _named_apart(segments) for one in _markup(name, nodes)]
    Path(path).write_text(json.dumps({"markups": markups}, indent=1), encoding="utf-8")
    return len(markups)


def _settings(segment: Prompted) -> Dict[str, str]:
    """The columns of how it is asked; "" is what the program does when nothing is said."""
    options = segment.options
    window = options.window if isinstance(options.window, str) else "{!r},{!r}".format(*options.window)
    return {"axis": segment.axis, "window": "" if window == "auto" else window,
            "keepLargest": "true" if options.keep_largest else "",
            "fillHoles": "true" if options.fill_holes else ""}


def _asked_alike(segments: Iterable[Tuple]) -> List[Tuple[Dict[str, str], List[Prompted]]]:
    """Segments with prompts, those with the same settings together: a row has one axis, one window."""
    out: List[Tuple[Dict[str, str], List[Prompted]]] = []
    for segment in _named_apart(segments):
        settings = _settings(segment)
        if not _markup(segment.name, segment.nodes):
            continue
        alike = next((group for known, group in out if known == settings), None)
        if alike is None:
            out.append((settings, [segment]))
        else:
            alike.append(segment)
    return out


def _free_name(folder: Path, name: str, taken: set, endings: Tuple[str, ...]) -> str:
    """A name that no other row has, and no file of the folder with one of the endings: what is there is
    the user's, perhaps the very image of the volume, and never replaced. Upper and lower case are one
    where files are kept so."""
    free, n = name, 2
    while free.lower() in taken or any(os.path.lexists(folder / f"{free}{end}") for end in endings):
        free, n = f"{name}_{n}", n + 1
    taken.add(free.lower())
    return free


def _image_of(volume: Any, folder: Path, case: str) -> str:
    """Its own file, or one that is written."""
    image = _own_file(volume)
    if not image:
        image = f"{case}.nrrd"
        _write_volume(volume, folder / image)
    return image


def _write_table(path: Path, rows: List[Dict[str, str]]) -> None:
    """Columns that no row needs are left out."""
    names = [name for name in rows[0] if any(row[name] for row in rows)]
    with open(path, "x", newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, names, extrasaction="ignore")
        table.writeheader()
        table.writerows(rows)


def write_manifest(folder: Any, cases: Iterable[Tuple[Any, Iterable[Tuple]]]) -> Path:
    """Writes ``folder/cases.csv`` and what it names, for ``PromptSegBatch cases.csv --output DIR``, and
    returns its path. No file that is there is replaced: names that are in use get a number.

    cases
        A volume node, and its segments: each a Prompted, or what that is made of. Volumes that are
        exactly a file are named, all others written; prompts in world coordinates. Segments of a
        volume that are asked in the same way are one row; of those of one name, later ones get a number.
    """
    folder, rows, taken = Path(folder), [], set()
    asked = [(volume, _asked_alike(segments)) for volume, segments in cases]
    for volume, groups in asked:  # all is looked at before anything is written
        if not groups:
            raise SceneError(f"{volume.GetName()} has no prompts")
    if not asked:
        raise SceneError("there is no volume with prompts")
    folder.mkdir(parents=True, exist_ok=True)
    for volume, groups in asked:
        image = ""
        for settings, group in groups:
            case = _free_name(folder, _file_name(volume.GetName()), taken, (".nrrd", ".mrk.json"))
            image = image or _image_of(volume, folder, case)
            write_prompts(folder / f"{case}.mrk.json", group)
            rows.append({"id": case, "image": image, "prompts": f"{case}.mrk.json", **settings})
    table = folder / f"{_free_name(folder, 'cases', set(), ('.csv',))}.csv"
    _write_table(table, rows)
    return table
