"""Takes the clock out of encoded files: libavif writes the time of day into every AVIF sequence, three times."""

from __future__ import annotations

import os

_PARENTS = (b"moov", b"trak", b"mdia")
_DATED = (b"mvhd", b"tkhd", b"mdhd")


def strip_timestamps(descriptor: int) -> None:
    """Sets the creation and modification times of the AVIF in `descriptor` to 0, which the format takes for unknown."""
    _walk(descriptor, 0, os.fstat(descriptor).st_size)


def _walk(descriptor: int, at: int, end: int) -> None:
    while at + 8 <= end:
        start = os.pread(descriptor, 9, at)
        size, kind = int.from_bytes(start[:4]), start[4:8]
        if size < 8:  # 0: to the end of the file; 1: longer than 4 GiB
            return
        if kind in _PARENTS:
            _walk(descriptor, at + 8, at + size)
        elif kind in _DATED:
            both = 16 if start[8:9] == b"\1" else 8  # two times of 64 bits from version 1 on, else of 32
            os.pwrite(descriptor, bytes(both), at + 12)
        at += size
