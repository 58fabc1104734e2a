"""Ten things that users of live segmentation asked other tools for, one test each."""

import gc
import os
import subprocess
import sys
import time
import weakref

import numpy as np
import pytest
import slicer
from conftest import DEMO, STAGE, World, content, ras_of, settle

import promptseg
from promptseg import _abi
from promptseg._call import Call
from promptseg_live import LiveLogic, Options
from promptseg_mrml import Editor, View, Voxels, add_segment, clicks_of_list, prompt_lists, view_of

CENTRE, EDGE, OUTSIDE = (60, 50, 4), (75, 50, 4), (20, 20, 4)  # voxels of the blob


def points_in_scene(logic):
    return [c for n in prompt_lists(logic.segmentation, logic.segment_id)
            if n.IsA("vtkMRMLMarkupsFiducialNode") for c in clicks_of_list(n)]


def click(logic, ijk, inside=True, **more):
    assert logic.click(ras_of(logic.volume, ijk), inside, **more), logic.status.error
    settle(logic)


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


def test_1_undo_takes_back_one_click_mask_and_prompt_together(logic, blob):
    # SlicerNNInteractive #88; MONAILabel #780
    logic.choose(blob)
    masks, marks = [], []
    for place, inside in ((CENTRE, True), (OUTSIDE, False), (EDGE, True)):
        click(logic, place, inside)
        masks.append(content(logic))
        marks.append(points_in_scene(logic))
    assert [len(m) for m in marks] == [1, 2, 3] and masks[0].any()
    for n in (1, 0):
        assert logic.undo()
        assert np.array_equal(content(logic), masks[n]) and points_in_scene(logic) == marks[n]
    for n in (1, 2):
        assert logic.redo()
        assert np.array_equal(content(logic), masks[n]) and points_in_scene(logic) == marks[n]
    for _ in range(3):
        logic.undo()
    assert not content(logic).any() and not points_in_scene(logic) and not logic.can_undo


def test_2_other_segments_are_never_altered(logic, world, blob):
    # SlicerNNInteractive #105, #86; SlicerTomoSAM #21; MONAILabel #582
    node = world.segmentation(blob)
    editor = Editor(node, blob, view_of(blob))
    other = add_segment(node, "other")
    editor.write(other, Voxels((50, 40, 2), np.ones((5, 20, 20), bool)))
    before = editor.read(other)
    logic.choose(blob, node)
    logic.new_segment("mine")
    click(logic, CENTRE)
    assert editor.read(other) == before and (content(logic) & content(logic, other)).any()
    # where the user forbids to draw, nothing is drawn
    editor.node.SetMaskMode(slicer.vtkMRMLSegmentationNode.EditAllowedOutsideAllSegments)
    logic.new_segment("outside the others")
    click(logic, CENTRE)
    assert not (content(logic) & content(logic, other)).any()
    assert editor.read(other) == before
    editor.node.SetMaskMode(slicer.vtkMRMLSegmentationNode.EditAllowedEverywhere)
    # what the user has locked or completed is refused with a sentence
    logic.accept()
    assert not logic.click(ras_of(blob, EDGE)) and "completed" in logic.status.error
    logic.reopen()
    prompt_lists(node, logic.segment_id)[0].SetLocked(True)
    assert not logic.click(ras_of(blob, EDGE)) and "locked" in logic.status.error


def test_3_the_chosen_volume_and_its_transforms_count(logic, world, blob):
    # SlicerNNInteractive #31
    decoy = world.volume(np.zeros((5, 20, 20), np.int16), name="another volume")
    logic.choose(blob)
    click(logic, CENTRE)
    wanted = content(logic)
    turned = np.array([[0, -1, 0, 50], [1, 0, 0, -20], [0, 0, 1, 8], [0, 0, 0, 1.0]])
    blob.SetAndObserveTransformNodeID(world.transform(turned).GetID())
    logic.choose(decoy)
    logic.choose(blob)
    assert logic.segmentation.GetTransformNodeID() == blob.GetTransformNodeID()
    click(logic, CENTRE)
    assert dice(content(logic), wanted) > 0.95 and dice(content(logic), blob.truth) > 0.9


def test_4_a_stray_click_outside_the_volume_says_so(logic, blob):
    # SlicerNNInteractive #52
    logic.choose(blob)
    assert not logic.click(ras_of(blob, (500, 50, 4)))
    assert "lies outside blob, which spans R -40.4 to 49.2" in logic.status.error
    assert not logic.can_undo and not points_in_scene(logic)
    click(logic, CENTRE)
    assert not logic.status.error and content(logic).any()


def test_5_any_order_of_steps(logic, blob):
    # samm #17, #33, #39; SlicerTomoSAM #23: no "compute the embedding first"
    for act in (logic.undo, logic.redo, logic.accept, logic.new_segment, logic.look_at,
                lambda: logic.click((0, 0, 0)), logic.cancel, logic.pump):
        act(*([(0.0, 0.0, 0.0)] if act == logic.look_at else []))
    assert "Choose a volume" in logic.status.error
    logic.choose(blob)
    assert logic.undo() and logic.redo()  # nothing to do, nothing breaks
    logic.click(ras_of(blob, OUTSIDE), False)  # a background click first
    settle(logic)
    assert "foreground" in logic.status.error.lower() or not content(logic).any()
    click(logic, CENTRE)
    assert dice(content(logic), blob.truth) > 0.9


@pytest.fixture
def encoded(monkeypatch):
    """How many pictures the network saw for each question, in their order."""
    counts, run = [], Call.run

    def counted(call, function, *arguments):
        run(call, function, *arguments)
        if isinstance(out := getattr(arguments[-1], "_obj", None), (_abi.LiveSlice, _abi.LiveResult)):
            counts.append(out.encoded)

    monkeypatch.setattr(Call, "run", counted)
    return counts


def look(logic, ijk, **more):
    logic.look_at(ras_of(logic.volume, ijk), **more)
    assert logic.looking
    deadline = time.monotonic() + 60
    while logic.looking and time.monotonic() < deadline:
        logic.pump()
        time.sleep(0.002)
    assert not logic.looking and logic.status.device.startswith("cpu") and not logic.status.busy


@pytest.mark.parametrize("normal", [None, (0, 1, 0), (0, 0, 1)], ids=["no view", "across", "along"])
@pytest.mark.parametrize("spacing", [3.0, 0.8], ids=["thick slices", "as thick as wide"])
def test_6_the_first_click_is_fast_after_a_look_ahead(logic, blob, encoded, spacing, normal):
    # "what users of live front ends ask for", 6: encode ahead, show that it is busy
    blob.SetSpacing(0.8, 0.8, spacing)
    logic.choose(blob)
    look(logic, CENTRE, normal=normal)
    told = []
    logic.on_change = lambda: told.append((logic.status.busy, logic.status.progress))
    assert logic.click(ras_of(blob, CENTRE), normal=normal) and logic.status.busy
    settle(logic)
    print(f"{encoded} pictures when the click comes")
    assert encoded[0] == 0 and len(encoded) == 2 and content(logic).any(), logic.status
    assert told[0] == (True, 0.0) and told[-1] == (False, 1.0)
    assert sorted(p for _, p in told) == [p for _, p in told]


def test_6_a_look_ahead_is_at_what_the_next_click_goes_on_from(logic, blob, encoded):
    blob.SetSpacing(0.8, 0.8, 0.8)
    logic.choose(blob)
    click(logic, CENTRE, normal=(0, 0, 1))  # its segment is asked along k from now on
    for place, normal in ((20, 20, 2), (0, 1, 0)), ((25, 30, 7), None):
        look(logic, place, normal=normal)
        del encoded[:]
        click(logic, place, normal=normal)
        assert encoded[0] == 0
    logic.new_segment()
    look(logic, (60, 30, 4), normal=(0, 1, 0))
    del encoded[:]
    click(logic, (60, 30, 4), normal=(0, 1, 0))
    assert encoded[0] == 0
    logic.new_segment()
    logic.one_slice = True
    look(logic, CENTRE, normal=(0, 1, 0))
    del encoded[:]
    click(logic, CENTRE, normal=(0, 1, 0))
    assert encoded == [0]


@pytest.fixture
def kept():
    """Views and live volumes that were made since the test began and are there still."""
    gc.collect()
    earlier = [one for one in gc.get_objects() if isinstance(one, (promptseg.LiveVolume, View))]

    def now(*kinds):
        gc.collect()
        return [one for one in gc.get_objects() if isinstance(one, kinds)
                and not any(one is other for other in earlier)]

    return now


def test_6_few_ways_to_ask_are_kept_ready(logic, blob, kept):
    """Each has its own memory."""
    blob.SetSpacing(0.8, 0.8, 0.8)
    logic.choose(blob)
    logic.one_slice = True
    for normal in np.eye(3):
        click(logic, CENTRE, normal=normal)
    logic.one_slice = False
    logic.new_segment()
    click(logic, CENTRE, normal=(0, 0, 1))
    assert 1 <= len(kept(promptseg.LiveVolume)) <= 3


@pytest.mark.parametrize("end", ["scene", "volume", "choice", "cancel", "close"])
def test_6_nothing_of_a_volume_is_kept_when_it_is_let_go_of(logic, world, blob, kept, end):
    logic.choose(blob)
    click(logic, CENTRE)
    alive = [weakref.ref(one) for one in kept(promptseg.LiveVolume, View)]
    assert len(alive) >= 2
    if end == "scene":
        world.scene.Clear(1)
    elif end == "volume":
        world.scene.RemoveNode(blob)
    elif end == "choice":
        logic.choose(world.volume(np.zeros((5, 20, 20), np.int16), name="another volume"))
    elif end == "cancel":
        assert logic.click(ras_of(blob, EDGE))
        logic.forget()
        logic.cancel()
    else:
        logic.close()
        logic.forget()
    deadline = time.monotonic() + 10
    while any(one() is not None for one in alive) and time.monotonic() < deadline:
        gc.collect()
        time.sleep(0.01)
    assert not [one() for one in alive if one() is not None]


def test_7_several_segments_in_the_segment_editors_world(logic, world, blob):
    # samm #22; MONAILabel PR 489
    logic.choose(blob)
    logic.new_segment("liver")
    click(logic, CENTRE)
    liver = content(logic)
    first = logic.segment_id
    logic.new_segment("thing")
    click(logic, (20, 20, 4))
    assert np.array_equal(content(logic, first), liver)
    inner = logic.segmentation.GetSegmentation()
    assert [inner.GetNthSegment(n).GetName() for n in range(2)] == ["liver", "thing"]
    assert inner.GetSegment(first).GetColor() == pytest.approx((221 / 255, 130 / 255, 101 / 255))
    # Slicer's own editor goes on with them
    node = slicer.vtkMRMLSegmentEditorNode()
    world.scene.AddNode(node)
    editor = slicer.vtkSlicerSegmentEditorLogic()
    editor.SetMRMLScene(world.scene)
    editor.SetSegmentEditorNode(node)
    editor.SetSegmentationNode(logic.segmentation)
    editor.SetCurrentSegmentID(first)
    assert editor.UpdateSelectedSegmentLabelmap()
    logic.choose_segment(first)
    click(logic, EDGE)
    assert content(logic, first).any()


def test_8_corrections_on_further_slices_go_on_and_one_slice_alone_is_possible(logic, blob):
    # MedSAMSlicer #48; samm #71: frame by frame, without propagation
    logic.choose(blob)
    logic.one_slice = True
    down = (0, 0, 1)
    click(logic, (60, 50, 4), normal=down)
    one = content(logic)
    assert set(np.flatnonzero(one.any(axis=(1, 2)))) == {4}
    click(logic, (60, 50, 5), normal=down)
    two = content(logic)
    assert np.array_equal(two[4], one[4]) and set(np.flatnonzero(two.any(axis=(1, 2)))) == {4, 5}
    click(logic, (20, 20, 5), False, normal=down)  # a correction of that slice alone
    assert np.array_equal(content(logic)[4], one[4])
    logic.undo()
    assert np.array_equal(content(logic), two)
    logic.one_slice = False  # and the whole object goes on from what is there
    click(logic, (60, 50, 3))
    assert np.array_equal(content(logic)[4], one[4]) and content(logic)[3].any()


@pytest.mark.parametrize("place, found", [((60, 50, 4.5), 5), ((60, 50, 3.5), 4), ((60, 95.5, 4), None)])
def test_8_this_slice_only_between_two_slices(logic, blob, place, found):
    """The click's slice is changed, on the volume's face too."""
    logic.choose(blob)
    logic.one_slice = True
    click(logic, place, normal=(0, 0, 1) if found is not None else (0, 1, 0))
    assert not logic.status.error and logic.can_undo
    if found is not None:
        assert [*np.flatnonzero(content(logic).any(axis=(1, 2)))] == [found]
        assert content(logic)[found, 50, 60]


@pytest.mark.parametrize("axis", [0, 1, 2], ids=["sagittal", "coronal", "axial"])
def test_9_all_three_orientations_and_a_session_that_goes_on(logic, world, axis, tmp_path):
    # SlicerNNInteractive #91, #53
    grid = np.indices((36, 40, 44))
    inside = sum(((g - c) / r) ** 2 for g, c, r in zip(grid, (18, 20, 22), (9, 11, 12))) < 1
    array = np.random.default_rng(5).normal(60, 8, inside.shape) + 90 * inside
    volume = world.volume(array.astype(np.int16), name="ball")
    logic.choose(volume)
    normal = np.eye(3)[axis]
    click(logic, (22, 20, 18), normal=normal)
    found = content(logic)
    assert dice(found, inside) > 0.8
    assert logic.state_of().axis == "ijk"[axis]
    click(logic, (22, 20, 12), normal=normal)
    found, segment_id = content(logic), logic.segment_id
    # saved, loaded in a new scene, and gone on with
    path = tmp_path / "session.mrb"
    world.scene.SetURL(str(tmp_path / "session.mrml"))
    assert world.scene.WriteToMRB(str(path))
    logic.close()
    other = World()
    assert other.scene.ReadFromMRB(str(path))
    again = LiveLogic(other.scene, Options(threads=1))
    volume = other.scene.GetFirstNodeByName("ball")
    segmentation = other.scene.GetFirstNodeByClass("vtkMRMLSegmentationNode")
    assert again.choose(volume, segmentation), again.status.error
    again.choose_segment(segment_id)
    assert np.array_equal(content(again), found)
    state = again.state_of()
    assert len(state.clicks) == 2 and state.base is None and state.axis == "ijk"[axis]
    click(again, (22, 30, 18), normal=normal)
    assert content(again).any() and len(points_in_scene(again)) == 3
    again.undo()
    assert np.array_equal(content(again), found)
    again.close()
    other.clear()


def test_10_installs_offline_without_torch_or_server_and_says_its_device(logic, blob, tmp_path):
    # MedSAMSlicer #28, #31, #33, #55; SlicerNNInteractive #74
    code = ("import sys, promptseg, promptseg_mrml, promptseg_live\n"
            "print(promptseg.Model(threads=1).device, 'torch' in sys.modules)")
    if os.geteuid() == 0:  # without a network at all
        command = ["unshare", "--net", sys.executable, "-B", "-c", code]
        if subprocess.run(["unshare", "--net", "true"], capture_output=True).returncode:
            command = command[2:]
    else:
        command = [sys.executable, "-B", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path,
                          env={"PYTHONPATH": str(STAGE), "PATH": os.environ["PATH"]})
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("cpu, ") and done.stdout.strip().endswith("False")
    logic.set_options(Options(device="cpu", precision="fp32", threads=1))
    logic.choose(blob)
    click(logic, CENTRE)
    assert "fp32" in logic.status.device
    assert DEMO.exists()
