"""The EXIF of an AVIF as it was asked for: libvips adds entries of its own to what it is given (resolution, size)."""

from __future__ import annotations

import struct

from pipeline.render.container.bmff import HEAD, VERSION, boxes, span

_NO_OFFSET = bytes(4)  # from the item's beginning to the TIFF header in it
_PLACES = b"\0\0\0\0\x44\x40"  # an iloc box of version 0, whose offsets, lengths and bases have 32 bits


def with_exif(content: bytes, exif: bytes) -> bytes:
    """The AVIF `content`, as libheif writes it with EXIF, with `exif` (from its TIFF header on) in the place of that.

    Raises ValueError if it is built in another way.
    """
    meta = span(content, b"meta", 0, len(content))
    inside = (meta[0] + VERSION, meta[1])
    wanted, places = _item(content, span(content, b"iinf", *inside)), span(content, b"iloc", *inside)
    length_at, start, length = _place(content, places, wanted)
    pixels = span(content, b"mdat", 0, len(content))
    if start + length != len(content) or pixels[1] != len(content):
        raise ValueError("the EXIF is not the last of the file")
    whole = bytearray(content[:start]) + _NO_OFFSET + exif
    struct.pack_into(">L", whole, length_at, len(_NO_OFFSET + exif))
    struct.pack_into(">L", whole, pixels[0] - HEAD, len(whole) - pixels[0] + HEAD)
    return bytes(whole)


def _item(content: bytes, infos: tuple[int, int]) -> int:
    """The number of the item that holds EXIF."""
    for kind, start, _end in boxes(content, infos[0] + VERSION + 2, infos[1]):
        if kind == b"infe" and content[start + 8 : start + 12] == b"Exif":
            return int.from_bytes(content[start + 4 : start + 6])
    raise ValueError("no EXIF")


def _place(content: bytes, places: tuple[int, int], wanted: int) -> tuple[int, int, int]:
    """Of the one piece of an item: where its length is written, its offset in the file, its length."""
    if content[places[0] : places[0] + 6] != _PLACES:
        raise ValueError("iloc box of an unknown kind")
    at = places[0] + 8
    while at + 10 <= places[1]:
        item, _source, base, pieces = struct.unpack_from(">HHLH", content, at)
        if item == wanted and pieces == 1:
            offset, length = struct.unpack_from(">LL", content, at + 10)
            return at + 14, base + offset, length
        at += 10 + 8 * pieces
    raise ValueError("no place of the EXIF")
