"""EXIF blocks: read by a small tolerant reader, written by a small strict one.

Damaged EXIF is common in the wild and must never cost the picture, and Pillow's reader speaks through `warnings`, which
are the process's, not the thread's. What is read is bounded in number and size, whatever the bytes say.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

ASCII = 2  # the kind of a text
ARTIST, COPYRIGHT, ORIENTATION = 0x013B, 0x8298, 0x0112
PHOTO, GPS = 0x8769, 0x8825  # pointers to the directories of exposure and of place
_THUMBNAIL, _THUMBNAIL_SIZE = 0x0201, 0x0202  # in the second directory

_UNITS = {1: "B", 2: "B", 3: "H", 4: "L", 5: "L", 6: "B", 7: "B", 8: "H", 9: "L", 10: "L", 11: "L", 12: "Q", 13: "L"}
_UNITS |= {129: "B"}  # UTF-8
_WIDTHS = {kind: struct.calcsize(f">{unit}") * (2 if kind in (5, 10) else 1) for kind, unit in _UNITS.items()}
_ENTRIES = 1_000  # a directory longer than this is damage, not metadata
_VALUE = 60_000  # bytes of one value; a block in a JPEG holds 65,533
_MOST = 1 << 20  # bytes of all values of a directory

Bytes = bytes | mmap.mmap


@dataclass(frozen=True, slots=True)
class Entry:
    """One value: its kind as the format numbers them, and its bytes, big-endian and padded by nothing."""

    kind: int
    value: bytes

    @property
    def number(self) -> int | None:
        """The value, where it is one whole number."""
        if self.kind not in (3, 4) or len(self.value) != _WIDTHS[self.kind]:
            return None
        return int.from_bytes(self.value)


Directory = Mapping[int, Entry]


@dataclass(frozen=True, slots=True)
class Exif:
    """The directories of a block, by tag and without their pointers to each other; the embedded thumbnail's JPEG."""

    main: Directory = field(default_factory=dict)
    photo: Directory = field(default_factory=dict)
    gps: Directory = field(default_factory=dict)
    thumbnail: bytes = b""
    has_second: bool = False  # whether there is a directory for a thumbnail, which may be of another kind
    damaged: bool = False


def read(block: Bytes) -> Exif:
    """Everything in an EXIF block (or TIFF file) that can be made sense of. Never raises."""
    if not len(block):  # as of most pictures on the web
        return Exif()
    tiff = _without_mark(block)
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


def read_main(block: Bytes, wanted: Collection[int]) -> Directory:
    """Those of the first directory's values whose tags are `wanted`. Raises struct.error or ValueError on damage."""
    tiff = _without_mark(block)
    order, start = _beginning(tiff)
    return directory(tiff, order, start, wanted)[0]


def directory(tiff: Bytes, order: str, start: int, wanted: Collection[int] | None = None) -> tuple[Directory, int]:
    """The directory at `start`, and where the next one is (0: nowhere). Raises struct.error where there is none.

    One that is cut short is what came before the cut. Values that lie outside of the block are missing.
    """
    (count,) = struct.unpack_from(order + "H", tiff, start)
    found: dict[int, Entry] = {}
    room = _MOST
    for at in range(start + 2, start + 2 + 12 * min(count, _ENTRIES), 12):
        if at + 12 > len(tiff):
            return found, 0
        tag, kind, length = struct.unpack_from(order + "HHL", tiff, at)
        if (wanted is not None and tag not in wanted) or kind not in _UNITS or tag in found:
            continue
        size = length * _WIDTHS[kind]
        where = at + 8 if size <= 4 else struct.unpack_from(order + "L", tiff, at + 8)[0]
        if size > min(_VALUE, room) or where + size > len(tiff):
            continue
        room -= size
        found[tag] = Entry(kind, _big_endian(bytes(tiff[where : where + size]), kind, order))
    after = start + 2 + 12 * count
    return found, struct.unpack_from(order + "L", tiff, after)[0] if after + 4 <= len(tiff) else 0


def write(exif: Exif) -> bytes:
    """`exif` as a block with its mark; empty where there is nothing in it."""
    if not (exif.main or exif.photo or exif.gps or exif.thumbnail):
        return b""
    main = dict(exif.main)
    pointers = [(pointer, one) for pointer, one in ((PHOTO, exif.photo), (GPS, exif.gps)) if one]
    main |= {pointer: Entry(4, bytes(4)) for pointer, _ in pointers}
    at = 8 + len(_written(main, 8))
    parts = b""
    for pointer, one in pointers:
        main[pointer] = Entry(4, struct.pack(">L", at + len(parts)))
        parts += _written(one, at + len(parts))
    second = 0
    if exif.thumbnail:
        second = at + len(parts)
        small = {0x0103: Entry(3, struct.pack(">H", 6)), _THUMBNAIL_SIZE: Entry(4, _long(len(exif.thumbnail)))}
        size = len(_written({**small, _THUMBNAIL: Entry(4, bytes(4))}, second))
        parts += _written({**small, _THUMBNAIL: Entry(4, _long(second + size))}, second) + exif.thumbnail
    return b"Exif\0\0MM\0*" + _long(8) + _written(main, 8, second) + parts


def text(value: bytes) -> Entry:
    """`value` as a text's entry."""
    return Entry(ASCII, value + b"\0")


def _written(entries: Directory, start: int, following: int = 0) -> bytes:
    """A directory that lies at `start`, its values behind it."""
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


def _without_mark(block: Bytes) -> Bytes:
    return block[6:] if block[:6] == b"Exif\0\0" else block


def _beginning(tiff: Bytes) -> tuple[str, int]:
    order = {b"II": "<", b"MM": ">"}.get(bytes(tiff[:2]))
    if order is None:
        raise ValueError("no byte order mark")
    return order, struct.unpack_from(order + "L", tiff, 4)[0]


def _big_endian(value: bytes, kind: int, order: str) -> bytes:
    unit = _UNITS[kind]
    if order == ">" or unit == "B":
        return value
    count = len(value) // struct.calcsize(f">{unit}")
    return struct.pack(f">{count}{unit}", *struct.unpack(f"<{count}{unit}", value))


def _thumbnail(tiff: Bytes, order: str, second: int) -> bytes:
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
