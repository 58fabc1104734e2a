"""One call of the library: its callbacks, and how it ends."""

from __future__ import annotations

import contextlib
import ctypes as c
import signal
import threading
from typing import Any, Callable, Iterator, List, Optional, Tuple

from . import _abi
from ._errors import error_of

library = _abi.load()

Progress = Callable[[float, str], Any]
Cancel = Callable[[], Any]


class CancelFlag:
    """Ends a call from another thread: give it as ``cancel``, then ``set()`` it. The library reads it
    without the interpreter's lock, so that a program which holds the lock for long (3D Slicer's event
    loop does) does not slow the work down. Once set it stays set: one flag for each call."""

    def __init__(self) -> None:
        # The library asks a C function with an argument of ours: the length of this text.
        self._text = c.create_string_buffer(2)

    def set(self) -> None:
        self._text.value = b"x"

    def is_set(self) -> bool:
        return bool(self._text.value)

    __call__ = is_set


_text_length = c.cast(_abi.c_function("strlen"), _abi.CancelFn)


class _Signals:
    """What the handlers of signals raise while the main thread is in the library. They run in the next
    callback, where an exception (KeyboardInterrupt, a SystemExit of SIGTERM) would get lost: it is kept
    for later. A call inside another one's callback finds the handlers held already."""

    NUMBERS = tuple(int(number) for number in signal.valid_signals())

    def __init__(self) -> None:
        self.raised: Optional[BaseException] = None
        self._are_held = False

    def take(self) -> Optional[BaseException]:
        raised, self.raised = self.raised, None
        return raised

    def _holding(self, before: Callable[[int, Any], Any]) -> Callable[[int, Any], None]:
        def handle(number: int, frame: Any) -> None:
            try:
                before(number, frame)
            except BaseException as error:  # noqa: BLE001 - raised again in `Call.run`
                self.raised = self.raised or error

        return handle

    def _hold(self, held: List[Tuple[int, Any, Any]]) -> None:
        for number in self.NUMBERS:
            before = signal.getsignal(number)
            if callable(before):  # else the system's own, which asks nobody
                held.append((number, before, self._holding(before)))
                signal.signal(number, held[-1][2])

    def _release(self, held: List[Tuple[int, Any, Any]]) -> None:
        """One that was given back may be asked, and raise, before the others are."""
        while held:
            number, before, handle = held[-1]
            try:
                if signal.getsignal(number) is handle:  # a handler may have set another one
                    signal.signal(number, before)
                held.pop()
            except BaseException as error:  # noqa: BLE001 - raised again in `Call.run`
                self.raised = self.raised or error

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """In the main thread alone: no other one is asked."""
        held: List[Tuple[int, Any, Any]] = []
        outer = self._are_held
        try:
            self._are_held = True
            if not outer:
                self.raised = None
                self._hold(held)
            yield
        finally:
            self._are_held = outer
            self._release(held)


_signals = _Signals()


class Call:
    """One call's callbacks. An exception in them or in a signal's handler, Ctrl-C's for one, cancels the
    call and is raised when it has returned: the library's stack must not be jumped over."""

    def __init__(self, progress: Optional[Progress] = None, cancel: Optional[Cancel] = None) -> None:
        self.sentences: List[str] = []
        self._raised: Optional[BaseException] = None
        self._progress, self._cancel = progress, cancel
        self.struct = _abi.Call(
            size=c.sizeof(_abi.Call),
            cancel=_abi.CancelFn(self._on_cancel),
            warning=_abi.LogFn(self._on_warning),
        )
        if progress is not None:
            self.struct.progress = _abi.ProgressFn(self._on_progress)
        is_main = threading.current_thread() is threading.main_thread()
        self._signals = _signals if is_main else None
        # Signals are Python's matter: the main thread keeps asking it.
        if isinstance(cancel, CancelFlag) and not is_main:
            self.struct.cancel = _text_length
            self.struct.cancel_user = c.cast(cancel._text, c.c_void_p)

    def _on_cancel(self, _user: Any) -> int:
        try:
            return 1 if self._ended() or (self._cancel is not None and self._cancel()) else 0
        except BaseException as error:  # noqa: BLE001 - raised again in `run`
            self._raised = error
            return 1

    def _ended(self) -> bool:
        return self._raised is not None or (self._signals is not None and self._signals.raised is not None)

    def _on_progress(self, _user: Any, fraction: float, message: bytes) -> None:
        if self._progress is None or self._ended():
            return
        try:
            self._progress(fraction, (message or b"").decode(errors="replace"))
        except BaseException as error:  # noqa: BLE001 - raised again in `run`
            self._raised = error
            if isinstance(self._cancel, CancelFlag):
                self._cancel.set()

    def _on_warning(self, _user: Any, sentence: bytes) -> None:
        self.sentences.append(sentence.decode(errors="replace"))

    def run(self, function: Any, *arguments: Any) -> None:
        """Calls the library and raises what the call, or a callback in it, came to."""
        if self._signals is None:
            status = function(*arguments)
        else:
            with self._signals.held():
                status = function(*arguments)
            self._raised = self._signals.take() or self._raised
        if self._raised is not None:
            raise self._raised
        check(status)


def check(status: int) -> None:
    if status != _abi.STATUS_OK:
        raise error_of(status, library.sgm_last_message().decode(errors="replace"))
