"""What is worked on: a volume, a segmentation, one of its segments, and how the model is asked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Iterable, List, Optional

import slicer
from promptseg_mrml import Click, Editor, SceneError, add_segment, view_of
from promptseg_mrml.prompts import claim_prompts, owner_of
from promptseg_mrml.segments import is_completed

from .steps import Step
from .worker import AS_SHOWN, Options


class Work:
    """``editor`` is None while nothing is chosen; all but ``choose`` and ``forget`` want it there.
    ``tag``: of the front end, see Editor."""

    def __init__(self, scene: Any, options: Options, tag: str) -> None:
        self.scene, self.options, self._tag = scene, options, tag
        self.histories: List[Any] = []  # undo of other tools: each has SaveStateForUndo()
        self.refused = ""  # why what was chosen last cannot be worked on
        self.forget()

    def forget(self) -> None:
        """Nothing is chosen. The scene stays as it is."""
        self.volume: Any = None
        self.segmentation: Any = None
        self.segment_id: Optional[str] = None
        self.editor: Optional[Editor] = None
        self.refused = ""

    def choose(self, volume: Any, segmentation: Any) -> None:
        """The segmentation may be None: one is made for the volume."""
        view = view_of(volume)
        if segmentation is None:
            segmentation = self._new_segmentation(volume)
        editor = Editor(segmentation, volume, view, self._tag)
        self.volume, self.segmentation, self.editor = volume, segmentation, editor
        editor.histories = self.histories
        ids = editor.segment_ids()
        self.segment_id = ids[0] if ids else None
        claim_prompts(segmentation)

    def _new_segmentation(self, volume: Any) -> Any:
        node = self.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", f"{volume.GetName()} segments")
        node.CreateDefaultDisplayNodes()
        node.SetAndObserveTransformNodeID(volume.GetTransformNodeID())
        node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
        return node

    def lost(self, going: Any = None) -> str:
        """Which of the nodes is no longer in the scene, or about to leave it; "": none."""
        for what, node in (("volume", self.volume), ("segmentation", self.segmentation)):
            if node is not None and (node is going or not self.scene.IsNodePresent(node)):
                return what
        return ""

    # ----------------------------------------------------------------------------------------- the volume

    def is_same_volume(self) -> bool:
        """Whether it is where it was, with the same voxels."""
        try:
            return self.editor.view.is_of(self.volume)
        except SceneError:
            return False

    def see_volume_again(self) -> bool:
        """Returns whether it has other voxels, or is elsewhere. SceneError: it cannot be used now."""
        if self.editor.view.is_of(self.volume):
            return False
        self.editor = Editor(self.segmentation, self.volume, view_of(self.volume), self._tag)
        self.editor.histories = self.histories
        return True

    def click_at(self, ras: Any, inside: bool, normal: Any) -> Click:
        """A click in a slice view with this normal; None: in no such view."""
        axis = self.editor.view.axis_near(normal) if normal is not None else None
        return Click(tuple(float(n) for n in ras), inside, axis)

    def refuse_outside(self, clicks: Iterable[Click]) -> None:
        view = self.editor.view
        for click in clicks:
            if not view.holds(click.ras):
                low, high = view.bounds()
                place = ", ".join(f"{n:.1f}" for n in click.ras)
                ranges = ", ".join(f"{a} {x:.1f} to {y:.1f}" for a, x, y in zip("RAS", low, high))
                raise SceneError(f"The click at {place} (RAS) lies outside {self.volume.GetName()}, which "
                                 f"spans {ranges} mm.")

    def options_now(self) -> Options:
        """The options, with what the viewer shows at this moment in the place of AS_SHOWN."""
        if self.options.window != AS_SHOWN:
            return self.options
        display = self.volume.GetScalarVolumeDisplayNode()
        if display is None:
            raise SceneError(f"{self.volume.GetName()} is not shown: show it, or choose another window than "
                             f"\"{AS_SHOWN}\".")
        return replace(self.options, window=(display.GetWindowLevelMin(), display.GetWindowLevelMax()))

    # --------------------------------------------------------------------------------------- the segments

    def segment(self, segment_id: str) -> Any:
        return self.editor.segment(segment_id)

    def name(self, segment_id: str) -> str:
        return self.segment(segment_id).GetName()

    def add_segment(self, name: str, colour: Any = None) -> None:
        self.segment_id = add_segment(self.segmentation, name, colour)

    def choose_segment(self, segment_id: str) -> None:
        self.segment(segment_id)
        self.segment_id = segment_id

    def want_segment(self) -> None:
        """One is added where none is chosen, or where it was removed."""
        if self.segment_id is None or self.segment_id not in self.editor.segment_ids():
            self.add_segment("")

    def has_segment_of(self, step: Step) -> bool:
        """Whether the step's segment was not removed meanwhile."""
        return step.segment_id in self.editor.segment_ids() \
            and owner_of(self.segment(step.segment_id)) == step.owner

    def is_completed(self, segment_id: str) -> bool:
        return is_completed(self.segment(segment_id))

    def refuse_completed(self, segment_id: str) -> None:
        if self.is_completed(segment_id):
            raise SceneError(f"{self.name(segment_id)} is completed. Reopen it to change it, or add a new "
                             "segment.")

    def set_completed(self, segment_id: str, completed: bool) -> None:
        logic = slicer.vtkSlicerSegmentationsModuleLogic
        logic.SetSegmentStatus(self.segment(segment_id), logic.Completed if completed else logic.InProgress)
