"""`threads: auto`: a run begins with a few more threads than children, and hires while its children have nothing to do.

With storage that answers at once, a few threads beyond the children keep all of them busy, and more would only hold
more pictures in memory. With storage that takes its time, they spend theirs waiting for it, and the children for them.
So it is looked at every tick: children without work while jobs wait and this process idles call for more threads;
pictures that queue up for a child, for fewer.
"""

from __future__ import annotations

import resource
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pipeline.run.batch import DESCRIPTORS, Batch
from pipeline.targets.local import TOGETHER
from pipeline.workers.crew import Crew
from pipeline.workers.exchange import Bounds, Exchange, Held, Renderer, Several
from pipeline.workers.token import TICK, Token

MOST = 64  # threads; each holds a picture, and some descriptors
_LOOKS = 5  # that must agree before anybody is let go; hiring is cheap and goes at once
_IDLE = 0.75  # of the children's time in use: below that they have too little to do
_BUSY = 0.7  # of a CPU that this process takes: above that, more threads would only take turns
_ROOM = 0.25  # of the memory: for sources that are read and wait, if all were as big as the biggest


class Occupancy:
    """A `Renderer` that counts the pictures at or before it."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer
        self._lock = threading.Lock()
        self.pictures = 0  # with a child, or waiting for one
        self.biggest = 1  # bytes of the biggest source so far

    @contextmanager
    def ask(self, held: Held, request: object, bounds: Bounds, token: Token) -> Iterator[Exchange]:
        """See `Renderer`."""
        with self._counted(held.size), self._renderer.ask(held, request, bounds, token) as exchange:
            yield exchange

    @contextmanager
    def ask_several(self, several: Sequence[Held], request: object, bounds: Bounds, token: Token) -> Iterator[Several]:
        """See `Renderer`. They count as one: they have one thread and one child."""
        size = sum(one.size for one in several)
        with self._counted(size), self._renderer.ask_several(several, request, bounds, token) as asked:
            yield asked

    @contextmanager
    def _counted(self, size: int) -> Iterator[None]:
        with self._lock:
            self.pictures += 1
            self.biggest = max(self.biggest, size)
        try:
            yield
        finally:
            with self._lock:
                self.pictures -= 1


class Hiring:
    """Sizes one crew. All in the producer's thread, but for the counting."""

    def __init__(
        self,
        crew: Crew[Batch],
        occupancy: Occupancy,
        children: int,
        most: int,
        *,
        memory: int,
    ) -> None:
        """`children`: how many pictures can be rendered at once. `memory`: bytes of the run's budget, which counts a
        picture only when its child has it. There are never fewer threads than now.
        """
        self._crew = crew
        self._occupancy = occupancy
        self._children = children
        self._least = crew.threads
        self._most = most
        self._room = int(memory * _ROOM)
        self._seen: deque[int] = deque(maxlen=_LOOKS)
        self._looked = time.monotonic()
        self._cpu = time.process_time()

    def look(self) -> None:
        """Hire or let go, if a tick has passed since the last look. To be called by the crew's on_tick."""
        now, cpu = time.monotonic(), time.process_time()
        passed = now - self._looked
        if passed < TICK * 0.9:
            return
        load = (cpu - self._cpu) / passed
        self._looked, self._cpu = now, cpu
        self._seen.append(self._occupancy.pictures)
        threads = self._crew.threads
        if self._seen[-1] < _IDLE * self._children and self._crew.queued and load < _BUSY:
            threads = max(threads, min(self._most, threads * 2, self._room // self._occupancy.biggest))
        elif len(self._seen) == _LOOKS and (surplus := min(self._seen) - 2 * self._children - 2) > 0:
            threads = max(self._least, threads - (surplus + 1) // 2)
        if threads != self._crew.threads:
            self._crew.resize(threads)
            self._seen.clear()


def most_threads(renditions: int) -> int:
    """How many threads may be hired where a picture has so many renditions: open files are what runs out first."""
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    each = renditions + min(renditions, TOGETHER) + 6
    return MOST if soft < 0 else max(1, min(MOST, (soft - DESCRIPTORS) // each))
