"""A child's limits on itself, and its measurements. Linux' /proc files are opened before the child is confined."""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from collections.abc import Callable
from contextlib import suppress

from pipeline.workers.exchange import Bounds, Meter

_DESCRIPTORS = 1024  # one a rendition, and a few
_HOARDING = (  # of mallopt(3)
    (-3, 32 * 2**20),  # M_MMAP_THRESHOLD, the highest there is: blocks below it come from the heap, which can be kept
    (-1, 2**30),  # M_TRIM_THRESHOLD: the heap is not made smaller as soon as its end is free
    (-8, 1),  # M_ARENA_MAX: one heap, so that all of it is found again
)
_FIRST_TO_GO = 500  # of 1000: when the machine is out of memory, a child goes before its parent and other programs


class Limits:
    """The limits of this process. Made once, before it is confined. `kept`: bytes of memory that it may keep between
    two requests.
    """

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._clear_refs = _open("/proc/self/clear_refs", os.O_WRONLY)
        self._status = _open("/proc/self/status", os.O_RDONLY)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        _soft(resource.RLIMIT_NOFILE, _DESCRIPTORS)
        offer_to_the_killer()
        (self._resident,) = self._sizes(b"VmRSS")
        self._trim = _hoarder()
        (self._footing,) = self._sizes(b"VmData")  # memory left by earlier requests counts against later ones

    def bound(self, bounds: Bounds) -> None:
        """Limit CPU time, memory and file size for one request; the last so that no encoder writes without end."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        _soft(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime + bounds.seconds) + 1)
        _soft(resource.RLIMIT_DATA, self._footing + bounds.memory)
        _soft(resource.RLIMIT_FSIZE, bounds.memory)
        if self._clear_refs >= 0:
            with suppress(OSError):  # refused in some containers: the peak is then that of the child's whole life
                os.write(self._clear_refs, b"5")  # resets VmHWM

    def meter(self) -> Meter:
        """What the request has cost. If the C library keeps more than it may, the memory is trimmed first."""
        peak, resident = self._sizes(b"VmHWM", b"VmRSS")
        if resident > self._resident + self._kept:
            self._trim(0)
            peak, resident = self._sizes(b"VmHWM", b"VmRSS")
        return Meter(peak or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * MAXRSS_UNIT, resident)

    def _sizes(self, *names: bytes) -> list[int]:
        """Sizes from /proc/self/status in bytes; 0 where unknown. One read: the kernel writes the text anew."""
        text = os.pread(self._status, 8192, 0) if self._status >= 0 else b""
        return [size_in(text, name) for name in names]


def size_in(text: bytes, name: bytes) -> int:
    """A size from the text of /proc/PID/status, in bytes; 0 if it is not there."""
    start = text.find(b"\n" + name + b":")
    return int(text[start + len(name) + 2 : text.index(b"kB", start)]) * 1024 if start >= 0 else 0


def own_peak() -> int:
    """Bytes that this process had resident at the most."""
    with suppress(OSError), open("/proc/self/status", "rb", buffering=0) as file:
        if peak := size_in(file.read(8192), b"VmHWM"):
            return peak
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * MAXRSS_UNIT


def _hoarder() -> Callable[[int], object]:
    """Make the C library keep freed memory, and return the function that gives it back (`malloc_trim`).

    By default, glibc returns a picture's pixels to the kernel as soon as they are freed, and the kernel hands out,
    zeroes and takes back the same pages for each picture. That is a third of the CPU time of a run to 1200 px (72
    camera photographs: 2.3 s of 6.6 s in the kernel, 0.45 of 4.8 s with this).
    """
    if sys.platform != "linux" or not hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        return lambda pad: pad
    for setting, value in _HOARDING:
        libc.mallopt(setting, value)
    trim: Callable[[int], object] = libc.malloc_trim
    return trim


MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024


def offer_to_the_killer(rank: int = _FIRST_TO_GO) -> None:
    """Let the kernel kill this process, and those it starts, before others when out of memory. `rank`: of 1000."""
    try:
        with open("/proc/self/oom_score_adj", "r+b", buffering=0) as file:
            if int(file.read()) < rank:
                file.write(b"%d" % rank)
    except (OSError, ValueError):
        pass


def _open(path: str, flags: int) -> int:
    try:
        return os.open(path, flags | os.O_CLOEXEC)
    except OSError:
        return -1


def _soft(which: int, value: int) -> None:
    _soft_now, hard = resource.getrlimit(which)
    resource.setrlimit(which, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))
