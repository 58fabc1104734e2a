"""Files go through the PromptSeg program, which knows formats and DICOM; it must be on PATH, or
PROMPTSEG_PROGRAM names it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Dict, List

import numpy as np

from ._errors import UsageError, error_of
from ._prompts import Prompts, _boxes, _seeds, prompts_of
from ._result import ObjectReport, Segmentation, SliceReport, tell

# Exit codes of the program to the library's statuses.
_STATUS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 7, 130: 8}
_FLAGS = {"keep_largest": "keepLargest", "fill_holes": "fillHoles"}
_VALUES = {"axis": "axis", "max_slices": "maxSlices", "cache": "cache", "series": "series",
           "report": "report", "picture": "picture"}


def is_path(image: Any) -> bool:
    return isinstance(image, (str, os.PathLike))


def _program() -> str:
    found = os.environ.get("PROMPTSEG_PROGRAM") or shutil.which("PromptSeg")
    if not found:
        raise UsageError("a path needs the PromptSeg program, which is not on PATH; "
                         "or read the image and give it instead")
    return found


def _numbers(values: Any) -> str:
    return ",".join(repr(float(v)) for v in values)


def _prompt_arguments(prompts: Prompts) -> List[str]:
    if prompts.coordinates == "index":
        raise UsageError("prompts of a file are in millimetres: coordinates are lps or ras")
    flip = np.array([-1.0, -1.0, 1.0]) if prompts.coordinates == "ras" else np.ones(3)
    out = []
    for *point, inside in _seeds(prompts):
        out += ["--foreground" if inside else "--background", _numbers(point * flip)]
    for box in _boxes(prompts.roi):
        axes = box[6:].reshape(3, 3) * flip[:, np.newaxis]
        out += ["--roi", _numbers([*(box[:3] * flip), *box[3:6], *axes.ravel()])]
    if prompts.initial is not None:
        out += ["--initial", os.fspath(prompts.initial)]
    if prompts.name:
        out += ["--segmentName", prompts.name]
    return out


def _option_arguments(options: Dict[str, Any]) -> List[str]:
    out = []
    for key, value in options.items():
        if key in _FLAGS:
            out += [f"--{_FLAGS[key]}"] if value else []
        elif key == "propagate":
            out += [] if value else ["--propagate", "none"]
        elif key == "window":
            out += ["--window", value if isinstance(value, str) else _numbers(value)]
        elif key in _VALUES:
            out += [f"--{_VALUES[key]}", os.fspath(value) if is_path(value) else str(value)]
        else:
            raise UsageError(f"{key}: not an option for files")
    return out


def _object(one: Dict[str, Any]) -> ObjectReport:
    stopped = one.get("stopped") or {}
    return ObjectReport(
        label=one["label"], name=one["name"], voxels=one["voxels"], millilitres=one["ml"],
        quality=one.get("predicted_quality") or 0.0, first=None, last=None,
        stopped=(stopped.get("below"), stopped.get("above")),
        slices=[SliceReport(s["index"], s["predicted_quality"], s["voxels"], s["prompted"])
                for s in one.get("slices", [])])


def _segmentation(report: Dict[str, Any], output: Path) -> Segmentation:
    volume, embeddings = report["volume"], report["embeddings"]
    return Segmentation(
        labels=output, objects={one["label"]: _object(one) for one in report["segments"]},
        axis="ijk".index(volume["slice_axis"]), window=tuple(volume["window"]),
        hounsfield=volume.get("modality") == "CT", encoded=embeddings["encoded"],
        cached=embeddings["from_cache"], device=report["model"]["device"],
        warnings=list(report.get("warnings", [])))


def run_program(image: Any, objects: Any, model: Any, arguments: Dict[str, Any]) -> Segmentation:
    """The program's answer; ``labels`` is the path of the file it wrote."""
    arguments = dict(arguments)
    output = arguments.pop("output", None)
    if output is None:
        raise UsageError("an image given by its path needs output=, the file to write")
    if objects is not None:
        raise UsageError("several objects of a file: write a prompt file and call PromptSeg itself")
    fields = {f: arguments.pop(f) for f in Prompts.__dataclass_fields__ if f in arguments}
    prompts = prompts_of(fields)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [_program(), *_prompt_arguments(prompts), *_option_arguments(arguments)]
        if "report" not in arguments:
            command += ["--report", str(report)]
        else:
            report = Path(arguments["report"])
        if model is not None:
            command += ["--model", str(model.path)]
        run = subprocess.run([*command, "--", os.fspath(image), os.fspath(output)],
                             capture_output=True, text=True)
        if run.returncode != 0:
            raise error_of(_STATUS.get(run.returncode, 9), run.stderr.strip())
        result = _segmentation(json.loads(report.read_text()), Path(output))
    tell(result.warnings)
    return result
