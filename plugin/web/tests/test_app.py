"""The page's program without a browser: what it opens, what it saves, what it says."""

import asyncio
import os
import sys
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
STAGE = Path(os.environ.get("PROMPTSEG_STAGE", ROOT / "build/release/slicer"))
sys.path[:0] = [str(ROOT / "plugin/web"), str(STAGE)]

from pydicom import dcmread  # noqa: E402
from test_page import BIN, segments_of, serving, write_volume  # noqa: E402

from promptseg_live import Options  # noqa: E402
from promptseg_web import WebApp  # noqa: E402
from promptseg_web.files import RefusedError, is_dicom  # noqa: E402

SECONDS = 120  # the machine may be busy
LIVER = (104.5, 25.0, -127.7)  # RAS, in the demo's CT
HASTY = """  # wslink waits for a browser a second, not 300, if it is not told otherwise
import trame_server.core as core
from promptseg_web import main

begin = core.Server.start

def start(server, **given):
    server.cli.set_defaults(timeout=1)
    return begin(server, **given)

core.Server.start = start
main()
"""


@pytest.fixture
def make(tmp_path):
    """Opens a volume of tmp_path."""
    made = []

    def opened(volume, **more):
        made.append(WebApp(volume, tmp_path, Options(threads=1), **more))
        return made[-1]

    yield opened
    for one in made:
        one.live.close()


@pytest.fixture
def app(make, tmp_path):
    write_volume(tmp_path / "volume.nrrd")
    return make("volume.nrrd")


def settle(app):
    end = time.monotonic() + SECONDS
    while app.live.pump():
        assert time.monotonic() < end
        time.sleep(0.01)


def saves(app, name):
    """What the page says of it."""
    app.save(name)
    return app.state.error


# ------------------------------------------------------------------------------------------- saving


def test_nothing_is_saved_while_a_question_runs(app, tmp_path):
    assert app.live.click((0, 0, 0))
    assert "not whole yet" in saves(app, "early")
    assert not list(tmp_path.glob("early*")) and not app.state.saved
    settle(app)
    assert not saves(app, "late") and app.state.saved == "late.seg.nrrd"
    assert len(segments_of(tmp_path / "late.seg.nrrd")["Segment_1"]) > 500


def button(app, name):
    return app.page.html.split(f'id="{name}"')[1].split(">")[0]


def test_the_button_is_off_meanwhile(app):
    assert ':disabled="busy"' in button(app, "save")


def test_names_go_with_the_buttons(app):
    """What was typed last may come after a button as state: "mine" was saved as "m"."""
    assert "[save_name]" in button(app, "save") and "[new_name]" in button(app, "new_segment")


def test_what_save_refused_stays_until_the_next_act(app, tmp_path):
    """A mouse that moves is none, nor is an answer that comes."""
    (tmp_path / "there.seg.nrrd").write_bytes(b"kept")
    refused = saves(app, "there")
    assert "there already" in refused
    app.live.look_at((0, 0, 0))
    assert app.state.error == refused
    app._show()
    assert app.state.error == refused
    app.new_segment("")
    assert not app.state.error


def test_it_looks_ahead_across_the_view_under_the_pointer(app, monkeypatch):
    """A click there is asked along its normal."""
    views = app.app.view_manager.get_slice_views()
    told, view = [], next(one for one in views if one.get_view_node().GetOrientation() == "Coronal")
    monkeypatch.setattr(app.live, "look_at", lambda ras, normal: told.append(normal))
    app._move(view)()
    assert len(told) == 1 and [abs(round(n, 6)) for n in told[0]] == [0, 1, 0]


def test_what_a_click_refused_stays_too(app):
    assert not app.live.click((900, 0, 0))
    refused = app.state.error
    assert "outside volume" in refused
    app.live.look_at((0, 0, 0))
    assert app.state.error == refused


def test_what_save_refused_stays_beside_a_question_s_answers(app):
    assert app.live.click((0, 0, 0))
    refused = saves(app, "a/b")
    settle(app)
    assert refused and app.state.error == refused


def test_a_mask_that_another_segment_s_click_left_unfinished_is_not_saved(app, tmp_path):
    """One question runs at a time: of the first segment a slice is there, or nothing."""
    assert app.live.click((0, 0, 0))
    app.new_segment("")
    assert app.live.click((40, 0, 0))
    settle(app)
    assert "Segment_1: the mask is not whole" in saves(app, "half")
    assert not list(tmp_path.glob("half*"))
    app.choose_segment(app.state.segments[0]["id"])
    assert app.live.click((5, 0, 0))
    settle(app)
    assert not saves(app, "whole")
    assert len(segments_of(tmp_path / "whole.seg.nrrd")["Segment_1"]) > 500


# ------------------------------------------------------------------------------------- what is opened


def series(folder, **tags):
    """The demo's CT again, with other tags."""
    folder.mkdir(exist_ok=True)
    for file in sorted((ROOT / "resources/demo/ct-3slice/dicom").iterdir()):
        header = dcmread(file)
        for name, value in tags.items():
            setattr(header, name, value(header) if callable(value) else value)
        header.SOPInstanceUID = header.file_meta.MediaStorageSOPInstanceUID = \
            f"{header.SOPInstanceUID}.{len(list(folder.iterdir()))}"
        header.save_as(folder / f"{len(list(folder.iterdir())):02}.dcm")


def test_of_several_series_none_is_taken_by_chance(make, tmp_path):
    series(tmp_path / "ct", SeriesInstanceUID="1.2.3", SeriesNumber=4, SeriesDescription="arterial")
    series(tmp_path / "ct", SeriesInstanceUID="1.2.4", SeriesNumber=3, SeriesDescription="venous",
           PixelData=lambda header: bytes(len(header.PixelData)))
    with pytest.raises(RefusedError) as caught:
        make("ct")
    said = str(caught.value).splitlines()
    assert "--series UID" in said[0]
    assert said[1:] == ["  3: venous, 512x512x3, 1.2.4", "  4: arterial, 512x512x3, 1.2.3"]
    with pytest.raises(RefusedError, match="no series 1.2.5\n  3: venous"):
        make("ct", series="1.2.5")
    for uid, name, is_empty in (("1.2.4", "3: venous", True), ("1.2.3", "4: arterial", False)):
        app = make("ct", series=uid)
        assert app.volume.GetName() == name
        low, high = app.volume.GetImageData().GetScalarRange()
        assert (low == high) == is_empty


def test_several_acquisitions_of_one_series_are_refused(make, tmp_path):
    series(tmp_path / "ct", AcquisitionNumber=lambda header: 1 if header.InstanceNumber < 3 else 2)
    with pytest.raises(RefusedError, match="several volumes") as caught:
        make("ct")
    assert "512x512x2" in str(caught.value) and "512x512x1" in str(caught.value)


def test_several_files_of_a_folder_are_refused(make, tmp_path):
    (tmp_path / "two").mkdir()
    for name in ("one.nrrd", "other.nrrd"):
        write_volume(tmp_path / "two" / name)
    with pytest.raises(RefusedError, match=r"one.nrrd \(120x120x11\), other.nrrd \(120x120x11\)"):
        make("two")


def test_a_dicom_seg_beside_a_series_is_no_series(make, tmp_path):
    """As when it was saved there earlier."""
    series(tmp_path / "ct")
    first = dcmread(next(iter(sorted((tmp_path / "ct").iterdir()))))
    first.SOPClassUID = first.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.66.4"
    first.SeriesInstanceUID = "1.2.9"
    first.save_as(tmp_path / "ct" / "zz.dcm")
    assert make("ct").volume.GetImageData().GetDimensions() == (512, 512, 3)


@pytest.mark.parametrize("name", (".DS_Store", "._01.dcm", "00 notes.txt", ".hidden/0", "00 empty"))
def test_a_series_with_other_files_is_a_series(make, tmp_path, name):
    """A Mac leaves them behind, for instance."""
    series(tmp_path / "ct")
    other = tmp_path / "ct" / name
    other.parent.mkdir(exist_ok=True)
    other.write_bytes(b"" if "empty" in name else b"\0\0\0\1Bud1" + bytes(6000))
    app = make("ct")
    assert app.volume.GetImageData().GetDimensions() == (512, 512, 3)
    assert app.state.save_name == "result.dcm"


def test_a_folder_is_no_series_for_what_is_hidden(tmp_path):
    (tmp_path / "not").mkdir()
    (tmp_path / "not" / ".left.dcm").write_bytes(bytes(128) + b"DICM")
    (tmp_path / "not" / "volume.nrrd").write_bytes(b"NRRD0004")
    assert not is_dicom(tmp_path / "not")


def test_the_series_that_was_chosen_is_the_one_that_is_saved(make, tmp_path, monkeypatch):
    """The program finds two in the folder as well."""
    monkeypatch.setenv("PROMPTSEG_PROGRAM", str(BIN / "PromptSeg"))
    series(tmp_path / "ct", SeriesInstanceUID="1.2.3")
    series(tmp_path / "ct", SeriesInstanceUID="1.2.4")
    app = make("ct", series="1.2.4")
    assert app.live.click(LIVER)
    settle(app)

    async def save():
        app.save("result.dcm")
        await app.save_task

    asyncio.run(save())
    assert app.state.saved == "result.dcm", app.state.error
    saved = dcmread(tmp_path / "result.dcm")
    assert [one.SeriesInstanceUID for one in saved.ReferencedSeriesSequence] == ["1.2.4"]


# ---------------------------------------------------------------------------------------- the server


def test_a_server_that_nobody_looks_at_stays(tmp_path):
    """Else what was not saved would be gone."""
    write_volume(tmp_path / "volume.nrrd")
    with serving(tmp_path, "volume.nrrd", ("-c", HASTY)) as address:
        time.sleep(4)
        assert urllib.request.urlopen(address, timeout=30).status == 200
