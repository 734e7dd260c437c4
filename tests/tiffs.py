"""TIFFs of any layout, written byte by byte: pixels in, file out."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

NONE, LZW, DEFLATE, PACKBITS = 1, 5, 8, 32773
UNSIGNED, SIGNED, FLOAT = 1, 2, 3
TILE = 16  # pixels a side

Number = int | float
Rows = Sequence[Sequence[Sequence[Number]]]  # of pixels, of samples
Entry = tuple[int, str, tuple[int, ...]]  # a tag, the kind of its numbers as in `struct`, the numbers

_KINDS = {"H": 3, "L": 4, "Q": 16}
_INTEGERS, _FLOATS = {8: "B", 16: "H", 32: "L", 64: "Q"}, {16: "e", 32: "f", 64: "d"}


@dataclass(frozen=True)
class Layout:
    """How `tiff` stores its pixels; the numbers are those of the format."""

    photometric: int
    bits: int = 8
    kind: int = UNSIGNED
    extras: tuple[int, ...] = ()
    planar: bool = False
    compression: int = NONE
    order: str = "<"
    tiled: bool = False
    predictor: int = 1  # told, not done
    tags: tuple[Entry, ...] = field(default=())


def tiff(rows: Rows, layout: Layout) -> bytes:
    """A file of one page: strips of two rows, or tiles."""
    return pages((rows, layout))


def pages(*all_: tuple[Rows, Layout]) -> bytes:
    """A file of several pages, of one byte order."""
    order = all_[0][1].order
    content = bytearray(struct.pack(f"{order}2sHL", b"II" if order == "<" else b"MM", 42, 0))
    pointer = 4
    for rows, layout in all_:
        pointer = _page(content, pointer, rows, layout)
    return bytes(content)


def _page(content: bytearray, pointer: int, rows: Rows, layout: Layout) -> int:
    """Adds a page, points to it from `pointer`, and says where a pointer to the next one goes."""
    order, samples = layout.order, len(rows[0][0])
    planes = [[[[pixel[at]] for pixel in row] for row in rows] for at in range(samples)] if layout.planar else [rows]
    offsets, sizes = [], []
    for block in (block for plane in planes for block in _blocks(plane, tiled=layout.tiled)):
        packed = [_packed([number for pixel in row for number in pixel], layout) for row in block]
        stored = _compressed(packed, layout.compression)
        offsets.append(len(content))
        sizes.append(len(stored))
        content += stored + bytes(len(stored) % 2)
    entries: list[Entry] = [
        (256, "L", (len(rows[0]),)),
        (257, "L", (len(rows),)),
        (258, "H", (layout.bits,) * samples),
        (259, "H", (layout.compression,)),
        (262, "H", (layout.photometric,)),
        (277, "H", (samples,)),
        (284, "H", (2 if layout.planar else 1,)),
        (317, "H", (layout.predictor,)),
        (339, "H", (layout.kind,) * samples),
        *(((338, "H", layout.extras),) if layout.extras else ()),
        *(((322, "L", (TILE,)), (323, "L", (TILE,))) if layout.tiled else ((278, "L", (2,)),)),
        (324 if layout.tiled else 273, "L", tuple(offsets)),
        (325 if layout.tiled else 279, "L", tuple(sizes)),
        *layout.tags,
    ]
    directory = b""
    for tag, unit, numbers in sorted(entries):
        value = struct.pack(f"{order}{len(numbers)}{unit}", *numbers)
        if len(value) > 4:
            place = len(content)
            content += value
            value = struct.pack(f"{order}L", place)
        directory += struct.pack(f"{order}HHL4s", tag, _KINDS[unit], len(numbers), value)
    struct.pack_into(f"{order}L", content, pointer, len(content))
    content += struct.pack(f"{order}H", len(entries)) + directory + bytes(4)
    return len(content) - 4


def _blocks(plane: Rows, *, tiled: bool) -> list[Rows]:
    if not tiled:
        return [plane[y : y + 2] for y in range(0, len(plane), 2)]
    blank = [0] * len(plane[0][0])
    rows = [[*row, *[blank] * (-len(row) % TILE)] for row in plane]
    rows += [[blank] * len(rows[0])] * (-len(rows) % TILE)
    return [
        [row[x : x + TILE] for row in rows[y : y + TILE]]
        for y in range(0, len(rows), TILE)
        for x in range(0, len(rows[0]), TILE)
    ]


def _packed(numbers: Sequence[Number], layout: Layout) -> bytes:
    """A row of samples; those of odd sizes follow each other without gaps, the highest bit first."""
    if layout.bits not in _INTEGERS:
        row = "".join(f"{number:0{layout.bits}b}" for number in numbers)
        return int(row.ljust(-(-len(row) // 8) * 8, "0"), 2).to_bytes(-(-len(row) // 8))
    unit = _FLOATS[layout.bits] if layout.kind == FLOAT else _INTEGERS[layout.bits]
    unit = unit.lower() if layout.kind == SIGNED else unit
    return struct.pack(f"{layout.order}{len(numbers)}{unit}", *numbers)


def _compressed(rows: list[bytes], compression: int) -> bytes:
    match compression:
        case 8:
            return zlib.compress(b"".join(rows))
        case 5:
            return _lzw(b"".join(rows))
        case 32773:
            pieces = (row[at : at + 128] for row in rows for at in range(0, len(row), 128))
            return b"".join(bytes([len(piece) - 1]) + piece for piece in pieces)
    return b"".join(rows)


def _lzw(content: bytes) -> bytes:
    """In codes of nine bits each: its table is cleared before it has outgrown them."""
    codes = []
    for at in range(0, len(content), 200):
        codes += [256, *content[at : at + 200]]
    bits = "".join(f"{code:09b}" for code in [*codes, 257])
    return int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8))
