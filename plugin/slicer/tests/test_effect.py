"""The Segment Editor's effect, called in the editor's order on real nodes; its widgets take anything
(slicer-core has no Qt): how it looks is not tested here."""

import importlib.util
import sys
import types
from unittest.mock import MagicMock

import numpy as np
import pytest
import slicer
import vtk
from conftest import STAGE, content, ras_of, settle
from promptseg_mrml import Editor, add_segment, view_of

SOURCE = STAGE / "SegmentEditorPromptSegLib" / "SegmentEditorEffect.py"
PRESS, MOVE = vtk.vtkCommand.LeftButtonPressEvent, vtk.vtkCommand.MouseMoveEvent


class Abstract:
    def __init__(self, scripted):
        self.scriptedEffect = scripted


@pytest.fixture
def made(world, blob, monkeypatch):
    """The effect as the editor makes it, on a segmentation with two segments."""
    qt = MagicMock()
    for name in ("QRadioButton", "QCheckBox", "QPushButton", "QLabel"):
        setattr(qt, name, lambda *_: MagicMock(checked=False))
    monkeypatch.setitem(sys.modules, "qt", qt)
    monkeypatch.setitem(sys.modules, "SegmentEditorEffects",
                        types.SimpleNamespace(AbstractScriptedSegmentEditorEffect=Abstract))
    monkeypatch.setattr(slicer, "mrmlScene", world.scene, raising=False)
    monkeypatch.setattr(slicer, "util", MagicMock(), raising=False)
    spec = importlib.util.spec_from_file_location("SegmentEditorEffect", SOURCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    chosen = world.node("vtkMRMLSegmentEditorNode")
    segmentation = world.segmentation(blob)
    first, second = add_segment(segmentation, "first"), add_segment(segmentation, "second")
    chosen.SetAndObserveSegmentationNode(segmentation)
    chosen.SetAndObserveSourceVolumeNode(blob)
    chosen.SetSelectedSegmentID(first)
    scripted = MagicMock()
    scripted.parameterSetNode.return_value = chosen
    effect = module.SegmentEditorEffect(scripted)
    effect.setupOptionsFrame()
    effect.activate()
    effect.live.options = effect.live.options.__class__(threads=1)
    effect.chosen, effect.second = chosen, second
    yield effect
    effect.cleanup()


@pytest.fixture
def view(world, blob):
    """An axial slice view through the middle of the blob, and how it reports events."""
    node = world.node("vtkMRMLSliceNode")
    node.SetLayoutName("Red")
    node.SetOrientationToAxial()
    node.SetDimensions(200, 200, 1)
    node.SetFieldOfView(160, 160, 1)
    node.JumpSliceByCentering(*ras_of(blob, (60, 50, 4)))
    widget = MagicMock()
    widget.className.return_value, widget.mrmlSliceNode.return_value = "qMRMLSliceWidget", node
    return widget


def press(effect, view, ras, shift=0, control=0, event=PRESS):
    inverse = vtk.vtkMatrix4x4()
    vtk.vtkMatrix4x4.Invert(view.mrmlSliceNode().GetXYToRAS(), inverse)
    x, y = (int(round(n)) for n in inverse.MultiplyPoint((*ras, 1))[:2])
    interactor = MagicMock()
    interactor.GetEventPosition.return_value = (x, y)
    interactor.GetShiftKey.return_value, interactor.GetControlKey.return_value = shift, control
    ours = effect.processInteractionEvents(interactor, event, view)
    if effect.live.status.busy:
        settle(effect.live)
    return ours


def of_segment(effect, segment_id):
    live = effect.live
    voxels = Editor(live.segmentation, live.volume, view_of(live.volume)).read(segment_id)
    return voxels.over((0, 0, 0), tuple(n - 1 for n in view_of(live.volume).size))


def test_a_click_segments_what_the_editor_has_chosen(made, view, blob):
    assert press(made, view, ras_of(blob, (60, 50, 4))), made.live.status
    found = content(made.live)
    assert 2 * (found & blob.truth).sum() / (found.sum() + blob.truth.sum()) > 0.85
    assert made.scriptedEffect.saveStateForUndo.call_count == 1  # the editor's undo knows it
    made.take_back()
    assert not content(made.live).any()
    made.do_again()
    assert np.array_equal(content(made.live), found)
    # Shift: it is not there
    press(made, view, ras_of(blob, (75, 50, 4)), shift=1)
    clicks = made.live.state_of().clicks
    assert [click.inside for click in clicks] == [True, False] and not content(made.live)[4, 50, 75]


def test_other_events_are_the_view_s(made, view, blob):
    place = ras_of(blob, (60, 50, 4))
    assert not press(made, view, place, event=MOVE)
    assert not press(made, view, place, control=1)
    view.className.return_value = "qMRMLThreeDWidget"
    assert not press(made, view, place)
    assert not made.live.can_undo


def test_another_segment_and_the_editor_s_masking(made, view, blob):
    """The editor's rule for other segments and its editable area count as for its own effects."""
    place, first = ras_of(blob, (60, 50, 4)), made.chosen.GetSelectedSegmentID()
    made.chosen.SetOverwriteMode(made.chosen.OverwriteNone)
    press(made, view, place)
    before = of_segment(made, first)
    made.chosen.SetSelectedSegmentID(made.second)
    press(made, view, place)
    assert made.live.segment_id == made.second and content(made.live).any()
    assert np.array_equal(of_segment(made, first), before)
    made.take_back()
    made.chosen.SetMaskMode(slicer.vtkMRMLSegmentationNode.EditAllowedOutsideAllSegments)
    press(made, view, place)
    assert not (content(made.live) & before).any()
    made.take_back()
    made.chosen.SetMaskMode(slicer.vtkMRMLSegmentationNode.EditAllowedEverywhere)
    made.chosen.SetOverwriteMode(made.chosen.OverwriteAllSegments)
    press(made, view, place)
    assert content(made.live).any() and not (of_segment(made, first) & content(made.live)).any()
    made.take_back()
    assert np.array_equal(of_segment(made, first), before)


def test_this_slice_only(made, view, blob):
    made.one_slice.checked = True
    press(made, view, ras_of(blob, (60, 50, 4)))
    assert np.flatnonzero(content(made.live).any(axis=(1, 2))).tolist() == [4]


def test_nothing_chosen_and_a_click_outside_are_a_sentence(made, view, blob):
    made.chosen.SetAndObserveSourceVolumeNode(None)
    assert press(made, view, ras_of(blob, (60, 50, 4))) and not made.live.can_undo
    assert made.error.text == "Choose a source volume and a segmentation first."
    made.chosen.SetAndObserveSourceVolumeNode(blob)
    press(made, view, ras_of(blob, (-15, 50, 4)))
    assert "outside" in made.error.text and not made.live.can_undo
    made.deactivate()


def test_the_module_registers_the_effect(monkeypatch, world):
    scripted = types.ModuleType("slicer.ScriptedLoadableModule")
    scripted.ScriptedLoadableModule = type("ScriptedLoadableModule", (), {"__init__": lambda self, parent: None})
    effects = MagicMock()
    monkeypatch.setitem(sys.modules, "slicer.ScriptedLoadableModule", scripted)
    monkeypatch.setitem(sys.modules, "qSlicerSegmentationsEditorEffectsPythonQt", effects)
    monkeypatch.setattr(slicer, "app", MagicMock(), raising=False)
    monkeypatch.delitem(sys.modules, "SegmentEditorPromptSeg", raising=False)
    import SegmentEditorPromptSeg

    parent = MagicMock()
    module = SegmentEditorPromptSeg.SegmentEditorPromptSeg(parent)
    assert parent.hidden is True
    assert slicer.app.connect.call_args[0] == ("startupCompleted()", module.registerEditorEffect)
    module.registerEditorEffect()
    instance = effects.qSlicerSegmentEditorScriptedEffect.return_value
    assert instance.setPythonSource.call_args[0][0] == str(SOURCE.resolve())
    assert instance.self.return_value.register.called
    sys.modules.pop("SegmentEditorPromptSeg", None)
