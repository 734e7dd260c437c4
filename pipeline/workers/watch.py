"""Checks from outside, every tick, what CPU time and memory each child uses, whether it works or waits.

This holds even if a picture has taken over the child, which could then lift its own limits. All memory counts: resident
and swapped pages, and the files in memory that its descriptors hold, mapped or not. Linux only: elsewhere only a
child's own limits hold. A check takes 70 us for each child, and once a second 0.8 ms.
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
_WAITING = 1.0  # seconds of CPU for a child without a request, to clear up after its last answer
_HIDDEN = 10  # one in so many checks reads the mappings, which takes ten times as long as the rest


@dataclass(frozen=True, slots=True)
class _Terms:
    until: float  # seconds of CPU since the child started
    seconds: float  # of these, for the request
    memory: int  # bytes beyond the allowance's `base`
    silent: bool = False  # a message from the child now would be misbehaviour
    waits: bool = False  # the child has no request


class Allowance:
    """What one child may use. The thread that holds the child sets its terms, and the watch checks them.

    The base is measured once, before any picture: memory left by earlier pictures counts against later ones, beyond
    the `kept` bytes.
    """

    def __init__(self, pid: int, kept: int) -> None:
        self._pid = pid
        self.peak = 0  # bytes resident at the most, as seen by the checks
        self.base = _taken(_status(pid), pid) + kept + _GROWTH  # bytes that it may hold without a request
        self._looks = 0
        self._warned: _Terms | None = None
        self._terms = self._waiting()

    def work(self, seconds: float, memory: int) -> None:
        """Set the CPU time and the bytes that the request may use, counted from now."""
        self._terms = _Terms(_cpu(self._pid) + seconds, seconds, memory)

    def go_on(self, memory: int) -> None:
        """Set the bytes that the rest of the request may use."""
        self._terms = _Terms(self._terms.until, self._terms.seconds, memory)

    def pause(self) -> None:
        """The child has sent its first reply, and must wait for leave to go on."""
        self._terms = replace(self._terms, silent=True)

    def rest(self) -> None:
        """The child has answered, and must wait for the next request."""
        self._terms = self._waiting()

    def _waiting(self) -> _Terms:
        return _Terms(_cpu(self._pid) + _WAITING, _WAITING, 0, silent=True, waits=True)

    @property
    def waits(self) -> bool:
        """Whether the child has no request now, and so no picture to blame."""
        return self._terms.waits

    def beyond(self, *, spoke: bool) -> PictureError | None:
        """The limit that the child exceeds, as an error. One that must wait may still be clearing up, so it is checked
        twice. `spoke`: whether a message from it is waiting.
        """
        terms, why, status = self._terms, None, _status(self._pid)
        self.peak = max(self.peak, size_in(status, b"VmHWM"))
        if _cpu(self._pid) > terms.until:
            why = PictureError(ErrorKind.TIME_LIMIT, f"{terms.seconds:g} s of CPU")
        elif _taken(status, self._pid) > self.base + terms.memory:
            why = PictureError(ErrorKind.MEMORY_LIMIT, f"{terms.memory / 2**20:.0f} MiB")
        elif spoke and terms.silent:
            why = Misbehaved("a message out of turn")  # it could hold any descriptors
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
        """Kill it if it exceeds its allowance."""


class Watch:
    """A thread that checks all children every tick, from `begin` to `end`. It calls `children`."""

    def __init__(self, children: Callable[[], Iterable[Watched]]) -> None:
        self._children = children
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="watch", daemon=True)

    def begin(self) -> None:
        """Idempotent."""
        if self._thread.ident is None and sys.platform == "linux":
            self._thread.start()

    def end(self) -> None:
        """Stop the checks. Idempotent."""
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(TICK):
            for child in self._children():
                child.look()


def _cpu(pid: int) -> float:
    """Seconds of CPU of all threads of a process; 0 where that is unknown, or it has ended."""
    if sys.platform != "linux":
        return 0.0
    try:
        return time.clock_gettime((~pid << 3) | 2)  # clock_getcpuclockid(3)
    except OSError:
        return 0.0


def _status(pid: int) -> bytes:
    """What the kernel says of a process; nothing where that is unknown."""
    try:
        with open(f"/proc/{pid}/status", "rb", buffering=0) as file:
            return file.read(8192)
    except OSError:
        return b""


def _taken(status: bytes, pid: int) -> int:
    """Bytes of memory that the process of a `_status` holds; 0 where that is unknown."""
    if not status:
        return 0
    return size_in(status, b"VmRSS") + size_in(status, b"VmSwap") + sum(_files(pid).values())


def _files(pid: int) -> dict[int, int]:
    """Bytes of each unnamed file that the process has open, by inode."""
    sizes = {}
    with suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            with suppress(OSError):  # closed meanwhile
                status = os.stat(f"/proc/{pid}/fd/{name}")
                if stat.S_ISREG(status.st_mode) and status.st_nlink == 0:
                    sizes[status.st_ino] = status.st_blocks * 512
    return sizes


def _hides(pid: int) -> bool:
    """Whether it has mapped files in memory without keeping a descriptor of them: their size is then unknown."""
    hidden = _mapped(pid) - _files(pid).keys()
    return bool(hidden and hidden & _mapped(pid))  # looked up again: it may have been about to unmap one


def _mapped(pid: int) -> set[int]:
    try:
        with open(f"/proc/{pid}/maps", "rb") as file:
            return {int(line.split()[4]) for line in file if b" /memfd:" in line}
    except OSError:
        return set()
