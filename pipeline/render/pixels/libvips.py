"""Downsampling by libvips: the Lanczos kernel of Pillow, five to eight times as fast, because it uses SIMD.

Pixels go in and come out through memory. The calling thread fetches them strip by strip, so libvips starts no threads
and results do not depend on their number. Operations are removed from libvips' cache, which would keep pixels alive.
`available` says whether pyvips is installed: the program does without it, at 8 bits a channel and more slowly.
"""

from __future__ import annotations

import errno
import functools
import itertools
import math
from types import ModuleType
from typing import Any

from PIL import Image

from pipeline import extras
from pipeline.errors import ErrorKind, PictureError
from pipeline.render.geometry.fit import Box, Size
from pipeline.render.pixels import linear_light
from pipeline.render.pixels.arrow_view import arrow_view

BANDS = {
    "L": 1,
    "LA": 2,
    "La": 2,
    "RGB": 3,
    "RGBA": 4,
    "RGBa": 4,
    "CMYK": 4,
}  # of the modes it takes, 8 bits each
_PIECE = 2**24  # pixels copied at once: Pillow needs twice their bytes meanwhile; each seam costs milliseconds
_STRIP = 64  # rows fetched at once, so that data between the two passes stays in the CPU cache
GAP = 3.0  # above this ratio to the target's size, blocks are averaged first, as in Pillow


@functools.cache
def module() -> ModuleType | None:
    """pyvips, imported by the first call, which takes 40 ms; None if it is not installed."""
    try:
        return extras.load("pyvips")
    except OSError as error:
        if error.errno == errno.EMFILE:
            raise
        return None  # pyvips without the library
    except ImportError:
        return None


def available() -> bool:
    """Whether libvips can be used. The first call loads it."""
    return module() is not None


def keep_nothing() -> None:
    """Switches libvips' operation cache off for this process. Children only.

    No two pictures share an operation, and each lookup takes 0.1 ms.
    """
    vips = module()
    if vips is not None:
        vips.cache_set_max(0)


def version() -> str | None:
    """The version of libvips, None if it is not installed."""
    vips = module()
    return None if vips is None else ".".join(str(vips.version(part)) for part in range(3))


def cmyk_profile() -> bytes | None:
    """The profile by which libvips takes CMYK without one: "Chemical proof" by G. Gill, in the public domain.

    None where libvips is not installed.
    """
    vips = module()
    return None if vips is None else _common_inks(vips)


@functools.cache
def _common_inks(vips: ModuleType) -> bytes:
    content: bytes = vips.Operation.call("profile_load", "cmyk")
    return content


def shrunk(image: Image.Image, box: Box, size: Size, *, linear: bool = False) -> Image.Image:
    """Resamples `box` of `image` (mode: one of `BANDS`) by Lanczos to a new, smaller image of `size`.

    `box` lies within the image, and no side of it is shorter than that of `size`. With `linear`, sRGB pixels are
    resampled in linear light at 16 bits; otherwise alpha has to be premultiplied. Raises PictureError if libvips is not
    installed.
    """
    across, down = window(box[0], box[2], image.width, size[0]), window(box[1], box[3], image.height, size[1])
    vips = module()
    if vips is None:
        raise PictureError(ErrorKind.NOT_ENCODABLE, f"resampler: {extras.missing('libvips')}")
    edges = (across[0], down[0], across[1], down[1])
    whole = _arrow_image(vips, image)
    pieces = [whole] if whole is not None else _pieces(vips, image, edges)
    try:
        source = functools.reduce(lambda above, below: above.join(below, "vertical"), pieces)
        if whole is not None and edges != (0, 0, *image.size):
            source = source.crop(edges[0], edges[1], edges[2] - edges[0], edges[3] - edges[1])
        if linear:
            source = linear_light.from_encoded(vips, source.extract_band(0, n=BANDS[image.mode]), image.mode)
        reduced = source.reduce(across[2], down[2], kernel="lanczos3", gap=GAP)
        if linear:
            reduced = linear_light.to_encoded(vips, reduced, image.mode)
        layout = "RGBX" if image.mode == "RGB" and reduced.bands == 4 else image.mode
        return Image.frombytes(image.mode, size, fetched(reduced), "raw", layout)
    finally:
        for piece in pieces:
            piece.invalidate()


def of_pillow(image: Image.Image) -> Any:
    """The pixels of `image` (mode: one of `BANDS`) for libvips; it must live as long, because they may be its own."""
    vips: Any = module()
    view = _arrow_image(vips, image)
    if view is not None:
        return view.extract_band(0, n=BANDS[image.mode])
    pieces = _pieces(vips, image, (0, 0, *image.size))
    return functools.reduce(lambda above, below: above.join(below, "vertical"), pieces)


def one_thread(image: Any) -> Any:
    """`image`, a copy of libvips' own, marked to be saved with one worker thread. Their number changes no byte."""
    vips: Any = module()
    image.set_type(vips.GValue.gint_type, "vips-concurrency", 1)
    return image


def fetched(image: Any) -> bytearray:
    """The samples of a libvips image, computed in the calling thread strip by strip. Raises whatever libvips raises."""
    vips: Any = module()
    region = vips.Region.new(image)
    strips = (region.fetch(0, y, image.width, min(_STRIP, image.height - y)) for y in range(0, image.height, _STRIP))
    first = next(strips)
    rows = min(_STRIP, image.height)
    pixels = bytearray(len(first) // rows * image.height)
    place = memoryview(pixels)
    at = 0
    for strip in itertools.chain([first], strips):
        place[at : at + len(strip)] = strip
        at += len(strip)
    return pixels


def _arrow_image(vips: ModuleType, image: Image.Image) -> Any:
    """The whole picture as a libvips image that reads Pillow's memory; None if there is no view of it.

    Without the copy, resampling a photograph takes a fifth less time and less memory. RGB has four bands here.
    """
    memory = arrow_view(image)
    if memory is None:
        return None
    pixels = vips.ffi.buffer(vips.ffi.cast("char *", memory.address), memory.size)
    return vips.Image.new_from_memory(pixels, image.width, image.height, memory.bands, "uchar")


def _pieces(vips: ModuleType, image: Image.Image, edges: tuple[int, int, int, int]) -> list[Any]:
    """The pixels within `edges` as libvips images that own their bytes, from top to bottom."""
    left, top, right, bottom = edges
    rows = max(1, _PIECE // (right - left))
    strips = []
    for y in range(top, bottom, rows):
        part = (left, y, right, min(bottom, y + rows))
        pixels = (image if part == (0, 0, *image.size) else image.crop(part)).tobytes()
        strips.append(vips.Image.new_from_memory(pixels, right - left, part[3] - y, BANDS[image.mode], "uchar"))
    return strips


def window(low: float, high: float, length: int, count: int) -> tuple[int, int, float]:
    """Start and end, in whole pixels, and the factor that come nearest to resampling `low`..`high` to `count` pixels.

    libvips resamples whole pixels and centres the result on them. Of all windows that yield `count` pixels at the exact
    factor this is the one with the nearest middle, mostly less than a quarter of a pixel off.
    """
    factor = (high - low) / count
    windows = [
        (abs((start + end) - (low + high)), abs((end - start) - (high - low)), start, end)
        for start in range(max(0, math.floor(low) - 1), math.floor(low) + 2)
        for end in range(math.ceil(high) - 1, min(length, math.ceil(high) + 1) + 1)
        if start < end and math.floor((end - start) / factor + 0.5) == count
    ]
    if windows:
        *_, start, end = min(windows)
        return start, end, factor
    start = math.floor(low + 0.5)
    end = min(length, max(start + count, math.floor(high + 0.5)))
    return end - max(count, end - start), end, max(count, end - start) / count
