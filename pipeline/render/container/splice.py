"""A file made of parts of other files, read in place: a decoder sees only the parts it should read, without a copy."""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate
from typing import IO, TYPE_CHECKING

from pipeline.render.container.view import View

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_SMALL = 64 * 2**10  # bytes

Part = tuple[View, int, int]
"""A view, and the offsets that the part starts and ends at."""


class Spliced(io.RawIOBase):
    """A seekable, read-only file of `parts`, one after the other."""

    def __init__(self, parts: Iterable[Part]) -> None:
        self._parts = [part for part in parts if part[1] < part[2]]
        self._starts = list(accumulate((end - start for _, start, end in self._parts), initial=0))
        self._at = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """The offset that the next read starts at."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Moves to `offset`, counted from the beginning, from here or from the end."""
        self._at = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._starts[-1]}[whence])
        return self._at

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Reads no further than the end of the current part. Returns the number of bytes, 0 at the end of the file."""
        target = memoryview(buffer).cast("B")
        number = bisect_right(self._starts, self._at) - 1
        if number >= len(self._parts):
            return 0
        view, start, end = self._parts[number]
        start += self._at - self._starts[number]
        size = min(end - start, len(target))
        with memoryview(view) as whole:  # a slice of a mapped file would be a copy
            target[:size] = whole[start : start + size]
        self._at += size
        return size


def spliced(parts: Iterable[Part]) -> IO[bytes]:
    """Opens `parts` as one file. Up to `_SMALL` bytes are copied, which is faster than reading them in place."""
    pieces = list(parts)
    if sum(end - start for _, start, end in pieces) <= _SMALL:
        return io.BytesIO(b"".join(view[start:end] for view, start, end in pieces))
    return io.BufferedReader(Spliced(pieces))
