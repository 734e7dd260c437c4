"""EXIF blocks: a small tolerant reader and a small strict writer.

Damaged EXIF is common and must never cost the picture, and Pillow's reader reports through `warnings`, which belong to
the process and not to the thread. The reader bounds the number and size of the values, whatever the bytes claim.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from pipeline.render.container.tiff import field_count, fields, read_header
from pipeline.render.container.view import View

ASCII = 2  # the type of a text
ARTIST, COPYRIGHT, ORIENTATION = 0x013B, 0x8298, 0x0112
PHOTO, GPS = 0x8769, 0x8825  # pointers to the Exif and GPS directories
_THUMBNAIL, _THUMBNAIL_SIZE = 0x0201, 0x0202  # in the second directory

_UNITS = {1: "B", 2: "B", 3: "H", 4: "L", 5: "L", 6: "B", 7: "B", 8: "H", 9: "L", 10: "L", 11: "L", 12: "Q", 13: "L"}
_UNITS |= {129: "B"}  # UTF-8
_WIDTHS = {kind: struct.calcsize(f">{unit}") * (2 if kind in (5, 10) else 1) for kind, unit in _UNITS.items()}
_ENTRIES = 1_000  # a longer directory counts as damaged
_VALUE = 60_000  # bytes of one value; a block in a JPEG holds 65,533
_MOST = 1 << 20  # bytes of all values of a directory


@dataclass(frozen=True, slots=True)
class Entry:
    """One value: its type in the numbers of the format, and its bytes, big-endian, without padding."""

    kind: int
    value: bytes

    @property
    def number(self) -> int | None:
        """The value as an integer, None if it is not exactly one."""
        if self.kind not in (3, 4) or len(self.value) != _WIDTHS[self.kind]:
            return None
        return int.from_bytes(self.value)


Directory = Mapping[int, Entry]


@dataclass(frozen=True, slots=True)
class Exif:
    """The directories of a block, by tag, without their pointers to each other, and the embedded JPEG thumbnail."""

    main: Directory = field(default_factory=dict)
    photo: Directory = field(default_factory=dict)
    gps: Directory = field(default_factory=dict)
    thumbnail: bytes = b""
    has_second: bool = False  # whether there is a thumbnail directory; the thumbnail may not be a JPEG
    damaged: bool = False


def read(block: View) -> Exif:
    """Reads everything intelligible in an EXIF block or TIFF file. Never raises."""
    if not len(block):  # most pictures on the web have none
        return Exif()
    tiff = _without_prefix(block)
    try:
        order, start = _beginning(tiff)
        main, second = directory(tiff, order, start)
    except (struct.error, ValueError):
        return Exif(damaged=bool(len(tiff)))
    below: dict[int, Directory] = {}
    damaged = False
    for pointer in (PHOTO, GPS):
        place = main[pointer].number if pointer in main else None
        below[pointer] = {}
        if place:
            try:
                below[pointer], _ = directory(tiff, order, place)
            except struct.error:
                damaged = True
    thumbnail = _thumbnail(tiff, order, second)
    plain = {tag: entry for tag, entry in main.items() if tag not in (PHOTO, GPS)}
    return Exif(plain, below[PHOTO], below[GPS], thumbnail, bool(second), damaged)


def read_main(block: View, wanted: Collection[int]) -> Directory:
    """The first directory's values for the tags `wanted`. Raises struct.error or ValueError on damage."""
    tiff = _without_prefix(block)
    order, start = _beginning(tiff)
    return directory(tiff, order, start, wanted)[0]


def directory(tiff: View, order: str, start: int, wanted: Collection[int] | None = None) -> tuple[Directory, int]:
    """The directory at `start`, and the offset of the next one (0: none). Raises struct.error if there is none.

    Of a truncated directory the entries before the cut are returned. Values outside of the block are left out.
    """
    count = field_count(tiff, order, start)
    whole = min(count, _ENTRIES, max(0, len(tiff) - start - 2) // 12)
    entries: dict[int, Entry] = {}
    left = _MOST
    for tag, kind, length, at in fields(tiff, order, start, whole):
        if (wanted is not None and tag not in wanted) or kind not in _UNITS or tag in entries:
            continue
        size = length * _WIDTHS[kind]
        where = at if size <= 4 else struct.unpack_from(order + "L", tiff, at)[0]
        if size > min(_VALUE, left) or where + size > len(tiff):
            continue
        left -= size
        entries[tag] = Entry(kind, _big_endian(bytes(tiff[where : where + size]), kind, order))
    after = start + 2 + 12 * count
    return entries, struct.unpack_from(order + "L", tiff, after)[0] if after + 4 <= len(tiff) else 0


def write(exif: Exif) -> bytes:
    """`exif` as a block with its `Exif` prefix; empty if there is nothing in it."""
    if not (exif.main or exif.photo or exif.gps or exif.thumbnail):
        return b""
    main = dict(exif.main)
    pointers = [(pointer, entries) for pointer, entries in ((PHOTO, exif.photo), (GPS, exif.gps)) if entries]
    main |= {pointer: Entry(4, bytes(4)) for pointer, _ in pointers}
    at = 8 + len(_written(main, 8))
    parts = b""
    for pointer, entries in pointers:
        main[pointer] = Entry(4, struct.pack(">L", at + len(parts)))
        parts += _written(entries, at + len(parts))
    second = 0
    if exif.thumbnail:
        second = at + len(parts)
        small = {0x0103: Entry(3, struct.pack(">H", 6)), _THUMBNAIL_SIZE: Entry(4, _long(len(exif.thumbnail)))}
        size = len(_written({**small, _THUMBNAIL: Entry(4, bytes(4))}, second))
        parts += _written({**small, _THUMBNAIL: Entry(4, _long(second + size))}, second) + exif.thumbnail
    return b"Exif\0\0MM\0*" + _long(8) + _written(main, 8, second) + parts


def text(value: bytes) -> Entry:
    """`value` as an entry of type ASCII."""
    return Entry(ASCII, value + b"\0")


def _written(entries: Directory, start: int, following: int = 0) -> bytes:
    """A directory to be placed at offset `start`, followed by its values."""
    table, heap = struct.pack(">H", len(entries)), b""
    behind = start + 2 + 12 * len(entries) + 4
    for tag in sorted(entries):
        entry = entries[tag]
        table += struct.pack(">HHL", tag, entry.kind, len(entry.value) // _WIDTHS[entry.kind])
        if len(entry.value) <= 4:
            table += entry.value.ljust(4, b"\0")
        else:
            table += _long(behind + len(heap))
            heap += entry.value + b"\0" * (len(entry.value) % 2)
    return table + _long(following) + heap


def _without_prefix(block: View) -> View:
    return block[6:] if block[:6] == b"Exif\0\0" else block


def _beginning(tiff: View) -> tuple[str, int]:
    order, big, first = read_header(tiff)
    if big:
        raise ValueError("EXIF is never a BigTIFF")
    return order, first


def _big_endian(value: bytes, kind: int, order: str) -> bytes:
    unit = _UNITS[kind]
    if order == ">" or unit == "B":
        return value
    count = len(value) // struct.calcsize(f">{unit}")
    return struct.pack(f">{count}{unit}", *struct.unpack(f"<{count}{unit}", value))


def _thumbnail(tiff: View, order: str, second: int) -> bytes:
    if not second:
        return b""
    try:
        small, _ = directory(tiff, order, second, (_THUMBNAIL, _THUMBNAIL_SIZE))
    except struct.error:
        return b""
    place, size = (small[tag].number if tag in small else None for tag in (_THUMBNAIL, _THUMBNAIL_SIZE))
    if not place or not size or size > _VALUE:
        return b""
    return bytes(tiff[place : place + size])


def _long(number: int) -> bytes:
    return struct.pack(">L", number)
