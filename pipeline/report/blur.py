"""A ThumbHash as a tiny picture in a `data:` address: what stands for a picture on a page without scripts."""

from __future__ import annotations

import base64
import math
import struct
import zlib
from collections.abc import Iterator, Sequence
from operator import mul

_LONGEST = 12  # pixels of the longer side; browsers smooth what they enlarge, and below this lines are seen

_Term = tuple[int, int, float]  # waves across, waves down, amplitude


def as_address(thumbhash: bytes) -> str:
    """The `data:` address of an opaque picture of at most 12 x 12 pixels (600 characters).

    It is "" for a ThumbHash with alpha, because what it stands for is seen through.
    """
    head, tail = int.from_bytes(thumbhash[:3], "little"), int.from_bytes(thumbhash[3:5], "little")
    if head >> 23:
        return ""
    across, down = (7, tail & 7) if tail >> 15 else (tail & 7, 7)
    size = [max(1, round(_LONGEST * side / max(across, down))) for side in (across, down)]
    nibbles = iter([half for byte in thumbhash[5:] for half in (byte & 15, byte >> 4)])
    channels = [  # brightness, yellow, reddish: the average, and the waves around it
        ((head & 63) / 63, _terms(nibbles, max(3, across), max(3, down), (head >> 18 & 31) / 31)),
        ((head >> 6 & 63) / 31.5 - 1, _terms(nibbles, 3, 3, (tail >> 3 & 63) / 63 * 1.25)),
        ((head >> 12 & 63) / 31.5 - 1, _terms(nibbles, 3, 3, (tail >> 9 & 63) / 63 * 1.25)),
    ]
    columns, lines = (_waves(length) for length in size)
    rows = b"".join(b"\0" + bytes(_row(channels, columns, line)) for line in lines)
    return "data:image/png;base64," + base64.b64encode(_png(size, rows)).decode("ascii")


def _terms(nibbles: Iterator[int], across: int, down: int, scale: float) -> list[_Term]:
    """The next waves of the hash: the triangle of the coarsest, by rows, without the average."""
    places = [(x, y) for y in range(down) for x in range(across) if (x or y) and x * down < across * (down - y)]
    return [(x, y, (next(nibbles, 0) / 7.5 - 1) * scale) for x, y in places]


def _waves(length: int) -> list[list[float]]:
    return [[math.cos(math.pi / length * (at + 0.5) * n) for n in range(7)] for at in range(length)]


def _row(
    channels: Sequence[tuple[float, list[_Term]]], columns: Sequence[Sequence[float]], line: Sequence[float]
) -> Iterator[int]:
    along = [_along(average, terms, line) for average, terms in channels]
    for column in columns:
        light, yellow, reddish = (sum(map(mul, waves, column)) for waves in along)
        blue = light - yellow * 2 / 3
        red = (3 * light - blue + reddish) / 2
        for value in (red, red - reddish, blue):
            yield min(255, max(0, round(255 * value)))


def _along(average: float, terms: Sequence[_Term], line: Sequence[float]) -> list[float]:
    """The amplitudes of a channel's waves along a line; the first of them is constant."""
    waves = [average, *[0.0] * 6]
    for x, y, factor in terms:
        waves[x] += 2 * factor * line[y]
    return waves


def _png(size: Sequence[int], rows: bytes) -> bytes:
    """`rows` of RGB, each behind its filter, as a PNG."""
    header = struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, body) for kind, body in chunks)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
