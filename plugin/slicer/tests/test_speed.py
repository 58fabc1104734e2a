"""How long a click takes, beside one run of the program for the same prompts, on the same machine in
the same minutes. Prints a table; fails only where a ratio says that something is wrong with the design:
milliseconds are for a quiet machine (PROMPTSEG_QUIET=1 asks for them).
"""

import os
import statistics
import subprocess
import threading
import time

import numpy as np
from conftest import BIN, DEMO, content, settle

import promptseg
from promptseg_live import LiveLogic, Options
from promptseg_mrml import Click, prompt_lists, view_of

ROUNDS = 3
LIMITS = {"preview beyond the encoding": 100, "next click": 50, "undo": 30, "cancel": 50}  # ms


def milliseconds(does):
    start = time.perf_counter()
    does()
    return 1000 * (time.perf_counter() - start)


def until_changed(logic, place):
    """From a click to the first change of the segment, and to the end of its question."""
    before, shown, start = content(logic), [], time.perf_counter()

    def look():
        if not np.array_equal(content(logic), before):
            shown.append(now)

    # A change is looked at when its write is over; looking is not part of the time.
    now, looked = 0.0, 0.0
    assert logic.click(place), logic.status.error
    while True:
        more = logic.pump()
        now = 1000 * (time.perf_counter() - start) - looked
        if shown or not more:
            break
        looked += milliseconds(look)
        time.sleep(0.001)
    settle(logic)
    whole = 1000 * (time.perf_counter() - start) - looked
    return (shown[0] if shown else whole), whole


def program(points, folder):
    arguments = [a for p in points for a in ("--foreground", ",".join(f"{n:.17g}" for n in Click(p).lps))]
    return milliseconds(lambda: subprocess.run(
        [BIN / "PromptSeg", *arguments, "--", DEMO / "brain1/image.nrrd", folder / "out.seg.nrrd"],
        check=True, stdout=subprocess.DEVNULL))


def cancelling(view, place):
    """From a flag that is set while the network looks at slices to the call's return."""
    live, flag, ended = view.open(promptseg.Model()), promptseg.CancelFlag(), []

    def work():
        try:
            live.ahead(Click(place).lps, cancel=flag)
        except promptseg.CancelledError:
            ended.append(time.perf_counter())

    thread = threading.Thread(target=work)
    thread.start()
    time.sleep(0.05)
    start = time.perf_counter()
    flag.set()
    thread.join()
    return 1000 * (ended[0] - start) if ended else 0.0


def test_a_click_beside_one_run_of_the_program(world, tumour, tmp_path):
    volume = world.load(DEMO / "brain1/image.nrrd")
    view, (first, second) = view_of(volume), tumour[:2]
    found = {name: [] for name in (*LIMITS, "whole volume, next click", "program, two points")}
    for _ in range(ROUNDS):
        live = view.open(promptseg.Model(), axis="k")
        question = {"clicks": [(*Click(first).lps, 1)]}
        encoding = milliseconds(lambda: live.preview(1, question))
        encoding -= milliseconds(lambda: live.preview(1, question))
        logic = LiveLogic(world.scene, Options())
        logic.choose(volume)
        logic.new_segment()
        shown, _ = until_changed(logic, first)
        found["preview beyond the encoding"].append(max(shown - encoding, 0))
        until_changed(logic, second)  # its slices are encoded now
        undone = milliseconds(logic.undo)
        settle(logic)
        # another place on slices that are encoded: its answer was not had before
        shown, whole = until_changed(logic, tuple(np.array(second) + [1.5, 1.5, 0]))
        found["next click"].append(shown)
        found["whole volume, next click"].append(whole)
        found["undo"].append(undone)
        found["cancel"].append(cancelling(view, first))
        found["program, two points"].append(program([first, second], tmp_path))
        assert len(prompt_lists(logic.segmentation, logic.segment_id)) == 1
        logic.close()
    middle = {name: statistics.median(values) for name, values in found.items()}
    run = middle["program, two points"]
    for name, value in middle.items():
        print(f"{name:30} {value:8.1f} ms   program / it {run / max(value, 0.1):8.1f}")
    assert middle["next click"] < run / 2 and middle["whole volume, next click"] < run
    assert middle["undo"] < run / 4
    if os.environ.get("PROMPTSEG_QUIET"):
        for name, limit in LIMITS.items():
            assert middle[name] <= limit, name
