"""What is sent of a view, whatever happens meanwhile."""

import asyncio
import os
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[3]
STAGE = Path(os.environ.get("PROMPTSEG_STAGE", ROOT / "build/release/slicer"))
sys.path[:0] = [str(ROOT / "plugin/web"), str(STAGE)]

from promptseg_web.views import COARSE, FINE, PictureSender  # noqa: E402
from trame_rca.encoders import RcaImageEncoder, image_encoder  # noqa: E402


class Window:
    """Grey as it is told; the first `failures` drawings fail."""

    def __init__(self, failures=0):
        self.grey, self.failures = 0, failures

    def process_resize_event(self, width, height):
        """Has no size."""

    def process_interaction_event(self, event):
        """Has no mouse."""

    @property
    def img_cols_rows(self):
        if self.failures:
            self.failures -= 1
            raise RuntimeError("no context")
        return np.full((8, 8, 3), self.grey, np.uint8), 8, 8


class Encoder:
    """[grey of the picture, quality]; waits for `goes_on`, fails `failures` times."""

    def __init__(self, failures=0):
        self.failures, self.goes_on = failures, threading.Event()
        self.goes_on.set()

    def encode(self, picture, columns, rows, quality):
        assert self.goes_on.wait(30)
        if self.failures:
            self.failures -= 1
            raise MemoryError
        return [int(picture[0, 0, 0]), quality], {"quality": quality}, 0


def sending(window, encoder, does):
    """Runs does(sender, sent) in a loop; sent are (content, meta). Returns it and what was said."""
    sent, said = [], []

    async def run():
        sender = PictureSender(window, said.append, encoder, target_fps=100.0)
        sender.set_push_callback(lambda content, meta: sent.append((content, meta)))
        try:
            await asyncio.wait_for(does(sender, sent), 30)
        finally:
            await sender.close()

    asyncio.run(run())
    return sent, said


async def fine(sent, asked):
    while not sent or sent[-1][1]["quality"] != FINE or sent[-1][1]["asked"] < asked:
        await asyncio.sleep(0.005)


def test_a_coarse_picture_and_then_a_fine_one():
    async def does(sender, sent):
        sender.schedule_render()
        await fine(sent, 1)

    sent, said = sending(Window(), Encoder(), does)
    assert [content for content, _ in sent] == [[0, COARSE], [0, FINE]] and not said


@pytest.mark.parametrize("drawing,encoding", [(2, 0), (0, 2), (1, 1)])
def test_a_picture_that_fails_is_tried_again(drawing, encoding):
    window = Window(drawing)
    window.grey = 7

    async def does(sender, sent):
        sender.schedule_render()
        await fine(sent, 1)
        window.grey = 9
        sender.schedule_render()
        await fine(sent, 2)

    sent, said = sending(window, Encoder(encoding), does)
    assert [content for content, _ in sent] == [[7, COARSE], [7, FINE], [9, COARSE], [9, FINE]]
    assert said == {(2, 0): ["no context", ""], (0, 2): ["MemoryError", ""],
                    (1, 1): ["no context", "MemoryError", ""]}[drawing, encoding]


def test_what_is_asked_while_a_picture_is_made_is_shown_too():
    window, encoder = Window(), Encoder()

    async def does(sender, sent):
        for grey in range(1, 6):
            encoder.goes_on.clear()
            sender.schedule_render()
            await asyncio.sleep(0.02)  # the last picture is being encoded, or a period is waited for
            window.grey = grey
            sender.schedule_render()
            encoder.goes_on.set()
            await fine(sent, sender.asked)
            assert sent[-1] == ([grey, FINE], {"quality": FINE, "asked": 2 * grey})

    sent, _ = sending(window, encoder, does)
    greys = [content[0] for content, _ in sent]
    assert greys == sorted(greys)


def test_the_clock_may_be_set_back(monkeypatch):
    """By the network's time, or when a machine goes on after a pause."""
    now = [10**18]
    monkeypatch.setattr(image_encoder, "time_ns", lambda: now[0])

    async def does(sender, sent):
        for count in range(1, 4):
            sender.schedule_render()
            await fine(sent, count)
            now[0] -= 60 * 10**9

    sent, _ = sending(Window(), RcaImageEncoder.JPEG, does)
    assert len(sent) == 6 and all(content[:2] == b"\xff\xd8" for content, _ in sent)
