"""An image given by its path: the PromptSeg program does the work, as the model and the callbacks say."""

import copy
import os
import signal
import sys
import threading

import numpy as np
import pytest
import SimpleITK as sitk

import promptseg
from conftest import DEMO

IMAGE = DEMO / "brain1" / "image.nrrd"

# In the place of the program: writes down what it is asked, says how far it is, and works for long, or
# until a signal; then it writes down that it tidied up.
ENDLESS = """#!{python}
import signal, sys, time
def tidy(number, frame):
    open({folder!r} + "/tidied", "w").close()
    print("PromptSeg: cancelled", file=sys.stderr)
    sys.exit(130)
signal.signal(signal.SIGTERM, tidy)
open({folder!r} + "/asked", "w").write("\\n".join(sys.argv[1:]))
print('<filter-comment> "slice 7" </filter-comment>\\n<filter-progress>0.250</filter-progress>', flush=True)
time.sleep(30)  # nobody ended it
sys.exit(1)
"""


@pytest.fixture
def endless(tmp_path, monkeypatch):
    """A folder, and the program in it that does not soon end by itself."""
    made = tmp_path / "endless"
    made.write_text(ENDLESS.format(python=sys.executable, folder=str(tmp_path)))
    made.chmod(0o700)
    monkeypatch.setenv("PROMPTSEG_PROGRAM", str(made))
    return tmp_path


@pytest.fixture
def point(brain_prompts):
    return brain_prompts["foreground"][:1]


class Seen(list):
    """A progress callback that keeps what it is told."""

    def __call__(self, fraction, phrase):
        self.append((fraction, phrase))


def test_the_program_computes_as_the_model_does(program, tmp_path, point):
    """Not on all cores and in the fastest precision, as it does when it is asked nothing."""
    model = promptseg.Model(device="cpu", precision="fp32", threads=3)
    result = promptseg.segment(IMAGE, output=tmp_path / "o.nrrd", model=model, foreground=point)
    assert result.device == model.device == "cpu, 3 threads, fp32"


def test_the_model_s_arguments_reach_the_program(endless, model, point):
    """Every one of them: no file here fits two networks, so the variant is set afterwards."""
    asked = copy.copy(model)
    asked._arguments = (None, "medsam", "cuda", "bf16", 5, 0)
    seen = Seen()
    with pytest.raises(promptseg.CancelledError):
        promptseg.segment(IMAGE, output=endless / "o.nrrd", model=asked, foreground=point, progress=seen,
                          cancel=lambda: seen)
    words = (endless / "asked").read_text().splitlines()
    given = dict(zip(words, words[1:]))
    assert {name: given.get(name) for name in ("--model", "--variant", "--device", "--precision",
                                               "--threads")} == {
        "--model": str(model.path), "--variant": "medsam", "--device": "cuda", "--precision": "bf16",
        "--threads": "5"}


def test_what_the_program_cannot_do_is_refused(endless, tmp_path, point):
    def segment(**more):
        promptseg.segment(IMAGE, output=tmp_path / "o.nrrd", **{"foreground": point, **more})

    with pytest.raises(promptseg.UsageError, match="memory_limit"):
        segment(model=promptseg.Model(memory_limit=2**32))
    with pytest.raises(promptseg.UsageError, match="reference"):
        segment(model=promptseg.Model(device="reference"))
    with pytest.raises(promptseg.UsageError, match="initial_value"):
        segment(initial=tmp_path / "labels.nrrd", initial_value=2)
    with pytest.raises(promptseg.UsageError, match="initial"):
        segment(initial=[[[1]]])
    for coordinates in ("index", "itk"):
        with pytest.raises(promptseg.UsageError, match="lps or ras"):
            segment(coordinates=coordinates)
    assert not (endless / "asked").exists()  # before anything is begun


def test_none_is_an_option_left_out(program, tmp_path, monkeypatch, point):
    """As it is for an image."""
    monkeypatch.chdir(tmp_path)
    result = promptseg.segment(IMAGE, output="o.nrrd", foreground=point, cache=None, report=None,
                               hounsfield=None, initial=None)
    assert result.objects[1].voxels > 0 and {one.name for one in tmp_path.iterdir()} == {"o.nrrd"}


def test_the_report_says_what_an_image_s_does(program, tmp_path, model, brain, point, liver, liver_prompts):
    """Where the object lies, and whether values were taken for Hounsfield units."""
    points = {"foreground": liver_prompts["foreground"]}
    for path, image, prompts in ((IMAGE, brain, {"foreground": point}),
                                 (DEMO / "ct-3slice" / "dicom", liver, points)):
        named = promptseg.segment(path, output=tmp_path / "o.nrrd", **prompts)
        shown = model.segment(image, **prompts)
        assert named.hounsfield == shown.hounsfield == (image is liver)
        for one in ("first", "last", "voxels"):
            assert getattr(named.objects[1], one) == getattr(shown.objects[1], one) is not None


def test_a_place_in_a_plane_is_none_in_a_volume(endless, tmp_path):
    with pytest.raises(promptseg.PromptError, match="plane"):
        promptseg.segment(IMAGE, output=tmp_path / "o.nrrd", foreground=[(50, 15)])
    assert not (endless / "asked").exists()


def test_a_place_in_a_picture(program, tmp_path):
    voxels = np.full((48, 40), 40, np.uint8)
    voxels[12:30, 10:28] = 200
    sitk.WriteImage(sitk.GetImageFromArray(voxels), str(tmp_path / "plane.png"))
    with pytest.warns(promptseg.PromptSegWarning, match="no spacing"):
        found = promptseg.segment(tmp_path / "plane.png", output=tmp_path / "o.png", foreground=[(19, 21)])
    assert found.objects[1].voxels > 0


def test_progress(program, tmp_path, point):
    seen = Seen()
    promptseg.segment(IMAGE, output=tmp_path / "o.nrrd", foreground=point, progress=seen)
    fractions = [fraction for fraction, _ in seen]
    assert len(seen) > 3 and fractions == sorted(fractions) and fractions[-1] == 1
    assert any("slice" in phrase for _, phrase in seen)


def test_cancel_ends_the_program(endless, point):
    """Which tidies up by itself; nothing else is touched."""
    (endless / "other").write_text("kept")
    seen = Seen()
    with pytest.raises(promptseg.CancelledError, match="cancelled"):
        promptseg.segment(IMAGE, output=endless / "o.nrrd", foreground=point, progress=seen,
                          cancel=lambda: seen)
    assert seen == [(0.25, "slice 7")]
    assert {one.name for one in endless.iterdir()} == {"endless", "asked", "tidied", "other"}


def test_a_flag_of_another_thread(endless, point):
    flag = promptseg.CancelFlag()
    timer = threading.Timer(0.2, flag.set)
    timer.start()
    with pytest.raises(promptseg.CancelledError):
        promptseg.segment(IMAGE, output=endless / "o.nrrd", foreground=point, cancel=flag)
    timer.join()


def test_cancel_at_once(program, tmp_path, point):
    """The program itself, wherever it is; what was there stays."""
    (tmp_path / "o.nrrd").write_text("kept")
    with pytest.raises(promptseg.CancelledError):
        promptseg.segment(IMAGE, output=tmp_path / "o.nrrd", foreground=point, cancel=lambda: True)
    assert (tmp_path / "o.nrrd").read_text() == "kept" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("name", ["progress", "cancel"])
def test_an_exception_in_a_callback_ends_the_program(endless, point, name):
    class Mine(Exception):
        pass

    def stop(*_):
        if (endless / "asked").exists():  # from then on it takes signals
            raise Mine

    with pytest.raises(Mine):
        promptseg.segment(IMAGE, output=endless / "o.nrrd", foreground=point, **{name: stop})
    assert (endless / "tidied").exists()


def test_control_c_ends_the_program(endless, point):
    with pytest.raises(KeyboardInterrupt):
        promptseg.segment(IMAGE, output=endless / "o.nrrd", foreground=point,
                          progress=lambda *_: os.kill(os.getpid(), signal.SIGINT))
    assert (endless / "tidied").exists()


def test_an_exception_in_the_program_s_progress(program, tmp_path, point):
    class Mine(Exception):
        pass

    def stop(fraction, phrase):
        raise Mine

    with pytest.raises(Mine):
        promptseg.segment(IMAGE, output=tmp_path / "o.nrrd", foreground=point, progress=stop)
    assert not list(tmp_path.iterdir())
