"""Pictures of 16 bits a channel, from source to file."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Sequence

import pytest

from pipeline.model.spec import AS_SOURCE, Format, Spec
from pipeline.render.pixels import libvips
from tests.pictures import png16
from tests.render.drawing import answer_to

pytestmark = pytest.mark.skipif(not libvips.available(), reason="needs libvips")

SIDE = 7
CHANNELS = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}


def levels(channels: int, *, seed: int = 1) -> list[int]:
    chance = random.Random(seed)
    return [chance.randrange(1, 65536) for _ in range(SIDE * SIDE * channels)]


def png_levels(content: bytes) -> list[int]:
    """The samples of a PNG of 16 bits, unfiltered here, because Pillow keeps only the top bytes."""
    chunks: dict[bytes, bytes] = {}
    at = 8
    while at < len(content):
        size, kind = struct.unpack_from(">L4s", content, at)
        chunks[kind] = chunks.get(kind, b"") + content[at + 8 : at + 8 + size]
        at += size + 12
    width, height, depth, colour = struct.unpack_from(">LLBB", chunks[b"IHDR"])
    assert depth == 16
    step = 2 * {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    raw, row, unpacked = zlib.decompress(chunks[b"IDAT"]), bytearray(step * width), bytearray()
    for y in range(height):
        start = y * (step * width + 1)
        row = _unfiltered(raw[start], raw[start + 1 : start + 1 + step * width], row, step)
        unpacked += row
    return list(struct.unpack(f">{len(unpacked) // 2}H", unpacked))


def _unfiltered(kind: int, line: bytes, above: Sequence[int], step: int) -> bytearray:
    row = bytearray()
    for x, value in enumerate(line):
        a, b, c = (row[x - step] if x >= step else 0), above[x], (above[x - step] if x >= step else 0)
        p = a + b - c
        nearest = min((a, b, c), key=lambda neighbour: abs(p - neighbour))
        row.append((value + (0, a, b, (a + b) // 2, nearest)[kind]) % 256)
    return row


@pytest.mark.parametrize("mode", CHANNELS)
def test_a_png_of_16_bits_is_kept_level_by_level(mode: str) -> None:
    stored = levels(CHANNELS[mode])
    answer, files = answer_to(png16((SIDE, SIDE), mode, stored), Spec("a", format=Format.PNG, depth=AS_SOURCE))
    assert png_levels(files["a"]) == stored
    assert answer.warnings == ()
