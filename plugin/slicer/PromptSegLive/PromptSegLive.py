"""The module "PromptSeg Live" of 3D Slicer: widgets over promptseg_live.LiveLogic.

Only what needs Qt is here: selectors, buttons, mouse, keys, a timer. What a click means is decided in
promptseg_live, which the tests run without a window.
"""

import shlex
import time
from pathlib import Path

import ctk
import qt
import slicer
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

WINDOWS = ("auto", "none", "percentile", "brain", "lung", "abdomen", "bone", "mediastinum")
PUMP_MILLISECONDS = 10
LOOK_SECONDS = 0.3  # how long the pointer rests before the model looks there
HELP = """Click on an object and it is segmented: press <b>+</b> and click inside it, <b>-</b> and click
where it is not, or draw a box. The slice is there at once, the other slices follow. Other segments are
never changed unless you say so under <i>Rules</i>.<p>
Keys: <b>1</b> inside, <b>2</b> outside, <b>3</b> box, <b>Z</b> undo, <b>Y</b> redo, <b>N</b> new
segment, <b>T</b> this slice only, <b>Ctrl+Return</b> accept.<p>Not a medical device."""


class PromptSegLive(ScriptedLoadableModule):
    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = "PromptSeg Live"
        parent.categories = ["Segmentation"]
        parent.dependencies = ["Markups", "Segmentations", "SegmentEditor"]
        parent.contributors = ["PromptSeg developers"]
        parent.helpText = HELP
        parent.acknowledgementText = ""


class _EditorHistory:
    """The Segment Editor's undo, when it works on the same segmentation."""

    def __init__(self, segmentation):
        self._segmentation = segmentation

    def SaveStateForUndo(self):
        representation = slicer.modules.segmenteditor.widgetRepresentation()
        editor = representation.self().editor
        if editor.segmentationNode() is self._segmentation():
            editor.saveStateForUndo()


class PromptSegLiveWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.live, self.helpers, self.shortcuts = None, {}, []
        self._looked = 0.0

    # ------------------------------------------------------------------------------------- widgets

    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        from promptseg_live import LiveLogic

        self.live = LiveLogic(slicer.mrmlScene, on_change=self.show_status)
        self.live.histories.append(_EditorHistory(lambda: self.live.segmentation))
        self.timer = qt.QTimer()
        self.timer.setInterval(PUMP_MILLISECONDS)
        self.timer.connect("timeout()", self.pump)
        self._make_selectors()
        self._make_buttons()
        self._make_status()
        self._make_model()
        self._make_rules()
        self.layout.addStretch(1)
        self._make_shortcuts()
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.scene_closed)
        self.show_status()

    def _group(self, title, collapsed=False):
        box = ctk.ctkCollapsibleButton()
        box.text, box.collapsed = title, collapsed
        self.layout.addWidget(box)
        return qt.QFormLayout(box)

    def _node_selector(self, kinds, tip, can_add):
        selector = slicer.qMRMLNodeComboBox()
        selector.nodeTypes = kinds
        selector.addEnabled = selector.renameEnabled = can_add
        selector.removeEnabled, selector.noneEnabled = False, True
        selector.setMRMLScene(slicer.mrmlScene)
        selector.toolTip = tip
        selector.connect("currentNodeChanged(vtkMRMLNode*)", self.choose)
        return selector

    def _make_selectors(self):
        form = self._group("Volume and segments")
        self.volume = self._node_selector(["vtkMRMLScalarVolumeNode"], "What to segment.", False)
        self.segmentation = self._node_selector(
            ["vtkMRMLSegmentationNode"], "Where segments go; left empty, one is made.", True)
        form.addRow("Volume:", self.volume)
        form.addRow("Segmentation:", self.segmentation)
        self.table = slicer.qMRMLSegmentsTableView()
        self.table.setMRMLScene(slicer.mrmlScene)
        self.table.setSelectionMode(qt.QAbstractItemView.SingleSelection)
        self.table.connect("selectionChanged(QItemSelection,QItemSelection)", self.segment_selected)
        form.addRow(self.table)

    def _button(self, text, tip, action, checkable=False):
        button = qt.QPushButton(text)
        button.toolTip, button.checkable = tip, checkable
        button.connect("clicked(bool)", action)
        return button

    def _make_buttons(self):
        form = self._group("Prompts")
        self.plus = self._button("+", "Click inside the object (1)", lambda on: self.place("+", on), True)
        self.minus = self._button("-", "Click where it is not (2)", lambda on: self.place("-", on), True)
        self.box = self._button("Box", "Draw a box around it (3)", lambda on: self.place("box", on), True)
        self.modes = {"+": self.plus, "-": self.minus, "box": self.box}
        self.undo = self._button("Undo", "Take back the last prompt and its mask (Z)",
                                 lambda *_: self.live.undo())
        self.redo = self._button("Redo", "Do it again (Y)", lambda *_: self.live.redo())
        self.new = self._button("New segment", "Begin another object (N)", self.new_segment)
        self.accept = self._button(
            "Accept", "The segment is right: protect it and hide its prompts (Ctrl+Return)",
            lambda *_: self.live.accept())
        self.reopen = self._button("Reopen", "Change an accepted segment", lambda *_: self.live.reopen())
        for row in ((self.plus, self.minus, self.box), (self.undo, self.redo, self.new),
                    (self.accept, self.reopen)):
            line = qt.QHBoxLayout()
            for button in row:
                line.addWidget(button)
            form.addRow(line)
        self.one_slice = qt.QCheckBox("This slice only")
        self.one_slice.toolTip = "A click changes the slice that you look at and no other (T)"
        self.one_slice.connect("toggled(bool)", self._one_slice_toggled)
        form.addRow(self.one_slice)

    def _make_status(self):
        self.error, self.text, self.device = qt.QLabel(), qt.QLabel(), qt.QLabel()
        self.error.styleSheet = "color: #c02020"
        self.error.wordWrap = self.text.wordWrap = True
        self.bar = qt.QProgressBar()
        self.bar.maximum = 1000
        self.bar.textVisible = False
        for widget in (self.error, self.text, self.bar, self.device):
            self.layout.addWidget(widget)

    def _make_model(self):
        from promptseg_live import AS_SHOWN

        form = self._group("Model", collapsed=True)
        self.weights = ctk.ctkPathLineEdit()
        self.weights.nameFilters = ["Weights (*.safetensors *.pth)"]
        self.weights.toolTip = "Own weights; empty: the model that comes with PromptSeg"
        self.weights.connect("currentPathChanged(QString)", self.set_options)
        self.device_choice, self.window = qt.QComboBox(), qt.QComboBox()
        self.device_choice.addItems(["auto", "cpu", "cuda"])
        self.window.addItems([*WINDOWS, AS_SHOWN])
        self.window.toolTip = "Intensities that the model sees; the volume is never changed"
        for choice in (self.device_choice, self.window):
            choice.connect("currentIndexChanged(int)", self.set_options)
        self.largest, self.holes = qt.QCheckBox("Keep the largest part"), qt.QCheckBox("Fill holes")
        for check in (self.largest, self.holes):
            check.connect("toggled(bool)", self.set_options)
        form.addRow("Own weights:", self.weights)
        form.addRow("Device:", self.device_choice)
        form.addRow("Window:", self.window)
        form.addRow(self.largest)
        form.addRow(self.holes)
        self.batch = self._button("Write a manifest for PromptSegBatch ...",
                                  "This volume and the prompts of all its segments, for many volumes at once",
                                  self.write_batch)
        form.addRow(self.batch)

    def _make_rules(self):
        form = self._group("Rules", collapsed=True)
        node, areas = slicer.vtkMRMLSegmentEditorNode, slicer.vtkMRMLSegmentationNode
        self.others = qt.QComboBox()
        for text, mode in (("leave other segments alone", node.OverwriteNone),
                           ("overwrite visible segments", node.OverwriteVisibleSegments),
                           ("overwrite all segments", node.OverwriteAllSegments)):
            self.others.addItem(text, mode)
        self.area = qt.QComboBox()
        for text, mode in (("everywhere", areas.EditAllowedEverywhere),
                           ("inside all segments", areas.EditAllowedInsideAllSegments),
                           ("inside visible segments", areas.EditAllowedInsideVisibleSegments),
                           ("outside all segments", areas.EditAllowedOutsideAllSegments),
                           ("outside visible segments", areas.EditAllowedOutsideVisibleSegments)):
            self.area.addItem(text, mode)
        for choice in (self.others, self.area):
            choice.connect("currentIndexChanged(int)", self.set_rules)
        form.addRow("Other segments:", self.others)
        form.addRow("Editable area:", self.area)

    def _make_shortcuts(self):
        """Keys of the whole window. A line editor takes letters and digits before they get here, but not
        Return, which ends a segment's renaming: it is none of them."""
        keys = {"1": self.plus.click, "2": self.minus.click, "3": self.box.click, "Z": self.undo.click,
                "Y": self.redo.click, "N": self.new.click, "T": self.one_slice.toggle,
                "Ctrl+Return": self.accept.click}
        for key, action in keys.items():
            shortcut = qt.QShortcut(qt.QKeySequence(key), slicer.util.mainWindow())
            shortcut.connect("activated()", action)
            shortcut.enabled = False
            self.shortcuts.append(shortcut)

    # ------------------------------------------------------------------------- coming, going, the scene

    def enter(self):
        for shortcut in self.shortcuts:
            shortcut.enabled = True
        crosshair = slicer.util.getNode("Crosshair")
        self.addObserver(crosshair, slicer.vtkMRMLCrosshairNode.CursorPositionModifiedEvent, self.look)
        self.live.watch(True)
        self.choose()

    def exit(self):
        self.stop_placing()
        self.live.watch(False)
        for shortcut in self.shortcuts:
            shortcut.enabled = False
        self.removeObservers(self.look)

    def cleanup(self):
        self.timer.stop()
        self.removeObservers()
        if self.live is not None:
            self.live.close()

    def scene_closed(self, *_):
        self.helpers.clear()
        self.show_status()

    # ------------------------------------------------------------------------------------------ choices

    def choose(self, *_):
        volume, segmentation = self.volume.currentNode(), self.segmentation.currentNode()
        if volume is None:
            if self.live.volume is not None or self.live.refused:  # else it was removed, and says so
                self.live.forget()
        elif (volume, segmentation) != (self.live.volume, self.live.segmentation):
            self.live.choose(volume, segmentation)
        if self.live.segmentation is not None and segmentation is not self.live.segmentation:
            self.segmentation.setCurrentNode(self.live.segmentation)
        self.table.setSegmentationNode(self.live.segmentation)
        self.set_rules()
        self.show_status()

    def segment_selected(self, *_):
        chosen = self.table.selectedSegmentIDs()
        if len(chosen) == 1 and chosen[0] != self.live.segment_id:
            self.live.choose_segment(chosen[0])

    def new_segment(self, *_):
        self.live.new_segment()
        self.table.setSelectedSegmentIDs([self.live.segment_id] if self.live.segment_id else [])

    def _one_slice_toggled(self, on):
        self.live.one_slice = on

    def set_options(self, *_):
        from promptseg_live import Options

        self.live.set_options(Options(
            model=self.weights.currentPath or None, device=self.device_choice.currentText,
            window=self.window.currentText, keep_largest=self.largest.checked,
            fill_holes=self.holes.checked))

    def set_rules(self, *_):
        rules = self.live.rules
        if rules is not None:
            rules.SetSourceVolumeIntensityMask(False)  # nothing here shows it; an older scene may hold it
            rules.SetOverwriteMode(self.others.currentData)
            rules.SetMaskMode(self.area.currentData)

    def write_batch(self, *_):
        """What it says stays until the next act, also while a question runs."""
        if self.live.segmentation is None:
            self.live.status.error = "Choose a volume first."
            self.show_status()
            return
        folder = qt.QFileDialog.getExistingDirectory(slicer.util.mainWindow(), "Folder for the manifest")
        if folder:
            self._write_manifest(Path(folder))
            self.show_status()

    def _write_manifest(self, folder):
        from promptseg_live import write_manifest
        from promptseg_mrml import SceneError

        status = self.live.status
        try:
            path = write_manifest(folder, [(self.live.volume, self.live.prompted())])
            status.error = self.live.not_from_prompts()
        except (SceneError, OSError) as error:
            status.error = str(error)
            return
        own = self.live.options.model
        words = ["PromptSegBatch", *(["--model", own] if own else []), str(path)]
        status.text = f"{shlex.join(words)} --output DIR segments it in a shell."

    # ------------------------------------------------------------------------------------------ placing

    def _helper(self, mode):
        """A markup that is in the scene only while something is placed."""
        node = self.helpers.get(mode)
        if node is None or node.GetScene() is None:
            kind = "vtkMRMLMarkupsROINode" if mode == "box" else "vtkMRMLMarkupsFiducialNode"
            node = slicer.mrmlScene.AddNewNodeByClass(kind, f"PromptSeg {mode}")
            node.SetHideFromEditors(True)
            node.SetSaveWithScene(False)
            node.CreateDefaultDisplayNodes()
            event = node.PointPositionDefinedEvent
            self.addObserver(node, event, lambda *_: qt.QTimer.singleShot(0, lambda: self.placed(mode)))
            self.helpers[mode] = node
        return node

    def place(self, mode, on):
        for name, button in self.modes.items():
            button.checked = on and name == mode
        if not on:
            self.stop_placing()
            return
        selection = slicer.app.applicationLogic().GetSelectionNode()
        helper = self._helper(mode)
        selection.SetReferenceActivePlaceNodeClassName(helper.GetClassName())
        selection.SetActivePlaceNodeID(helper.GetID())
        interaction = slicer.app.applicationLogic().GetInteractionNode()
        interaction.SetPlaceModePersistence(0 if mode == "box" else 1)
        interaction.SetCurrentInteractionMode(interaction.Place)

    def stop_placing(self):
        for button in self.modes.values():
            button.checked = False
        interaction = slicer.app.applicationLogic().GetInteractionNode()
        interaction.SetCurrentInteractionMode(interaction.ViewTransform)
        for helper in self.helpers.values():
            helper.RemoveAllControlPoints()

    def placed(self, mode):
        """A point of a helper has its place: it becomes a prompt, the helper is empty again."""
        from promptseg_mrml.prompts import remove_markup

        helper = self.helpers.get(mode)
        if helper is None or not helper.GetNumberOfDefinedControlPoints():
            return
        if self.live.volume is not self.volume.currentNode():
            self.choose()  # it was refused; perhaps what was wrong is mended
        if mode == "box":
            if helper.GetControlPointPlacementComplete():
                self.live.add_box(helper)
                remove_markup(self.helpers.pop(mode))
                self.box.checked = False
            return
        place = [0.0, 0.0, 0.0]
        helper.GetNthControlPointPositionWorld(0, place)
        helper.RemoveAllControlPoints()
        self.live.click(place, mode == "+", self._normal())

    def _normal(self):
        """The normal of the slice view under the pointer; None in a 3D view."""
        view = slicer.util.getNode("Crosshair").GetCursorPositionXYZ([0.0, 0.0, 0.0])
        if view is None:
            return None
        matrix = view.GetSliceToRAS()
        return [matrix.GetElement(row, 2) for row in range(3)]

    def look(self, *_):
        """Lets the model see the slice under the pointer, while + is pressed and nobody asks."""
        place, now = [0.0, 0.0, 0.0], time.monotonic()
        if not self.plus.checked or now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        if slicer.util.getNode("Crosshair").GetCursorPositionRAS(place):
            self.live.look_at(place, self._normal())
            self.timer.start()

    # ------------------------------------------------------------------------------------------- status

    def pump(self):
        """Takes answers into the scene, and gives Python's lock away for the worker's thread."""
        time.sleep(0.001)
        if not self.live.pump() and not self.live.looking:
            self.timer.stop()

    def show_status(self):
        if self.live is None:
            return
        status = self.live.status
        self.error.text = status.error
        self.text.text = "\n".join((status.text, *status.warnings))
        self.bar.value = int(1000 * status.progress) if status.busy else 0
        self.bar.maximum = 0 if status.busy and not status.progress else 1000  # 0: it is busy
        self.device.text = f"Device: {status.device}" if status.device else ""
        self.undo.enabled, self.redo.enabled = self.live.can_undo, self.live.can_redo
        if status.busy:
            self.timer.start()


class PromptSegLiveLogic(ScriptedLoadableModuleLogic):
    """For scripts: ``PromptSegLiveLogic().live()`` is a promptseg_live.LiveLogic on Slicer's scene."""

    def live(self):
        from promptseg_live import LiveLogic

        return LiveLogic(slicer.mrmlScene)


class PromptSegLiveTest(ScriptedLoadableModuleTest):
    """Slicer's self test: a bright ball, two clicks, undo."""

    def runTest(self):
        import numpy as np

        slicer.mrmlScene.Clear(0)
        grid = np.indices((20, 64, 64)) - np.array([10, 32, 32]).reshape(3, 1, 1, 1)
        array = (60 + 90 * ((grid / np.array([8, 16, 16]).reshape(3, 1, 1, 1)) ** 2).sum(axis=0)
                 .__lt__(1)).astype(np.int16)
        volume = slicer.util.addVolumeFromArray(array)
        live = PromptSegLiveLogic().live()
        self.assertTrue(live.choose(volume), live.status.error)
        self.assertTrue(live.click((32, 32, 10)), live.status.error)
        while live.pump():
            slicer.app.processEvents()
            time.sleep(0.005)
        segment = slicer.util.arrayFromSegmentBinaryLabelmap(live.segmentation, live.segment_id, volume)
        self.assertGreater(segment.sum(), 1000)
        self.assertTrue(live.undo())
        live.close()
        self.delayDisplay("Test passed")
