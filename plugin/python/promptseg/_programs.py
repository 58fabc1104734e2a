"""Files go through the PromptSeg program, which knows formats and DICOM; it must be on PATH, or
PROMPTSEG_PROGRAM names it."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, Dict, List, Optional

import numpy as np

from . import _process
from ._errors import UsageError, error_of
from ._model import Cancel, Model, Progress
from ._prompts import Prompts, _boxes, _seeds, prompts_of
from ._result import ObjectReport, Segmentation, SliceReport, tell

# Exit codes of the program to the library's statuses.
_STATUS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 7, 130: 8}
_FLAGS = {"keep_largest": "keepLargest", "fill_holes": "fillHoles"}
_VALUES = {"axis": "axis", "max_slices": "maxSlices", "cache": "cache", "series": "series",
           "report": "report", "picture": "picture"}
_PICTURES = (".png", ".jpg", ".jpeg")  # planes, whatever is in them
_DEVICES = ("auto", "cpu", "cuda")
_INSTEAD = "read the image and give it instead of its path"


def is_path(image: Any) -> bool:
    return isinstance(image, (str, os.PathLike))


def _program() -> str:
    found = os.environ.get("PROMPTSEG_PROGRAM") or shutil.which("PromptSeg")
    if not found:
        raise UsageError(f"a path needs the PromptSeg program, which is not on PATH; or {_INSTEAD}")
    return found


def _numbers(values: Any) -> str:
    return ",".join(repr(float(v)) for v in values)


def _check_prompts(prompts: Prompts) -> None:
    if prompts.coordinates not in ("lps", "ras"):
        raise UsageError("prompts of a file are in millimetres: coordinates are lps or ras, not "
                         f"{prompts.coordinates!r}")
    if prompts.initial is not None and not is_path(prompts.initial):
        raise UsageError(f"initial: of an image given by its path it is a path too; or {_INSTEAD}")
    if prompts.initial_value is not None:
        raise UsageError("initial_value: of a file, the segment of the object's name is the one to start "
                         f"from; or {_INSTEAD}")


def _prompt_arguments(prompts: Prompts, is_plane: bool) -> List[str]:
    _check_prompts(prompts)
    flip = np.array([-1.0, -1.0, 1.0]) if prompts.coordinates == "ras" else np.ones(3)
    out = []
    for *point, inside in _seeds(prompts, is_plane):
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


def _model_arguments(model: Optional[Model]) -> List[str]:
    """The program loads the model's file by itself, in the way that the model was loaded."""
    if model is None:
        return []
    _, variant, device, precision, threads, memory_limit = model._arguments
    if memory_limit:
        raise UsageError("the model has a memory_limit, which the PromptSeg program cannot keep to: "
                         f"{_INSTEAD}")
    if device not in _DEVICES:
        raise UsageError(f"the model's device is {device!r}, the PromptSeg program has "
                         f"{', '.join(_DEVICES)}: {_INSTEAD}")
    return ["--model", str(model.path), "--variant", variant, "--device", device,
            "--precision", precision, "--threads", str(threads)]


def _object(one: Dict[str, Any]) -> ObjectReport:
    stopped = one.get("stopped") or {}
    first, last = one.get("bounding_box") or (None, None)
    return ObjectReport(
        label=one["label"], name=one["name"], voxels=one["voxels"], millilitres=one["ml"],
        quality=one.get("predicted_quality") or 0.0,
        first=first and tuple(first), last=last and tuple(last),
        stopped=(stopped.get("below"), stopped.get("above")),
        slices=[SliceReport(s["index"], s["predicted_quality"], s["voxels"], s["prompted"])
                for s in one.get("slices", [])])


def _segmentation(report: Dict[str, Any], output: Path) -> Segmentation:
    volume, embeddings = report["volume"], report["embeddings"]
    return Segmentation(
        labels=output, objects={one["label"]: _object(one) for one in report["segments"]},
        axis="ijk".index(volume["slice_axis"]), window=tuple(volume["window"]),
        hounsfield=volume["hounsfield"], encoded=embeddings["encoded"],
        cached=embeddings["from_cache"], device=report["model"]["device"],
        warnings=list(report.get("warnings", [])))


def run_program(image: Any, objects: Any, model: Optional[Model], arguments: Dict[str, Any],
                progress: Optional[Progress] = None, cancel: Optional[Cancel] = None) -> Segmentation:
    """The program's answer; ``labels`` is the path of the file it wrote."""
    arguments = {key: value for key, value in arguments.items() if value is not None}
    output = arguments.pop("output", None)
    if output is None:
        raise UsageError("an image given by its path needs output=, the file to write")
    if objects is not None:
        raise UsageError("several objects of a file: write a prompt file and call PromptSeg itself")
    fields = {f: arguments.pop(f) for f in Prompts.__dataclass_fields__ if f in arguments}
    prompts = prompts_of(fields)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        is_plane = Path(os.fspath(image)).suffix.lower() in _PICTURES
        command = [_program(), *_prompt_arguments(prompts, is_plane), *_option_arguments(arguments),
                   *_model_arguments(model), "--returnparameterfile", str(Path(folder) / "returns.txt")]
        if "report" not in arguments:
            command += ["--report", str(report)]
        else:
            report = Path(arguments["report"])
        code, sentence = _process.run([*command, "--", os.fspath(image), os.fspath(output)],
                                      progress, cancel)
        if code != 0:
            raise error_of(_STATUS.get(code, 9), sentence)
        result = _segmentation(json.loads(report.read_text()), Path(output))
    tell(result.warnings)
    return result
