"""The demo's volumes, read by SimpleITK, and what the PromptSeg program makes of them."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

sitk = pytest.importorskip("SimpleITK")

DEMO = Path(os.environ.get("PROMPTSEG_DEMO", Path(__file__).parents[3] / "resources" / "demo"))


# Tests of processor time: sanitizers take some of their own.
processor_time = pytest.mark.skipif("PROMPTSEG_SANITIZED" in os.environ,
                                    reason="processor time is not judged under sanitizers")


def read_prompts(path):
    """foreground, background and roi of a Slicer markup file, in LPS."""
    foreground, background, roi = [], [], []
    for markup in json.loads(path.read_text())["markups"]:
        flip = np.array([-1, -1, 1]) if markup["coordinateSystem"] in ("RAS", 0) else np.ones(3)
        if markup["type"] == "ROI":
            axes = np.array(markup["orientation"]).reshape(3, 3) * flip[:, None]
            roi.append([*(np.array(markup["center"]) * flip), *(np.array(markup["size"]) / 2),
                        *axes.ravel()])
            continue
        for point in markup["controlPoints"]:
            is_background = any(str(point.get(k, "")).startswith(("-", "bg:")) or
                                point.get(k) in ("-", "bg") for k in ("label", "description"))
            (background if is_background else foreground).append(
                (np.array(point["position"]) * flip).tolist())
    return {"foreground": foreground, "background": background, "roi": roi}


@pytest.fixture(scope="session")
def liver():
    reader = sitk.ImageSeriesReader()
    folder = str(DEMO / "ct-3slice" / "dicom")
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(folder))
    image = reader.Execute()
    image.SetMetaData("0008|0060", "CT")  # a series reader's image carries no tags
    return image


@pytest.fixture(scope="session")
def liver_prompts():
    return read_prompts(DEMO / "ct-3slice" / "prompts.mrk.json")


@pytest.fixture(scope="session")
def brain():
    return sitk.ReadImage(str(DEMO / "brain1" / "image.nrrd"))


@pytest.fixture(scope="session")
def brain_prompts():
    return read_prompts(DEMO / "brain1" / "prompts.mrk.json")


@pytest.fixture(scope="session")
def model():
    import promptseg

    return promptseg.Model()


@pytest.fixture(scope="session")
def program():
    """The PromptSeg program, to compare with."""
    found = os.environ.get("PROMPTSEG_PROGRAM") or shutil.which("PromptSeg")
    if not found:
        pytest.skip("the PromptSeg program is not there (PROMPTSEG_PROGRAM)")

    def run(image, output, *arguments):
        done = subprocess.run([found, *arguments, "--", str(image), str(output)],
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return sitk.GetArrayFromImage(sitk.ReadImage(str(output)))

    run.path = found
    return run


def affine_of(image):
    """RAS, as nibabel has it."""
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    matrix[:3, 3] = image.GetOrigin()
    return np.diag([-1, -1, 1, 1]) @ matrix


def flags(prompts):
    """Prompts as the program's arguments."""
    out = []
    for name in ("foreground", "background", "roi"):
        for numbers in prompts.get(name, []):
            out += [f"--{name}", ",".join(repr(float(n)) for n in numbers)]
    return out


def dice(a, b):
    a, b = np.asarray(a) != 0, np.asarray(b) != 0
    return 2 * (a & b).sum() / (a.sum() + b.sum())
