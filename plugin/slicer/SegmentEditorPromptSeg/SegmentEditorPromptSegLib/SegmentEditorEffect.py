"""The Segment Editor's effect: clicks in slice views are prompts for the selected segment.

Only what the editor wants is here. What a click means is decided in promptseg_live, as in the module
PromptSegLive; the editor's source volume, segment, masking and undo count.
"""

import time
from pathlib import Path

import qt
import slicer
import vtk
from SegmentEditorEffects import AbstractScriptedSegmentEditorEffect

PUMP_MILLISECONDS = 10
HELP = """<html>Click inside an object and it is segmented; with <b>Shift</b>, or with "outside" chosen,
click where it is not. The slice is there at once, the other slices follow. <i>Back</i> takes back the last
click and its mask, <i>This slice only</i> leaves the other slices alone. The editor's masking, its source
volume and its undo count.<p>Not a medical device.</html>"""
TAG = "PromptSegEffect"  # of the rules in the scene; those of the module are others
# Of the editor's parameters: how a mask may change segments.
RULES = ("OverwriteMode", "MaskMode", "MaskSegmentID", "SourceVolumeIntensityMask",
         "SourceVolumeIntensityMaskRange")


class _EditorUndo:
    """The editor's own undo gets a state for each click too."""

    def __init__(self, effect):
        self._effect = effect

    def SaveStateForUndo(self):
        self._effect.saveStateForUndo()


class SegmentEditorEffect(AbstractScriptedSegmentEditorEffect):
    def __init__(self, scriptedEffect):
        scriptedEffect.name = "PromptSeg"
        scriptedEffect.title = "PromptSeg"
        scriptedEffect.perSegment = True
        scriptedEffect.requireSegments = True
        AbstractScriptedSegmentEditorEffect.__init__(self, scriptedEffect)
        self.live = self.timer = None

    def clone(self):
        import qSlicerSegmentationsEditorEffectsPythonQt as effects

        copy = effects.qSlicerSegmentEditorScriptedEffect(None)
        copy.setPythonSource(Path(__file__).as_posix())
        return copy

    def icon(self):
        return qt.QIcon(str(Path(__file__).resolve().parents[1] / "Resources/Icons/PromptSegLive.png"))

    def helpText(self):
        return HELP

    # ------------------------------------------------------------------------------------------ options

    def setupOptionsFrame(self):
        self.inside, self.outside = qt.QRadioButton("inside (+)"), qt.QRadioButton("outside (-)")
        self.inside.checked = True
        self.one_slice = qt.QCheckBox("This slice only")
        self.back, self.again = qt.QPushButton("Back"), qt.QPushButton("Again")
        self.back.toolTip = "Take back the last click and its mask"
        self.back.connect("clicked()", self.take_back)
        self.again.connect("clicked()", self.do_again)
        self.error, self.text = qt.QLabel(), qt.QLabel()
        self.error.styleSheet = "color: #c02020"
        self.error.wordWrap = self.text.wordWrap = True
        for widget in (self.inside, self.outside, self.one_slice, self.back, self.again, self.error, self.text):
            self.scriptedEffect.addOptionsWidget(widget)

    def createCursor(self, widget):
        return slicer.util.mainWindow().cursor

    # --------------------------------------------------------------------------------- coming and going

    def activate(self):
        """The logic is made when the effect is first chosen."""
        if self.live is None:
            from promptseg_live import LiveLogic

            self.live = LiveLogic(slicer.mrmlScene, on_change=self.show_status, tag=TAG)
            self.live.histories.append(_EditorUndo(self.scriptedEffect))
            self.timer = qt.QTimer()
            self.timer.setInterval(PUMP_MILLISECONDS)
            self.timer.connect("timeout()", self.pump)
        self.live.watch(True)
        self.follow_editor()

    def deactivate(self):
        """What runs is ended; what is shown stays."""
        if self.live is not None:
            self.live.watch(False)
            self.live.cancel()
            self.timer.stop()

    def cleanup(self):
        if self.live is not None:
            self.live.close()
            self.live = None

    def follow_editor(self):
        """Works on what the editor has chosen, by its rules. False when there is nothing to work on."""
        chosen = self.scriptedEffect.parameterSetNode()
        volume, segmentation = chosen.GetSourceVolumeNode(), chosen.GetSegmentationNode()
        if volume is None or segmentation is None:
            self.live.forget()
            self.live.status.error = "Choose a source volume and a segmentation first."
            return False
        if (volume, segmentation) != (self.live.volume, self.live.segmentation) \
                and not self.live.choose(volume, segmentation):
            return False
        segment = chosen.GetSelectedSegmentID()
        if segment and segment != self.live.segment_id:
            self.live.choose_segment(segment)
        for name in RULES:
            getattr(self.live.rules, f"Set{name}")(getattr(chosen, f"Get{name}")())
        return bool(segment)

    # ------------------------------------------------------------------------------------------- clicks

    def processInteractionEvents(self, callerInteractor, eventId, viewWidget):
        """A left click in a slice view is ours; all else is the view's."""
        if viewWidget.className() != "qMRMLSliceWidget" or callerInteractor.GetControlKey():
            return False
        if eventId == vtk.vtkCommand.LeftButtonPressEvent:
            self.click(viewWidget.mrmlSliceNode(), callerInteractor.GetEventPosition(),
                       callerInteractor.GetShiftKey())
            return True
        return False

    def click(self, slice_node, pixel, shift):
        if not self.follow_editor():
            self.show_status()
            return
        self.live.one_slice = bool(self.one_slice.checked)
        ras = slice_node.GetXYToRAS().MultiplyPoint((pixel[0], pixel[1], 0, 1))[:3]
        normal = [slice_node.GetSliceToRAS().GetElement(row, 2) for row in range(3)]
        self.live.click(ras, not (shift or self.outside.checked), normal)

    def take_back(self):
        self.live.undo()

    def do_again(self):
        self.live.redo()

    # ------------------------------------------------------------------------------------------- status

    def pump(self):
        """Takes answers into the scene, and gives Python's lock away for the worker's thread."""
        time.sleep(0.001)
        if not self.live.pump():
            self.timer.stop()

    def show_status(self):
        status = self.live.status
        self.error.text = status.error
        self.text.text = "\n".join((status.text, *status.warnings))
        self.back.enabled, self.again.enabled = self.live.can_undo, self.live.can_redo
        if status.busy:
            self.timer.start()
