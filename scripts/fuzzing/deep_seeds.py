"""Small pictures of 16 bits a channel, which Pillow does not write: PNG, and TIFF in strips and in tiles."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

_SIZE = (32, 24)
_TILE = 16
_COLOUR = {1: 0, 2: 4, 3: 2, 4: 6}  # of PNG, by channels


def deep_seeds(profile: bytes) -> list[tuple[str, bytes]]:
    """(name, content), always the same ones in the same order."""
    seeds = [(f"PNG of 16 bits, {channels} channels", _png(channels)) for channels in _COLOUR]
    seeds += [
        ("PNG of 16 bits with a transparent grey", _png(1, (b"tRNS", b"\0\x50"))),
        ("PNG of 16 bits with a transparent colour", _png(3, (b"tRNS", b"\0\x50" * 3))),
        ("PNG of 16 bits with a profile", _png(3, (b"iCCP", b"x\0\0" + zlib.compress(profile)))),
        ("PNG of 16 bits in linear light", _png(4, (b"gAMA", struct.pack(">L", 100_000)))),
        ("PNG of 16 bits in PQ", _png(3, (b"cICP", bytes((9, 16, 0, 1))))),
    ]
    for channels in _COLOUR:
        for tiled in (False, True):
            seeds.append((f"TIFF of 16 bits, {channels} channels{', tiled' * tiled}", _tiff(channels, tiled=tiled)))
    return seeds


def _level(x: int, y: int, channel: int) -> int:
    return (x * 2_011 + y * 977 * (channel + 1) + x * y * 31) & 0xFFFF


def _row(y: int, left: int, width: int, channels: int) -> list[int]:
    return [_level(x, y, channel) for x in range(left, left + width) for channel in range(channels)]


def _png(channels: int, *more: tuple[bytes, bytes]) -> bytes:
    width, height = _SIZE
    rows = b"".join(b"\0" + struct.pack(f">{channels * width}H", *_row(y, 0, width, channels)) for y in range(height))
    header = struct.pack(">LLBBBBB", *_SIZE, 16, _COLOUR[channels], 0, 0, 0)
    chunks = ((b"IHDR", header), *more, (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">L", len(content)) + kind + content + struct.pack(">L", zlib.crc32(kind + content))
        for kind, content in chunks
    )


def _tiff(channels: int, *, tiled: bool) -> bytes:
    blocks = list(_tiles(channels) if tiled else _strips(channels))
    offsets, content = [], b""
    for block in blocks:
        offsets.append(8 + len(content))
        content += block + bytes(len(block) % 2)
    places, sizes = (324, 325) if tiled else (273, 279)
    tags: dict[int, tuple[str, list[int]]] = {
        256: ("L", [_SIZE[0]]),
        257: ("L", [_SIZE[1]]),
        258: ("H", [16] * channels),
        259: ("H", [8]),
        262: ("H", [2 if channels > 2 else 1]),
        277: ("H", [channels]),
        places: ("L", offsets),
        sizes: ("L", [len(block) for block in blocks]),
    }
    tags |= {322: ("L", [_TILE]), 323: ("L", [_TILE])} if tiled else {278: ("L", [8])}
    if channels in (2, 4):
        tags[338] = ("H", [2])
    return struct.pack("<2sHL", b"II", 42, 8 + len(content)) + content + _directory(8 + len(content), tags)


def _strips(channels: int) -> Iterator[bytes]:
    width, height = _SIZE
    for top in range(0, height, 8):
        levels = [level for y in range(top, top + 8) for level in _row(y, 0, width, channels)]
        yield zlib.compress(struct.pack(f"<{len(levels)}H", *levels))


def _tiles(channels: int) -> Iterator[bytes]:
    width, height = _SIZE
    for top in range(0, height, _TILE):
        for left in range(0, width, _TILE):
            levels = [level for y in range(top, top + _TILE) for level in _row(y, left, _TILE, channels)]
            yield zlib.compress(struct.pack(f"<{len(levels)}H", *levels))


def _directory(at: int, tags: dict[int, tuple[str, list[int]]]) -> bytes:
    behind = at + 2 + 12 * len(tags) + 4
    table, content = struct.pack("<H", len(tags)), b""
    for tag, (kind, values) in sorted(tags.items()):
        raw = struct.pack(f"<{len(values)}{kind}", *values)
        table += struct.pack("<HHL", tag, 3 if kind == "H" else 4, len(values))
        table += raw.ljust(4, b"\0") if len(raw) <= 4 else struct.pack("<L", behind + len(content))
        content += raw if len(raw) > 4 else b""
    return table + bytes(4) + content
