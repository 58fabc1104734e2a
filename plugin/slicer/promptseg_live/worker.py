"""The thread that asks the model library, so that nothing blocks the event loop.

One job at a time. A new job ends the running one and takes the place of those that wait. What a job
has to say is fetched by the thread that owns the scene (``fetch``), which must be often: the event
loop of 3D Slicer holds Python's lock, and a thread gets on in Python only while the loop gives it
away. The library itself needs no lock, not even to see that it is to stop.
"""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Tuple

import promptseg

AS_SHOWN = "as shown"  # the window that the viewer has when a question is asked


@dataclass(frozen=True)
class Options:
    """What the model is and how it is asked; see promptseg.Model and its open(). The window may also be
    AS_SHOWN, which LiveLogic replaces at each question."""

    model: Optional[str] = None  # a path; None: the bundled one
    device: str = "auto"
    precision: str = "auto"
    threads: int = 0
    window: Any = "auto"
    keep_largest: bool = False
    fill_holes: bool = False

    def model_arguments(self) -> Tuple:
        return self.model, self.device, self.precision, self.threads

    def volume_arguments(self) -> Dict[str, Any]:
        return {"window": self.window, "keep_largest": self.keep_largest, "fill_holes": self.fill_holes}


class Job:
    """One question. ``cancel`` is read by the library; ``tell`` may be called by its thread only."""

    def __init__(self, work: Callable[["Job"], None], told: "queue.SimpleQueue", idle: bool) -> None:
        self.cancel = promptseg.CancelFlag()
        self.idle = idle
        self._work: Optional[Callable[["Job"], None]] = work
        self._told = told

    def tell(self, kind: str, *what: Any) -> None:
        self._told.put((self, kind, what))

    def progress(self, fraction: float, phrase: str) -> None:
        self.tell("progress", fraction, phrase)

    def run(self) -> None:
        work, self._work = self._work, None  # what was asked about is not kept by the answers to it
        try:
            work(self)
            self.tell("done")
        except promptseg.CancelledError:
            self.tell("cancelled")
        except Exception as error:  # noqa: BLE001 - every failure is a sentence for the user
            self.tell("failed", error)


class Worker:
    """Starts its thread with the first job. ``close()`` ends it."""

    def __init__(self) -> None:
        self._told: "queue.SimpleQueue" = queue.SimpleQueue()
        self._condition = threading.Condition()
        self._next: Optional[Job] = None
        self._running: Optional[Job] = None
        self._thread: Optional[threading.Thread] = None
        self._closed = False

    def ask(self, work: Callable[[Job], None], idle: bool = False) -> Optional[Job]:
        """Does `work` in the thread instead of what it does now. An idle job waits for nothing and
        ends nothing: it is not taken (None) while there is another one."""
        with self._condition:
            if self._closed:
                raise RuntimeError("the worker is closed")
            current = self._next or self._running
            if idle and current is not None and not current.idle:
                return None
            self._cancel()
            self._next = Job(work, self._told, idle)
            if self._thread is None:
                self._thread = threading.Thread(target=self._loop, name="PromptSeg", daemon=True)
                self._thread.start()
            self._condition.notify()
            return self._next

    def _cancel(self) -> None:
        if self._running is not None:
            self._running.cancel.set()
        self._next = None

    @property
    def started(self) -> bool:
        """Whether there is a thread that works."""
        return self._thread is not None and not self._closed

    def cancel(self) -> None:
        """Ends what runs; what waits is dropped."""
        with self._condition:
            self._cancel()

    def fetch(self) -> List[Tuple[Job, str, Tuple]]:
        """What jobs said since the last call, in order."""
        out = []
        while not self._told.empty():
            out.append(self._told.get())
        return out

    def close(self) -> None:
        """Ends the thread; returns when it has ended."""
        with self._condition:
            self._closed = True
            self._cancel()
            self._condition.notify()
        if self._thread is not None:
            self._thread.join()

    def _loop(self) -> None:
        while True:
            with self._condition:
                self._running = None
                self._condition.wait_for(lambda: self._closed or self._next is not None)
                if self._closed:
                    return
                self._running, self._next = self._next, None
            self._running.run()


class Library:
    """Models and live volumes that stay open between jobs; used by the worker's thread alone.

    Each way to ask (an axis, a slice alone) has a live volume with embeddings of its own, 256 MiB at most:
    those of the last ways are kept."""

    MOST_VOLUMES = 3

    def __init__(self) -> None:
        self._model: Tuple[Any, Any] = (None, None)
        self._volumes: Dict[Tuple, Any] = {}
        self._of: Optional[Tuple] = None

    def model(self, options: Options, job: Optional[Job] = None) -> Any:
        key = options.model_arguments()
        if self._model[0] != key:
            self._volumes.clear()
            self._model = (None, None)
            path, device, precision, threads = key
            self._model = (key, promptseg.Model(path, device=device, precision=precision,
                                                threads=threads))
        if job is not None:
            job.tell("device", self._model[1].device)
        return self._model[1]

    def assumed(self) -> List[str]:
        """What was taken for granted about the model; nothing, mostly."""
        model = self._model[1]
        return [model.assumption] if model is not None and model.assumption else []

    def volume(self, view: Any, options: Options, job: Job, **more: Any) -> Any:
        """The live volume of a view; those of another state of the volume are closed."""
        model = self.model(options, job)
        of = (view.stamp, view.affine.tobytes(), options)
        if self._of != of:
            self._volumes.clear()
            self._of = of
        key = tuple(sorted(more.items()))
        live = self._volumes.pop(key, None)
        while len(self._volumes) >= self.MOST_VOLUMES:
            del self._volumes[next(iter(self._volumes))]
        if live is None:
            live = view.open(model, **{**options.volume_arguments(), **more})
        self._volumes[key] = live  # as the last one
        return live

    def clear(self) -> None:
        """Voxels and embeddings are let go of; the model stays."""
        self._volumes.clear()
        self._of = None
