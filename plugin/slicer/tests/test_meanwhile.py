"""What the user and other tools do while a question runs, or between two."""

import numpy as np
import pytest
import vtk
from conftest import content, ras_of, settle

from promptseg_live import Options
from promptseg_mrml import (
    Box,
    Editor,
    Voxels,
    add_segment,
    is_background,
    prompt_lists,
    prompts_of_nodes,
    view_of,
)
from promptseg_mrml.prompts import make_prompts_of
from promptseg_mrml.volumes import vtk_matrix_of

CENTRE, EDGE, CORNER = (60, 50, 4), (75, 50, 4), (20, 20, 4)


def click(logic, ijk, inside=True):
    assert logic.click(ras_of(logic.volume, ijk), inside), logic.status.error
    settle(logic)


def first_slice_of(logic, ijk):
    """A question whose first slice is there while the others are computed."""
    assert logic.click(ras_of(logic.volume, ijk))
    before = content(logic)
    settle(logic, until=lambda: logic.status.busy and not np.array_equal(content(logic), before))
    assert logic.status.busy


def points_of(logic):
    return prompt_lists(logic.segmentation, logic.segment_id)[0]


def paint(logic, voxels):
    editor = Editor(logic.segmentation, logic.volume, view_of(logic.volume), "another tool")
    editor.write(logic.segment_id, editor.read(logic.segment_id).plus(voxels))


# -------------------------------------------------------------------------------- the volume changes


def in_a_transform(logic, world, blob):
    """Chosen, the segmentation in the same one."""
    shift = world.transform(np.eye(4))
    blob.SetAndObserveTransformNodeID(shift.GetID())
    logic.choose(blob)
    logic.segmentation.SetAndObserveTransformNodeID(shift.GetID())
    return shift


def move(shift):
    matrix = vtk.vtkMatrix4x4()
    shift.GetMatrixTransformToParent(matrix)
    matrix.SetElement(0, 3, matrix.GetElement(0, 3) + 16)  # 20 voxels
    shift.SetMatrixTransformToParent(matrix)


@pytest.mark.parametrize("shown", [False, True], ids=["nothing shown", "a slice shown"])
@pytest.mark.parametrize("together", [True, False], ids=["segments move too", "segments stay"])
def test_an_answer_about_a_volume_that_has_moved_is_not_taken(logic, world, blob, together, shown):
    shift = world.transform(np.eye(4))
    logic.choose(blob)
    click(logic, CENTRE)
    blob.SetAndObserveTransformNodeID(shift.GetID())
    if together:
        logic.segmentation.SetAndObserveTransformNodeID(shift.GetID())
    before = content(logic)
    if shown:
        first_slice_of(logic, CORNER)
    else:
        assert logic.click(ras_of(blob, CORNER))
    moved = np.eye(4)
    moved[0, 3] = 16  # 20 voxels
    shift.SetMatrixTransformToParent(vtk_matrix_of(moved))
    settle(logic)
    assert "blob was moved" in logic.status.error and not logic.status.busy
    wanted = before if together else np.roll(before, -20, 2)
    assert np.array_equal(content(logic), wanted) and points_of(logic).GetNumberOfControlPoints() == 1
    click(logic, CENTRE)
    assert content(logic).any() and not logic.status.error


def test_a_volume_that_is_warped_while_it_computes(logic, world, blob):
    """Where the volume is cannot be said then; what was shown is taken back all the same."""
    logic.choose(blob)
    first_slice_of(logic, CENTRE)
    warp = world.node("vtkMRMLGridTransformNode", "warp")
    warp.SetAndObserveTransformToParent(vtk.vtkThinPlateSplineTransform())
    for node in (blob, logic.segmentation):
        node.SetAndObserveTransformNodeID(warp.GetID())
    settle(logic)
    assert logic.status.error and not logic.status.busy
    for node in (blob, logic.segmentation):
        node.SetAndObserveTransformNodeID(None)
    assert not content(logic).any() and not points_of(logic).GetNumberOfControlPoints()
    click(logic, CENTRE)
    assert content(logic).any() and not logic.status.error


@pytest.mark.parametrize("act", ["click", "undo"])
def test_an_act_about_a_volume_that_has_moved_takes_the_running_question_back(logic, world, blob, act):
    """As its answer would: a quick slice is no mask to go on from."""
    shift = in_a_transform(logic, world, blob)
    first_slice_of(logic, CENTRE)
    move(shift)
    assert not (logic.undo() if act == "undo" else logic.click(ras_of(blob, EDGE)))
    assert "blob was moved" in logic.status.error and not logic.status.busy
    assert not content(logic).any() and not points_of(logic).GetNumberOfControlPoints()
    click(logic, CENTRE)
    assert content(logic)[2].any() and not logic.unfinished() and logic.state_of().base is None


def test_a_mask_that_is_not_whole_is_named_after_its_volume_has_moved(logic, world, blob):
    """Nobody can be asked for its rest, so until an object is asked for again."""
    shift = in_a_transform(logic, world, blob)
    first_slice_of(logic, CENTRE)
    logic.cancel()
    first = [logic.segment_id]
    for _ in range(2):
        move(shift)
        logic.new_segment("next")
        assert logic.unfinished() == first and "mask is not whole" in logic.status.warnings[-1]
    logic.choose_segment(first[0])
    logic.one_slice = True
    click(logic, (60, 50, 3))
    assert logic.unfinished() == first
    paint(logic, Voxels((2, 2, 4), np.ones((1, 10, 10), bool)))
    assert logic.unfinished() == first
    logic.one_slice = False
    click(logic, EDGE)
    assert not logic.unfinished() and not logic.status.warnings
    assert logic.undo() and logic.unfinished() == first


@pytest.mark.parametrize("act", [False, True], ids=["an answer", "an act"])
def test_what_was_completed_stays_when_its_volume_moves_before_its_answer(logic, world, blob, act):
    shift = in_a_transform(logic, world, blob)
    first_slice_of(logic, CENTRE)
    shown = content(logic)
    assert logic.accept()
    move(shift)
    if act:
        assert logic.reopen()
    settle(logic)
    assert np.array_equal(content(logic), shown) and logic.unfinished() == [logic.segment_id]


def test_an_answer_about_another_frame_is_not_taken(logic, world, blob):
    logic.choose(blob)
    assert logic.click(ras_of(blob, CENTRE))
    blob.SetAndObserveImageData(world.volume(np.zeros((9, 96, 112), np.int16)).GetImageData())
    settle(logic)
    assert "other voxels" in logic.status.error and not content(logic).any()
    assert not points_of(logic).GetNumberOfControlPoints() and not logic.can_undo


# ------------------------------------------------------------------------------ other tools, and the user


def test_what_is_painted_while_it_computes_stays(logic, blob):
    logic.choose(blob)
    first_slice_of(logic, CENTRE)
    editor = Editor(logic.segmentation, blob, view_of(blob), "another tool")
    stroke = Voxels((2, 2, 4), np.ones((1, 10, 10), bool))
    editor.write(logic.segment_id, editor.read(logic.segment_id).plus(stroke))
    painted = content(logic)
    settle(logic)
    assert np.array_equal(content(logic), painted) and not logic.status.busy
    assert "changed by another tool" in logic.status.error
    click(logic, EDGE)
    assert content(logic)[4, 2:12, 2:12].all() and not logic.status.error
    while logic.can_undo:
        assert logic.undo()
    assert content(logic)[4, 2:12, 2:12].all() and content(logic).sum() == 100


def answer_to(logic, ijk):
    """What one click gives; asked last, so that nothing is computed in advance of what is tested."""
    logic.one_slice = False
    logic.new_segment()
    click(logic, ijk)
    return content(logic)


@pytest.mark.parametrize("shown", [False, True], ids=["nothing shown", "a slice shown"])
def test_a_click_after_a_stroke_that_ended_a_question_asks_for_the_whole(logic, blob, shown):
    """What was asked and what was drawn both count; the second click agrees with the first one's answer."""
    logic.choose(blob)
    if shown:
        first_slice_of(logic, CENTRE)
    else:
        assert logic.click(ras_of(blob, CENTRE))
    paint(logic, Voxels((2, 2, 4), np.ones((1, 10, 10), bool)))
    settle(logic)
    assert not content(logic)[2].any() and logic.unfinished() == [logic.segment_id]
    assert "mask is not whole" in logic.status.warnings[-1]
    click(logic, EDGE)
    found = content(logic)
    assert not logic.unfinished()
    assert places_of(points_of(logic)) == [at(logic, CENTRE, False), at(logic, EDGE)]
    assert logic.undo()
    assert not content(logic)[2].any() and content(logic)[4, 2:12, 2:12].all() and logic.unfinished()
    assert logic.redo() and np.array_equal(content(logic), found) and not logic.unfinished()
    wanted = answer_to(logic, CENTRE)
    assert wanted[2].any() and wanted[4, 50, 75]
    wanted[4, 2:12, 2:12] = True
    assert np.array_equal(found, wanted)


@pytest.mark.parametrize("stroke", [False, True], ids=["no stroke", "a stroke"])
def test_a_click_for_one_slice_does_not_end_the_object_that_is_computed(logic, blob, stroke):
    logic.choose(blob)
    first_slice_of(logic, CENTRE)
    if stroke:
        paint(logic, Voxels((2, 2, 6), np.ones((1, 10, 10), bool)))
    logic.one_slice = True
    click(logic, (60, 50, 2))
    found, wanted, others = content(logic), answer_to(logic, CENTRE), [0, 1, 3, 4, 5, 6, 7, 8]
    if stroke:
        wanted[6, 2:12, 2:12] = True
    assert wanted[3].any() and np.array_equal(found[others], wanted[others]) and found[2].any()


def test_a_click_in_the_next_slice_does_not_end_the_one_before(logic, blob):
    logic.choose(blob)
    logic.one_slice = True
    assert logic.click(ras_of(blob, CENTRE))
    click(logic, (60, 50, 3))
    found = content(logic)
    logic.new_segment()
    click(logic, CENTRE)
    assert content(logic)[4].any() and np.array_equal(found[4], content(logic)[4]) and found[3].any()


def test_a_point_moved_after_a_stroke_that_ended_its_question(logic, blob):
    """What is asked for is the object at the point's new place."""
    logic.choose(blob)
    assert logic.click(ras_of(blob, CORNER))
    paint(logic, Voxels((90, 80, 4), np.ones((1, 5, 5), bool)))
    settle(logic)
    points_of(logic).SetNthControlPointPositionWorld(0, *ras_of(blob, (60, 50, 5)))
    points_of(logic).InvokeEvent(points_of(logic).PointEndInteractionEvent)
    settle(logic)
    found, unfinished = content(logic), logic.unfinished()
    wanted = answer_to(logic, (60, 50, 5))
    wanted[4, 80:85, 90:95] = True
    assert np.array_equal(found, wanted) and not unfinished


def stroke_ends_the_question(logic, blob):
    logic.choose(blob)
    assert logic.click(ras_of(blob, CENTRE))
    paint(logic, Voxels((2, 2, 4), np.ones((1, 10, 10), bool)))
    settle(logic)
    assert logic.unfinished()


def test_a_question_that_a_stroke_ended_outlives_an_edit_that_is_refused(logic, blob):
    stroke_ends_the_question(logic, blob)
    points_of(logic).SetNthControlPointPositionWorld(0, 1000, 0, 0)
    points_of(logic).InvokeEvent(points_of(logic).PointEndInteractionEvent)
    assert "outside" in logic.status.error and logic.unfinished()
    click(logic, EDGE)
    found = content(logic)
    assert not logic.unfinished()
    wanted = answer_to(logic, CENTRE)
    wanted[4, 2:12, 2:12] = True
    assert np.array_equal(found, wanted)


def test_a_question_that_a_stroke_ended_is_not_asked_with_points_added_later(logic, blob):
    stroke_ends_the_question(logic, blob)
    click(logic, EDGE)
    assert logic.undo() and logic.unfinished()
    points_of(logic).AddControlPointWorld(list(ras_of(blob, CORNER)))
    click(logic, (25, 22, 4), False)
    assert content(logic)[2, 45:55, 55:65].all() and not logic.unfinished()
    owed = logic.state_of().owed.state
    assert len(owed.clicks) == 1 and np.allclose(owed.clicks[0].ras, ras_of(blob, CENTRE))


def test_a_segment_completed_while_it_computes_stays_as_it_was_accepted(logic, blob):
    logic.choose(blob)
    first_slice_of(logic, CENTRE)
    shown = content(logic)
    assert logic.accept()
    settle(logic)
    assert "was completed before its mask was whole" in logic.status.error
    assert np.array_equal(content(logic), shown)
    logic.reopen()
    click(logic, EDGE)
    assert content(logic)[2].any()


def test_a_segment_removed_before_its_question_fails(logic, world, blob):
    logic.set_options(Options(model="no/such.safetensors", threads=1))
    logic.choose(blob)
    assert logic.click(ras_of(blob, CENTRE))
    world.scene.RemoveNode(points_of(logic))
    logic.segmentation.GetSegmentation().RemoveSegment(logic.segment_id)
    settle(logic)
    assert "such.safetensors" in logic.status.error and not logic.can_undo


def test_a_click_that_fails_after_a_stroke_is_taken_back(logic, blob):
    """The steps before it hold other masks, or none."""
    logic.choose(blob)
    click(logic, CENTRE)
    paint(logic, Voxels((2, 2, 4), np.ones((1, 10, 10), bool)))
    before = content(logic)
    logic.set_options(Options(model="no/such.safetensors", threads=1))
    assert logic.click(ras_of(blob, EDGE))
    settle(logic)
    assert "such.safetensors" in logic.status.error and not logic.status.busy
    assert np.array_equal(content(logic), before)
    assert places_of(points_of(logic)) == [at(logic, CENTRE, False)] and not logic.status.warnings
    logic.set_options(Options(threads=1))
    click(logic, EDGE)
    assert logic.undo() and np.array_equal(content(logic), before)
    assert logic.undo() and content(logic).sum() == 100 and not logic.can_undo


# ----------------------------------------------------------------- prompts edited elsewhere than in a view


def places_of(node):
    return [(tuple(round(x, 6) for x in node.GetNthControlPointPositionWorld(n)),
             bool(node.GetNthControlPointSelected(n))) for n in range(node.GetNumberOfControlPoints())]


def at(logic, ijk, selected=True):
    return tuple(round(float(x), 6) for x in ras_of(logic.volume, ijk)), selected


def test_points_edited_in_a_table_are_what_the_next_click_adds_to(logic, blob):
    logic.choose(blob)
    click(logic, CENTRE)
    click(logic, CORNER, False)
    click(logic, (90, 80, 4), False)
    points, before = points_of(logic), content(logic)
    points.SetNthControlPointPositionWorld(1, *ras_of(blob, (25, 70, 4)))
    points.SetNthControlPointSelected(2, False)
    edited = [at(logic, CENTRE), at(logic, (25, 70, 4)), at(logic, (90, 80, 4), False)]
    click(logic, EDGE)
    assert places_of(points) == [*edited, at(logic, EDGE)] and len(logic.state_of().clicks) == 3
    assert logic.undo() and places_of(points) == edited
    settle(logic)
    assert logic.undo() and np.array_equal(content(logic), before)
    wanted = [at(logic, ijk) for ijk in (CENTRE, CORNER, (90, 80, 4))]
    assert [one for one in places_of(points) if one[1]] == wanted


def test_a_box_and_a_list_that_were_removed_do_not_come_back(logic, world, blob):
    logic.choose(blob)
    assert logic.add_box(Box(ras_of(blob, CENTRE), (8, 8, 9), ((1, 0, 0), (0, 1, 0), (0, 0, 1))))
    settle(logic)
    click(logic, CORNER, False)
    for node in prompt_lists(logic.segmentation, logic.segment_id):
        world.scene.RemoveNode(node)
    click(logic, CENTRE)
    nodes = prompt_lists(logic.segmentation, logic.segment_id)
    assert len(nodes) == 1 and places_of(nodes[0]) == [at(logic, CENTRE)]
    assert not logic.state_of().boxes and len(logic.state_of().clicks) == 1


def test_a_click_for_one_slice_after_an_edit_leaves_the_other_slices(logic, blob):
    """The mask is whole; nobody asks for another one."""
    logic.choose(blob)
    click(logic, CENTRE)
    click(logic, CORNER)
    before, others = content(logic), [0, 1, 3, 4, 5, 6, 7, 8]
    assert before[3].any()
    points_of(logic).SetNthControlPointSelected(0, False)
    logic.one_slice = True
    click(logic, (60, 50, 2))
    assert np.array_equal(content(logic)[others], before[others]) and not logic.unfinished()
    assert logic.undo() and not logic.status.busy and np.array_equal(content(logic), before)


@pytest.mark.parametrize("whole", [True, False], ids=["answered", "not answered"])
def test_undo_back_to_where_all_prompts_were_removed_asks_nothing(logic, world, blob, whole):
    logic.choose(blob)
    assert logic.click(ras_of(blob, CENTRE))
    if whole:
        settle(logic)
    else:
        logic.cancel()
    before = content(logic)
    world.scene.RemoveNode(points_of(logic))
    click(logic, EDGE)
    assert logic.undo() and not logic.status.busy and np.array_equal(content(logic), before)
    settle(logic)
    assert not logic.status.error and not logic.state_of()


def test_an_edit_that_cannot_be_asked_is_refused_by_the_next_click(logic, blob):
    logic.choose(blob)
    click(logic, CENTRE)
    points_of(logic).SetNthControlPointPositionWorld(0, 1000, 0, 0)
    assert not logic.click(ras_of(blob, EDGE)) and "outside" in logic.status.error
    assert places_of(points_of(logic)) == [at(logic, CENTRE)]
    click(logic, EDGE)


def test_points_that_count_for_nothing_and_are_not_ours_stay(logic, world, blob):
    node = world.segmentation(blob)
    segment, points = add_segment(node, "liver"), world.node("vtkMRMLMarkupsFiducialNode")
    make_prompts_of(points, node, segment)
    for ijk, label, text, selected in ((CENTRE, "landmark", "bg", False), ((62, 52, 4), "+", "", True),
                                       (CORNER, "x", "bg: air", True)):
        n = points.AddControlPointWorld(list(ras_of(blob, ijk)))
        points.SetNthControlPointLabel(n, label)
        points.SetNthControlPointDescription(n, text)
        points.SetNthControlPointSelected(n, selected)
    logic.choose(blob, node)
    click(logic, EDGE)
    logic.one_slice = True
    click(logic, (50, 50, 2))  # earlier points are in the mask now
    logic.one_slice = False
    click(logic, (62, 56, 4))
    assert places_of(points)[0] == at(logic, CENTRE, False)
    assert (points.GetNthControlPointLabel(0), points.GetNthControlPointDescription(0)) == ("landmark", "bg")
    assert points.GetNumberOfControlPoints() == 6
    for click_, n in zip(logic.state_of().used + logic.state_of().clicks, range(1, 6)):
        assert is_background(points.GetNthControlPointLabel(n),
                             points.GetNthControlPointDescription(n)) != click_.inside


def test_prompts_of_two_lists_count_once(logic, world, blob):
    node = world.segmentation(blob)
    segment = add_segment(node, "liver")
    for ijk in (CENTRE, EDGE):
        points = world.node("vtkMRMLMarkupsFiducialNode")
        make_prompts_of(points, node, segment)
        points.AddControlPointWorld(list(ras_of(blob, ijk)))
    logic.choose(blob, node)
    for n, ijk in enumerate(((62, 52, 4), (58, 48, 4)), 3):
        click(logic, ijk)
        assert len(logic.state_of().clicks) == len(prompts_of_nodes(prompt_lists(node, segment))[0]) == n


def test_prompts_are_named_as_a_renamed_segment(logic, blob):
    logic.choose(blob)
    assert logic.add_box(Box(ras_of(blob, CENTRE), (8, 8, 9), ((1, 0, 0), (0, 1, 0), (0, 0, 1))))
    logic.segmentation.GetSegmentation().GetSegment(logic.segment_id).SetName("kidney")
    assert logic.click(ras_of(blob, CENTRE))
    nodes = prompt_lists(logic.segmentation, logic.segment_id)
    assert [node.GetName() for node in nodes] == ["kidney", "kidney"]


# ------------------------------------------------------------------------------------ masks not whole


def test_a_mask_whose_question_was_ended_is_named(logic, blob):
    logic.choose(blob)
    logic.new_segment("liver")
    first, said = logic.segment_id, "liver: the mask is not whole"
    first_slice_of(logic, CENTRE)
    assert not any(said in one for one in logic.status.warnings)
    logic.new_segment("next")
    click(logic, CORNER)
    assert logic.unfinished() == [first] and sum(said in one for one in logic.status.warnings) == 1
    logic.choose_segment(first)
    click(logic, EDGE)
    assert not logic.unfinished() and not any(said in one for one in logic.status.warnings)
    assert logic.click(ras_of(blob, (60, 55, 4)))
    logic.cancel()
    assert logic.unfinished() == [first] and sum(said in one for one in logic.status.warnings) == 1
    assert logic.undo() and not any(said in one for one in logic.status.warnings)
