"""Brings the effect "PromptSeg" into 3D Slicer's Segment Editor."""

from pathlib import Path

import slicer
from slicer.ScriptedLoadableModule import ScriptedLoadableModule


class SegmentEditorPromptSeg(ScriptedLoadableModule):
    """Has no panel of its own: the effect's options are in the Segment Editor."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = "SegmentEditorPromptSeg"
        parent.categories = ["Segmentation"]
        parent.dependencies = ["Segmentations", "SegmentEditor", "Markups"]
        parent.contributors = ["PromptSeg developers"]
        parent.helpText = "The effect PromptSeg of the Segment Editor. Not a medical device."
        parent.acknowledgementText = ""
        parent.hidden = True
        slicer.app.connect("startupCompleted()", self.registerEditorEffect)

    def registerEditorEffect(self):
        import qSlicerSegmentationsEditorEffectsPythonQt as effects

        instance = effects.qSlicerSegmentEditorScriptedEffect(None)
        source = Path(__file__).resolve().parent / "SegmentEditorPromptSegLib" / "SegmentEditorEffect.py"
        instance.setPythonSource(source.as_posix())
        instance.self().register()
