"""Memory for the bytes of pictures in flight, used again for those that come later.

A new file in memory for each picture costs more than reading it: the kernel clears every page, enters it into its
lists, charges it, and takes all back a moment later. Measured for camera photographs (1.3 MB on average, in the page
cache): 1.4 to 1.7 ms of CPU for each with a file of its own, 0.78 in memory that is there already, 0.63 for the hash.

A child gets the buffer's descriptor and how much of it counts. It can change nothing: the buffer is sealed but for the
mapping that this process has made before. What an earlier picture has left behind the bytes of a later one is cleared.
"""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
import threading

from pipeline.folder import Descriptor
from pipeline.sources import reading
from pipeline.workers import memory

CAPACITY = 8 * 2**20  # bytes of one: what photographs seldom exceed. Pages that were never used take no memory
_ZEROS = memoryview(bytes(CAPACITY))  # never written, so it takes no memory either
_SEAL_FUTURE_WRITE = 0x10  # F_SEAL_FUTURE_WRITE, Linux 5.1: no more writes but through mappings that exist
_SEALS = 0x1 | 0x2 | 0x4 | _SEAL_FUTURE_WRITE  # F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW


class Buffer:
    """One piece of memory. Used by one thread at a time; what is in it stays until it is filled again."""

    def __init__(self) -> None:
        """Raises `OSError` where the kernel cannot protect it, or has no more."""
        self._file = Descriptor(reading.memory_file())
        os.ftruncate(self._file.number, CAPACITY)
        self._view = memoryview(mmap.mmap(self._file.number, CAPACITY))
        fcntl.fcntl(self._file.number, fcntl.F_ADD_SEALS, _SEALS)
        self._dirty = 0  # bytes that may be other than 0
        self.counted = 0  # bytes of memory that whoever lends it knows of

    @property
    def descriptor(self) -> int:
        """Of the file in memory; it stays the buffer's."""
        return self._file.number

    def fill(self, descriptor: int, start: int, end: int, enough: int | None = None) -> int:
        """Read from `descriptor` on to the places from `start` to `end`; how far it came before the file ended, or had
        brought so much that it was `enough` (None: all).

        Raises `PictureError`.
        """
        self._dirty = max(self._dirty, end)  # also where a read fails that has brought some of it
        enough = end if enough is None else enough
        while start < enough and (more := reading.read_into(descriptor, self._view[start:end])):
            start += more
        return start

    @property
    def taken(self) -> int:
        """Bytes of memory that it holds: what was ever touched, whoever did."""
        return os.fstat(self._file.number).st_blocks * 512

    def head(self, size: int) -> bytes:
        """Its first bytes."""
        return bytes(self._view[:size])

    def complete(self, size: int) -> bytes:
        """Clear all but the first `size` bytes, which are a whole picture; their SHA-256, without the GIL."""
        self._view[size : self._dirty] = _ZEROS[: self._dirty - size]
        self._dirty = size
        return hashlib.sha256(self._view[:size]).digest()


class Buffers:
    """Lends buffers to I/O threads, the one that was used last first: the processor may still have it in a cache."""

    def __init__(self, kept: int = memory.BUFFERS) -> None:
        """`kept`: bytes that all of them may hold, in flight or not, for one that is let go to be kept."""
        self._kept = kept
        self._lock = threading.Lock()
        self._idle: list[Buffer] = []
        self._taken = 0  # bytes that all of them hold
        self._refused = not hasattr(os, "memfd_create")

    def lend(self) -> Buffer | None:
        """One that nobody uses, or a new one; None where this system cannot protect such memory.

        Raises `SourceTrouble` when this process has no descriptors or memory left.
        """
        with self._lock:
            if self._idle:
                return self._idle.pop()
        if self._refused:
            return None
        try:
            return Buffer()
        except OSError as error:
            if lacking := reading.out_of_resources(error):
                raise lacking from error
            self._refused = True  # no such seal, or files of this size are not allowed
            return None

    def take_back(self, buffer: Buffer) -> None:
        """Keep it for the next one, unless all hold too much: nobody reads in it any more."""
        taken = buffer.taken
        with self._lock:
            self._taken += taken - buffer.counted
            buffer.counted = taken
            if self._taken <= self._kept:
                self._idle.append(buffer)
            else:
                self._taken -= taken
