"""Has an AVIF say in numbers what its colours are (a `colr` box of kind `nclx`): libvips writes profiles only."""

from __future__ import annotations

import struct

from pipeline.render.container.bmff import HEAD, VERSION, boxes, span

_BT601, _FULL_RANGE = 6, 0x80  # the matrix and the range that libheif encodes with if it is told nothing


def with_nclx(content: bytes, primaries: int, transfer: int) -> bytes:
    """The AVIF `content`, as libheif writes it, with the codes of ITU-T H.273 for its main picture.

    Raises ValueError if it is built in another way.
    """
    colour = struct.pack(">L4s4sHHHB", 19, b"colr", b"nclx", primaries, transfer, _BT601, _FULL_RANGE)
    meta = span(content, b"meta", 0, len(content))
    inside = (meta[0] + VERSION, meta[1])
    (main,) = struct.unpack_from(">H", content, span(content, b"pitm", *inside)[0] + VERSION)
    places = span(content, b"iloc", *inside)
    properties = span(content, b"iprp", *inside)
    container, links = span(content, b"ipco", *properties), span(content, b"ipma", *properties)
    number = sum(1 for _ in boxes(content, *container)) + 1
    count = _count_place(content, links, main)
    whole = bytearray(content)
    whole[count] += 1
    for start, more in (
        (meta[0], len(colour) + 1),
        (properties[0], len(colour) + 1),
        (container[0], len(colour)),
        (links[0], 1),
    ):
        _add(whole, start - HEAD, more)
    _move(whole, places[0], len(colour) + 1)
    end = count + 1 + content[count]
    whole[end:end] = bytes((number,))
    whole[container[1] : container[1]] = colour
    return bytes(whole)


def _count_place(content: bytes, links: tuple[int, int], wanted: int) -> int:
    """The offset at which the ipma box says how many properties the item `wanted` has."""
    if content[links[0] : links[0] + VERSION] != bytes(VERSION):  # items of 16 bits, properties of 7
        raise ValueError("ipma box of an unknown kind")
    at = links[0] + 8
    while at < links[1]:
        (item,) = struct.unpack_from(">H", content, at)
        if item == wanted:
            return at + 2
        at += 3 + content[at + 2]
    raise ValueError("the main picture has no properties")


def _move(whole: bytearray, at: int, more: int) -> None:
    """Adds `more` to the offset of each item in the iloc box at `at`."""
    if whole[at : at + 6] != b"\0\0\0\0\x44\x40":  # offsets, lengths and bases of 32 bits
        raise ValueError("iloc box of an unknown kind")
    (items,) = struct.unpack_from(">H", whole, at + 6)
    at += 8
    for _ in range(items):
        _add(whole, at + 4, more)
        (extents,) = struct.unpack_from(">H", whole, at + 8)
        at += 10 + 8 * extents


def _add(whole: bytearray, at: int, more: int) -> None:
    struct.pack_into(">L", whole, at, struct.unpack_from(">L", whole, at)[0] + more)
