"""A volume that stays open: a further click is cheap, undo is exact, nothing else changes."""

import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import SimpleITK as sitk

import promptseg


def array_of(result):
    return sitk.GetArrayFromImage(result.labels)


def test_clicks_and_undo_give_what_one_call_gives(model, brain, brain_prompts):
    points = brain_prompts["foreground"]
    live = model.open(brain)
    answers = [array_of(live.segment(foreground=points[: n + 1])) for n in range(len(points))]
    undone = array_of(live.segment(foreground=points[:1]))
    assert np.array_equal(undone, answers[0])
    for n, answer in enumerate(answers):
        once = array_of(model.segment(brain, foreground=points[: n + 1]))
        assert np.array_equal(answer, once), f"after {n + 1} points"


def test_several_objects_have_the_axis_that_one_call_gives_them(model):
    """A cube of equal voxels: each object alone would be taken along the axis of its own clicks."""
    k, j, i = np.indices((48, 48, 48))
    voxels = (40 + 140 * (((k - 24) / 12) ** 2 + ((j - 26) / 8) ** 2 + ((i - 14) / 8) ** 2 < 1)
              + 110 * (((k - 24) / 8) ** 2 + ((j - 22) / 10) ** 2 + ((i - 34) / 8) ** 2 < 1)).astype(np.int16)
    asked = {
        1: promptseg.Prompts(foreground=[(14, 25.3, 23.6), (14, 28.4, 26.7)], coordinates="index"),
        2: promptseg.Prompts(foreground=[(33.2, 21.4, 24), (34.7, 23.1, 24)], coordinates="index"),
    }
    once, live = model.segment(voxels, asked), model.open(voxels)
    alone = live.predict(1, asked[1])
    found = live.segment(asked)
    assert (once.axis, found.axis) == (2, 2) and np.array_equal(found.labels, once.labels)
    assert found.objects[1].slices == once.objects[1].slices != alone.slices
    assert live.preview(1, asked[1]).axis == 0  # a question of its own
    with pytest.raises(promptseg.PromptError):
        live.segment({1: asked[1], 2: promptseg.Prompts(foreground=[(99, 0, 0)])})
    assert live.preview(1, asked[1]).axis == 0


def test_a_second_question_encodes_nothing(model, brain, brain_prompts):
    live = model.open(brain)
    first = live.segment(**brain_prompts)
    again = live.segment(**brain_prompts)
    assert first.encoded > 0 and again.encoded == 0
    assert np.array_equal(array_of(first), array_of(again))


def test_a_preview_is_the_slice_that_will_be(model, brain, brain_prompts):
    live = model.open(brain)
    prompts = promptseg.Prompts(foreground=brain_prompts["foreground"][:1])
    preview = live.preview(prompts=prompts)
    whole = array_of(live.segment({1: prompts}))
    taken = np.take(whole, preview.slice, axis=2 - preview.axis)
    assert preview.prompted and preview.voxels == preview.mask.sum() > 0
    assert np.array_equal(preview.mask, taken != 0)


def test_a_cache_serves_the_next_process(model, brain, brain_prompts, tmp_path):
    cache = tmp_path / "cache"
    first = model.segment(brain, cache=cache, **brain_prompts)
    second = model.segment(brain, cache=cache, **brain_prompts)
    assert first.encoded > 0 and second.encoded == 0 and second.cached > 0
    assert np.array_equal(array_of(first), array_of(second))


def test_ahead_leaves_little_to_encode(model, brain, brain_prompts):
    point = brain_prompts["foreground"][0]
    cold = model.open(brain)
    cold.preview(foreground=[point])
    warm = model.open(brain)
    warm.ahead(point)
    start = time.perf_counter()
    preview = warm.preview(foreground=[point])
    assert preview.voxels > 0
    assert time.perf_counter() - start < 10


def test_ahead_can_be_ended(model, brain, brain_prompts):
    live = model.open(brain)
    with pytest.raises(promptseg.CancelledError):
        live.ahead(brain_prompts["foreground"][0], cancel=lambda: True)
    assert live.segment(**brain_prompts).objects[1].voxels > 0


def test_threads_take_turns(model, brain, brain_prompts):
    live, other = model.open(brain), model.open(brain)
    wanted = array_of(model.segment(brain, **brain_prompts))
    found = {}

    def ask(name, volume):
        found[name] = array_of(volume.segment(**brain_prompts))

    threads = [threading.Thread(target=ask, args=(n, v))
               for n, v in enumerate([live, live, other, other])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(found[n], wanted) for n in range(4))


@pytest.fixture
def often():
    """Threads take turns a thousand times as often as they do."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    yield
    sys.setswitchinterval(before)


def test_threads_that_ask_for_one_label_get_their_own_masks(model, often):
    """Small, so that there are many questions; each is answered from what is known already."""
    k, j, i = np.indices((6, 48, 48))
    voxels = 40 + 160 * ((i - 12) ** 2 + (j - 24) ** 2 < 60) + 110 * ((i - 36) ** 2 + (j - 24) ** 2 < 60)
    live, wrong = model.open(voxels.astype(np.int16)), []
    points = [(12, 24, 3), (36, 24, 3)]
    wanted = {point: live.segment(foreground=[point]).labels for point in points}
    assert not np.array_equal(*wanted.values())

    def ask(point):
        for _ in range(200):
            if not np.array_equal(live.segment(foreground=[point]).labels, wanted[point]):
                wrong.append(point)

    threads = [threading.Thread(target=ask, args=(point,)) for point in points * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_question_inside_its_own_callback_is_refused():
    """In a process of its own, which can be ended if it waits for ever."""
    code = """
import sys, numpy as np, promptseg
live = promptseg.Model().open(np.arange(4 * 32 * 32, dtype=np.int16).reshape(4, 32, 32))
point = {"foreground": [(16, 16, 2)]}
asks = [lambda: live.predict(**point), lambda: live.preview(**point), lambda: live.segment(**point),
        lambda: live.ahead((16, 16, 2)), live.mask, lambda: live.remove(1), live.close]
refused = 0
for ask in asks:
    for callback in ("progress", "cancel"):
        try:
            live.predict(**point, **{callback: lambda *_: ask()})
        except promptseg.UsageError as error:
            refused += "callback" in str(error)
        live.remove(1)
print(refused, live.predict(**point).voxels > 0)
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True,
                          timeout=120)
    assert done.stdout.split() == ["14", "True"], done.stderr


def test_the_interpreter_is_free_meanwhile(model, brain, brain_prompts):
    """Another thread counts while the library works."""
    ticks, stop = [0], threading.Event()

    def count():
        while not stop.is_set():
            ticks[0] += 1
            time.sleep(0.001)

    counter = threading.Thread(target=count)
    counter.start()
    try:
        start = time.perf_counter()
        model.open(brain).segment(**brain_prompts)
        seconds = time.perf_counter() - start
    finally:
        stop.set()
        counter.join()
    assert ticks[0] > 20 * seconds  # a held lock leaves a handful


def test_progress_rises_to_the_end(model, brain, brain_prompts):
    seen = []
    model.segment(brain, progress=lambda fraction, message: seen.append(fraction), **brain_prompts)
    assert seen == sorted(seen) and seen[-1] == 1


def test_a_closed_volume_says_so(model, brain, brain_prompts):
    with model.open(brain) as live:
        live.preview(foreground=brain_prompts["foreground"][:1])
    with pytest.raises(promptseg.UsageError, match="closed"):
        live.segment(**brain_prompts)


def test_clicks_of_both_kinds_keep_their_order(model, brain, brain_prompts):
    first, *others = brain_prompts["foreground"]
    inside = [(*point, 1) for point in (first, *others)]
    outside = (*(np.array(first) + [0, 0, 12]), 0)
    live = model.open(brain)
    early = array_of(live.segment(clicks=[inside[0], outside, *inside[1:]]))
    late = array_of(live.segment(clicks=[*inside, outside]))
    split = array_of(live.segment(foreground=brain_prompts["foreground"], background=[outside[:3]]))
    assert np.array_equal(late, split)
    once = model.segment(brain, clicks=[inside[0], outside, *inside[1:]])
    assert np.array_equal(early, array_of(once))
    with pytest.raises(promptseg.PromptError):
        live.predict(clicks=[(1, 2, 3)])
    for clicks in (np.array(inside), iter(inside)):
        assert live.predict(clicks=clicks).voxels == live.predict(clicks=inside).voxels


def test_the_mask_of_an_object_alone(model, brain, brain_prompts):
    live = model.open(brain)
    whole = array_of(live.segment(**brain_prompts)) != 0
    mask = live.mask(1)
    i, j, k = mask.first
    nk, nj, ni = mask.array.shape
    assert mask.array.dtype == bool and mask.array.sum() == whole.sum()
    assert np.array_equal(whole[k:k + nk, j:j + nj, i:i + ni], mask.array)
    assert live.mask(7).array.size == 0


def test_a_flag_ends_a_call_of_another_thread(model, brain, brain_prompts):
    """The library sees it while the interpreter's lock is held."""
    live, flag, found = model.open(brain), promptseg.CancelFlag(), []

    def ask():
        try:
            live.predict(cancel=flag, sentences=[], **brain_prompts)
        except promptseg.CancelledError as error:
            found.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    time.sleep(0.02)
    assert not flag.is_set()
    flag.set()
    thread.join()
    assert found and flag.is_set()
    assert live.predict(**brain_prompts).voxels > 0


def test_warnings_can_be_had_as_a_list(model, brain, brain_prompts):
    sentences = []
    model.open(brain, axis="k").predict(sentences=sentences, **brain_prompts)
    assert all(isinstance(sentence, str) for sentence in sentences)
