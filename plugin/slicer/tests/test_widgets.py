"""PromptSegLive.py with widgets that take anything: every handler is run once, in Slicer's order.

slicer-core has no Qt. This finds names that are not there and calls to the logic that it does not have;
how it looks is not tested here.
"""

import ast
import csv
import sys
import types
from unittest.mock import MagicMock

import numpy as np
import pytest
import slicer
import vtk
from conftest import ROOT, STAGE, content, ras_of, settle

from promptseg_mrml import View, affine_of

README = ROOT / "plugin/slicer/README.md"


class Base:
    def __init__(self, parent=None):
        self.parent, self.layout = parent, MagicMock()

    def setup(self):
        pass


class Observing:
    def __init__(self):
        self.observed = []

    def addObserver(self, *what):
        self.observed.append(what)

    def removeObservers(self, *_):
        pass


@pytest.fixture
def module(world, monkeypatch):
    scripted = types.ModuleType("slicer.ScriptedLoadableModule")
    for name in ("ScriptedLoadableModule", "ScriptedLoadableModuleLogic", "ScriptedLoadableModuleTest",
                 "ScriptedLoadableModuleWidget"):
        setattr(scripted, name, type(name, (Base,), {}))
    util = MagicMock(VTKObservationMixin=Observing)
    crosshair = slicer.vtkMRMLCrosshairNode()
    util.getNode = lambda name: crosshair
    for name, made in (("qt", MagicMock()), ("ctk", MagicMock()), ("slicer.util", util),
                       ("slicer.ScriptedLoadableModule", scripted)):
        monkeypatch.setitem(sys.modules, name, made)
    for name, made in (("util", util), ("mrmlScene", world.scene), ("app", MagicMock()),
                       ("modules", MagicMock()), ("qMRMLNodeComboBox", MagicMock()),
                       ("qMRMLSegmentsTableView", MagicMock())):
        monkeypatch.setattr(slicer, name, made, raising=False)
    for name in ("qMRMLNodeComboBox", "QPushButton", "QCheckBox", "QComboBox", "QLabel", "QShortcut"):
        owner = slicer if name.startswith("qMRML") else sys.modules["qt"]
        setattr(owner, name, lambda *a, **k: MagicMock())
    sys.modules["ctk"].ctkPathLineEdit = lambda *a: MagicMock(currentPath="")
    monkeypatch.delitem(sys.modules, "PromptSegLive", raising=False)
    import PromptSegLive

    yield PromptSegLive
    sys.modules.pop("PromptSegLive", None)


def test_every_handler_of_the_widget(module, world, blob):
    widget = module.PromptSegLiveWidget()
    widget.setup()
    widget.volume.currentNode.return_value = blob
    widget.segmentation.currentNode.return_value = None
    widget.device_choice.currentText, widget.window.currentText = "cpu", "as shown"
    widget.others.currentData, widget.area.currentData = 2, 0
    widget.largest.checked = widget.holes.checked = False
    blob.CreateDefaultDisplayNodes()
    widget.enter()
    assert widget.live.volume is blob and widget.live.segmentation is not None
    widget.segmentation.currentNode.return_value = widget.live.segmentation
    widget.set_options()
    widget.window.currentText = "auto"
    widget.set_options()
    widget.new_segment()
    widget.table.selectedSegmentIDs.return_value = [widget.live.segment_id]
    widget.segment_selected()
    for mode in ("+", "-", "box"):
        widget.place(mode, True)
        assert slicer.app.applicationLogic().GetSelectionNode().SetActivePlaceNodeID.called
    widget.helpers["+"].AddControlPointWorld(list(ras_of(blob, (60, 50, 4))))
    widget.placed("+")
    assert widget.helpers["+"].GetNumberOfControlPoints() == 0, "the helper is empty again"
    settle(widget.live)
    assert content(widget.live).any() and not widget.live.status.error
    box = widget.helpers["box"]
    box.SetCenter(*ras_of(blob, (60, 50, 4)))
    box.SetSize(40, 30, 20)
    widget.placed("box")
    assert len(widget.live.state_of().boxes) == 1 and "box" not in widget.helpers
    assert world.scene.GetNumberOfNodesByClass("vtkMRMLMarkupsROIDisplayNode") == 1  # the prompt's
    settle(widget.live)
    widget.plus.checked = True
    widget.look()
    widget.pump()
    widget._one_slice_toggled(True)
    assert widget.live.one_slice
    widget.live.undo()
    widget.place("+", False)
    widget.exit()
    world.scene.Clear(0)
    widget.scene_closed()
    widget.cleanup()


@pytest.fixture
def widget(module):
    """The widget as it is when the user opens the module."""
    widget = module.PromptSegLiveWidget()
    widget.setup()
    yield widget
    widget.cleanup()


def _enter(widget, volume):
    widget.volume.currentNode.return_value, widget.segmentation.currentNode.return_value = volume, None
    widget.device_choice.currentText, widget.window.currentText = "cpu", "auto"
    widget.others.currentData, widget.area.currentData = 2, 0
    widget.largest.checked = widget.holes.checked = False
    widget.set_options()
    widget.enter()


def _choose(widget, volume):
    widget.volume.currentNode.return_value, widget.segmentation.currentNode.return_value = volume, None
    widget.choose()


def _click(widget, place):
    """A click with + in a slice view."""
    widget._helper("+").AddControlPointWorld(list(place))
    widget.placed("+")
    settle(widget.live)


def test_keys_are_those_that_a_line_editor_takes_first_and_are_described(module, monkeypatch):
    """Return is what ends the renaming of a segment: QWidgetLineControl leaves it to shortcuts."""
    keys = []
    monkeypatch.setattr(module.qt, "QKeySequence", lambda key: keys.append(key) or key)
    widget = module.PromptSegLiveWidget()
    widget.setup()
    widget.cleanup()
    plain = [key for key in keys if "+" not in key]
    assert all(len(key) == 1 and key.isprintable() for key in plain) and "Ctrl+Return" in keys
    assert all(f"<b>{key}</b>" in module.HELP for key in keys)
    readme = README.read_text(encoding="utf-8")
    assert "(Ctrl+Return)" in readme and "(Return)" not in readme


def test_it_looks_ahead_across_the_view_under_the_pointer(widget, world, blob, monkeypatch):
    """A click there is asked along its normal."""
    _enter(widget, blob)
    view, told = world.node("vtkMRMLSliceNode", "Green"), []
    view.SetOrientationToCoronal()
    crosshair = types.SimpleNamespace(GetCursorPositionXYZ=lambda _: view,
                                      GetCursorPositionRAS=lambda place: place.__setitem__(0, 5.0) or True)
    monkeypatch.setattr(slicer.util, "getNode", lambda _: crosshair)
    monkeypatch.setattr(widget.live, "look_at", lambda ras, normal: told.append((ras[0], normal)))
    widget.plus.checked = True
    widget.look()
    assert len(told) == 1 and told[0][0] == 5 and np.allclose(np.abs(told[0][1]), (0, 1, 0))


def test_a_click_goes_into_the_volume_that_the_selector_shows_or_nowhere(widget, world, blob):
    _enter(widget, blob)
    first, place = widget.live.segmentation, ras_of(blob, (60, 50, 4))
    other = world.volume(60 + 90 * blob.truth.astype("int16"), affine_of(blob), "other")
    warp = world.node("vtkMRMLGridTransformNode", "warp")
    warp.SetAndObserveTransformToParent(vtk.vtkThinPlateSplineTransform())
    other.SetAndObserveTransformNodeID(warp.GetID())
    _choose(widget, other)
    assert "not linear" in widget.error.text
    _click(widget, place)
    assert "not linear" in widget.error.text and widget.helpers["+"].GetNumberOfControlPoints() == 0
    _choose(widget, None)
    _click(widget, place)
    assert widget.error.text == "Choose a volume first."
    _choose(widget, other)
    assert first.GetSegmentation().GetNumberOfSegments() == 0
    other.SetAndObserveTransformNodeID(None)  # as hardening does; nobody chooses it again
    _click(widget, place)
    assert widget.live.volume is other and content(widget.live).any() and not widget.error.text
    assert first.GetSegmentation().GetNumberOfSegments() == 0
    widget.volume.currentNode.return_value = None
    widget.choose()
    _click(widget, place)
    assert widget.error.text == "Choose a volume first."


@pytest.mark.parametrize("event", ["NodeAboutToBeRemovedEvent", "NodeRemovedEvent"])
def test_a_removed_volume_is_told_though_the_selector_is_empty_then(widget, world, blob, event):
    _enter(widget, blob)
    _click(widget, ras_of(blob, (60, 50, 4)))
    seen = world.scene.AddObserver(getattr(world.scene, event), lambda *_: _choose(widget, None))
    world.scene.RemoveNode(blob)
    world.scene.RemoveObserver(seen)
    assert "volume was removed" in widget.error.text and widget.live.volume is None


def test_as_shown_is_the_window_of_the_volume_that_is_clicked_on(widget, world, blob, monkeypatch):
    asked, real = [], View.open
    monkeypatch.setattr(View, "open", lambda *a, **k: asked.append(k["window"]) or real(*a, **k))
    other = world.volume(blob.truth.astype("int16"), affine_of(blob), "ct")
    for node, window in ((other, (-160, 240)), (blob, (20, 180))):
        node.CreateDefaultDisplayNodes()
        node.GetDisplayNode().AutoWindowLevelOff()
        node.GetDisplayNode().SetWindowLevelMinMax(*window)
    _enter(widget, other)
    widget.window.currentText = "as shown"
    widget.set_options()
    _choose(widget, blob)
    _click(widget, ras_of(blob, (60, 50, 4)))
    assert asked == [(20, 180)]


def test_the_batch_button_of_the_widget(module, world, blob, tmp_path):
    widget = module.PromptSegLiveWidget()
    widget.setup()
    widget.volume.currentNode.return_value = blob
    widget.segmentation.currentNode.return_value = None
    widget.others.currentData, widget.area.currentData = 2, 0
    widget.enter()
    module.qt.QFileDialog.getExistingDirectory.return_value = str(tmp_path)
    widget.write_batch()
    assert "no prompts" in widget.error.text
    widget.live.click(ras_of(blob, (60, 50, 4)))
    settle(widget.live)
    widget.write_batch()
    assert (tmp_path / "cases.csv").exists()
    widget.cleanup()


def test_the_manifest_holds_how_it_was_asked_and_says_what_it_cannot_hold(widget, world, tmp_path):
    grid = np.indices((24, 26, 28)) - np.array([12, 13, 14]).reshape(3, 1, 1, 1)
    array = 60 + 90 * ((grid / 8) ** 2).sum(axis=0).__lt__(1)
    volume = world.volume(array.astype(np.int16), name="ball")
    _enter(widget, volume)
    widget.window.currentText, widget.largest.checked = "percentile", True
    widget.set_options()
    for normal in ((0, 1, 0), (0, 0, 1)):
        widget.live.click((14, 13, 12), True, normal)
        settle(widget.live)
    qt = sys.modules["qt"]
    qt.QFileDialog.getExistingDirectory.return_value = str(tmp_path / "my cases")
    widget.write_batch()
    rows = list(csv.DictReader((tmp_path / "my cases/cases.csv").open()))
    assert [(row["axis"], row["window"], row["keepLargest"]) for row in rows] == [("j", "percentile", "true")]
    assert f"PromptSegBatch '{tmp_path}/my cases/cases.csv' --output" in widget.text.text
    assert not widget.error.text
    widget.live.new_segment("one slice")
    widget.live.one_slice = True
    widget.live.click((14, 13, 12), True, (0, 0, 1))
    settle(widget.live)
    widget.write_batch()
    widget.show_status()  # as it is whenever an answer comes
    assert "one slice" in widget.error.text and "PromptSegBatch" in widget.text.text


def test_the_module_describes_itself(module):
    parent = MagicMock()
    module.PromptSegLive(parent)
    assert parent.title == "PromptSeg Live" and parent.categories == ["Segmentation"]
    tree = ast.parse((STAGE / "PromptSegLive.py").read_text())
    assert {"PromptSegLive", "PromptSegLiveWidget", "PromptSegLiveLogic", "PromptSegLiveTest"} <= {
        node.name for node in tree.body if isinstance(node, ast.ClassDef)}
