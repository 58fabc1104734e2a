"""How pictures of views come into the page.

A view is drawn when something asks for it, and sent as JPEG: first a coarse picture, and when nothing asks
for another one for a moment, a fine one. ``serve/pictures.js`` shows them. On the way no picture may be
lost that is not followed by a newer one; trame-rca's own way drops pictures when the browser is slow or
the clock is set back, and ends for ever at the first error.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Callable, Dict, List

from trame.app import asynchronous
from trame.widgets import html
from trame_client.widgets.core import AbstractElement
from trame_rca.encoders import RcaImageEncoder
from trame_rca.utils import RcaViewAdapter
from trame_rca.widgets.rca import RemoteControlledArea
from trame_slicer.rca_view.rca_view_factory import RcaRenderStrategy, RcaView, RcaWindow
from trame_slicer.views import IViewFactory, SliceView, ThreeDView, ViewLayout, ViewType

COARSE, FINE = 50, 90  # qualities of JPEG
FINE_AFTER = 5  # periods without a new question
FAST, SLOW = 30.0, 10.0  # pictures a second of the view under the pointer, and of others
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0  # seconds, after an error

_SERVED = "promptseg_web"
MODULE = {"serve": {_SERVED: str(Path(__file__).with_name("serve"))},
          "scripts": [f"{_SERVED}/pictures.js"], "vue_use": ["promptseg_pictures"]}


class PictureSender:
    """trame-rca's scheduler of one view: one task that draws, encodes and sends, one picture after the
    other. A picture that fails is tried again until one is sent; ``on_fault`` is called with the reason,
    and with "" when it is over. ``asked`` counts the questions; a picture says how many it has seen."""

    def __init__(self, window: Any, on_fault: Callable[[str], None] = lambda _: None,
                 encoder: Any = RcaImageEncoder.TURBO_JPEG, target_fps: float = SLOW) -> None:
        self.rca, self.target_fps, self.asked = window, target_fps, 0
        self._encoder, self._on_fault, self._fault = encoder, on_fault, ""
        self._push: Callable[[bytes, dict], None] = lambda *_: None
        self._wanted = asyncio.Event()
        self._task = asynchronous.create_task(self._run())

    def set_push_callback(self, callback: Callable[[bytes, dict], None]) -> None:
        self._push = callback

    def schedule_render(self) -> None:
        self.asked += 1
        self._wanted.set()

    def reset(self) -> None:
        """Every picture stands for itself."""

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        pause = FIRST_PAUSE
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                await self._send_both()
                self._say("")
                pause = FIRST_PAUSE
            except Exception as error:  # of VTK, the encoder or the connection: the task must not end
                self._say(str(error) or type(error).__name__)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
                self._wanted.set()

    def _say(self, fault: str) -> None:
        if fault != self._fault:
            self._fault = fault
            self._on_fault(fault)

    async def _send_both(self) -> None:
        await self._send(COARSE)
        for _ in range(FINE_AFTER):
            await asyncio.sleep(1.0 / self.target_fps)
            if self._wanted.is_set():
                return
        await self._send(FINE)

    async def _send(self, quality: int) -> None:
        asked = self.asked
        picture, columns, rows = self.rca.img_cols_rows
        content, meta, _ = await asyncio.to_thread(self._encoder.encode, picture, columns, rows, quality)
        self._push(content, {**meta, "asked": asked})


class Picture(AbstractElement):
    """pictures.js in the page."""

    def __init__(self, name: str) -> None:
        super().__init__("promptseg-picture", name=name)
        self._attr_names += ["name"]


class ViewFactory(IViewFactory):
    """Makes views of one type, which pictures show in the page. ``on_fault(view, why)``."""

    def __init__(self, server: Any, kind: Any, view_type: ViewType,
                 on_fault: Callable[[str, str], None]) -> None:
        super().__init__()
        self._server, self._kind, self._type, self._on_fault = server, kind, view_type, on_fault
        self.senders: Dict[str, PictureSender] = {}

    def can_create_view(self, view: Any) -> bool:
        return view.view_type == self._type

    def _get_slicer_view(self, view: RcaView) -> Any:
        return view.slicer_view

    def _create_view(self, view: Any, scene: Any, app_logic: Any) -> RcaView:
        tag = view.singleton_tag
        made = self._kind(scene=scene, app_logic=app_logic, name=tag)
        made.set_view_properties(view.properties)
        name, cursor = self._server.translator.translate_key(made.get_singleton_tag()), f"{tag}_cursor"
        self._server.state.setdefault(cursor, "default")
        window = RcaWindow(made.render_window(), state=self._server.state, active_view_cursor=cursor)
        sender = self.senders[name] = PictureSender(window, lambda why: self._on_fault(name, why))
        with ViewLayout(self._server, template_name=name) as layout:
            self._make_area(name, cursor, sender)
        adapter = RcaViewAdapter(window, name, scheduler=sender, do_schedule_render_on_interaction=False)
        made.set_scheduled_render(RcaRenderStrategy(sender))
        asynchronous.create_task(self._register(adapter))
        return RcaView(layout, made, adapter)

    def _make_area(self, name: str, cursor: str, sender: PictureSender) -> None:
        """Takes the mouse's events, and shows the picture below them."""
        def run_at(fps: float) -> Callable[..., None]:
            return lambda *_: setattr(sender, "target_fps", fps)

        with html.Div(classes="area", style=(f"{{ cursor: {cursor} }}",), mouseenter=run_at(FAST),
                      mouseleave=run_at(SLOW)):
            with RemoteControlledArea(name=name, display="none", send_mouse_move=True,
                                      event_throttle_ms=("10",)):
                Picture(name)

    async def _register(self, adapter: RcaViewAdapter) -> None:
        await self._server.ready
        self._server.root_server.controller.rc_area_register(adapter)


def register_views(view_manager: Any, server: Any, on_fault: Callable[[str, str], None]) -> List[ViewFactory]:
    """Views of a manager become pictures in the server's page."""
    server.enable_module(MODULE)
    made = [ViewFactory(server, SliceView, ViewType.SLICE_VIEW, on_fault),
            ViewFactory(server, ThreeDView, ViewType.THREE_D_VIEW, on_fault)]
    for factory in made:
        view_manager.register_factory(factory)
    return made
