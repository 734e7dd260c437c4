"""Files that are cut off, made whole with what is there, so that decoders show it: JPEG and still PNG.

The other formats are not mended: their decoders show nothing of a part (WebP, AVIF, HEIF, tiles and strips of TIFF), or
show what is whole anyway (frames of GIF).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from pipeline.render.container.jpeg import EOI, MARKER, SOS
from pipeline.render.container.png import png_chunk, png_chunks
from pipeline.render.container.view import View

_ALONE = (0x01, 0xD8)  # markers of JPEG that no size follows
_END = b"\xff\xd9"

_FIRST = 33  # bytes of a PNG's signature and IHDR
_PART = 2**16  # bytes that are inflated at a time
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
_ADAM_7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def mended(view: View, name: str, most: int) -> bytes | None:
    """The file of format `name` (as Pillow writes it) made whole.

    None where nothing is cut off, no pixels are there, there should be more than `most`, or the format is not mended.
    Takes no more than twice the memory of the file.
    """
    match name:
        case "JPEG":
            return _jpeg(view)
        case "PNG":
            return _png(view, most)
    return None


def _jpeg(view: View) -> bytes | None:
    """With an end marker where its last whole part ends. libjpeg fills what is missing with grey, or with the coarser
    picture of earlier scans.
    """
    at, scans = 2, 0
    while match := MARKER.search(view, at):
        marker, size_at = view[match.start() + 1], match.end()
        if marker == EOI:
            return None
        if marker in _ALONE:
            at = size_at
            continue
        at = size_at + max(2, int.from_bytes(view[size_at : size_at + 2]))
        if at >= len(view):
            return view[: match.start()] + _END if scans else None
        scans += marker == SOS
    return view[:] + _END if scans else None


def _png(view: View, most: int) -> bytes | None:
    """With zeros for the pixels that are missing: black, or transparent."""
    parts = _parts(view)
    width, height = (int.from_bytes(view[at : at + 4]) for at in (16, 20))
    if parts is None or not 0 < width * height <= most:
        return None
    head, pixels = parts
    needed, there = _raw_bytes(view), 0
    deflate, content = zlib.compressobj(1), bytearray()
    try:
        for rows in _inflated(pixels, needed):
            content += deflate.compress(rows)
            there += len(rows)
    except zlib.error:  # damaged otherwise
        return None
    if there < needed // height:
        return None  # not one row
    for missing in range(there, needed, _PART):
        content += deflate.compress(bytes(min(_PART, needed - missing)))
    content += deflate.flush()
    return head + png_chunk(b"IDAT", bytes(content)) + png_chunk(b"IEND", b"")


def _parts(view: View) -> tuple[bytes, list[bytes]] | None:
    """All before the pixels, and the compressed pixels; None for an animation, or where nothing is cut off."""
    if len(view) < _FIRST or view[12:16] != b"IHDR":
        return None
    head, pixels = bytearray(view[:8]), []
    for kind, at, size in png_chunks(view):
        if kind in (b"IEND", b"acTL"):
            return None
        if kind == b"IDAT":
            pixels.append(view[at : at + size])
        elif not pixels and at + size + 4 <= len(view):
            head += view[at - 8 : at + size + 4]
    return bytes(head), pixels


def _inflated(pixels: list[bytes], most: int) -> Iterator[bytes]:
    """The rows that are there, in small parts, up to `most` bytes. Raises `zlib.error`."""
    inflate = zlib.decompressobj()
    for part in pixels:
        rest = part
        while most > 0 and (rows := inflate.decompress(rest, min(most, _PART))):
            yield rows
            most -= len(rows)
            rest = inflate.unconsumed_tail


def _raw_bytes(view: View) -> int:
    """The bytes of all rows with their filters, as IHDR has them."""
    width, height, depth, colour, *_, interlaced = struct.unpack_from(">LLBBBBB", view, 16)
    bits = depth * _CHANNELS.get(colour, 0)
    total = 0
    for x, y, across, down in _ADAM_7 if interlaced else ((0, 0, 1, 1),):
        columns, rows = -(-(width - x) // across), -(-(height - y) // down)
        total += (1 + -(-columns * bits // 8)) * rows if columns > 0 < rows else 0
    return total
