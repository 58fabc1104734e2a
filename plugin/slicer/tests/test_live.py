"""The live logic when things go wrong, and what else it does."""

import csv
import json
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import slicer
from conftest import BIN, DEMO, STAGE, content, ras_of, settle

import promptseg
from promptseg_live import AS_SHOWN, LiveLogic, Options, write_manifest
from promptseg_mrml import Box, Editor, View, Voxels, add_segment, box_of_roi, prompt_lists, view_of

CENTRE, EDGE = (60, 50, 4), (75, 50, 4)


def click(logic, ijk, inside=True, **more):
    assert logic.click(ras_of(logic.volume, ijk), inside, **more), logic.status.error
    settle(logic)


# ------------------------------------------------------------------------------------------ bad cases


def test_a_volume_removed_while_it_computes(logic, world, blob):
    logic.choose(blob)
    click(logic, CENTRE)
    before, segmentation = content(logic), logic.segmentation
    view = view_of(blob)
    logic.click(ras_of(blob, EDGE))
    world.scene.RemoveNode(blob)
    assert not logic.pump() and "volume was removed" in logic.status.error
    time.sleep(0.2)
    assert not logic.pump()
    segment = segmentation.GetSegmentation().GetNthSegmentID(0)
    image = segmentation.GetBinaryLabelmapInternalRepresentation(segment)
    assert image is not None and before.any() and view.size == (112, 96, 9)
    assert not logic.click((0, 0, 0)) and logic.status.error


def test_a_segmentation_removed_while_it_computes(logic, world, blob):
    logic.choose(blob)
    logic.click(ras_of(blob, CENTRE))
    world.scene.RemoveNode(logic.segmentation)
    assert not logic.pump() and "segmentation was removed" in logic.status.error
    assert logic.choose(blob) and not logic.status.error
    click(logic, CENTRE)
    assert content(logic).any()


def test_a_scene_closed_while_it_computes(logic, world, blob):
    logic.choose(blob)
    logic.click(ras_of(blob, CENTRE))
    world.scene.Clear(0)
    assert not logic.pump() and logic.volume is None


def test_a_segmentation_of_another_grid_is_told_and_used(logic, world, blob):
    other = world.volume(np.zeros((12, 50, 60), np.int16),
                         [[1.6, 0, 0, -41], [0, 1.6, 0, -36], [0, 0, 2.5, -11], [0, 0, 0, 1]], "other")
    node = world.segmentation(other)
    keep = add_segment(node, "keep")
    editor = Editor(node, other, view_of(other))
    editor.write(keep, Voxels((3, 3, 3), np.ones((4, 5, 6), bool)))
    before = editor.read(keep)
    assert logic.choose(blob, node)
    assert "another grid" in logic.status.warnings[0]
    logic.new_segment("mine")
    click(logic, CENTRE)
    truth = blob.truth
    found = content(logic)
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.8
    assert Editor(node, other, view_of(other)).read(keep) == before
    count = found.sum()
    click(logic, EDGE)  # what the resampling made of the mask is no work of another tool
    assert logic.state_of().base is None and abs(int(content(logic).sum()) - int(count)) < count / 3


def test_two_live_modules_at_once(logic, world, blob):
    other = LiveLogic(world.scene, Options(threads=1))
    logic.choose(blob)
    click(logic, CENTRE)
    first = content(logic)
    other.choose(blob, logic.segmentation)
    other.choose_segment(logic.segment_id)
    assert len(other.state_of().clicks) == 1  # it goes on from the other's prompts
    other.one_slice = True
    click(other, (20, 20, 1), normal=(0, 0, 1))
    both = content(logic)
    assert not np.array_equal(both, first)
    click(logic, EDGE)  # the other's work is the base now, and stays where no prompt reaches
    assert logic.state_of().base is not None
    assert np.array_equal(content(logic)[1] & both[1], both[1])
    logic.undo()
    assert np.array_equal(content(logic), both)
    other.close()


@pytest.mark.parametrize("make", [lambda p: None, lambda p: p.write_bytes(b"no weights at all")],
                         ids=["missing", "damaged"])
def test_a_model_file_that_cannot_be_used(logic, blob, tmp_path, make):
    path = tmp_path / "weights.safetensors"
    make(path)
    logic.set_options(Options(model=str(path), threads=1))
    logic.choose(blob)
    click(logic, CENTRE)
    assert "weights.safetensors" in logic.status.error and not logic.status.busy
    assert not content(logic).any() and not logic.can_undo
    assert not prompt_lists(logic.segmentation, logic.segment_id)[0].GetNumberOfControlPoints()
    logic.set_options(Options(threads=1))
    click(logic, CENTRE)
    assert content(logic).any() and not logic.status.error


def test_own_weights_are_used(logic, blob, tmp_path):
    path = tmp_path / "mine.safetensors"
    path.write_bytes(promptseg.BUNDLED_MODEL.read_bytes())
    logic.choose(blob)
    click(logic, CENTRE)
    wanted = content(logic)
    logic.undo()
    logic.set_options(Options(model=str(path), threads=1))
    click(logic, CENTRE)
    assert np.array_equal(content(logic), wanted)


@pytest.mark.parametrize("one_slice", [False, True], ids=["whole", "one slice"])
def test_what_is_assumed_of_the_weights_is_said(logic, blob, tmp_path, monkeypatch, one_slice):
    """Of weights that fit two networks; those of the package fit one."""
    path = tmp_path / "mine.safetensors"
    path.write_bytes(promptseg.BUNDLED_MODEL.read_bytes())
    monkeypatch.setattr(promptseg.Model, "assumption",
                        property(lambda model: "taken for one of two" if model.path == path else ""))
    logic.set_options(Options(model=str(path), threads=1))
    logic.choose(blob)
    logic.one_slice = one_slice
    click(logic, CENTRE)
    assert not logic.status.error and logic.status.warnings == ("taken for one of two",)
    logic.set_options(Options(threads=1))
    click(logic, EDGE)
    assert not logic.status.error and not logic.status.warnings


def test_a_transform_that_is_not_linear(logic, world, blob):
    import vtk

    grid = world.node("vtkMRMLGridTransformNode", "warp")
    grid.SetAndObserveTransformToParent(vtk.vtkThinPlateSplineTransform())
    logic.choose(blob)
    click(logic, CENTRE)
    before = content(logic)
    blob.SetAndObserveTransformNodeID(grid.GetID())
    assert not logic.click((0, 0, 0)) and "not linear" in logic.status.error
    blob.SetAndObserveTransformNodeID(None)
    assert np.array_equal(content(logic), before)
    click(logic, EDGE)


def _warped(world, node):
    """A transform that is not linear, set on a node."""
    import vtk

    grid = world.node("vtkMRMLGridTransformNode", "warp")
    grid.SetAndObserveTransformToParent(vtk.vtkThinPlateSplineTransform())
    node.SetAndObserveTransformNodeID(grid.GetID())


def _empty(world, node):
    node.SetAndObserveImageData(None)


def _pairs(world, node):
    """Two values per voxel."""
    node.GetImageData().AllocateScalars(node.GetImageData().GetScalarType(), 2)


@pytest.mark.parametrize("spoil, why", [(_warped, "not linear"), (_empty, "no voxels"), (_pairs, "2 values")])
def test_a_volume_that_is_refused_leaves_nothing_to_click_on(logic, world, blob, spoil, why):
    """A click after it must not go into the volume that was chosen before."""
    logic.choose(blob)
    click(logic, CENTRE)
    first, segmentation, segment = content(logic), logic.segmentation, logic.segment_id
    other = world.volume(np.zeros((5, 20, 20), np.int16), name="other")
    spoil(world, other)
    assert not logic.choose(other) and why in logic.status.error
    assert logic.volume is None and logic.segmentation is None
    for act in (lambda: logic.click(ras_of(blob, EDGE)), logic.undo, logic.new_segment, logic.accept):
        assert not act() and "other" in logic.status.error and why in logic.status.error
    assert logic.choose(blob, segmentation) and logic.segment_id == segment
    assert np.array_equal(content(logic), first)
    logic.forget()
    assert not logic.click(ras_of(blob, EDGE)) and logic.status.error == "Choose a volume first."


def test_a_volume_that_changes_under_the_logic(logic, world, blob):
    logic.choose(blob)
    click(logic, CENTRE)
    before = content(logic)
    array = blob.truth * np.int16(300)
    other = world.volume(array, np.diag([0.8, 0.8, 3, 1.0]), "new")
    blob.SetAndObserveImageData(other.GetImageData())
    click(logic, (60, 30, 4))
    assert logic.state_of().base is not None and content(logic)[before].mean() > 0.5


def test_an_error_stays_until_the_next_act_of_the_user(logic, blob):
    """A mouse that moves over the slice is none."""
    logic.choose(blob)
    assert not logic.click(ras_of(blob, (500, 50, 4))) and "outside" in logic.status.error
    told = []
    logic.on_change = lambda: told.append(logic.status.error)
    for place in ((60, 50, 4), (20, 20, 4), (500, 50, 4)):
        logic.look_at(ras_of(blob, place))
    assert logic.looking and "outside" in logic.status.error and not told
    deadline = time.monotonic() + 60
    while logic.looking and time.monotonic() < deadline:
        logic.pump()
        time.sleep(0.002)
    assert not logic.looking and told and all("outside" in error for error in told)
    click(logic, CENTRE)
    assert not logic.status.error and content(logic).any()


# ----------------------------------------------------------------------------------------- the thread


def test_a_new_click_ends_the_one_that_runs(logic, blob):
    """Nothing of the first is lost: the answer is that of both."""
    logic.choose(blob)
    logic.click(ras_of(blob, CENTRE))
    logic.click(ras_of(blob, EDGE))
    settle(logic)
    both = content(logic)
    assert len(logic.state_of().clicks) == 2
    live = view_of(blob).open(promptseg.Model(threads=1))
    live.predict(clicks=[(*c.lps, 1) for c in logic.state_of().clicks])
    mask = live.mask()
    assert np.array_equal(both, Voxels(mask.first, mask.array).over((0, 0, 0), (111, 95, 8)))
    logic.undo()  # its own answer was never there: it is asked again
    settle(logic)
    live.predict(clicks=[(*logic.state_of().clicks[0].lps, 1)])
    mask = live.mask()
    assert np.array_equal(content(logic), Voxels(mask.first, mask.array).over((0, 0, 0), (111, 95, 8)))


def test_the_event_loop_is_never_blocked(logic, blob):
    """No single call of the logic takes as long as the work it starts."""
    logic.choose(blob)
    start = time.perf_counter()
    logic.click(ras_of(blob, CENTRE))
    longest, began = time.perf_counter() - start, time.perf_counter()
    while True:
        start = time.perf_counter()
        more = logic.pump()
        longest = max(longest, time.perf_counter() - start)
        if not more:
            break
        time.sleep(0.002)
    whole = time.perf_counter() - began
    print(f"longest {longest * 1000:.0f} ms of {whole * 1000:.0f} ms")
    assert longest < whole / 2


def test_an_interpreter_whose_lock_is_held_does_not_slow_the_library(blob):
    """3D Slicer's event loop keeps Python's lock: the library asks whether to stop without it."""
    live, flag, done = view_of(blob).open(promptseg.Model(threads=1)), promptseg.CancelFlag(), []
    place = ras_of(blob, CENTRE)

    def work():
        try:
            live.ahead((-place[0], -place[1], place[2]), cancel=flag)
        except promptseg.CancelledError:
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    time.sleep(0.01)
    flag.set()
    thread.join()
    assert done or flag.is_set()


# ------------------------------------------------------------------------------------- what else it does


def test_a_box_drawn_as_roi(logic, world, blob):
    logic.choose(blob)
    roi = world.node("vtkMRMLMarkupsROINode", "box")
    assert not logic.add_box(roi) and "draw it first" in logic.status.error
    roi.SetCenter(*ras_of(blob, CENTRE))
    roi.SetSize(40, 32, 24)
    assert logic.add_box(roi), logic.status.error
    settle(logic)
    found = content(logic)
    live = view_of(blob).open(promptseg.Model(threads=1), axis="k")
    live.predict(roi=box_of_roi(roi).numbers)
    mask = live.mask()
    assert found.any()
    assert np.array_equal(found, Voxels(mask.first, mask.array).over((0, 0, 0), (111, 95, 8)))
    assert sum(n.IsA("vtkMRMLMarkupsROINode") for n in prompt_lists(logic.segmentation, logic.segment_id)) == 1
    logic.undo()
    assert not content(logic).any() and not logic.state_of().boxes
    logic.redo()
    assert np.array_equal(content(logic), found)
    assert logic.add_box(Box((0, 0, 0), (5, 5, 5), ((1, 0, 0), (0, 1, 0), (0, 0, 1))))
    settle(logic)


def test_a_point_beyond_the_box_is_said_to_be_unused(logic, blob):
    logic.choose(blob)
    assert logic.add_box(Box(ras_of(blob, CENTRE), (18, 14, 3.5), ((1, 0, 0), (0, 1, 0), (0, 0, 1))))
    settle(logic)
    boxed = content(logic)
    assert boxed.any() and not boxed[6:].any() and not logic.status.warnings
    click(logic, (60, 50, 6))
    assert np.array_equal(content(logic), boxed)
    assert any("point 1 lies on a slice that no ROI crosses" in one for one in logic.status.warnings)
    logic.undo()
    settle(logic)
    click(logic, (60, 50, 5), False)
    assert not logic.status.error and not logic.status.warnings


def test_a_point_moved_or_removed_in_a_view_is_a_step(logic, blob):
    logic.choose(blob)
    click(logic, CENTRE)
    one = content(logic)
    click(logic, (20, 20, 4), False)
    points = prompt_lists(logic.segmentation, logic.segment_id)[0]
    two = content(logic)
    points.RemoveNthControlPoint(1)  # the logic sees it by itself
    settle(logic)
    assert np.array_equal(content(logic), one) and len(logic.state_of().clicks) == 1
    logic.undo()
    assert np.array_equal(content(logic), two) and points.GetNumberOfControlPoints() == 2
    points.SetNthControlPointPositionWorld(0, 1000, 0, 0)
    points.InvokeEvent(points.PointEndInteractionEvent)
    assert "outside" in logic.status.error
    assert len(logic.state_of().clicks) == 2 and points.GetNthControlPointPositionWorld(0)[0] < 100


def test_what_was_painted_by_hand_is_kept(logic, blob):
    """A segment that another tool drew, or changed between two clicks, is where prompts go on from."""
    logic.choose(blob)
    logic.new_segment("mixed")
    editor = Editor(logic.segmentation, blob, view_of(blob))
    by_hand = Voxels((2, 2, 0), np.ones((1, 6, 6), bool))
    editor.write(logic.segment_id, by_hand)
    click(logic, CENTRE)
    assert content(logic)[0, 2:8, 2:8].all() and content(logic)[4, 50, 60]
    more = Voxels((90, 80, 8), np.ones((1, 5, 5), bool))
    editor.write(logic.segment_id, editor.read(logic.segment_id).plus(more))
    click(logic, EDGE)
    assert content(logic)[8, 80:85, 90:95].all() and content(logic)[0, 2:8, 2:8].all()
    while logic.can_undo:
        logic.undo()
    assert content(logic)[8, 80:85, 90:95].all() and content(logic)[0, 2:8, 2:8].all()


def test_accepting_hides_the_prompts_and_reopening_shows_them(logic, blob):
    logic.choose(blob)
    click(logic, CENTRE)
    logic.accept()
    kind = slicer.vtkSlicerSegmentationsModuleLogic
    segment = logic.segmentation.GetSegmentation().GetSegment(logic.segment_id)
    points = prompt_lists(logic.segmentation, logic.segment_id)[0]
    assert kind.GetSegmentStatus(segment) == kind.Completed
    assert not points.GetDisplayNode().GetVisibility()
    logic.reopen()
    assert points.GetDisplayNode().GetVisibility()
    click(logic, EDGE)


def _completed(logic, segment_id):
    kind = slicer.vtkSlicerSegmentationsModuleLogic
    kind.SetSegmentStatus(logic.segmentation.GetSegmentation().GetSegment(segment_id), kind.Completed)


def _opened(logic, segment_id):
    kind = slicer.vtkSlicerSegmentationsModuleLogic
    kind.SetSegmentStatus(logic.segmentation.GetSegmentation().GetSegment(segment_id), kind.InProgress)


def _locked(logic, segment_id, locked=True):
    prompt_lists(logic.segmentation, segment_id)[0].SetLocked(locked)


def _unlocked(logic, segment_id):
    _locked(logic, segment_id, False)


@pytest.mark.parametrize("close, reopen, why", [(_completed, _opened, "liver is completed"),
                                                (_locked, _unlocked, "list is locked")])
def test_undo_and_redo_change_nothing_that_is_completed_or_locked(logic, blob, close, reopen, why):
    logic.choose(blob)
    logic.new_segment("liver")
    click(logic, CENTRE)
    one = content(logic)
    click(logic, (20, 20, 4))
    liver, two = logic.segment_id, content(logic)
    points = prompt_lists(logic.segmentation, liver)[0]
    assert not np.array_equal(one, two)
    close(logic, liver)
    logic.new_segment("next")
    current = logic.segment_id
    for _ in range(2):
        assert not logic.undo() and why in logic.status.error
        assert np.array_equal(content(logic, liver), two) and points.GetNumberOfControlPoints() == 2
        assert logic.segment_id == current and logic.can_undo and not logic.can_redo
    reopen(logic, liver)
    assert logic.undo() and np.array_equal(content(logic, liver), one)
    assert points.GetNumberOfControlPoints() == 1
    close(logic, liver)
    assert not logic.redo() and why in logic.status.error and logic.can_redo
    assert np.array_equal(content(logic, liver), one) and points.GetNumberOfControlPoints() == 1
    reopen(logic, liver)
    assert logic.redo() and np.array_equal(content(logic, liver), two)


@pytest.mark.parametrize("close, why", [(_completed, "is completed"), (_locked, "is locked")])
def test_an_edit_of_what_is_completed_or_locked_is_put_back(logic, blob, close, why):
    logic.choose(blob)
    click(logic, CENTRE)
    before, points = content(logic), prompt_lists(logic.segmentation, logic.segment_id)[0]
    close(logic, logic.segment_id)
    points.SetNthControlPointPositionWorld(0, *ras_of(blob, (20, 20, 4)))
    points.InvokeEvent(points.PointEndInteractionEvent)
    assert why in logic.status.error and not logic.status.busy
    assert points.GetNthControlPointPositionWorld(0) == pytest.approx(ras_of(blob, CENTRE))
    assert np.array_equal(content(logic), before)


def test_a_failure_takes_all_back_though_the_list_was_locked_meanwhile(logic, blob):
    logic.choose(blob)
    click(logic, CENTRE)
    before = content(logic)
    logic.set_options(Options(model="no/such.safetensors", threads=1))
    assert logic.click(ras_of(blob, EDGE))
    _locked(logic, logic.segment_id)
    settle(logic)
    assert "such.safetensors" in logic.status.error and np.array_equal(content(logic), before)
    assert prompt_lists(logic.segmentation, logic.segment_id)[0].GetNumberOfControlPoints() == 1


def test_a_refused_undo_leaves_the_running_question_alone(logic, blob):
    logic.choose(blob)
    click(logic, CENTRE)
    _completed(logic, logic.segment_id)
    logic.new_segment("next")
    assert logic.click(ras_of(blob, (20, 20, 4)))
    _locked(logic, logic.segment_id)
    assert not logic.undo() and logic.status.busy
    settle(logic)
    assert content(logic).any()


def test_the_batch_button_writes_a_manifest_that_batch_runs(logic, world, tmp_path, tumour):
    """What PromptSegBatch finds equals what the live module shows; transforms are part of it."""
    volume = world.load(DEMO / "brain1/image.nrrd")
    logic.choose(volume)
    logic.new_segment("tumour")
    assert logic.click(tumour[0])
    settle(logic)
    live = content(logic)
    moved = world.load(DEMO / "brain1/image.nrrd")
    moved.SetName("moved / volume")
    shift = np.eye(4)
    shift[:3, 3] = 10, -20, 30
    moved.SetAndObserveTransformNodeID(world.transform(shift).GetID())
    points = world.node("vtkMRMLMarkupsFiducialNode", "tumour")
    points.AddControlPointWorld([a + b for a, b in zip(tumour[0], (10, -20, 30))])
    mine = prompt_lists(logic.segmentation, logic.segment_id)
    path = write_manifest(tmp_path / "cases", [(volume, [("tumour", mine)]),
                                               (moved, [("tumour", [points])])])
    rows = list(csv.DictReader(path.open()))
    assert Path(rows[0]["image"]) == (DEMO / "brain1/image.nrrd").resolve()
    assert [row["id"] for row in rows] == ["image", "moved_volume"]
    done = subprocess.run([BIN / "PromptSegBatch", "--threads", "1", path, "--output", tmp_path / "out"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for row in rows:
        report = json.loads((tmp_path / "out" / f"{row['id']}.json").read_text())
        assert report["segments"][0]["voxels"] == live.sum() > 0
        assert report["segments"][0]["name"] == "tumour"
    empty = world.volume(np.zeros((3, 3, 3), np.int16))
    with pytest.raises(ValueError, match="no prompts"):
        write_manifest(tmp_path / "none", [(empty, [])])


def test_the_window_of_the_options_reaches_the_model(logic, blob):
    logic.choose(blob)
    logic.set_options(Options(window="nonsense", threads=1))
    click(logic, CENTRE)
    assert "nonsense" in logic.status.error and not content(logic).any()
    logic.set_options(Options(window=(0, 200), threads=1, keep_largest=True, fill_holes=True))
    click(logic, CENTRE)
    assert content(logic).any()
    assert STAGE.exists()


def _shown(node, low, high):
    if node.GetDisplayNode() is None:
        node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().AutoWindowLevelOff()
    node.GetDisplayNode().SetWindowLevelMinMax(low, high)


def test_the_window_as_shown_is_what_is_shown_when_a_question_is_asked(logic, world, blob, monkeypatch):
    asked, real = [], View.open
    monkeypatch.setattr(View, "open", lambda *a, **k: asked.append(k["window"]) or real(*a, **k))
    ct = world.volume(np.zeros((5, 20, 20), np.int16), name="ct")
    _shown(ct, -160, 240)
    logic.set_options(Options(window=AS_SHOWN, threads=1))
    logic.choose(ct)
    logic.choose(blob)
    assert not logic.click(ras_of(blob, CENTRE)) and "blob is not shown" in logic.status.error
    assert not logic.can_undo and not prompt_lists(logic.segmentation, logic.segment_id)
    _shown(blob, 20, 180)
    click(logic, CENTRE)
    assert asked == [(20, 180)]
    _shown(blob, 10, 200)  # the user turns the window in the viewer
    click(logic, EDGE)
    assert asked == [(20, 180), (10, 200)] and logic.state_of().options.window == (10, 200)
    _shown(blob, 0, 250)
    prompt_lists(logic.segmentation, logic.segment_id)[0].RemoveNthControlPoint(1)
    settle(logic)
    assert asked[2:] == [(0, 250)]
