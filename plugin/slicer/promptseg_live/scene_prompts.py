"""A segment's prompts in the scene: read, written, and seen when the user moves them in a view."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Tuple

from promptseg_mrml import Click, box_of_roi, clicks_of_list, prompt_lists, write_clicks
from promptseg_mrml.prompts import (
    AXIS_ATTRIBUTE,
    SEGMENT_ATTRIBUTE,
    list_of_segment,
    make_prompts_of,
    of_segment,
    refuse_locked,
    used_of_list,
    write_boxes,
)

from .edits import led_from
from .steps import State
from .work import Work


def _is_list(node: Any) -> bool:
    return node.IsA("vtkMRMLMarkupsFiducialNode")


class ScenePrompts:
    """``on_edit`` is called with the ID of a segment whose points or boxes the user moved or removed in a
    view, while ``watching``. Only the front end in use is to answer that: another one would ask a second
    time, with what it knows itself."""

    def __init__(self, work: Work, on_edit: Callable[[str], None]) -> None:
        self.watching, self._work, self._on_edit = True, work, on_edit
        self._writing = False
        self._watched: Dict[str, Tuple[Any, List[int]]] = {}

    def nodes(self, segment_id: str) -> List[Any]:
        return prompt_lists(self._work.segmentation, segment_id)

    def read(self, segment_id: str) -> State:
        """The prompts of the scene, as if they were all; points of earlier questions are none of them."""
        clicks, boxes, axis = (), (), None
        for node in self.nodes(segment_id):
            if _is_list(node):
                clicks += tuple(clicks_of_list(node))
                axis = node.GetAttribute(AXIS_ATTRIBUTE) or axis
            elif (box := box_of_roi(node)) is not None:
                boxes += (box,)
        return State(None, clicks, boxes, self.used(segment_id), axis)

    def used(self, segment_id: str) -> Tuple[Click, ...]:
        """Those of earlier questions, which are in the mask already."""
        return tuple(click for node in self.nodes(segment_id) if _is_list(node)
                     for click in used_of_list(node))

    def write(self, segment_id: str, state: State, locked_too: bool = False) -> None:
        self._writing = True
        try:
            segmentation = self._work.segmentation
            points = list_of_segment(segmentation, segment_id)
            for node in self.nodes(segment_id):
                if _is_list(node):  # one list holds them all
                    mine = (state.clicks, state.used) if node is points else ((), ())
                    write_clicks(node, *mine, locked_too)
            points.SetAttribute(AXIS_ATTRIBUTE, state.axis)
            write_boxes(segmentation, segment_id, state.boxes)
            for node in self.nodes(segment_id):
                make_prompts_of(node, segmentation, segment_id)
            self.watch(segment_id)
        finally:
            self._writing = False

    def move(self, segment_id: str, old: State, state: State, locked_too: bool = False) -> None:
        """From the prompts of the old state to those of another one."""
        self.write(segment_id, led_from(old, state, self.read(segment_id)), locked_too)

    def refuse_locked(self, segment_id: str) -> None:
        for node in self.nodes(segment_id):
            if _is_list(node):
                refuse_locked(node)

    def show(self, segment_id: str, visible: bool) -> None:
        for node in self.nodes(segment_id):
            if node.GetDisplayNode() is not None:
                node.GetDisplayNode().SetVisibility(visible)

    # ------------------------------------------------------------------------------ edited in a view

    def watch(self, segment_id: str) -> None:
        if not self.watching:
            return
        for node in self.nodes(segment_id):
            if node.GetID() not in self._watched:
                events = (node.PointEndInteractionEvent, node.PointRemovedEvent)
                self._watched[node.GetID()] = (node, [node.AddObserver(e, self._edited) for e in events])

    def unwatch(self) -> None:
        for node, observers in self._watched.values():
            for observer in observers:
                node.RemoveObserver(observer)
        self._watched.clear()

    def _edited(self, node: Any, _event: Any, *_: Any) -> None:
        segment_id, segmentation = node.GetAttribute(SEGMENT_ATTRIBUTE), self._work.segmentation
        if self._writing or segmentation is None or node.GetScene() is None:
            return
        if segment_id and of_segment(node, segmentation, segment_id):
            self._on_edit(segment_id)
