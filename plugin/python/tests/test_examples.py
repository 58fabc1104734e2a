"""The example draws what it says: the mask's voxels and a picture with its outline."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from conftest import DEMO

import promptseg

pytest.importorskip("matplotlib")
EXAMPLE = Path(__file__).parents[1] / "examples" / "show_slices.py"


def run(*arguments, **more):
    return subprocess.run([sys.executable, EXAMPLE, *arguments], capture_output=True, text=True,
                          env={**os.environ, "MPLBACKEND": "Agg"}, **more)


def test_slices_are_shown_with_the_outline(brain, brain_prompts, tmp_path):
    from matplotlib.image import imread

    point = brain_prompts["foreground"][0]
    picture = tmp_path / "tumour.png"
    shown = run(DEMO / "brain1" / "image.nrrd", ",".join(f"{n:.17g}" for n in point), picture)
    assert shown.returncode == 0, shown.stderr
    result = promptseg.segment(sitk.DICOMOrient(brain, "LPS"), foreground=[point])
    report, labels = result.objects[1], sitk.GetArrayFromImage(result.labels)
    assert re.match(rf"{report.voxels} voxels, {report.millilitres:.1f} ml, rated", shown.stdout)
    colours = imread(picture)[..., :3]
    assert colours.shape[:2] == (340, 1500)
    yellow = np.all(np.abs(colours - [1, 1, 0]) < 0.25, axis=-1)
    middle = int(round(result.labels.TransformPhysicalPointToContinuousIndex(point)[2]))
    for n in range(5):  # an outline, and only that, where the slice has a mask
        share = yellow[:, 300 * n:300 * (n + 1)].mean()
        masked = labels[middle - 2 + n].any()
        assert 0.0005 < share < 0.05 if masked else share == 0, (n, share)
    assert labels[middle].any()


def test_a_point_outside_says_so():
    shown = run(DEMO / "brain1" / "image.nrrd", "0,0,9999", "unused.png")
    assert shown.returncode != 0 and "outside" in shown.stderr
    assert not Path("unused.png").exists()
