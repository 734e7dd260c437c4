"""What children take, looked at from outside every tick, whether they work, wait or are in the middle of a message.

It holds against a child that a picture has taken over, which could lift the limits it has set itself. Memory of every
kind counts: what is resident or swapped out, and the files in memory that its descriptors hold, mapped or not. Linux
only: elsewhere a child is held by its own limits. A look takes 70 us for each child, and once a second 0.8 ms.
"""

from __future__ import annotations

import os
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol

from pipeline.errors import ErrorKind, PictureError
from pipeline.workers.exchange import Misbehaved
from pipeline.workers.limits import size_in
from pipeline.workers.token import TICK

_GROWTH = 64 * 2**20  # bytes that a child may grow by once it works: pages of libraries, common to all children
_WAITING = 1.0  # seconds of CPU for a child that has nothing to do: what it cleared up after its last answer
_HIDDEN = 10  # looks of which one goes through the mappings, which takes ten times as long as the rest


@dataclass(frozen=True, slots=True)
class _Terms:
    until: float  # seconds of CPU in its life
    seconds: float  # of these, for this
    memory: int  # bytes beyond footing and what it may keep
    silent: bool = False  # nothing is to come from it now
    waits: bool = False  # for a request


class Allowance:
    """What one child may take. Its terms are changed by the thread that has the child, and looked at by the watch.

    Its footing is taken once, while no picture has reached it: what earlier pictures left behind counts as what later
    ones take, but for the `kept` bytes.
    """

    def __init__(self, pid: int, kept: int) -> None:
        self._pid = pid
        self.base = _taken(pid) + kept + _GROWTH  # bytes that it may hold without work
        self._looks = 0
        self._warned: _Terms | None = None
        self._terms = self._waiting()

    def work(self, seconds: float, memory: int) -> None:
        """From now on it may take so much CPU time for the request that it is given, and so many bytes."""
        self._terms = _Terms(_cpu(self._pid) + seconds, seconds, memory)

    def go_on(self, memory: int) -> None:
        """So many bytes for the rest of the request."""
        self._terms = _Terms(self._terms.until, self._terms.seconds, memory)

    def pause(self) -> None:
        """It has said what it needs, and is to wait for leave to go on."""
        self._terms = replace(self._terms, silent=True)

    def rest(self) -> None:
        """It has answered, and is to wait for the next request."""
        self._terms = self._waiting()

    def _waiting(self) -> _Terms:
        return _Terms(_cpu(self._pid) + _WAITING, _WAITING, 0, silent=True, waits=True)

    @property
    def waits(self) -> bool:
        """Whether it has no request now, and so no picture to blame."""
        return self._terms.waits

    def beyond(self, *, spoke: bool) -> PictureError | None:
        """What it has done too much of. One that is to wait may still be clearing up: it is looked at twice. `spoke`:
        whether there is a message from it.
        """
        terms, why = self._terms, None
        if _cpu(self._pid) > terms.until:
            why = PictureError(ErrorKind.TIME_LIMIT, f"{terms.seconds:g} s of CPU")
        elif _taken(self._pid) > self.base + terms.memory:
            why = PictureError(ErrorKind.MEMORY_LIMIT, f"{terms.memory / 2**20:.0f} MiB")
        elif spoke and terms.silent:
            why = Misbehaved("a message out of turn")  # with descriptors of whatever it wants to hold
        else:
            self._looks += 1
            if self._looks % _HIDDEN == 0 and _hides(self._pid):
                why = PictureError(ErrorKind.MEMORY_LIMIT, "memory that is hidden")
        if why is None or terms is not self._terms:
            return None
        if terms.silent and self._warned is not terms:
            self._warned = terms
            return None
        return why


class Watched(Protocol):
    """A child, for the watch."""

    def look(self) -> None:
        """End it if it takes more than it may."""


class Watch:
    """A thread that looks at all children every tick, from `begin` to `end`. `children` may be called in it."""

    def __init__(self, children: Callable[[], Iterable[Watched]]) -> None:
        self._children = children
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="watch", daemon=True)

    def begin(self) -> None:
        """Idempotent."""
        if self._thread.ident is None and sys.platform == "linux":
            self._thread.start()

    def end(self) -> None:
        """Nobody is looked at any more. Idempotent."""
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(TICK):
            for child in self._children():
                child.look()


def _cpu(pid: int) -> float:
    """Seconds that all threads of a process have taken; 0 where that cannot be told, or it has ended."""
    if sys.platform != "linux":
        return 0.0
    try:
        return time.clock_gettime((~pid << 3) | 2)  # clock_getcpuclockid(3)
    except OSError:
        return 0.0


def _taken(pid: int) -> int:
    """Bytes of memory that a process holds; 0 where that cannot be told."""
    try:
        with open(f"/proc/{pid}/status", "rb", buffering=0) as file:
            text = file.read(8192)
    except OSError:
        return 0
    return size_in(text, b"VmRSS") + size_in(text, b"VmSwap") + sum(_files(pid).values())


def _files(pid: int) -> dict[int, int]:
    """Bytes of each file without a name that it has open, by inode."""
    found = {}
    with suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            with suppress(OSError):  # closed meanwhile
                one = os.stat(f"/proc/{pid}/fd/{name}")
                if stat.S_ISREG(one.st_mode) and one.st_nlink == 0:
                    found[one.st_ino] = one.st_blocks * 512
    return found


def _hides(pid: int) -> bool:
    """Whether it has mapped files in memory that none of its descriptors is of: how much they hold cannot be told."""
    hidden = _mapped(pid) - _files(pid).keys()
    return bool(hidden and hidden & _mapped(pid))  # and not only been about to unmap and close one


def _mapped(pid: int) -> set[int]:
    try:
        with open(f"/proc/{pid}/maps", "rb") as file:
            return {int(line.split()[4]) for line in file if b" /memfd:" in line}
    except OSError:
        return set()
