"""The few facts about a picture that outlive it: how it stands, who made it and whose it is.

EXIF is read by a small tolerant reader of our own: damaged EXIF is common in the wild and must never cost the picture,
and Pillow's reader speaks through `warnings`, which are the process's, not the thread's.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_ORIENTATION, _ARTIST, _COPYRIGHT = 0x0112, 0x013B, 0x8298
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 7: 1, 129: 1}  # bytes of a BYTE, ASCII, SHORT, LONG, UNDEFINED, UTF-8
_ENTRIES = 1_000  # an IFD longer than this is damage, not metadata
_TEXT = 2_000  # bytes kept of a text


@dataclass(frozen=True, slots=True)
class Facts:
    """What EXIF said. `orientation` is 1..8, and 1 where it is missing or absurd; texts are bytes as stored."""

    orientation: int = 1
    artist: bytes = b""
    copyright: bytes = b""
    damaged: bool = False


def read_exif(exif: bytes) -> Facts:
    """The facts in an EXIF block, with or without the mark before it. Never raises: what cannot be read is missing."""
    tiff = exif.removeprefix(b"Exif\0\0")
    if not tiff:
        return Facts()
    try:
        values = dict(_entries(tiff))
    except (struct.error, ValueError):
        return Facts(damaged=True)
    return facts(values.get(_ORIENTATION), values.get(_ARTIST), values.get(_COPYRIGHT))


def facts(orientation: object, artist: object, copyright_: object) -> Facts:
    """Facts from values of any type: a decoder hands over whatever the file held."""
    upright = isinstance(orientation, int) and 1 <= orientation <= 8
    return Facts(int(str(orientation)) if upright else 1, _text(artist), _text(copyright_))


def write_exif(kept: Facts) -> bytes:
    """A minimal EXIF block with artist and copyright; empty where there is neither."""
    entries = [(tag, text + b"\0") for tag, text in ((_ARTIST, kept.artist), (_COPYRIGHT, kept.copyright)) if text]
    if not entries:
        return b""
    start = 8 + 2 + 12 * len(entries) + 4  # header, count, entries, offset of the next IFD
    directory, heap = struct.pack(">H", len(entries)), b""
    for tag, text in entries:
        directory += struct.pack(">HHL", tag, 2, len(text))
        if len(text) <= 4:
            directory += text.ljust(4, b"\0")
        else:
            directory += struct.pack(">L", start + len(heap))
            heap += text + b"\0" * (len(text) % 2)
    return b"Exif\0\0MM\0*" + struct.pack(">L", 8) + directory + b"\0\0\0\0" + heap


def _text(value: object) -> bytes:
    raw = value.encode("utf-8", "replace") if isinstance(value, str) else value
    return raw.replace(b"\0", b" ").strip()[:_TEXT].strip() if isinstance(raw, bytes) else b""


def _entries(tiff: bytes) -> list[tuple[int, int | bytes]]:
    """The entries of the first IFD that we can make sense of. Raises struct.error or ValueError on damage."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        raise ValueError("no byte order mark")
    (start,) = struct.unpack_from(order + "L", tiff, 4)
    (count,) = struct.unpack_from(order + "H", tiff, start)
    found: list[tuple[int, int | bytes]] = []
    for number in range(min(count, _ENTRIES)):
        at = start + 2 + 12 * number
        if at + 12 > len(tiff):
            break  # a directory cut short: what came before it still counts
        tag, kind, length = struct.unpack_from(order + "HHL", tiff, at)
        if tag == _ORIENTATION and kind in (3, 4) and length == 1:
            found.append((tag, struct.unpack_from(order + ("H" if kind == 3 else "L"), tiff, at + 8)[0]))
        elif tag in (_ARTIST, _COPYRIGHT) and kind in _SIZES and _SIZES[kind] == 1:
            where = at + 8 if length <= 4 else struct.unpack_from(order + "L", tiff, at + 8)[0]
            found.append((tag, tiff[where : where + min(length, _TEXT)]))
    return found
