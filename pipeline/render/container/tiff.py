"""TIFF: the directories of a file or of an EXIF block, which has the same structure."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from pipeline.render.container.view import View

_OFFSETS, _COUNTS = (273, 324), (279, 325)  # tags: where the strips or tiles lie, and their sizes
_MOST_PARTS = 1_000_000  # strips or tiles; more are not looked at
_BIG = 43  # the version of a BigTIFF


class Header(NamedTuple):
    """What the first bytes say: the byte order as `struct` writes it, and the offset of the first directory."""

    order: str
    big: bool  # a BigTIFF, with offsets of 64 bits
    first: int


def read_header(view: View) -> Header:
    """The header of a TIFF. Raises struct.error if it is cut off and ValueError if it has no byte order."""
    order = {b"II": "<", b"MM": ">"}.get(bytes(view[:2]))
    if order is None:
        raise ValueError("no byte order mark")
    big = struct.unpack_from(order + "H", view, 2)[0] == _BIG
    return Header(order, big, struct.unpack_from(order + ("Q" if big else "L"), view, 8 if big else 4)[0])


def field_count(view: View, order: str, start: int) -> int:
    """The number of fields that the directory at `start` announces. Raises struct.error if it lies outside."""
    return int(struct.unpack_from(order + "H", view, start)[0])


def fields(view: View, order: str, start: int, count: int) -> Iterator[tuple[int, int, int, int]]:
    """Yields `(tag, type, number of values, offset of the field's four bytes of value)` of `count` fields.

    Not for a BigTIFF. Raises struct.error at a field that is cut off.
    """
    for at in range(start + 2, start + 2 + 12 * count, 12):
        tag, kind, length = struct.unpack_from(order + "HHL", view, at)
        yield tag, kind, length, at + 8


def page_count(view: View, most: int) -> int:
    """The number of directories in the main chain of a TIFF or BigTIFF, at least 1 and counted up to `most`."""
    pages = 0
    try:
        order, big, at = read_header(view)
        offset, count, entry = (order + "Q", order + "Q", 20) if big else (order + "L", order + "H", 12)
        while at and pages < most:
            (entries,) = struct.unpack_from(count, view, at)
            pages += 1
            (at,) = struct.unpack_from(offset, view, at + struct.calcsize(count) + entries * entry)
    except (struct.error, OverflowError, ValueError):
        pass  # the decoder reports the fault
    return max(1, pages)


def is_short(view: View) -> bool:
    """Whether strips or tiles of a classic TIFF's first directory, or the directory itself, lie beyond the file.

    Of a BigTIFF only the offset of the directory is checked.
    """
    try:
        order, big, start = read_header(view)
        if big:
            return start > len(view)
        arrays = {}
        for tag, kind, count, at in fields(view, order, start, field_count(view, order, start)):
            if tag in (*_OFFSETS, *_COUNTS) and kind in (3, 4) and count < _MOST_PARTS:
                code, width = ("H", 2) if kind == 3 else ("L", 4)
                where = at if count * width <= 4 else struct.unpack_from(order + "L", view, at)[0]
                arrays[tag] = struct.unpack_from(f"{order}{count}{code}", view, where)
    except struct.error:
        return True
    except ValueError:
        return False
    starts, counts = (arrays.get(strips, arrays.get(tiles, ())) for strips, tiles in (_OFFSETS, _COUNTS))
    return max((at + count for at, count in zip(starts, counts, strict=False)), default=0) > len(view)
