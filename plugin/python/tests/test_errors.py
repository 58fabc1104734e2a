"""What goes wrong is an exception with the library's sentence, and everything works afterwards."""

import json
import math
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

import promptseg

MOBILE_SAM = Path(__file__).parents[3] / "tests/segmodel/goldens/manifests/mobile_sam.txt"


@pytest.fixture(autouse=True)
def works_afterwards(model, brain, brain_prompts):
    yield
    live = model.open(brain)
    assert live.preview(foreground=brain_prompts["foreground"][:1]).voxels > 0


def test_a_prompt_outside_names_it(model, brain):
    with pytest.raises(promptseg.PromptError, match="9999") as caught:
        model.segment(brain, foreground=[(9999, 0, 0)], name="tumour")
    assert "tumour" in str(caught.value)
    assert isinstance(caught.value, ValueError)


def test_no_prompt(model, brain):
    with pytest.raises(promptseg.PromptError):
        model.segment(brain)


def test_an_unknown_label(model, brain, brain_prompts):
    result = model.segment(brain, foreground=brain_prompts["foreground"][:1])
    with pytest.raises(KeyError):
        result.objects[2]
    live = model.open(brain)
    live.remove(7)  # nothing to forget
    labels = sitk.Image(brain.GetSize(), sitk.sitkUInt8)
    labels.CopyInformation(brain)
    with pytest.raises(promptseg.PromptError):
        live.segment(initial=labels, initial_value=5)  # no prompt, and no voxel of it


@pytest.fixture
def two_networks(tmp_path):
    """Weights, all zero, that fit MobileSAM and the same network at 256 pixels."""
    header, size = {}, 0
    for line in MOBILE_SAM.read_text().splitlines():
        name, kind, shape = line.split()
        if kind != "F32":
            continue  # counters of training
        dims = [int(n) for n in shape.split(",")]
        count = 4 * math.prod(dims)
        header[name] = {"dtype": kind, "shape": dims, "data_offsets": [size, size + count]}
        size += count
    text = json.dumps(header).encode()
    path = tmp_path / "weights.safetensors"
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + size)
    return path


def test_what_is_assumed_of_a_network_is_said(two_networks):
    with pytest.warns(promptseg.PromptSegWarning, match="taken for MobileSAM.*--variant") as said:
        model = promptseg.Model(two_networks, device="cpu", threads=1)
    assert [one.filename for one in said] == [__file__] and model.assumption in str(said[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        named = promptseg.Model(two_networks, variant="tiny_vit_256", device="cpu", threads=1)
    assert named.variant == "tiny_vit_256" and not named.assumption


def test_points_that_are_none(model, brain):
    with pytest.raises(promptseg.PromptError, match="shape"):
        model.segment(brain, foreground=[(1, 2, 3, 4)])
    with pytest.raises(promptseg.PromptError):
        model.segment(brain, foreground=[(float("nan"), 0, 0)])
    with pytest.raises(promptseg.PromptError, match="6 or 15"):
        model.segment(brain, roi=(1, 2, 3))


def test_clicks_that_are_none(model, brain):
    for inside in (-1, 2, 0.5, float("nan")):
        with pytest.raises(promptseg.PromptError, match="0 outside"):
            model.segment(brain, clicks=[(52, 15, 6, 1), (52, 20, 6, inside)])
    for wrong in ([(1, 2), (1, 2, 3)], "here", 5):
        with pytest.raises(promptseg.PromptError, match="wanted"):
            model.segment(brain, foreground=wrong)


def test_a_place_in_a_plane_is_none_in_a_volume(model, brain):
    """Two numbers would be a point at z = 0, wherever the object is."""
    for name in ("foreground", "background"):
        with pytest.raises(promptseg.PromptError, match=f"{name}.*plane"):
            model.segment(brain, **{name: [(52, 15)]})


@pytest.mark.parametrize("geometry", [
    dict(direction=np.full((3, 3), np.nan)), dict(spacing=(0, 1, 1)),
    dict(spacing=(np.inf, 1, 1)), dict(affine=np.eye(3)), dict(affine=np.zeros((4, 4))),
])
def test_geometry_that_cannot_be(model, geometry):
    with pytest.raises((promptseg.ImageError, promptseg.UsageError)):
        model.segment(np.zeros((4, 5, 6), np.int16), foreground=[(1, 1, 1)], **geometry)


@pytest.mark.parametrize("array", [
    np.zeros((0, 5, 5)), np.zeros(5), np.zeros((2, 2, 2, 2)), np.zeros((4, 4, 4), complex),
    np.full((4, 4, 4), 2**40), np.array([["a", "b"]]), {"no": "image"},
])
def test_arrays_that_are_no_image(model, array):
    with pytest.raises(promptseg.ImageError):
        model.segment(array, foreground=[(1, 1, 1)], spacing=1)


def test_an_initial_label_on_another_grid(model, brain, brain_prompts):
    labels = sitk.Image(brain.GetSize(), sitk.sitkUInt8)
    labels.CopyInformation(brain)
    labels.SetOrigin([v + 3 for v in brain.GetOrigin()])
    with pytest.raises(promptseg.ImageError, match="initial"):
        model.segment(brain, initial=labels, **brain_prompts)


def test_options_that_are_none(model, brain, brain_prompts):
    for wrong in (dict(axis="diagonal"), dict(window="liver"), dict(window=(1, 2, 3)),
                  dict(zoom="maybe"), dict(coordinates="itk")):
        with pytest.raises(promptseg.UsageError):
            model.segment(brain, **{**brain_prompts, **wrong})
    with pytest.raises(promptseg.UsageError):
        model.segment(brain, {0: promptseg.Prompts(**brain_prompts)})
    with pytest.raises(promptseg.UsageError, match="too large"):
        model.segment(brain, {2**31: promptseg.Prompts(**brain_prompts)})
    with pytest.raises(TypeError):
        model.segment(brain, no_such_option=1, **brain_prompts)


def test_models_that_are_none(tmp_path):
    with pytest.raises(promptseg.ModelError, match="nowhere"):
        promptseg.Model(tmp_path / "nowhere.safetensors")
    whole = promptseg.BUNDLED_MODEL.read_bytes()
    short = tmp_path / "short.safetensors"
    short.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(promptseg.ModelError, match="short"):
        promptseg.Model(short)
    with pytest.raises(promptseg.UsageError, match="none of"):
        promptseg.Model(device="gpu")


def test_an_exception_in_progress_ends_the_work(model, brain, brain_prompts):
    class Mine(Exception):
        pass

    def stop(fraction, message):
        raise Mine

    with pytest.raises(Mine):
        model.segment(brain, progress=stop, **brain_prompts)


def test_cancel(model, brain, brain_prompts):
    with pytest.raises(promptseg.CancelledError):
        model.segment(brain, cancel=lambda: True, **brain_prompts)


def test_control_c_ends_the_work(model, brain, brain_prompts):
    timer = threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGINT))
    live = model.open(brain)
    with pytest.raises(KeyboardInterrupt):
        timer.start()
        for n in range(500):  # other questions each time: nothing is remembered
            live.segment(foreground=[np.add(brain_prompts["foreground"][0], (0.01 * n, 0, 0))])


class Told(Exception):
    pass


def tell(*_):
    raise Told


@pytest.fixture
def told():
    """A signal other than Ctrl-C's whose handler raises."""
    before = signal.signal(signal.SIGTERM, tell)
    yield signal.SIGTERM
    signal.signal(signal.SIGTERM, before)


def test_what_a_signal_s_handler_raises_ends_the_work(model, brain, brain_prompts, told):
    """It comes while the library works, so that the handler runs in a callback."""
    for _ in range(3):
        timer = threading.Timer(0.1, os.kill, (os.getpid(), told))
        with pytest.raises(Told):
            timer.start()
            model.segment(brain, **brain_prompts)
            timer.join()
        assert signal.getsignal(told) is tell


def test_a_signal_ends_a_call_inside_another_ones_callback(model, brain, brain_prompts, told):
    ended = []

    def progress(fraction, phrase):
        timer = threading.Timer(0.1, os.kill, (os.getpid(), told))
        timer.start()
        try:
            model.segment(brain, **brain_prompts)
        except Told:
            ended.append(True)
            raise
        finally:
            timer.join()

    with pytest.raises(Told):
        model.segment(brain, progress=progress, **brain_prompts)
    assert ended


def test_a_handler_set_by_a_handler_stays(model, brain, brain_prompts):
    """A second Ctrl-C is often another one's matter."""
    before = signal.signal(signal.SIGINT, lambda *_: signal.signal(signal.SIGINT, tell))
    try:
        timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        model.segment(brain, **brain_prompts)
        timer.join()
        assert signal.getsignal(signal.SIGINT) is tell
    finally:
        signal.signal(signal.SIGINT, before)


def test_warnings_are_warnings(model, liver, liver_prompts):
    """An array says nothing of Hounsfield units, so they are guessed."""
    array = sitk.GetArrayFromImage(liver)
    with pytest.warns(promptseg.PromptSegWarning):
        model.segment(array, spacing=liver.GetSpacing(), origin=liver.GetOrigin(),
                      direction=liver.GetDirection(), **liver_prompts)
    quiet = model.segment(array, spacing=liver.GetSpacing(), origin=liver.GetOrigin(),
                          direction=liver.GetDirection(), hounsfield=True, **liver_prompts)
    assert quiet.hounsfield and not quiet.warnings


def test_a_model_is_pickled_by_its_file(model, brain, brain_prompts):
    again = pickle.loads(pickle.dumps(model))
    a = model.segment(brain, **brain_prompts).labels
    b = again.segment(brain, **brain_prompts).labels
    assert np.array_equal(sitk.GetArrayFromImage(a), sitk.GetArrayFromImage(b))


def _ask_after_fork(model, image, prompts, queue):
    try:
        model.segment(image, **prompts)
        queue.put("answered")
    except promptseg.UsageError as error:
        queue.put(str(error))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_is_refused_with_a_sentence(model, brain, brain_prompts):
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = context.Process(target=_ask_after_fork, args=(model, brain, brain_prompts, queue))
        child.start()
    assert "fork" in queue.get(timeout=60)
    child.join(60)
    assert child.exitcode == 0


def test_another_library_is_refused(tmp_path):
    """A shared library that is not ours, by the environment variable."""
    run = subprocess.run([sys.executable, "-c", "import promptseg"], capture_output=True, text=True,
                         env={**os.environ, "PROMPTSEG_LIBRARY": str(tmp_path / "none.so")})
    assert run.returncode == 1 and "cannot be loaded" in run.stderr


def test_a_path_without_output_or_program(monkeypatch, tmp_path):
    with pytest.raises(promptseg.UsageError, match="output"):
        promptseg.segment(tmp_path / "ct.nii.gz", foreground=[(1, 2, 3)])
    monkeypatch.delenv("PROMPTSEG_PROGRAM", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(promptseg.UsageError, match="PATH"):
        promptseg.segment(tmp_path / "ct.nii.gz", foreground=[(1, 2, 3)], output=tmp_path / "o.nrrd")
