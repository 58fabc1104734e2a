"""The page and its server. Everything of MRML runs in the server's event loop; the model library in the
worker's thread of promptseg_live."""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, Dict, Optional, Sequence

import slicer
from promptseg_live import LiveLogic, Options, write_prompts
from promptseg_mrml import Box, prompt_lists
from trame.app import get_server
from trame.ui.html import DivLayout
from trame.widgets import client, html
from trame_slicer import module as trame_slicer_module
from trame_slicer.core import LayoutManager, SlicerApp

from .files import DICOM_ENDING, ENDING, PROMPTS_ENDING, RefusedError, is_dicom, readable, writable
from .series import files_of, only_one
from .views import register_views

PUMP_SECONDS = 0.02
VIEWS = {"Axial": (1, 0, 0), "Coronal": (0, 1, 0), "Sagittal": (0, 0, 1)}
BOX_DEPTH = 0.5  # of the smaller side: how deep a box drawn in a slice reaches

STYLE = """
html, body, #app, .v-application, .trame { margin: 0; height: 100%; background: #111; color: #ddd;
  font: 14px sans-serif }
.page { display: flex; height: 100vh }
.panel { width: 230px; padding: 12px; display: flex; flex-direction: column; gap: 8px }
.panel button { padding: 6px; border: 1px solid #555; border-radius: 4px; background: #2a2a2a; color: #eee }
.panel button.on { background: #2d6cdf } .panel button:disabled { color: #777 }
.row { display: flex; gap: 6px } .row > * { flex: 1 }
.error { color: #ff7b72 } .views { flex: 1; display: flex } progress { width: 100% }
.area { position: relative; width: 100%; height: 100%; overflow: hidden }
.picture { position: absolute; top: 0; left: 0; width: 100%; height: 100% }
"""


class WebApp:
    """One volume, one page. ``folder``: where files may be read and written. ``series``: the UID of the
    one to take where the volume is a folder of several."""

    def __init__(self, volume: str, folder: Optional[Path] = None, options: Options = Options(),
                 server: Any = None, series: Optional[str] = None) -> None:
        self.folder = Path(folder or Path.cwd()).resolve()
        path = self.source = readable(self.folder, volume)
        self.series = series
        self.secret = secrets.token_urlsafe(24)
        self.server = server or get_server(f"promptseg-{secrets.token_hex(4)}")
        self.server.enable_module(trame_slicer_module)
        self.app = SlicerApp()
        self._faults: Dict[str, str] = {}  # views that cannot be drawn at the moment, and why
        self._factories = register_views(self.app.view_manager, self.server, self._drawn)
        self.layout = LayoutManager(self.app.scene, self.app.view_manager, self.server)
        self.layout.register_layout_dict(LayoutManager.default_grid_configuration())
        self.layout.set_layout("Quad View")
        self.live = LiveLogic(self.app.scene, options, on_change=self._show)
        self.state, self.loop_task, self.save_task = self.server.state, None, None
        self._corner: Any = None
        self._refusal = ""  # why the page itself did not do what was asked last
        self._set_state()
        self._open(path)
        self._watch_views()
        self._make_page()
        self.server.controller.on_server_ready.add(self._ready)

    # --------------------------------------------------------------------------------------- the volume

    def _open(self, path: Path) -> None:
        files = list(files_of(path, self.series))
        self.volume = only_one(path, self.app.io_manager.load_volumes(files))
        self.app.display_manager.show_volume_in_slice_background(self.volume)
        self.app.display_manager.reset_views()
        if not self.live.choose(self.volume):
            raise RefusedError(self.live.status.error)
        self.live.new_segment("Segment_1")
        self._show()

    def _set_state(self) -> None:
        self.state.update({"trame__title": "PromptSeg", "mode": "+", "one_slice": False, "segment": "",
                           "segments": [], "busy": False, "progress": 0.0, "text": "", "error": "",
                           "device": "", "can_undo": False, "can_redo": False, "in_3d": False,
                           "saved": "", "new_name": "", "fault": "", "done": 0, "due": {},
                           "save_name": "result" + (DICOM_ENDING if is_dicom(self.source) else ENDING)})

        @self.state.change("one_slice")
        def _one_slice(one_slice: bool, **_: Any) -> None:
            self.live.one_slice = bool(one_slice)

    # ------------------------------------------------------------------------------------------- clicks

    def _watch_views(self) -> None:
        self._presses = {}
        for view in self.app.view_manager.get_slice_views():
            interactor = view.interactor()
            self._presses[interactor] = interactor.AddObserver(
                "LeftButtonPressEvent", self._press(view), 100.0)
            interactor.AddObserver("LeftButtonReleaseEvent", self._release(view), 100.0)
            interactor.AddObserver("MouseMoveEvent", self._move(view), 100.0)

    @staticmethod
    def _place(view: Any) -> Any:
        """The world point (RAS) under the pointer, and the view's normal."""
        x, y = view.interactor().GetEventPosition()
        node = view.get_view_node()
        ras = node.GetXYToRAS().MultiplyPoint((x, y, 0, 1))[:3]
        normal = [node.GetSliceToRAS().GetElement(row, 2) for row in range(3)]
        return ras, normal

    def _press(self, view: Any) -> Any:
        def pressed(interactor: Any, *_: Any) -> None:
            # The left button is for prompts: views and markups do not see it.
            interactor.GetCommand(self._presses[interactor]).SetAbortFlag(1)
            ras, normal = self._place(view)
            self._begin_act()
            if self.state.mode == "box":
                self._corner = (view, ras)
                return
            inside = self.state.mode == "+" and not view.interactor().GetShiftKey()
            self.live.click(ras, inside, normal)
            self._tend()

        return pressed

    def _release(self, view: Any) -> Any:
        def released(*_: Any) -> None:
            if self._corner is not None and self._corner[0] is view:
                self._draw_box(view, self._corner[1], self._place(view)[0])
            self._corner = None

        return released

    def _move(self, view: Any) -> Any:
        def moved(*_: Any) -> None:
            if not self.live.can_undo and not self.live.status.busy:
                self.live.look_at(*self._place(view))

        return moved

    def _draw_box(self, view: Any, one: Any, other: Any) -> None:
        """Two corners of a slice, and as far to both sides as half the smaller one."""
        axes = view.get_view_node().GetSliceToRAS()
        columns = [[axes.GetElement(row, n) for row in range(3)] for n in range(3)]
        half = [abs(sum(c * (b - a) for c, a, b in zip(column, one, other))) / 2
                for column in columns[:2]]
        if min(half) <= 0:
            self._refuse("Drag from one corner of the box to the other.")
            self._tend()
            return
        center = tuple((a + b) / 2 for a, b in zip(one, other))
        half.append(min(half) * 2 * BOX_DEPTH)
        self.live.add_box(Box(center, tuple(half), tuple(zip(*columns))))
        self._tend()

    def _tend(self) -> None:
        """Takes answers in until none is to come; the loop goes on drawing meanwhile."""
        if self.loop_task is None or self.loop_task.done():
            self.loop_task = asyncio.get_event_loop().create_task(self._pump())

    async def _pump(self) -> None:
        while self.live.pump() or self.live.looking:
            await asyncio.sleep(PUMP_SECONDS)
        with self.state:
            self.state.done += 1  # questions that were answered
            self.state.due = {name: one.asked for factory in self._factories
                              for name, one in factory.senders.items()}  # drawings that show it

    # ------------------------------------------------------------------------------ what was refused

    def _begin_act(self) -> None:
        """What was wrong with the user's last act is over."""
        self._refusal = self.live.status.error = self.state.error = ""

    def _refuse(self, sentence: str) -> None:
        """It stays until the next act, whatever answers come meanwhile."""
        self._refusal = sentence
        self._show()

    # --------------------------------------------------------------------------------------- the buttons

    def choose_mode(self, mode: str) -> None:
        self.state.mode = mode

    def undo(self) -> None:
        self._begin_act()
        self.live.undo()
        self._tend()

    def redo(self) -> None:
        self._begin_act()
        self.live.redo()
        self._tend()

    def new_segment(self, name: str) -> None:
        """The page sends the name along: what was typed last may not have become state here yet."""
        self._begin_act()
        self.live.new_segment(name or f"Segment_{len(self.state.segments) + 1}")
        self.state.new_name = ""
        self._show()

    def choose_segment(self, segment_id: str) -> None:
        self._begin_act()
        self.live.choose_segment(segment_id)
        self._show()

    def show_3d(self) -> None:
        """Surfaces of all segments, made by Slicer's converter."""
        self.state.in_3d = not self.state.in_3d
        node = self.live.segmentation
        if self.state.in_3d:
            node.CreateClosedSurfaceRepresentation()
        node.GetDisplayNode().SetVisibility3D(self.state.in_3d)
        for view in self.app.view_manager.get_threed_views():
            view.fit_view_to_content()
            view.schedule_render()

    def save(self, name: str) -> None:
        """A file in the folder where the program was started, and the prompts beside it as .mrk.json,
        so that PromptSeg --prompts does it again. A name that ends in .dcm is a DICOM SEG of the
        series, any other one a .seg.nrrd."""
        self._begin_act()
        self.state.saved = ""
        ending = DICOM_ENDING if name.lower().endswith(DICOM_ENDING) else ENDING
        try:
            self._check_whole()
            program = self._program() if ending == DICOM_ENDING else None
            path = writable(self.folder, name, ending)
            prompts = writable(self.folder, path.name[: -len(ending)] + PROMPTS_ENDING, PROMPTS_ENDING)
            if program is None:
                self._write(path, self.live.segmentation)
                self._write_prompts(prompts)
                self.state.saved = path.name
            else:
                self.save_task = asyncio.get_event_loop().create_task(
                    self._save_dicom(program, path, prompts))
        except RefusedError as error:
            self._refuse(str(error))

    def _check_whole(self) -> None:
        """What is shown of a question that still runs, or that was ended, is no result."""
        if self.live.status.busy:
            raise RefusedError("The mask is not whole yet: save when it is.")
        inner = self.live.segmentation.GetSegmentation()
        names = [inner.GetSegment(one).GetName() for one in self.live.unfinished()]
        if names:
            raise RefusedError(f"{', '.join(names)}: the mask is not whole, a click elsewhere ended the "
                               "question. Choose the segment and click in it once more, or undo.")

    def _write(self, path: Path, segmentation: Any) -> None:
        storage = slicer.vtkMRMLSegmentationStorageNode()
        self.app.scene.AddNode(storage)
        storage.SetFileName(str(path))
        written = storage.WriteData(segmentation)
        self.app.scene.RemoveNode(storage)
        if not written:
            raise RefusedError(f"{path.name} cannot be written")

    def _write_prompts(self, path: Path) -> None:
        inner = self.live.segmentation.GetSegmentation()
        write_prompts(path, [(inner.GetSegment(one).GetName(), prompt_lists(self.live.segmentation, one))
                             for one in inner.GetSegmentIDs()])

    def _untouched(self, segment_id: str) -> bool:
        state = self.live.state_of(segment_id)
        return not (state or state.base or state.used)

    def _write_touched(self, path: Path) -> None:
        """A segment that nobody has used yet is no result."""
        node = self.live.segmentation
        copy = self.app.scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
        try:
            copy.GetSegmentation().DeepCopy(node.GetSegmentation())
            for one in node.GetSegmentation().GetSegmentIDs():
                if self._untouched(one):
                    copy.GetSegmentation().RemoveSegment(one)
            if not copy.GetSegmentation().GetNumberOfSegments():
                raise RefusedError("There is nothing to save yet.")
            self._write(path, copy)
        finally:
            self.app.scene.RemoveNode(copy)

    def _program(self) -> str:
        """The one that writes DICOM."""
        if not is_dicom(self.source):
            raise RefusedError(f"{self.source.name} is no DICOM series, which a DICOM SEG refers to: "
                               f"choose a name that ends in {ENDING}")
        found = os.environ.get("PROMPTSEG_PROGRAM") or shutil.which("PromptSeg")
        if not found:
            raise RefusedError("A DICOM SEG is written by the program PromptSeg, which is not on PATH: "
                               f"choose a name that ends in {ENDING}")
        return found

    async def _save_dicom(self, program: str, path: Path, prompts: Path) -> None:
        """Masks and prompts as they are now; nothing is segmented anew, and the page goes on meanwhile."""
        with tempfile.TemporaryDirectory() as folder:
            masks, asked = Path(folder) / ("masks" + ENDING), Path(folder) / ("asked" + PROMPTS_ENDING)
            try:
                self._write_touched(masks)
                self._write_prompts(asked)
                series = ["--series", self.series] if self.series else []
                run = await asyncio.create_subprocess_exec(
                    program, "--convert", "--initial", str(masks), *series, "--", str(self.source), str(path),
                    stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
                    stderr=asyncio.subprocess.PIPE)
                said = (await run.communicate())[1].decode(errors="replace").strip()
                if run.returncode != 0:
                    raise RefusedError(said or f"{program} ended with {run.returncode}")
                shutil.copyfile(asked, prompts)
                with self.state:
                    self.state.saved = path.name
            except (OSError, RefusedError) as error:
                self._refuse(str(error))

    def _show(self) -> None:
        """The logic's status, in the page, and what the page refused."""
        live = self.live
        inner = live.segmentation.GetSegmentation() if live.segmentation is not None else None
        with self.state:
            self.state.update({
                "busy": live.status.busy, "progress": live.status.progress,
                "error": " ".join(filter(None, (live.status.error, self._refusal))),
                "text": " ".join((live.status.text, *live.status.warnings)),
                "device": live.status.device, "can_undo": live.can_undo, "can_redo": live.can_redo,
                "segment": live.segment_id or "",
                "segments": [] if inner is None else [
                    {"id": one, "name": inner.GetSegment(one).GetName()} for one in inner.GetSegmentIDs()],
            })
        for view in self.app.view_manager.get_views():
            view.schedule_render()

    def _drawn(self, name: str, fault: str) -> None:
        """What a view says of its drawing; "" is well."""
        self._faults.pop(name, None)
        if fault:
            self._faults[name] = fault
        with self.state:
            self.state.fault = " ".join(f"View {one} cannot be drawn: {why}."
                                        for one, why in self._faults.items())

    # ------------------------------------------------------------------------------------------ the page

    def _make_page(self) -> None:
        with DivLayout(self.server) as self.page:
            client.Style(STYLE)
            with html.Div(classes="page"):
                with html.Div(classes="panel", id="panel"):
                    self._make_panel()
                with html.Div(classes="views", id="views"):
                    self.layout.initialize_layout_grid(self.page)

    def _make_panel(self) -> None:
        with html.Div(classes="row"):
            for mode, text, tip in (("+", "+", "click inside"), ("-", "-", "click outside (or Shift)"),
                                    ("box", "Box", "drag a box in a slice")):
                html.Button(text, id=f"mode_{ {'+': 'plus', '-': 'minus'}.get(mode, mode) }", title=tip,
                            click=(self.choose_mode, f"['{mode}']"),
                            classes=(f"mode === '{mode}' ? 'on' : ''",))
        with html.Div(classes="row"):
            html.Button("Undo", id="undo", click=self.undo, disabled=("!can_undo",))
            html.Button("Redo", id="redo", click=self.redo, disabled=("!can_redo",))
        with html.Label():
            html.Input(type="checkbox", id="one_slice", v_model=("one_slice",))
            html.Span(" this slice only")
        html.Input(id="new_name", placeholder="name of a new segment", v_model=("new_name",))
        html.Button("New segment", id="new_segment", click=(self.new_segment, "[new_name]"))
        html.Button("{{ one.name }}", v_for="one in segments", key="one.id",
                    classes=("one.id === segment ? 'segment on' : 'segment'",),
                    click=(self.choose_segment, "[one.id]"))
        html.Button("3D", id="show_3d", click=self.show_3d, classes=("in_3d ? 'on' : ''",))
        html.Input(id="save_name", v_model=("save_name",))
        html.Button("Save", id="save", click=(self.save, "[save_name]"), disabled=("busy",))
        html.Progress(v_if="busy", max=1, value=("progress || null",))
        html.Div("{{ error }}", id="error", classes="error")
        html.Div("{{ fault }}", id="fault", classes="error")
        html.Div("{{ text }}", id="text")
        html.Div("{{ saved ? 'Saved ' + saved : '' }}", id="saved")
        html.Div("{{ device ? 'Device: ' + device : '' }}", id="device")
        html.Div("Not a medical device.")
        html.Div("{{ done }}", id="done", style="display: none")
        html.Div("{{ JSON.stringify(due) }}", id="due", style="display: none")

    # ---------------------------------------------------------------------------------------- the server

    def _ready(self, **_: Any) -> None:
        print(f"http://127.0.0.1:{self.server.port}/index.html?secret={self.secret}", flush=True)

    def start(self, port: int = 0) -> None:
        """Serves this machine alone, until it is ended. The address with its secret goes to standard
        output; without the secret nothing is answered but an empty page."""
        self.server.cli.set_defaults(authKey=self.secret)
        arguments, sys.argv[1:] = sys.argv[1:], []  # they are ours, not the server's
        try:
            # timeout: wslink's own choice is 300 s without a browser, and what was not saved is gone.
            self.server.start(host="127.0.0.1", port=port, timeout=0, open_browser=False,
                              show_connection_info=False)
        finally:
            sys.argv[1:] = arguments
            self.live.close()


def main(arguments: Optional[Sequence[str]] = None) -> None:
    parser = argparse.ArgumentParser(prog="promptseg-web", description="PromptSeg in a browser. Not a "
                                     "medical device.")
    parser.add_argument("volume", help="a file or DICOM folder below the current folder")
    parser.add_argument("--series", metavar="UID", help="which one of a folder with several DICOM series")
    parser.add_argument("--port", type=int, default=0, help="of 127.0.0.1; 0: any that is free")
    parser.add_argument("--model", help="own weights (.safetensors, .pth)")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--threads", type=int, default=0)
    given = parser.parse_args(arguments)
    options = Options(model=given.model, device=given.device, threads=given.threads)
    try:
        app = WebApp(given.volume, Path(os.getcwd()), options, series=given.series)
    except RefusedError as error:
        sys.exit(f"promptseg-web: {error}")
    app.start(given.port)
