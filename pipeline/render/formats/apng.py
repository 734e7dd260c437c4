"""Animated PNGs: each frame becomes a PNG of its own for Pillow's decoder."""

from __future__ import annotations

import functools
import struct
import zlib
from collections.abc import Iterator

from PIL import Image, ImageFile

from pipeline.errors import ErrorKind, PictureError
from pipeline.render.colour.srgb import eight_bits
from pipeline.render.container.png import png_chunks
from pipeline.render.container.splice import spliced
from pipeline.render.container.view import View
from pipeline.render.formats import png
from pipeline.render.formats.animation import After, Moving, Part

_AFTER = {1: After.CLEARED, 2: After.UNDONE}
_HEADER = (16, 29)  # offsets in the file: the size in IHDR, and the end of IHDR's content
_END = (
    bytes(4) + b"\0\0\0\0IEND\xae\x42\x60\x82"
)  # follows the pixels: a checksum, which Pillow does not read, and IEND


def opened(view: View) -> ImageFile.ImageFile:
    """Opens the PNG in `view` as a still picture or an animation; a default image outside the animation is skipped."""
    sheet = png.read(view)
    if not sheet.frames:
        return sheet.opened(view)
    mode = "LA" if sheet.colour in (0, 4) else "RGBA"
    size = (int.from_bytes(view[16:20]), int.from_bytes(view[20:24]))
    image = Moving("PNG", mode, size, lambda: sheet.frames, functools.partial(_parts, view, sheet, mode, size))
    image.is_animated = sheet.frames > 1
    image.bits = sheet.depth
    image.info.update(sheet.info | {"loop": sheet.plays})
    image.remarks = sheet.remarks
    return image


def _parts(view: View, sheet: png.Sheet, mode: str, size: tuple[int, int]) -> Iterator[Part]:
    for control, spans in _frames(view):
        width, height, left, top, numerator, denominator, after, blend = control
        box = (left, top, left + width, top + height)
        if not (width and height and box[2] <= size[0] and box[3] <= size[1]):
            raise PictureError(ErrorKind.DAMAGED, "PNG: a frame lies outside of the picture")
        milliseconds = 1000 * numerator / (denominator or 100)
        decode = functools.partial(_decoded, view, sheet, mode, (width, height), spans)
        yield Part(box, blend == 1, _AFTER.get(after, After.STAYS), milliseconds, decode)


def _frames(view: View) -> Iterator[tuple[tuple[int, ...], list[tuple[int, int]]]]:
    """Yields each frame's fcTL fields and the spans of its pixels. Stops before a frame that is cut off."""
    control: tuple[int, ...] = ()
    spans: list[tuple[int, int]] = []
    number = 0
    for kind, at, size in png_chunks(view):
        if at + size + 4 > len(view):
            return
        if kind in png.FILM:
            _check(view, kind, at, size, number)
            number += 1
        if kind == b"fcTL":
            if control and spans:
                yield control, spans
            control, spans = struct.unpack_from(">LLLLHHBB", view, at + 4), []
        elif kind in (b"IDAT", b"fdAT") and control:
            spans.append((at + 4 * (kind == b"fdAT"), at + size))
    if control and spans:
        yield control, spans


def _check(view: View, kind: bytes, at: int, size: int, number: int) -> None:
    """Raises PictureError unless the chunk is whole, has a right checksum and the expected sequence number."""
    if not png.is_sound(view, at, size):
        raise png.wrong_checksum(kind)
    if size < (26 if kind == b"fcTL" else 4) or int.from_bytes(view[at : at + 4]) != number:
        raise PictureError(ErrorKind.DAMAGED, "PNG: its frames are out of order")


def _decoded(
    view: View, sheet: png.Sheet, mode: str, size: tuple[int, int], spans: list[tuple[int, int]]
) -> Image.Image:
    header = struct.pack(">LL", *size) + view[_HEADER[0] + 8 : _HEADER[1]]
    start = view[: png.SIGNATURE + 8] + header + struct.pack(">L", zlib.crc32(b"IHDR" + header))
    pixels = struct.pack(">L", sum(end - start for start, end in spans)) + b"IDAT"
    palette = [(view, *sheet.palette)] if sheet.palette else []
    parts = [(start, 0, len(start)), *palette, (pixels, 0, 8), *((view, *span) for span in spans), (_END, 0, len(_END))]
    with png.Png(spliced(parts), sheet.clear) as image:
        image.load()
        return eight_bits(image).convert(mode)
