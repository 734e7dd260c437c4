"""Bends pictures: some mutations know the structure of their format, so that what is bent is reached by a decoder."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

_NUMBERS = (0, 1, 2, 3, 7, 8, 15, 16, 127, 128, 255, 256, 1000, 4095, 32767, 32768, 65535, 65536, 2**24 - 1, 2**31 - 1,
            2**31, 2**32 - 1)  # fmt: skip
_MOST = 4 * 2**20  # bytes of a bent picture

Mutation = Callable[[bytes, Random], bytes]


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a file that can be bent as one: a chunk, a segment, a block. `kind` is what it is called there."""

    kind: bytes
    content: bytes


def bent(content: bytes, others: list[bytes], random: Random) -> bytes:
    """`content` after one to five mutations; some take from `others`."""
    for _ in range(random.choice((1, 1, 1, 2, 3, 5))):
        structured = _of_structure(content)
        if structured is not None and random.random() < 0.7:
            content = structured(content, random)
        elif random.random() < 0.1:
            content = _spliced(content, random.choice(others), random)
        else:
            content = random.choice(_PLAIN)(content, random)
        content = content[:_MOST]
    return content


def _of_structure(content: bytes) -> Mutation | None:
    for mark, mutation in _STRUCTURED:
        if mark.match(content):
            return mutation
    return None


def _flipped(content: bytes, random: Random) -> bytes:
    changed = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 8, 64)) if changed else 0):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def _overwritten(content: bytes, random: Random) -> bytes:
    """A number of 1, 2 or 4 bytes, of either order, somewhere near the beginning or anywhere."""
    width = random.choice((1, 2, 4))
    if len(content) <= width:
        return content
    at = random.randrange(min(len(content), random.choice((64, 512, len(content)))) - 0)
    number = random.choice(_NUMBERS) % (1 << 8 * width)
    return content[:at] + number.to_bytes(width, random.choice(("big", "little"))) + content[at + width :]


def _truncated(content: bytes, random: Random) -> bytes:
    return content[: random.randrange(len(content) + 1)]


def _cut(content: bytes, random: Random) -> bytes:
    start = random.randrange(len(content) + 1)
    return content[:start] + content[start + random.choice((1, 2, 4, 16, 256)) :]


def _repeated(content: bytes, random: Random) -> bytes:
    start = random.randrange(len(content) + 1)
    piece = content[start : start + random.choice((1, 4, 16, 256, 4096))]
    return content[:start] + piece * random.choice((2, 3, 100)) + content[start:]


def _grown(content: bytes, random: Random) -> bytes:
    return content + random.choice((b"\0", b"\xff", content)) * random.choice((1, 10, 1000))


def _spliced(content: bytes, other: bytes, random: Random) -> bytes:
    return content[: random.randrange(len(content) + 1)] + other[random.randrange(len(other) + 1) :]


_PLAIN: tuple[Mutation, ...] = (_flipped, _flipped, _overwritten, _overwritten, _truncated, _cut, _repeated, _grown)


def _rearranged(parts: list[Part], random: Random) -> list[Part]:
    """One part dropped, doubled, moved, bent, or called something else."""
    if not parts:
        return parts
    at = random.randrange(len(parts))
    part = parts[at]
    match random.randrange(7):
        case 0:
            return parts[:at] + parts[at + 1 :]
        case 1:
            return parts[:at] + [part] * random.choice((2, 3, 50)) + parts[at + 1 :]
        case 2:
            rest = parts[:at] + parts[at + 1 :]
            there = random.randrange(len(rest) + 1)
            return [*rest[:there], part, *rest[there:]]
        case 3:
            return [*parts[:at], Part(random.choice(parts).kind, part.content), *parts[at + 1 :]]
        case _:
            content = random.choice(_PLAIN)(part.content, random) if part.content else b"\0\0\0\0"
            return [*parts[:at], Part(part.kind, content), *parts[at + 1 :]]


def _png(content: bytes, random: Random) -> bytes:
    """Chunks, their checksums made right again; the pixels' zlib stream is sometimes bent inside."""
    parts, at = [], 8
    while at + 12 <= len(content):
        size = int.from_bytes(content[at : at + 4])
        parts.append(Part(content[at + 4 : at + 8], content[at + 8 : at + 8 + size]))
        at += 12 + size
    if random.random() < 0.2:
        parts = [_inside_deflate(part, random) if part.kind in (b"IDAT", b"iCCP", b"zTXt") else part for part in parts]
    out = content[:8]
    for part in _rearranged(parts, random):
        sum_ = zlib.crc32(part.kind + part.content)
        out += struct.pack(">L", len(part.content)) + part.kind + part.content + struct.pack(">L", sum_)
    return out


def _inside_deflate(part: Part, random: Random) -> Part:
    head = part.content.find(b"\0\0") + 2 if part.kind != b"IDAT" else 0
    try:
        inner = zlib.decompress(part.content[head:])
    except zlib.error:
        return part
    return Part(part.kind, part.content[:head] + zlib.compress(random.choice(_PLAIN)(inner, random)))


def _jpeg(content: bytes, random: Random) -> bytes:
    """Segments, with their lengths made right again (mostly); a scan goes with the bytes that follow it."""
    parts, at = [], 2
    while at + 4 <= len(content) and content[at] == 0xFF:
        kind, size = content[at : at + 2], int.from_bytes(content[at + 2 : at + 4])
        end = at + 2 + size
        if kind == b"\xff\xda":
            end = next((i for i in range(end, len(content) - 1) if _is_marker(content, i)), len(content))
        parts.append(Part(kind, content[at + 4 : end]))
        at = end
    out = content[:2]
    for part in _rearranged(parts, random):
        size = 12 if part.kind == b"\xff\xda" else len(part.content) + 2
        size = size if random.random() < 0.97 else random.choice(_NUMBERS)
        out += part.kind + (size & 0xFFFF).to_bytes(2) + part.content
    return out + content[at:]


def _is_marker(content: bytes, at: int) -> bool:
    return content[at] == 0xFF and content[at + 1] not in (0, *range(0xD0, 0xD8))


def _riff(content: bytes, random: Random) -> bytes:
    """Chunks of a WebP; the size of the whole is made right again, mostly."""
    parts, at = [], 12
    while at + 8 <= len(content):
        size = int.from_bytes(content[at + 4 : at + 8], "little")
        parts.append(Part(content[at : at + 4], content[at + 8 : at + 8 + size]))
        at += 8 + size + (size & 1)
    body = b"WEBP"
    for part in _rearranged(parts, random):
        body += part.kind + struct.pack("<L", len(part.content)) + part.content + b"\0" * (len(part.content) & 1)
    size = len(body) if random.random() < 0.95 else random.choice(_NUMBERS)
    return b"RIFF" + struct.pack("<L", size) + body


def _gif(content: bytes, random: Random) -> bytes:
    """Blocks: extensions and images with their sub-blocks."""
    if len(content) < 13:
        return _flipped(content, random)
    at = start = 13 + _palette(content[10])
    parts = []
    while at < len(content) and content[at] in (0x21, 0x2C):
        begin = at
        at += 2 if content[at] == 0x21 else 11 + _palette(content[min(at + 9, len(content) - 1)])
        while at < len(content) and content[at]:
            at += content[at] + 1
        at += 1
        parts.append(Part(content[begin : begin + 1], content[begin + 1 : at]))
    head = bytearray(content[:start])
    if random.random() < 0.2:
        struct.pack_into("<H", head, random.choice((6, 8)), random.choice(_NUMBERS) & 0xFFFF)
    return bytes(head) + b"".join(part.kind + part.content for part in _rearranged(parts, random)) + content[at:]


def _palette(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _tiff(content: bytes, random: Random) -> bytes:
    """The entries of the first directory: tag, type, count or value becomes another."""
    order = "<" if content[:2] == b"II" else ">"
    try:
        (start,) = struct.unpack_from(order + "L", content, 4)
        (entries,) = struct.unpack_from(order + "H", content, start)
    except struct.error:
        return _flipped(content, random)
    changed = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 4))):
        at = start + 2 + 12 * random.randrange(max(1, entries))
        field, code, most = random.choice(((0, "H", 0xFFFF), (2, "H", 18), (4, "L", 0xFFFFFFFF), (8, "L", 0xFFFFFFFF)))
        number = random.choice((*_NUMBERS, random.randrange(300), len(content), start)) % (most + 1)
        if at + 12 <= len(changed):
            struct.pack_into(order + code, changed, at + field, number)
    return bytes(changed)


def _boxes(content: bytes, random: Random) -> bytes:
    """A number in one of the boxes of an AVIF, HEIC, JPEG 2000, JPEG XL or CR3, found by its name."""
    return _number_behind(content, [name for name in _BOXES if name in content], 32, random)


def _codestream(content: bytes, random: Random) -> bytes:
    """A number in one of the marker segments of a JPEG 2000, whether in boxes or bare, or in its boxes."""
    if not content.startswith(_BARE) and random.random() < 0.3:
        return _boxes(content, random)
    return _number_behind(content, [mark for mark in _SEGMENTS if mark in content], 48, random)


def _number_behind(content: bytes, marks: list[bytes], reach: int, random: Random) -> bytes:
    """One of `marks` is chosen, and a number becomes another within `reach` bytes behind one of its places."""
    if not marks:
        return _flipped(content, random)
    mark = random.choice(marks)
    places = [found.end() for found in re.finditer(re.escape(mark), content)]
    at = random.choice(places) + random.randrange(reach)
    number = (random.choice(_NUMBERS) & 0xFFFFFFFF).to_bytes(4)[-(width := random.choice((1, 2, 4))) :]
    return content[:at] + number + content[at + width :]


_BARE = b"\xff\x4f\xff\x51"
_BOXES = tuple(
    b"ispe pixi av1C hvcC iloc iinf infe ipma pitm iref auxC auxl colr clap irot imir clli stsz stco co64 stts tkhd "
    b"PRVW CMT1 ihdr bpcc pclr cmap cdef uuid jxlc jxlp Exif".split()
)
# The size of the picture, its coding, quantisation, components, packets and tiles.
_SEGMENTS = tuple(
    bytes((0xFF, code)) for code in (0x51, 0x52, 0x53, 0x5C, 0x5D, 0x5E, 0x5F, 0x55, 0x57, 0x58, 0x90, 0x93)
)

_STRUCTURED: tuple[tuple[re.Pattern[bytes], Mutation], ...] = tuple(
    (re.compile(mark, re.DOTALL), mutation)
    for mark, mutation in (
        (rb"\x89PNG\r\n\x1a\n", _png),
        (rb"\xff\xd8", _jpeg),
        (rb"RIFF", _riff),
        (rb"GIF8", _gif),
        (rb"II\*\0|MM\0\*|II(?:U\0|RO)|MMOR", _tiff),  # the last three begin raws
        (rb"\xff\x4f\xff\x51|....jP  ", _codestream),
        (rb"....(?:ftyp|JXL )", _boxes),
    )
)
