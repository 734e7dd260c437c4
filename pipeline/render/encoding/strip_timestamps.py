"""Strips timestamps from encoded files: libavif writes the time of day into every AVIF sequence, three times."""

from __future__ import annotations

import mmap

from pipeline.render.container.bmff import boxes

_PARENTS = (b"moov", b"trak", b"mdia")
_DATED = (b"mvhd", b"tkhd", b"mdhd")
_VERSION = 4  # bytes of version and flags before the two times


def strip_timestamps(descriptor: int) -> None:
    """Sets the creation and modification times of the AVIF in `descriptor` to 0, which the format reads as unknown."""
    with mmap.mmap(descriptor, 0) as view:
        _strip(view, 0, len(view))


def _strip(view: mmap.mmap, at: int, end: int) -> None:
    for kind, start, after in boxes(view, at, end):
        if kind in _PARENTS:
            _strip(view, start, after)
        elif kind in _DATED:
            size = 16 if view[start] == 1 else 8  # two times of 64 bits in version 1, else of 32
            view[start + _VERSION : start + _VERSION + size] = bytes(size)
