"""Starts a child while the config is still checked, and lane processes if the source is large.

This only saves time, and processes that turn out not to be needed are ended. Of 4.6 s that 9,600 small pictures take on
16 CPUs, 0.4 would be spent waiting for lanes.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.run import rendering
from pipeline.run.lane_main import SERVE
from pipeline.workers import cpus
from pipeline.workers.child_pool import ChildPool
from pipeline.workers.peer import Peer

_CHILDREN = 4  # that one lane process keeps busy; measured with 16: two are slower, and eight are no faster
_LEAST = 8  # children, below which one process serves them all
_MANY = 500  # files and folders; fewer are seldom worth lane processes


def lane_processes(processes: int) -> int:
    """How many lane processes share so many children, if there is enough to do; 0: the run's own process only."""
    return processes // _CHILDREN if processes >= _LEAST else 0


class LanesAhead:
    """Lane processes that wait for their setup.

    The thread that starts them lives until `close`, because they die with it. It lists the sources first, which may
    never return.
    """

    def __init__(self, sources: Sequence[Path], count: int) -> None:
        self._sources = sources
        self._count = count
        self._lock = threading.Lock()
        self._peers: list[Peer] = []
        self._taken = False
        self._over = threading.Event()

    def begin(self) -> None:
        """Start them. Raises `RuntimeError` if no thread can start."""
        threading.Thread(target=self._start, name="lanes prestarted", daemon=True).start()

    def take(self) -> list[Peer]:
        """The processes started so far, for the caller to end. No more are started."""
        with self._lock:
            peers, self._peers, self._taken = self._peers, [], True
        return peers

    def close(self) -> None:
        """End those that were not taken. Call it when those that were taken are gone."""
        for peer in self.take():
            peer.kill()
            peer.reap(1.0)
            peer.close()
        self._over.set()

    def _start(self) -> None:
        with contextlib.suppress(OSError):  # the run will say what is wrong, if it needs them
            if _hold_many(self._sources):
                while self._one_more():
                    pass
        self._over.wait()

    def _one_more(self) -> bool:
        with self._lock:
            if self._taken or len(self._peers) == self._count:
                return False
            self._peers.append(Peer(SERVE))
        return True


@dataclass(frozen=True, slots=True)
class Prestarted:
    """The processes started ahead, for a run to use."""

    children: ChildPool | None = None
    lanes: LanesAhead | None = None


@contextmanager
def prestarted(*, wanted: bool, processes: int | None, sources: Sequence[Path]) -> Iterator[Prestarted]:
    """Start the processes that a run of `sources` is likely to need, if `wanted`."""
    count = lane_processes(cpus.available() if processes is None else processes)
    lanes = LanesAhead(sources, count) if wanted and sources and count else None
    with rendering.prestarted(wanted=wanted, processes=processes) as children:
        try:
            if lanes is not None:
                with contextlib.suppress(RuntimeError):  # no more threads: the run starts them if it needs them
                    lanes.begin()
            yield Prestarted(children, lanes)
        finally:
            if lanes is not None:
                lanes.close()


def _hold_many(folders: Iterable[Path]) -> bool:
    """Whether there are at least `_MANY` entries in `folders` and below them."""
    waiting, seen = list(map(os.fspath, folders)), 0
    while waiting and seen < _MANY:
        with os.scandir(waiting.pop()) as listing:
            for entry in listing:
                seen += 1
                if seen >= _MANY:
                    break
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
    return seen >= _MANY
