"""Where the threads of a trial spend their time: the parts of a run, with measurements."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

from pipeline.model.job import Job
from pipeline.model.record import Record, Status
from pipeline.workers.budget import Budget, Room
from pipeline.workers.exchange import Bounds, Confinement, Exchange, Held, Pool, Several
from pipeline.workers.token import TICK, Token

Asked = TypeVar("Asked")


class Notes:
    """The measurements of a trial. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.stages: defaultdict[str, float] = defaultdict(float)
        self.pictures = 0
        self.last = time.perf_counter()  # when the last picture was done
        self.unfit: set[str] = set()

    def spent(self, stage: str, seconds: float) -> None:
        """A thread has spent so many seconds in `stage`."""
        with self._lock:
            self.stages[stage] += seconds

    def take(self, record: Record) -> None:
        """A picture has ended."""
        if record.status is Status.FILTERED:  # it has cost next to nothing
            with self._lock:
                self.unfit.add(record.source)
            return
        with self._lock:
            self.pictures += 1
            self.last = time.perf_counter()
            self.stages["read"] += record.seconds_read
            self.stages["write"] += sum(rendition.seconds_write for rendition in record.renditions)
            if record.status is not Status.DONE:
                self.unfit.add(record.source)

    def lose(self, job: Job) -> None:
        """A picture's child died."""
        with self._lock:
            self.unfit.add(job.source)


class Few:
    """A `Pool` that uses only `count` of its children at once, and notes how long threads waited."""

    def __init__(self, renderer: Pool, count: int, notes: Notes) -> None:
        self._renderer = renderer
        self._places = threading.BoundedSemaphore(count)
        self._notes = notes

    @property
    def confinement(self) -> Confinement | None:
        """See `Pool`."""
        return self._renderer.confinement

    def expect(self, requests: int) -> None:
        """See `Pool`."""
        self._renderer.expect(requests)

    @contextmanager
    def ask(self, held: Held, request: object, bounds: Bounds, token: Token) -> Iterator[Exchange]:
        """See `Renderer`."""
        with self._timed(lambda: self._renderer.ask(held, request, bounds, token), token) as exchange:
            yield exchange

    @contextmanager
    def ask_several(self, several: Sequence[Held], request: object, bounds: Bounds, token: Token) -> Iterator[Several]:
        """See `Renderer`."""
        with self._timed(lambda: self._renderer.ask_several(several, request, bounds, token), token) as asked:
            yield asked

    @contextmanager
    def _timed(self, ask: Callable[[], AbstractContextManager[Asked]], token: Token) -> Iterator[Asked]:
        began = time.perf_counter()
        while not self._places.acquire(timeout=TICK):
            token.check()
        try:
            with ask() as asked:
                ready = time.perf_counter()
                self._notes.spent("child", ready - began)
                try:
                    yield asked
                finally:
                    self._notes.spent("render", time.perf_counter() - ready)
        finally:
            self._places.release()


class Watched(Budget):
    """A budget that notes how long pictures waited for room: before they were read, and while a child had them."""

    def __init__(self, total: int, notes: Notes) -> None:
        super().__init__(total)
        self._notes = notes

    def take(self, room: Room, size: int) -> None:
        """See `Budget`."""
        began = time.perf_counter()
        super().take(room, size)
        waited = time.perf_counter() - began
        self._notes.spent("memory", waited)
        if room.kind is self._work:
            self._notes.spent("render", -waited)  # the child waits, too, but does not work
