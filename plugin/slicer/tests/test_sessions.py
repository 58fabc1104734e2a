"""Scenes saved, loaded and imported; volumes and front ends left and come back to."""

import dataclasses
from urllib.parse import parse_qs, urlencode

import numpy as np
import pytest
import slicer
from conftest import World, content, ras_of, settle
from test_meanwhile import CENTRE, EDGE, at, click, first_slice_of, paint, places_of, points_of

from promptseg_live import LiveLogic, Options
from promptseg_live.marks import MARK_TAG, make_mark, mark_of, read_mark
from promptseg_live.steps import State
from promptseg_mrml import Click, Editor, Voxels, add_segment, view_of


def saved(world, folder):
    folder.mkdir(exist_ok=True)
    world.scene.SetURL(str(folder / "session.mrml"))
    path = str(folder / "session.mrb")
    assert world.scene.WriteToMRB(path)
    return path


def editor_nodes(scene):
    kind = "vtkMRMLSegmentEditorNode"
    return [scene.GetNthNodeByClass(n, kind) for n in range(scene.GetNumberOfNodesByClass(kind))]


# ------------------------------------------------------------------------------------- scenes imported


@pytest.fixture
def coarse_scene(tmp_path):
    """A scene of an earlier version: the rules are a singleton there, on a segmentation of wide voxels."""
    other = World()
    volume = other.volume(np.zeros((9, 24, 28), np.int16), np.diag([4, 4, 4, 1]), "coarse")
    node = slicer.vtkMRMLSegmentEditorNode()
    node.SetSingletonTag(Editor.NODE_TAG)
    node.SetOverwriteMode(node.OverwriteAllSegments)
    node = other.scene.AddNode(node)
    node.SetAndObserveSegmentationNode(other.segmentation(volume))
    node.SetAndObserveSourceVolumeNode(volume)
    path = saved(other, tmp_path / "coarse")
    other.clear()
    return path


def test_a_scene_that_is_imported_brings_neither_its_grid_nor_its_rules(logic, world, blob, coarse_scene):
    logic.choose(blob)
    logic.new_segment("other")
    other, editor = logic.segment_id, Editor(logic.segmentation, blob, view_of(blob), "another tool")
    editor.write(other, Voxels((50, 40, 3), np.ones((3, 20, 20), bool)))
    before = content(logic, other)
    logic.new_segment("liver")
    assert world.scene.ReadFromMRB(coarse_scene, False)
    click(logic, CENTRE)
    found = content(logic)
    image = logic.segmentation.GetBinaryLabelmapInternalRepresentation(logic.segment_id)
    assert image.GetSpacing() == pytest.approx((0.8, 0.8, 3.0))
    assert 2 * (found & blob.truth).sum() / (found.sum() + blob.truth.sum()) > 0.95
    assert np.array_equal(content(logic, other), before)
    assert logic.undo() and not content(logic).any()
    assert logic.redo() and np.array_equal(content(logic), found)


def test_rules_are_those_of_the_session(logic, world, blob, coarse_scene, tmp_path):
    """Neither saved, nor taken from a scene that an earlier version has saved."""
    logic.choose(blob)
    assert len(editor_nodes(world.scene)) == 1
    other = World()
    assert other.scene.ReadFromMRB(saved(world, tmp_path)) and not editor_nodes(other.scene)
    other.clear()
    other = World()
    assert other.scene.ReadFromMRB(coarse_scene)
    again = LiveLogic(other.scene, Options(threads=1))
    assert again.choose(other.scene.GetFirstNodeByName("coarse"))
    assert editor_nodes(other.scene) == [again.rules]
    assert again.rules.GetOverwriteMode() == again.rules.OverwriteNone
    again.close()
    other.clear()


def test_an_editor_works_on_its_own_segmentation_whatever_its_node_is_set_to(world, blob):
    """Two of one front end share the node."""
    coarse = world.volume(np.zeros((9, 24, 28), np.int16), np.diag([4, 4, 4, 1]), "coarse")
    node, other = world.segmentation(blob), world.segmentation(coarse)
    segment = add_segment(node, "x")
    editor = Editor(node, blob, view_of(blob))
    Editor(other, coarse, view_of(coarse))
    editor.write(segment, Voxels((50, 40, 3), np.ones((1, 1, 1), bool)))
    assert editor.node.GetSegmentationNode() is node and editor.node.GetSourceVolumeNode() is blob
    assert editor.read(segment).count == 1


# ---------------------------------------------------------------------------------- left, and come back to


def _another_volume_and_back(logic, world, _folder):
    volume, node = logic.volume, logic.segmentation
    logic.choose(world.volume(np.zeros((5, 20, 20), np.int16), name="another"))
    assert logic.choose(volume, node)
    return logic


def _the_other_front_end(logic, world, _folder):
    logic.watch(False)
    logic.cancel()
    other = LiveLogic(world.scene, Options(threads=1), tag="PromptSegEffect")
    assert other.choose(logic.volume, logic.segmentation)
    return other


def _saved_and_loaded(logic, world, folder):
    other = World()
    assert other.scene.ReadFromMRB(saved(world, folder))
    again = LiveLogic(other.scene, Options(threads=1))
    again.world = other  # lives as long
    assert again.choose(other.scene.GetFirstNodeByName(logic.volume.GetName()),
                        other.scene.GetFirstNodeByClass("vtkMRMLSegmentationNode"))
    return again


@pytest.fixture(params=[_another_volume_and_back, _the_other_front_end, _saved_and_loaded])
def come_back(request, logic, world, tmp_path):
    """Leaves the volume and comes back to it: a logic that works on the same segment."""
    made = []

    def come():
        segment = logic.segment_id
        made.append(request.param(logic, world, tmp_path))
        made[-1].choose_segment(segment)
        return made[-1]

    yield come
    for one in made:
        if one is not logic:
            one.close()


def test_points_of_earlier_slices_stay_in_the_scene(logic, blob, come_back):
    logic.choose(blob)
    logic.one_slice = True
    for k in (3, 4, 5):
        click(logic, (60, 50, k))
    again = come_back()
    again.one_slice = True
    click(again, (60, 50, 2))
    assert places_of(points_of(again)) == [*(at(again, (60, 50, k), False) for k in (3, 4, 5)),
                                           at(again, (60, 50, 2))]
    assert again.undo()
    assert [place for place, _ in places_of(points_of(again))] == [at(again, (60, 50, k))[0] for k in (3, 4, 5)]


@pytest.mark.parametrize("version", ["this", "an earlier one"])
def test_a_volume_that_is_renamed_is_the_one_that_was_asked(logic, world, blob, version, tmp_path):
    """Earlier versions knew it by its name: as long as that stays, theirs do."""
    logic.choose(blob)
    logic.set_options(Options(window=(0, 200), threads=1))
    click(logic, CENTRE)
    segment = logic.segmentation.GetSegmentation().GetSegment(logic.segment_id)
    if version != "this":
        parts = {key: values[0] for key, values in parse_qs(mark_of(segment), keep_blank_values=True).items()}
        parts = {key: value for key, value in parts.items() if key not in ("voxels", "place")}
        segment.SetTag(MARK_TAG, urlencode({"volume": "blob", **parts}))
    else:
        blob.SetName("patient 7")
    for again in (logic, _another_volume_and_back(logic, world, None), _saved_and_loaded(logic, world, tmp_path)):
        again.set_options(Options(threads=1))
        assert again.prompted()[0].options.window == (0, 200) and again.not_from_prompts() == ""
        assert len(again.state_of().clicks) == 1 and again.state_of().base is None
    again.close()


def test_a_volume_with_other_voxels_or_elsewhere_is_another_one(blob):
    """One voxel is enough; a name is not."""
    view = view_of(blob)
    other = dataclasses.replace(view, name="x", affine=view.affine.copy())
    assert other.digest == view.digest
    voxels = view.voxels.copy()
    voxels[60, 50, 4] += 1
    assert dataclasses.replace(view, voxels=voxels).digest != view.digest
    state, voxels = State(clicks=(Click(ras_of(blob, CENTRE)),)), Voxels((5, 5, 5), np.ones((2, 2, 2), bool))
    mark = make_mark(state, "k", voxels, view)
    moved = view.affine.copy()
    moved[0, 3] += 0.5
    assert read_mark(mark, state, voxels, other) is not None
    assert read_mark(mark, state, voxels, dataclasses.replace(view, affine=moved)) is None


def not_whole(logic):
    return logic.unfinished() == [logic.segment_id] and "mask is not whole" in logic.status.warnings[-1]


def test_a_mask_that_is_not_whole_is_known_when_it_is_come_back_to(logic, blob, come_back):
    """The next click asks for all: the first one's answer, too."""
    logic.choose(blob)
    logic.new_segment("liver")
    first_slice_of(logic, CENTRE)
    logic.cancel()
    again = come_back()
    assert not_whole(again) and [*np.flatnonzero(content(again).any(axis=(1, 2)))] == [4]
    click(again, EDGE)
    found = content(again)
    assert not again.unfinished() and not again.status.warnings and len(again.state_of().clicks) == 2
    assert again.undo() and not_whole(again)
    again.new_segment("wanted")
    click(again, CENTRE)
    click(again, EDGE)
    assert content(again)[2].any() and np.array_equal(content(again), found)


def test_what_is_completed_is_right_as_it_is(logic, blob, come_back):
    """Its first slice alone, too; the click that the warning asks for would be refused."""
    logic.choose(blob)
    logic.new_segment("liver")
    first_slice_of(logic, CENTRE)
    logic.cancel()
    assert not_whole(logic) and logic.accept() and not logic.status.warnings
    again = come_back()
    assert not again.unfinished() and not again.status.warnings
    again.new_segment("next")
    assert not again.status.warnings


def test_what_is_completed_and_reopened_is_not_whole(logic, blob, come_back):
    logic.choose(blob)
    logic.new_segment("liver")
    first_slice_of(logic, CENTRE)
    logic.cancel()
    again = come_back()
    assert again.accept() and not again.status.warnings and again.reopen() and not_whole(again)


def slices_of(logic):
    return [*np.flatnonzero(content(logic).any(axis=(1, 2)))]


@pytest.mark.parametrize("ask", ["another slice", "the object"])
def test_a_click_for_its_slice_alone_stays_one_when_it_is_come_back_to(logic, blob, come_back, ask):
    """It was not answered: the next click asks for its slice, too."""
    logic.choose(blob)
    logic.new_segment("liver")
    logic.one_slice = True
    assert logic.click(ras_of(blob, CENTRE))
    logic.cancel()
    again = come_back()
    assert not_whole(again) and again.state_of().plane == ("k", 4)
    again.one_slice = ask == "another slice"
    click(again, (60, 50, 5))
    assert not again.unfinished() and len(again.state_of().clicks) == len(again.state_of().used) == 1
    if again.one_slice:
        assert slices_of(again) == [4, 5]


def test_clicks_that_may_be_for_their_slices_alone_are_none_for_the_object(logic, blob, come_back):
    """The second one is for another slice: what the tag has room for are not all questions."""
    logic.choose(blob)
    logic.new_segment("liver")
    logic.one_slice = True
    for k in (3, 4):
        assert logic.click(ras_of(blob, (60, 50, k)))
        logic.cancel()
    again = come_back()
    assert not_whole(again) and not again.state_of() and len(again.state_of().used) == 2
    again.one_slice = True
    click(again, (60, 50, 5))
    assert slices_of(again) == [5] and not_whole(again)
    again.one_slice = False
    click(again, EDGE)
    assert not again.unfinished()


@pytest.mark.parametrize("stroke", ["before", "after"])
def test_a_mask_that_is_not_whole_and_another_tool_s_drawing(logic, blob, come_back, stroke):
    """What was asked for cannot be said then: until an object is asked for again."""
    stroke_far_away = Voxels((2, 2, 8), np.ones((1, 10, 10), bool))
    logic.choose(blob)
    logic.new_segment("liver")
    if stroke == "before":
        paint(logic, stroke_far_away)
    first_slice_of(logic, CENTRE)
    logic.cancel()
    if stroke == "after":
        paint(logic, stroke_far_away)
    again = come_back()
    assert not_whole(again)
    again.one_slice = True
    click(again, (60, 50, 3))
    assert not_whole(again) and content(again)[8, 2:12, 2:12].all()
    again.one_slice = False
    click(again, EDGE)
    assert not again.unfinished() and not again.status.warnings and content(again)[8, 2:12, 2:12].all()


def test_a_whole_mask_is_whole_when_it_is_come_back_to(logic, blob, come_back):
    """Also one whose first question was ended."""
    logic.choose(blob)
    logic.new_segment("liver")
    first_slice_of(logic, CENTRE)
    click(logic, EDGE)
    again = come_back()
    assert not again.unfinished() and not again.status.warnings and again.not_from_prompts() == ""
