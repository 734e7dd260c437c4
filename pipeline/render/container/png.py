"""PNG: the chunks of a file."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from pipeline.render.container.view import View


def png_chunks(view: View) -> Iterator[tuple[bytes, int, int]]:
    """Yields `(kind, start of the content, claimed size)` of each chunk of a PNG, up to and including IEND."""
    at = 8
    while at + 12 <= len(view):
        size, kind = int.from_bytes(view[at : at + 4]), view[at + 4 : at + 8]
        yield kind, at + 8, size
        if kind == b"IEND":
            return
        at += 12 + size


def is_short(view: View) -> bool:
    """Whether a PNG has no IEND chunk."""
    return not any(kind == b"IEND" for kind, _, _ in png_chunks(view))


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk as it stands in a file."""
    return b"".join((struct.pack(">L", len(content)), kind, content, struct.pack(">L", zlib.crc32(kind + content))))
