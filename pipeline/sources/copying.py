"""One source's bytes on their way into memory: the first of them are judged before the rest is read."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import NamedTuple, Protocol

from pipeline.sources import reading
from pipeline.sources.buffers import CAPACITY, Buffer, Buffers
from pipeline.workers.exchange import Held


class Copied(NamedTuple):
    """All that was read of a source, to be let go of when nobody needs it any more."""

    held: Held
    sha256: bytes
    let_go: Callable[[], None]


class Copying(Protocol):
    """A source of which the first MiB has been read, if it has so much."""

    def head(self, size: int) -> bytes:
        """Its first bytes."""

    def rest(self, limit: int) -> Copied:
        """Read on to its end, or further than the size that it was said to have, and hash it.

        Raises `PictureError` (unreadable; too many bytes, when there are more than `limit`) and `SourceTrouble` when
        this process has no descriptors or memory left. Nothing is held then.
        """

    def drop(self) -> None:
        """In place of `rest`: hold nothing."""


def begun(buffers: Buffers, descriptor: int, size: int) -> Copying:
    """Start with the file in `descriptor`, which has `size` bytes. Raises as `Copying.rest` does."""
    buffer = buffers.lend() if size < CAPACITY else None
    if buffer is None:
        return _IntoFile(descriptor)
    try:
        return _IntoBuffer(buffers, buffer, descriptor, size)
    except BaseException:
        buffers.take_back(buffer)
        raise


class _IntoBuffer:
    """Reads what the file was said to have, and one byte more, which is not there if that was true: a read that brings
    no more than was said is the last one. Who compares the file's size afterwards sees if it was not.
    """

    def __init__(self, buffers: Buffers, buffer: Buffer, descriptor: int, size: int) -> None:
        self._descriptor = descriptor
        self._size = size
        self._buffer = buffer
        self._let_go = functools.partial(buffers.take_back, buffer)
        self._first = min(size + 1, reading.CHUNK)
        self._read = buffer.fill(descriptor, 0, self._first, max(1, min(size, self._first)))

    def head(self, size: int) -> bytes:
        return self._buffer.head(min(size, self._read))

    def rest(self, limit: int) -> Copied:
        try:
            if self._size > limit:
                raise reading.too_many_bytes(self._size, limit)
            if self._read == self._first <= self._size:
                self._read = self._buffer.fill(self._descriptor, self._first, self._size + 1, self._size)
            sha256 = self._buffer.complete(self._read)
        except BaseException:
            self._let_go()
            raise
        return Copied(Held(self._buffer.descriptor, self._read), sha256, self._let_go)

    def drop(self) -> None:
        self._let_go()


class _IntoFile:
    """Copies into a file in memory that is this picture's alone."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._first = reading.read(descriptor, reading.CHUNK)

    def head(self, size: int) -> bytes:
        return self._first[:size]

    def rest(self, limit: int) -> Copied:
        made = reading.copy(self._descriptor, self._first, limit)
        return Copied(Held(made.descriptor, made.size), made.sha256, functools.partial(os.close, made.descriptor))

    def drop(self) -> None:
        pass
