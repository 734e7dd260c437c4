"""Walks through the containers that pictures come in, without decoding: scans, frames, and whether the end is there.

Every walk goes forward only and ends with the bytes or at the bound it was given, so hostile files cost no more than
honest ones of their size. `view` is the whole file, mapped; walks read it in place.
"""

from __future__ import annotations

import mmap
import re
import struct
from collections.abc import Callable, Iterator
from itertools import islice

View = mmap.mmap | bytes
"""All bytes of a file, mapped or read."""

_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # in entropy-coded bytes: neither stuffing, restart nor padding
_SOS, _EOI = 0xDA, 0xD9
_SEQUENTIAL = (0xC0, 0xC1, 0xC9)  # frames whose scans do not refine one another


def jpeg_scans(view: View, most: int) -> int:
    """How many scans (SOS markers) a JPEG's first picture has; counts no further than `most` + 1."""
    return sum(1 for _ in islice(_jpeg_scan_starts(view), most + 1))


GIF_IMAGE, GIF_EXTENSION = 0x2C, 0x21


def gif_blocks(view: View) -> Iterator[tuple[int, int, int]]:
    """The kind of each of a GIF's blocks (an image or an extension), where it starts, and where it ends.

    Raises IndexError where the file ends within one.
    """
    at = 13 + palette_size(view[10])
    while at < len(view):
        match view[at]:
            case 0x2C:  # image descriptor, its palette, LZW code size, sub-blocks
                end = _after_sub_blocks(view, at + 11 + palette_size(view[at + 9]))
                yield GIF_IMAGE, at, end
            case 0x21:
                end = _after_sub_blocks(view, at + 2)
                yield GIF_EXTENSION, at, end
            case 0x3B:
                return
            case _:  # stray bytes between blocks are common, and decoders skip them
                end = at + 1
        at = end


def gif_frames(view: View, most: int) -> tuple[int, bool]:
    """How many whole frames a GIF has (counted no further than `most` + 1), and whether it is cut off within a block.

    A missing end is common, and nothing of the picture is missing then.
    """
    frames = 0
    try:
        for kind, _, _ in gif_blocks(view):
            frames += kind == GIF_IMAGE
            if frames > most:
                break
    except IndexError:
        return frames, True
    return frames, False


def tiff_pages(view: View, most: int) -> int:
    """How many directories are chained in a TIFF's main chain, counted no further than `most`."""
    pages = 0
    try:
        order = {b"II": "<", b"MM": ">"}[view[:2]]
        big = struct.unpack_from(order + "H", view, 2)[0] == 43
        offset, count, entry = (order + "Q", order + "Q", 20) if big else (order + "L", order + "H", 12)
        (at,) = struct.unpack_from(offset, view, 8 if big else 4)
        while at and pages < most:
            (entries,) = struct.unpack_from(count, view, at)
            pages += 1
            (at,) = struct.unpack_from(offset, view, at + struct.calcsize(count) + entries * entry)
    except (struct.error, KeyError, OverflowError, ValueError):
        pass  # the decoder will say what is wrong
    return max(1, pages)


def png_chunks(view: View) -> Iterator[tuple[bytes, int, int]]:
    """The kinds of a PNG's chunks, where their contents start, and how long they claim to be; through the last one."""
    at = 8
    while at + 12 <= len(view):
        size, kind = int.from_bytes(view[at : at + 4]), view[at + 4 : at + 8]
        yield kind, at + 8, size
        if kind == b"IEND":
            return
        at += 12 + size


def webp_canvas(view: View) -> int:
    """How many bytes libwebp takes for a WebP's canvas and the frame before, as it is opened; 0 of anything else."""
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


def is_short(view: View, name: str) -> bool:
    """Whether the container of format `name` (as Pillow writes it) claims more bytes than there are."""
    return name in _IS_SHORT and _IS_SHORT[name](view)


def _jpeg_scan_starts(view: View) -> Iterator[int]:
    """Where the first picture's scans start.

    Ends after the first one of a sequential picture that holds all components: there decoders stop too, and nearly all
    photographs are spared the walk (1 ms for 2.4 MB).
    """
    at, components = 2, 0
    while found := _MARKER.search(view, at):
        marker, body = view[found.start() + 1], found.end() + 2
        if marker == _EOI or body > len(view):
            return
        if marker in _SEQUENTIAL and body + 6 <= len(view):
            components = view[body + 5]
        if marker == _SOS:
            yield found.start()
            if body < len(view) and view[body] == components:
                return
        at = found.end() if marker in (0x01, 0xD8) else found.end() + max(2, int.from_bytes(view[body - 2 : body]))


def palette_size(flags: int) -> int:
    """Bytes of the palette that a GIF's screen or image has by its `flags`."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _after_sub_blocks(view: View, at: int) -> int:
    """Where the sub-blocks that start at `at` end. Raises IndexError where the file ends first."""
    while length := view[at]:
        at += length + 1
    return at + 1


def _png_is_whole(view: View) -> bool:
    return any(kind == b"IEND" for kind, _, _ in png_chunks(view))


def boxes(view: View, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """The boxes of an ISO base media file from `at` to `end`: their kinds, and from where to where their contents are.

    Ends at one that makes no sense; one that claims to reach beyond `end` ends there.
    """
    while at + 8 <= end:
        head = view[at : at + 16]
        size, start = int.from_bytes(head[:4]), at + 8
        if size == 1:
            size, start = int.from_bytes(head[8:16]), at + 16
        after = end if size == 0 else min(end, at + size)
        if after < start:
            return
        yield head[4:8], start, after
        at = after


def _boxes_end(view: View) -> int:
    """Where the last top-level box of an ISO base media file claims to end."""
    at = 0
    while at + 8 <= len(view):
        size = int.from_bytes(view[at : at + 4])
        if size == 1:
            size = int.from_bytes(view[at + 8 : at + 16])
        if size < 8:  # 0: to the end of the file
            return len(view)
        at += size
    return at if at >= len(view) else len(view) + 1


def _tiff_end(view: View) -> int:
    """Where what the first directory of a classic TIFF points to ends; beyond the file where the directory does."""
    try:
        order = {b"II": "<", b"MM": ">"}[view[:2]]
        (start,) = struct.unpack_from(order + "L", view, 4)
        (entries,) = struct.unpack_from(order + "H", view, start)
        arrays = {}
        for at in range(start + 2, start + 2 + 12 * entries, 12):
            tag, kind, count = struct.unpack_from(order + "HHL", view, at)
            if (
                tag in (273, 279, 324, 325) and kind in (3, 4) and count < 1_000_000
            ):  # strips, tiles: offsets and counts
                code, width = ("H", 2) if kind == 3 else ("L", 4)
                where = at + 8 if count * width <= 4 else struct.unpack_from(order + "L", view, at + 8)[0]
                arrays[tag] = struct.unpack_from(f"{order}{count}{code}", view, where)
    except struct.error:
        return len(view) + 1
    except KeyError:
        return 0
    starts, counts = arrays.get(273, arrays.get(324, ())), arrays.get(279, arrays.get(325, ()))
    return max((at + count for at, count in zip(starts, counts, strict=False)), default=0)


def _ico_end(view: View) -> int:
    count = int.from_bytes(view[4:6], "little")
    if 6 + 16 * count > len(view):
        return len(view) + 1
    entries = (view[at : at + 16] for at in range(6, 6 + 16 * count, 16))
    return max((sum(struct.unpack("<LL", entry[8:])) for entry in entries), default=0)


_IS_SHORT: dict[str, Callable[[View], bool]] = {
    "JPEG": lambda view: view.rfind(b"\xff\xd9") < 0,
    "PNG": lambda view: not _png_is_whole(view),
    "WEBP": lambda view: len(view) < 12 or int.from_bytes(view[4:8], "little") + 8 > len(view),
    "AVIF": lambda view: _boxes_end(view) > len(view),
    "HEIF": lambda view: _boxes_end(view) > len(view),
    "GIF": lambda view: gif_frames(view, len(view))[1],
    "TIFF": lambda view: _tiff_end(view) > len(view),
    "ICO": lambda view: _ico_end(view) > len(view),
}
