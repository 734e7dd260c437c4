"""RIFF: the chunks of a WebP."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.render.container.view import View

_CHUNKS = 12  # offset of the first chunk


def riff_chunks(view: View) -> Iterator[tuple[bytes, int, int]]:
    """Yields `(kind, start of the content, claimed size)` of each chunk of a RIFF file."""
    at = _CHUNKS
    while at + 8 <= len(view):
        size = int.from_bytes(view[at + 4 : at + 8], "little")
        yield view[at : at + 4], at + 8, size
        at += 8 + size + size % 2


def riff_end(view: View) -> int:
    """The offset at which a RIFF file claims to end."""
    return int.from_bytes(view[4:8], "little") + 8


def is_short(view: View) -> bool:
    """Whether a RIFF file claims to be longer than it is."""
    return len(view) < _CHUNKS or riff_end(view) > len(view)


def webp_canvas(view: View) -> int:
    """The bytes that libwebp allocates for a WebP's canvas and previous frame on opening; 0 for other formats."""
    if len(view) < 30 or view[:4] != b"RIFF" or view[8:12] != b"WEBP":
        return 0
    match view[12:16]:
        case b"VP8X":
            width, height = (int.from_bytes(view[at : at + 3], "little") + 1 for at in (24, 27))
        case b"VP8L":
            bits = int.from_bytes(view[21:25], "little")
            width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case _:
            width, height = (int.from_bytes(view[at : at + 2], "little") & 0x3FFF for at in (26, 28))
    return width * height * 8
