"""A program of ours while it runs: what it says of its progress, and how it is ended before its time.

With --returnparameterfile a program says how far it is on standard output, in the tags of 3D Slicer,
each on a line of its own. SIGTERM ends it at its next step; it tidies up what it began by itself."""

from __future__ import annotations

import queue
import re
import subprocess
import tempfile
import threading
from typing import Any, List, Optional, Tuple

from ._model import Cancel, Progress

CANCELLED = 130  # a program's exit code
POLL_SECONDS = 0.02  # between two questions of `cancel`

_COMMENT = re.compile(r'<filter-comment> "(.*)" </filter-comment>')
_FRACTION = re.compile(r"<filter-progress>([0-9.]+)</filter-progress>")


class _Lines:
    """Standard output by lines, read in a thread of its own: the caller's thread goes on asking
    `cancel` meanwhile, and takes a Ctrl-C."""

    def __init__(self, stream: Any) -> None:
        self._stream, self._queue = stream, queue.SimpleQueue()
        self._thread = threading.Thread(target=self._read, name="PromptSeg's output", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        for line in self._stream:
            self._queue.put(line.decode(errors="replace").strip())
        self._queue.put(None)

    def next(self) -> Optional[str]:
        """A line; "" if there is none at the moment, None at the end."""
        try:
            return self._queue.get(timeout=POLL_SECONDS)
        except queue.Empty:
            return ""

    def close(self) -> None:
        """When the process has ended."""
        self._thread.join()
        self._stream.close()


def _follow(process: subprocess.Popen, lines: _Lines, progress: Optional[Progress],
            cancel: Optional[Cancel]) -> bool:
    """Until standard output ends. Returns whether `cancel` said so."""
    phrase, cancelled = "", False
    while (line := lines.next()) is not None:
        if cancel is not None and not cancelled and cancel():
            process.terminate()
            cancelled = True
        if comment := _COMMENT.fullmatch(line):
            phrase = comment.group(1)
        elif progress is not None and not cancelled and (fraction := _FRACTION.fullmatch(line)):
            progress(float(fraction.group(1)), phrase)
    return cancelled


def run(command: List[str], progress: Optional[Progress], cancel: Optional[Cancel]) -> Tuple[int, str]:
    """The exit code, and what was said on standard error. An exception of the callbacks, or Ctrl-C,
    ends the program; it is raised when the program is gone."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said)
        lines = _Lines(process.stdout)
        try:
            cancelled = _follow(process, lines, progress, cancel)
        except BaseException:
            process.terminate()
            raise
        finally:
            code = process.wait()
            lines.close()
        said.seek(0)
        sentence = said.read().decode(errors="replace").strip()
    if cancelled and code < 0:  # the signal came before the program was ready for it
        return CANCELLED, "cancelled"
    return code, sentence or f"{command[0]} ended with {code}"
