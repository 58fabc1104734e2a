"""Live segmentation of one volume into the segments of one segmentation.

All methods are for the thread that owns the scene. Questions run in a worker's thread; ``pump()``,
called every few milliseconds while ``status.busy``, takes their answers into the scene. Whatever goes
wrong ends as a sentence in ``status.error``; the scene is then as it was before.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import Any, Callable, List, Optional, Tuple

import promptseg
import slicer
import vtk
from promptseg_mrml import (
    Box,
    Click,
    Editor,
    SceneError,
    Voxels,
    add_segment,
    box_of_roi,
    clicks_of_list,
    prompt_lists,
    view_of,
    write_clicks,
)
from promptseg_mrml.prompts import (
    AXIS_ATTRIBUTE,
    SEGMENT_ATTRIBUTE,
    claim,
    claim_prompts,
    list_of_segment,
    make_prompts_of,
    of_segment,
    owner_of,
    refuse_locked,
    used_of_list,
    write_boxes,
)

from .batch import Prompted
from .marks import MARK_TAG, Asked, make_mark, mark_of, read_mark
from .steps import Owed, State, Step, Steps
from .worker import AS_SHOWN, Job, Library, Options, Worker


@dataclass
class Status:
    """What a front end shows."""

    text: str = "Choose a volume."
    error: str = ""
    busy: bool = False
    progress: float = 0.0
    device: str = ""
    quality: float = 0.0
    warnings: Tuple[str, ...] = ()


@dataclass
class _Known:
    """What this logic knows of a segment: the state that it asked with, what came of it, and the state
    whose prompts the scene shows (a state that goes on from them has none of its own yet). When the
    segment holds anything else, another tool was there."""

    state: State
    content: Voxels
    shown: State
    owner: str


def _says_errors(method: Callable) -> Callable:
    """The method returns whether it could; why not is the status's error."""

    @functools.wraps(method)
    def wrapped(self: "LiveLogic", *arguments: Any, **named: Any) -> bool:
        self.status.error = ""
        try:
            method(self, *arguments, **named)
            return True
        except (SceneError, promptseg.PromptSegError) as error:
            self.status.error = str(error)
            return False
        finally:
            self._say_unfinished()
            self._changed()

    return wrapped


class LiveLogic:
    """See the module. ``on_change`` is called whenever ``status`` is another one. Front ends in one
    scene have different tags: rules are kept in the scene by tag."""

    def __init__(self, scene: Any, options: Options = Options(),
                 on_change: Callable[[], None] = lambda: None, tag: str = Editor.NODE_TAG) -> None:
        self.scene, self.options, self.on_change, self._tag = scene, options, on_change, tag
        self.status = Status()
        self.one_slice = False
        self.histories: List[Any] = []  # undo of other tools: each has SaveStateForUndo()
        self.volume: Any = None
        self.segmentation: Any = None
        self.segment_id: Optional[str] = None
        self.refused = ""  # why what was chosen last cannot be worked on
        self._editor: Optional[Editor] = None
        self._steps, self._known = Steps(), {}
        self._worker, self._library = Worker(), Library()
        self._job: Optional[Tuple[Job, Optional[Step]]] = None
        self._writing, self._watching, self._watched = False, True, {}
        self._said_unfinished = ""  # the last of the warnings, if it is there
        self._observed = scene.AddObserver(scene.NodeAboutToBeRemovedEvent, self._node_removed)
        self._observed_close = scene.AddObserver(scene.StartCloseEvent, lambda *_: self.forget())

    def close(self) -> None:
        """Ends the thread; the logic is of no use afterwards."""
        self.scene.RemoveObserver(self._observed)
        self.scene.RemoveObserver(self._observed_close)
        self._unwatch()
        self._worker.close()

    # ------------------------------------------------------------------------------- what is worked on

    @_says_errors
    def choose(self, volume: Any, segmentation: Any = None) -> None:
        """Works on this volume and this segmentation; without one, one is made for it. A segment that
        has prompts in the scene goes on from them. When that cannot be, it works on nothing: a click
        must not go into what was chosen before."""
        self.forget()
        try:
            self._work_on(volume, segmentation)
        except SceneError as error:
            self.refused = str(error)
            raise

    def _work_on(self, volume: Any, segmentation: Any) -> None:
        view = view_of(volume)
        if segmentation is None:
            segmentation = self._new_segmentation(volume)
        editor = Editor(segmentation, volume, view, self._tag)
        self.volume, self.segmentation, self._editor = volume, segmentation, editor
        editor.histories = self.histories
        ids = editor.segment_ids()
        self.segment_id = ids[0] if ids else None
        claim_prompts(segmentation)
        self._watch_all()
        self.status.text = f"{volume.GetName()}: click on an object."
        if editor.is_resampled:
            self.status.warnings = (f"{segmentation.GetName()} has another grid than "
                                    f"{volume.GetName()}: masks are resampled to it",)

    def _new_segmentation(self, volume: Any) -> Any:
        node = self.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", f"{volume.GetName()} segments")
        node.CreateDefaultDisplayNodes()
        node.SetAndObserveTransformNodeID(volume.GetTransformNodeID())
        node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
        return node

    def forget(self) -> None:
        """Works on nothing. The scene stays as it is."""
        self._worker.cancel()
        self._job, self._editor, self.refused = None, None, ""
        self.volume = self.segmentation = self.segment_id = None
        self._steps.clear()
        self._known.clear()
        self._unwatch()
        self.status = Status(device=self.status.device)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _node_removed(self, _scene: Any, _event: Any, node: Any) -> None:
        """Before selectors see it and choose something else: what they choose is no reason."""
        self._lost(node)

    def _lost(self, going: Any = None) -> bool:
        """Lets go of nodes that are no longer in the scene, or about to leave it."""
        for what, node in (("volume", self.volume), ("segmentation", self.segmentation)):
            if node is not None and (node is going or not self.scene.IsNodePresent(node)):
                self.forget()
                self.status.error = f"The {what} was removed. What was segmented so far stays in the scene."
                self._changed()
                return True
        return False

    @_says_errors
    def new_segment(self, name: str = "", colour: Any = None) -> None:
        """Adds a segment and works on it."""
        self._ready(segment=False)
        self.segment_id = add_segment(self.segmentation, name, colour)

    @_says_errors
    def choose_segment(self, segment_id: str) -> None:
        self._ready(segment=False)
        self._editor.segment(segment_id)
        self.segment_id = segment_id

    @_says_errors
    def set_options(self, options: Options) -> None:
        """Another model, device or window: the next question uses them."""
        self.options = options
        self.status.device = ""

    def _options_now(self) -> Options:
        """The options, with what the viewer shows at this moment in the place of AS_SHOWN."""
        if self.options.window != AS_SHOWN:
            return self.options
        display = self.volume.GetScalarVolumeDisplayNode()
        if display is None:
            raise SceneError(f"{self.volume.GetName()} is not shown: show it, or choose another window than "
                             f"\"{AS_SHOWN}\".")
        return replace(self.options, window=(display.GetWindowLevelMin(), display.GetWindowLevelMax()))

    def _ready(self, segment: bool = True) -> None:
        if self._lost() or self.volume is None:
            raise SceneError(self.status.error or self.refused or "Choose a volume first.")
        if not self._editor.view.is_of(self.volume):
            self._volume_changed(view_of(self.volume))
        if segment and (self.segment_id is None or self.segment_id not in self._editor.segment_ids()):
            self.segment_id = add_segment(self.segmentation, "")

    def _volume_changed(self, view: Any) -> None:
        """The volume has other voxels, or is elsewhere: segments stay and are gone on with, earlier
        steps end."""
        self._cancel()
        self._editor = Editor(self.segmentation, self.volume, view, self._tag)
        self._editor.histories = self.histories
        self._steps.clear()
        for segment_id in self._editor.segment_ids():
            self._mark(segment_id, "")
            if (known := self._known_of(segment_id)) is not None:
                content = self._editor.read(segment_id)
                self._know(segment_id, known.state.settled(content), content, known.shown)

    # ---------------------------------------------------------------------------------------- prompts

    @_says_errors
    def click(self, ras: Any, inside: bool = True, normal: Any = None) -> None:
        """A point of the world. ``normal`` is the normal of the slice view it was made in."""
        self._ready()
        view = self._editor.view
        if not view.holds(ras):
            raise SceneError(self._outside(ras))
        axis = view.axis_near(normal) if normal is not None else None
        click = Click(tuple(float(n) for n in ras), inside, axis)
        before = self._open_state()
        if self.one_slice:
            after = self._one_slice_state(before, click)
        else:
            after = self._going_on(before, axis).with_click(click)
        self._begin(before, after)

    def _outside(self, ras: Any) -> str:
        low, high = self._editor.view.bounds()
        place = ", ".join(f"{n:.1f}" for n in ras)
        ranges = ", ".join(f"{a} {x:.1f} to {y:.1f}" for a, x, y in zip("RAS", low, high))
        return f"The click at {place} (RAS) lies outside {self.volume.GetName()}, which spans {ranges} mm."

    @_says_errors
    def add_box(self, box: Any) -> None:
        """A box around the object: a Box, or an ROI node, which is taken into the segment's prompts."""
        self._ready()
        if not isinstance(box, Box):
            read = box_of_roi(box)
            if read is None:
                raise SceneError(f"{box.GetName()} has no size yet: draw it first.")
            box = read
        before = self._open_state()
        self._begin(before, self._going_on(before, None).with_box(box))

    @_says_errors
    def prompts_edited(self) -> None:
        """The user moved or removed points or boxes of the segment in a view."""
        self._ready()
        if self._writing:
            return
        before = self._state(self.segment_id)
        if not before.plane and (after := self._with_edits(before)) is not before:
            self._begin(before, after)

    def _with_edits(self, before: State) -> State:
        """The prompts as the user has left them in the scene; this very state when they are as they
        were. What cannot be asked is put back as it was before."""
        edited, used = self._in_scene(self.segment_id), self._used_in_scene(self.segment_id)
        if self._known[self.segment_id].shown.same_prompts(edited):
            return before
        try:
            self._refuse_closed(self.segment_id)
            self._refuse_outside(edited.clicks)
        except SceneError:
            self._write_prompts(self.segment_id, before, locked_too=True)
            raise
        owed = before.owed
        if owed is not None and not before:  # what is still to be asked are the prompts as they are now
            owed = Owed(replace(owed.state, clicks=edited.clicks, boxes=edited.boxes), owed.came, owed.went)
        axis = before.axis if edited else edited.axis
        return State(before.base, edited.clicks, edited.boxes, used, axis, before.plane, owed=owed)

    def _refuse_outside(self, clicks: Tuple[Click, ...]) -> None:
        for click in clicks:
            if not self._editor.view.holds(click.ras):
                raise SceneError(self._outside(click.ras))

    def _open_state(self) -> State:
        """The state of the segment to add prompts to. Prompts that were edited elsewhere than in a view
        (in a table, by a script, a list or box removed) are a step before, whose answer nobody needs."""
        self._refuse_closed(self.segment_id)
        before = self._state(self.segment_id)
        edited = self._with_edits(before)
        if edited is not before:
            edited = replace(edited, options=self._options_now())
            self._steps.add(self._step(before, edited))
            self._know(self.segment_id, edited, self._known[self.segment_id].content)
        return edited

    def _step(self, before: State, after: State) -> Step:
        segment = self._editor.segment(self.segment_id)
        return Step(self.segment_id, before, after, mark_of(segment), owner=claim(segment))

    def _completed(self, segment_id: str) -> bool:
        logic = slicer.vtkSlicerSegmentationsModuleLogic
        return logic.GetSegmentStatus(self._editor.segment(segment_id)) == logic.Completed

    def _refuse_closed(self, segment_id: str) -> None:
        """What the user has completed or locked is not changed."""
        if self._completed(segment_id):
            raise SceneError(f"{self._editor.segment(segment_id).GetName()} is completed. Reopen it to "
                             "change it, or add a new segment.")
        for node in prompt_lists(self.segmentation, segment_id):
            if node.IsA("vtkMRMLMarkupsFiducialNode"):
                refuse_locked(node)

    def _state(self, segment_id: str) -> State:
        """What the segment was asked with. If it holds something else than what came of that, it goes
        on from what it holds."""
        content = self._editor.read(segment_id)
        known, found = self._known_of(segment_id), self._in_scene(segment_id)
        if known is not None and known.content == content and known.state.same_prompts(found):
            return known.state
        if self._asked(segment_id, content, found) is not None:
            state = found  # of a scene that was loaded, or another front end asked
        elif known is None:
            state = found.settled(content) if content else found
        elif known.content == content:
            return known.state  # the user is editing
        else:
            state = self._settled(segment_id, known.state, content.without(known.content),
                                  known.content.without(content))
            found = known.shown  # so that edits are still told from it
        self._know(segment_id, state, content, found)
        return state

    def _know(self, segment_id: str, state: State, content: Voxels, shown: Optional[State] = None) -> None:
        owner = owner_of(self._editor.segment(segment_id))
        self._known[segment_id] = _Known(state, content, state if shown is None else shown, owner)

    def _known_of(self, segment_id: str) -> Optional[_Known]:
        """None also where a segment that was removed had the ID."""
        known = self._known.get(segment_id)
        return known if known and known.owner == owner_of(self._editor.segment(segment_id)) else None

    def _is_there(self, step: Step) -> bool:
        """Whether the step's segment was not removed meanwhile."""
        return step.segment_id in self._editor.segment_ids() \
            and owner_of(self._editor.segment(step.segment_id)) == step.owner

    def _settled(self, segment_id: str, state: State, came: Voxels = Voxels(),
                 went: Voxels = Voxels()) -> State:
        """Going on from what the segment holds now; what another tool drew and erased meanwhile is part
        of that. A slice that is all there is yet of an answer is not what the user meant: the next
        question asks for the whole first."""
        settled = state.settled(self._editor.read(segment_id))
        if self._steps.is_whole(segment_id, state) or not (state or state.owed):
            return settled
        return replace(settled, owed=Owed(state, came, went))

    def _asked(self, segment_id: str, content: Voxels, state: State) -> Optional[Asked]:
        """How these prompts were asked for to give this mask; None: they did not."""
        mark = mark_of(self._editor.segment(segment_id))
        return read_mark(mark, state, content, self.volume.GetName())

    def _in_scene(self, segment_id: str) -> State:
        """The prompts of the scene, as if they were all."""
        clicks, boxes, axis = (), (), None
        for node in prompt_lists(self.segmentation, segment_id):
            if node.IsA("vtkMRMLMarkupsFiducialNode"):
                clicks += tuple(clicks_of_list(node))
                axis = node.GetAttribute(AXIS_ATTRIBUTE) or axis
            elif (box := box_of_roi(node)) is not None:
                boxes += (box,)
        return State(None, clicks, boxes, (), axis)

    def _used_in_scene(self, segment_id: str) -> Tuple[Click, ...]:
        lists = prompt_lists(self.segmentation, segment_id)
        return tuple(click for node in lists if node.IsA("vtkMRMLMarkupsFiducialNode")
                     for click in used_of_list(node))

    def _going_on(self, state: State, axis: Optional[str]) -> State:
        """The state to add a prompt for the whole object to. The axis of its slices is the acquired
        one where slices are thick, else that of the view of the first click."""
        if state.plane:
            state = self._settled(self.segment_id, state)
        if not state and state.axis is None and self._editor.view.coarse_axis() is None:
            return replace(state, axis=axis)
        return state

    def _one_slice_state(self, state: State, click: Click) -> State:
        """Clicks of one slice ask together; the next slice goes on from what the last one made."""
        view = self._editor.view
        axis = click.axis or state.axis or view.coarse_axis() or "k"
        plane = (axis, int(round(float(view.index_of(click.ras)["ijk".index(axis)]))))
        if state.plane != plane:
            state = replace(self._settled(self.segment_id, state), plane=plane)
        return state.with_click(click)

    # -------------------------------------------------------------------------------------- questions

    def _begin(self, before: State, after: State) -> None:
        """One step: prompts into the scene now, the mask when it is there."""
        after = replace(after, options=self._options_now())
        step = self._step(before, after)
        self._write_prompts(step.segment_id, after)
        self._editor.save_state()
        self._steps.add(step)
        self._know(step.segment_id, after, self._known[step.segment_id].content)
        self._ask(step)

    def _write_prompts(self, segment_id: str, state: State, locked_too: bool = False) -> None:
        self._writing = True
        try:
            points = list_of_segment(self.segmentation, segment_id)
            for node in prompt_lists(self.segmentation, segment_id):
                if node.IsA("vtkMRMLMarkupsFiducialNode"):  # one list holds them all
                    mine = (state.clicks, state.used) if node is points else ((), ())
                    write_clicks(node, *mine, locked_too)
            points.SetAttribute(AXIS_ATTRIBUTE, state.axis)
            write_boxes(self.segmentation, segment_id, state.boxes)
            for node in prompt_lists(self.segmentation, segment_id):
                make_prompts_of(node, self.segmentation, segment_id)
            self._watch(segment_id)
        finally:
            self._writing = False

    def _watch(self, segment_id: str) -> None:
        """Points and boxes that the user moves or removes in a view are prompts edited."""
        if not self._watching:
            return
        for node in prompt_lists(self.segmentation, segment_id):
            if node.GetID() not in self._watched:
                events = (node.PointEndInteractionEvent, node.PointRemovedEvent)
                self._watched[node.GetID()] = (node, [node.AddObserver(e, self._edited) for e in events])

    def _watch_all(self) -> None:
        """Edits are told from what is known of a segment before."""
        if not self._watching:
            return
        for segment_id in self._editor.segment_ids():
            if prompt_lists(self.segmentation, segment_id):
                self._state(segment_id)
                self._watch(segment_id)

    def watch(self, on: bool) -> None:
        """Whether prompts that the user edits in a view are a question. Only the front end in use is to
        answer it: another one would ask a second time, with what it knows itself."""
        self._watching = on
        if not on:
            self._unwatch()
        elif self.volume is not None:
            self._watch_again()

    @_says_errors
    def _watch_again(self) -> None:
        self._ready(segment=False)
        self._watch_all()

    def _unwatch(self) -> None:
        for node, observers in self._watched.values():
            for observer in observers:
                node.RemoveObserver(observer)
        self._watched.clear()

    def _edited(self, node: Any, _event: Any, *_: Any) -> None:
        segment_id = node.GetAttribute(SEGMENT_ATTRIBUTE)
        if self._writing or self.segmentation is None or node.GetScene() is None:
            return
        if segment_id and of_segment(node, self.segmentation, segment_id):
            self.segment_id = segment_id
            self.prompts_edited()

    def _ask(self, step: Step) -> None:
        view, state = self._editor.view, step.after
        ask = _ask_slice if state.plane else _ask_object
        label = 1 + self._editor.segment_ids().index(step.segment_id)
        job = self._worker.ask(functools.partial(ask, self._library, view, state, label))
        self._job = (job, step)
        self.status.busy, self.status.progress = True, 0.0
        self.status.text = "Looking at the slice ..."

    def look_at(self, ras: Any) -> None:
        """Encodes ahead where the user looks, while nobody asks: the first click is fast then. A mouse
        that moves is no act: the status stays as it is, above all its error."""
        if self.volume is None or self.status.busy or not self._editor.view.holds(ras):
            return
        try:
            view, options = self._editor.view, self._options_now()
        except SceneError:
            return  # a click will say it
        axis = view.coarse_axis()
        place = (-ras[0], -ras[1], ras[2])

        def ahead(job: Job) -> None:
            self._library.volume(view, options, job, axis=axis or "auto").ahead(place, cancel=job.cancel)

        job = self._worker.ask(ahead, idle=True)
        if job is not None:
            self._job = (job, None)

    @property
    def rules(self) -> Any:
        """The vtkMRMLSegmentEditorNode with the editable area and the rule for other segments."""
        return self._editor.node if self._editor is not None else None

    @property
    def looking(self) -> bool:
        """Whether it looks ahead."""
        return self._job is not None and self._job[1] is None

    def cancel(self) -> None:
        """Ends the running question; the step stays, with what is shown of it."""
        self._cancel()
        self._say_unfinished()
        self._changed()

    def _cancel(self) -> None:
        self._worker.cancel()
        self._job = None
        self.status.busy = False

    # ---------------------------------------------------------------------------------------- answers

    def pump(self) -> bool:
        """Takes answers into the scene; returns whether more are to come."""
        if self._lost():
            return False
        changed = False
        for job, kind, what in self._worker.fetch():
            if self._job is None or job is not self._job[0]:
                if kind == "device":
                    self.status.device = what[0]
                continue
            changed = True
            try:
                if kind in ("preview", "mask"):
                    self._refuse_late(self._job[1])
                getattr(self, f"_on_{kind}")(self._job[1], *what)
            except SceneError as error:
                self._cancel()
                self._say_unfinished()
                self.status.error = str(error)
        if changed:
            self._changed()
        return self.status.busy

    def _refuse_late(self, step: Step) -> None:
        """An answer is about what was asked: a volume that has moved or shows other voxels since then
        has none, and what other tools did to the segment is not overwritten. Ends the question."""
        if not self._is_there(step):
            raise SceneError(f"{step.segment_id} was removed from {self.segmentation.GetName()} before its "
                             "mask was there.")
        name = self._editor.segment(step.segment_id).GetName()
        if not self._same_volume():
            self._cancel()
            self._take_back(step)
            raise SceneError(f"{self.volume.GetName()} was moved or shows other voxels since {name} was "
                             "asked for: the last prompt was taken back, set it again.")
        if self._completed(step.segment_id):
            raise SceneError(f"{name} was completed before its mask was whole: it stays as it is shown. "
                             "Reopen it and click once more to go on.")
        if self._known[step.segment_id].content != self._editor.read(step.segment_id):
            raise SceneError(f"{name} was changed by another tool while its mask was computed: it stays as "
                             "it is shown. Click once more: the whole is asked for, what was drawn is kept.")

    def _same_volume(self) -> bool:
        try:
            return self._editor.view.is_of(self.volume)
        except SceneError:
            return False

    def _on_device(self, _step: Optional[Step], device: str) -> None:
        self.status.device = device

    def _on_progress(self, step: Optional[Step], fraction: float, phrase: str) -> None:
        if step is not None:
            self.status.progress, self.status.text = fraction, phrase

    def _on_preview(self, step: Step, preview: Any) -> None:
        content = self._editor.read(step.segment_id)
        self._write(step, content.with_slice(preview.axis, preview.slice, preview.mask))

    def _on_mask(self, step: Step, voxels: Voxels, axis: str, quality: float,
                 sentences: List[str]) -> None:
        self._write(step, voxels)
        step.complete = True
        if not self._editor.has_rules:  # else what may not be edited was cut off
            content = self._known[step.segment_id].content
            step.mark_after = make_mark(step.after, axis, content, self.volume.GetName(),
                                        bool(self._editor.view.hounsfield))
        self._mark(step.segment_id, step.mark_after)
        self.status.quality, self.status.warnings = quality, tuple(sentences)
        self.status.text = f"{voxels.count} voxels" if voxels else "Nothing was found there."

    def _write(self, step: Step, voxels: Voxels) -> None:
        step.add(self._editor.write(step.segment_id, voxels))
        self._remember(step.segment_id, step.after)

    def _remember(self, segment_id: str, state: State) -> None:
        self._know(segment_id, state, self._editor.read(segment_id))

    def _mark(self, segment_id: str, mark: str) -> None:
        segment = self._editor.segment(segment_id)
        if mark != mark_of(segment):
            segment.SetTag(MARK_TAG, mark)

    def _on_done(self, _step: Optional[Step]) -> None:
        self.status.busy = False
        self._job = None
        self._say_unfinished()

    def _on_cancelled(self, _step: Optional[Step]) -> None:
        self._on_done(None)

    def _on_failed(self, step: Optional[Step], error: Exception) -> None:
        """The step is taken back: the scene is as it was before."""
        self._on_done(None)
        if step is None:
            return  # a look ahead; a click will say it
        self.status.error = str(error)
        self._take_back(step)

    def _take_back(self, step: Step) -> None:
        self.status.text = "The last prompt was taken back."
        self._steps.drop(step)
        if not self._is_there(step):
            return
        self._editor.apply(step.change.reversed())
        self._write_prompts(step.segment_id, step.before, locked_too=True)
        self._remember(step.segment_id, step.before)
        self._mark(step.segment_id, step.mark_before)

    # ------------------------------------------------------------------------------- undo, redo, accept

    @property
    def can_undo(self) -> bool:
        return self._steps.last() is not None

    def unfinished(self) -> List[str]:
        """Segments whose mask is not whole: their question runs, or a prompt of another segment ended
        it. A further prompt of theirs makes it whole."""
        if self._editor is None:
            return []
        found = []
        for one in self._editor.segment_ids():
            known = self._known_of(one)
            # Masks are read last: that costs the most.
            if known is not None and not self._steps.is_whole(one, known.state) \
                    and not self._steps.is_whole(one, self._state(one)):
                found.append(one)
        return found

    def _say_unfinished(self) -> None:
        """A slice that is all there is of a mask is told from a thin object by this warning alone."""
        running = self._job[1].segment_id if self._job and self._job[1] else None
        try:
            names = [self._editor.segment(one).GetName() for one in self.unfinished() if one != running]
        except SceneError:
            names = []  # a volume that cannot be used: that is what is said
        said, self._said_unfinished = self._said_unfinished, ""
        if names:
            self._said_unfinished = (f"{', '.join(names)}: the mask is not whole, its question was ended. "
                                     "Click in it once more, or undo.")
        kept = tuple(one for one in self.status.warnings if one != said)
        self.status.warnings = kept + ((self._said_unfinished,) if names else ())

    @property
    def can_redo(self) -> bool:
        return self._steps.next() is not None

    @_says_errors
    def undo(self) -> None:
        """Takes back the last prompt and what it did to the mask."""
        self._ready(segment=False)
        step = self._steps.last()
        if step is not None:
            self._open(step)
            self._steps.back()
            self._move(step, step.change.reversed(), step.after, step.before, step.mark_before)

    @_says_errors
    def redo(self) -> None:
        self._ready(segment=False)
        step = self._steps.next()
        if step is not None:
            self._open(step)
            self._steps.forward()
            self._move(step, step.change, step.before, step.after, step.mark_after)

    def _open(self, step: Step) -> None:
        """Refuses before anything is changed, the question that runs included."""
        if self._is_there(step):
            self._refuse_closed(step.segment_id)
        self._cancel()

    def _move(self, step: Step, change: Any, old: State, state: State, mark: str) -> None:
        """From the old state to another one, which the mark belongs to."""
        if not self._is_there(step):
            return
        known, held = self._known_of(step.segment_id), self._editor.read(step.segment_id)
        ours = known is not None and known.state is old
        self._editor.apply(change)
        if not ours:  # what is whose is not known: all that is there is kept
            state = self._settled(step.segment_id, state, self._editor.read(step.segment_id))
        elif known.content != held:  # another tool was there: its work stays, and prompts go on from it
            state = self._settled(step.segment_id, state, held.without(known.content),
                                  known.content.without(held))
        self._write_prompts(step.segment_id, state)
        self._remember(step.segment_id, state)
        self._mark(step.segment_id, mark)
        self.segment_id = step.segment_id
        self.status.text = "Taken back." if change is not step.change else "Done again."
        made = self._steps.made(step.segment_id, state)
        if made is not None and not made.complete:
            self._ask(made)  # its mask was still to come when the next click ended it

    @_says_errors
    def accept(self) -> None:
        """The segment is right: its status becomes "completed", its prompts are hidden."""
        self._finish(slicer.vtkSlicerSegmentationsModuleLogic.Completed, False)

    @_says_errors
    def reopen(self) -> None:
        self._finish(slicer.vtkSlicerSegmentationsModuleLogic.InProgress, True)

    def _finish(self, status: int, visible: bool) -> None:
        self._ready()
        slicer.vtkSlicerSegmentationsModuleLogic.SetSegmentStatus(
            self._editor.segment(self.segment_id), status)
        for node in prompt_lists(self.segmentation, self.segment_id):
            if node.GetDisplayNode() is not None:
                node.GetDisplayNode().SetVisibility(visible)

    # ---------------------------------------------------------------------------- what is taken elsewhere

    def prompted(self) -> List[Prompted]:
        """All segments, for write_manifest: asked there as they were here, or where that is not known,
        as the options are now. SceneError: nothing is chosen."""
        self._ready(segment=False)
        out = []
        for segment_id, name, found, asked in self._answers():
            axis, options = (asked.axis, asked.options) if asked else (found.axis or "", self._options_now())
            out.append(Prompted(name, prompt_lists(self.segmentation, segment_id), axis, options))
        return out

    def not_from_prompts(self) -> str:
        """Says of which segments their prompts and the options alone do not give the mask; "": of none.
        SceneError: nothing is chosen."""
        self._ready(segment=False)
        resampled = self._editor.is_resampled
        names = [name for segment_id, name, found, asked in self._answers()
                 if (found or self._editor.read(segment_id))
                 and (asked is None or resampled or asked.options.model != self.options.model)]
        return ("" if not names else
                f"Prompts alone do not give the mask of {', '.join(names)}: it was made on one slice only, "
                "by another tool too, under rules, on another grid, with other weights, or is not complete.")

    def _answers(self) -> List[Tuple[str, str, State, Optional[Asked]]]:
        """Of each segment: ID, name, prompts, and how they were asked for to give its mask."""
        out = []
        for segment_id in self._editor.segment_ids():
            found = self._in_scene(segment_id)
            asked = self._asked(segment_id, self._editor.read(segment_id), found)
            out.append((segment_id, self._editor.segment(segment_id).GetName(), found, asked))
        return out

    def state_of(self, segment_id: Optional[str] = None) -> State:
        """What a segment is asked with now."""
        return self._state(segment_id or self.segment_id)

    def _changed(self) -> None:
        self.on_change()


def _ask_object(library: Library, view: Any, state: State, label: int, job: Job) -> None:
    """The slice of the last prompt at once, then the whole object."""
    live = library.volume(view, state.options, job, axis=state.axis or "auto")
    first = live.preview(label, state.prompts(view.size), cancel=job.cancel, sentences=[])
    job.tell("preview", first)
    voxels, *said = _object(library, view, _with_base(library, view, state, label, job), label, job)
    job.tell("mask", voxels, "ijk"[first.axis], *said)


def _ask_slice(library: Library, view: Any, state: State, label: int, job: Job) -> None:
    """One slice, all others as they are."""
    if state.owed is not None:
        job.tell("preview", _slice(library, view, state, label, job))
        state = _with_base(library, view, state, label, job)
    found = _slice(library, view, state, label, job)
    base = state.base or Voxels()
    job.tell("mask", base.with_slice(found.axis, found.slice, found.mask), state.plane[0],
             found.predicted_iou, [])


def _object(library: Library, view: Any, state: State, label: int, job: Job) -> Tuple:
    """The whole object's voxels, their quality, and the library's sentences."""
    sentences: List[str] = []
    live = library.volume(view, state.options, job, axis=state.axis or "auto")
    report = live.predict(label, state.prompts(view.size), progress=job.progress, cancel=job.cancel,
                          sentences=sentences)
    mask = live.mask(label)
    return Voxels(mask.first, mask.array), report.quality, sentences


def _slice(library: Library, view: Any, state: State, label: int, job: Job) -> Any:
    axis, index = state.plane
    live = library.volume(view, state.options, job, axis=axis, propagate=False)
    return live.preview(label, state.prompts(view.size), slice=index, cancel=job.cancel, sentences=[])


def _with_base(library: Library, view: Any, state: State, label: int, job: Job) -> State:
    """The state, its base being the answer that it is owed: asked for now, unless an earlier question
    has found it out."""
    owed = state.owed
    if owed is None:
        return state
    if owed.whole is None:
        asked = _with_base(library, view, replace(owed.state, options=state.options), label, job)
        answer = asked.base or Voxels()
        if asked and asked.plane:
            found = _slice(library, view, asked, label, job)
            answer = answer.with_slice(found.axis, found.slice, found.mask)
        elif asked:
            answer = _object(library, view, asked, label, job)[0]
        owed.with_answer(answer)
    return replace(state, base=owed.whole, owed=None)
