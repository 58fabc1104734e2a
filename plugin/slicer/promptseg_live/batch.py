"""The scene's volumes and prompts as a manifest for PromptSegBatch."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any, Iterable, List, Tuple

import slicer
from promptseg_mrml import SceneError, prompts_of_nodes


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


def write_prompts(path: Any, segments: Iterable[Tuple[str, Iterable[Any]]]) -> int:
    """A prompt file for ``PromptSeg --prompts`` and for 3D Slicer: of each segment its name and the
    markup nodes that are its prompts, in world coordinates. Returns how many markups it holds."""
    markups = [one for name, nodes in segments for one in _markup(name, nodes)]
    Path(path).write_text(json.dumps({"markups": markups}, indent=1), encoding="utf-8")
    return len(markups)


def write_manifest(folder: Any, cases: Iterable[Tuple[Any, Iterable[Tuple[str, Iterable[Any]]]]]) -> Path:
    """Writes ``folder/cases.csv`` and what it names, for ``PromptSegBatch cases.csv --output DIR``.

    cases
        A volume node, and for each of its segments a name and the markup nodes that are its prompts.
        Volumes that are exactly a file are named, all others written; prompts in world coordinates.
    """
    folder, rows, taken = Path(folder), [], set()
    folder.mkdir(parents=True, exist_ok=True)
    for volume, segments in cases:
        case = base = _file_name(volume.GetName())
        while case in taken:
            case = f"{base}_{len(taken)}"
        taken.add(case)
        prompts = folder / f"{case}.mrk.json"
        if not write_prompts(prompts, segments):
            raise SceneError(f"{volume.GetName()} has no prompts")
        image = _own_file(volume)
        if not image:
            image = f"{case}.nrrd"
            _write_volume(volume, folder / image)
        rows.append({"id": case, "image": image, "prompts": prompts.name})
    path = folder / "cases.csv"
    with open(path, "w", newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, ["id", "image", "prompts"])
        table.writeheader()
        table.writerows(rows)
    return path
