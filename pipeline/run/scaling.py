"""`threads: auto`: a run begins with a few more threads than children, and adds some while its children lack work.

With fast storage, a few threads more than children keep all children busy, and further ones would only hold more
pictures in memory. With slow storage, the threads wait for it, and the children for the threads. So `Scaling`
checks every tick: it adds threads if children lack work while jobs wait and this process idles, and drops some if
pictures queue up for a child.
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
_LOOKS = 5  # that must agree before threads are dropped; adding them is cheap and takes one look
_IDLE = 0.75  # pictures at a child or waiting for one, per child: below that the children lack work
_BUSY = 0.7  # of a CPU, used by this process: above that, more threads would only take turns
_ROOM = 0.25  # of the memory: for sources that are read and wait, if all were as big as the biggest


class Occupancy:
    """A `Renderer` that counts the pictures at its children or waiting for one."""

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
        """See `Renderer`. They count as one picture, because they have one thread and one child."""
        size = sum(held.size for held in several)
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


class Scaling:
    """Sets the number of threads of one crew. Used in the producer's thread."""

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
        picture only when its child has it. The crew never gets fewer threads than it has now.
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
        """Add or drop threads, if a tick has passed since the last look. To be called by the crew's `on_tick`."""
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
    """The most threads for so many renditions a picture: open files run out first."""
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    each = renditions + min(renditions, TOGETHER) + 6
    return MOST if soft < 0 else max(1, min(MOST, (soft - DESCRIPTORS) // each))
