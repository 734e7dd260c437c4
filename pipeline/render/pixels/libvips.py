"""Makes pictures smaller by libvips: Lanczos as Pillow's, five to eight times as fast, because it uses SIMD.

Only this step is libvips': pixels go in and come out through memory. They are fetched strip by strip in the calling
thread, so libvips starts no thread of its own, and nothing depends on how many there are. Its operations are taken out
of its cache again: they would keep pixels alive. Where pyvips is not installed, `available` says so.
"""

from __future__ import annotations

import functools
import math
from types import ModuleType
from typing import Any

from PIL import Image

from pipeline import extras
from pipeline.errors import ErrorKind, PictureError
from pipeline.render.geometry.fit import Box, Size
from pipeline.render.pixels import linear_light
from pipeline.render.pixels.arrow_view import lent

BANDS = {"L": 1, "LA": 2, "La": 2, "RGB": 3, "RGBA": 4, "RGBa": 4, "CMYK": 4}  # of the modes it takes, 8 bits each
_PIECE = 2**24  # pixels taken over at once: Pillow needs twice their bytes meanwhile; a seam costs milliseconds
_STRIP = 64  # rows fetched at once: what is between the two passes then stays in the processor's cache
_GAP = 3.0  # where more than this many times the target's pixels are left, blocks are averaged first, as by Pillow


@functools.cache
def module() -> ModuleType | None:
    """The binding, loaded by the first call; None where it is not installed."""
    try:
        import pyvips  # noqa: PLC0415 -- an extra, and 40 ms to import
    except (ImportError, OSError):  # OSError: pyvips without the library
        return None
    module: ModuleType = pyvips
    return module


def available() -> bool:
    """Whether libvips can be used. The first call loads it."""
    return module() is not None


def keep_nothing() -> None:
    """Switch libvips' cache of operations off: to be called in a child only. No two pictures share one, and looking for
    it takes 0.1 ms each.
    """
    vips = module()
    if vips is not None:
        vips.cache_set_max(0)


def version() -> str | None:
    """The version of libvips, where it is installed."""
    vips = module()
    return None if vips is None else ".".join(str(vips.version(part)) for part in range(3))


def shrunk(image: Image.Image, box: Box, size: Size, *, linear: bool = False) -> Image.Image:
    """`box` of `image`, whose mode is one of `BANDS`, made smaller to `size` by Lanczos; a new image.

    `box` lies within the image and neither of its sides is smaller than `size`'s. With `linear` the pixels, which are
    sRGB, are resampled as light, in 16 bits; else alpha is premultiplied already. Raises PictureError where
    libvips is not there.
    """
    across, down = _window(box[0], box[2], image.width, size[0]), _window(box[1], box[3], image.height, size[1])
    vips = module()
    if vips is None:
        raise PictureError(ErrorKind.NOT_ENCODABLE, f"resampler: libvips {extras.missing('fast')}")
    edges = (across[0], down[0], across[1], down[1])
    whole = _lent(vips, image)
    pieces = [whole] if whole is not None else _pieces(vips, image, edges)
    try:
        source = functools.reduce(lambda above, below: above.join(below, "vertical"), pieces)
        if whole is not None and edges != (0, 0, *image.size):
            source = source.crop(edges[0], edges[1], edges[2] - edges[0], edges[3] - edges[1])
        if linear:
            source = linear_light.from_encoded(vips, source.extract_band(0, n=BANDS[image.mode]), image.mode)
        found = source.reduce(across[2], down[2], kernel="lanczos3", gap=_GAP)
        if linear:
            found = linear_light.to_encoded(vips, found, image.mode)
        region = vips.Region.new(found)
        strips = [region.fetch(0, y, size[0], min(_STRIP, size[1] - y)) for y in range(0, size[1], _STRIP)]
        layout = "RGBX" if image.mode == "RGB" and found.bands == 4 else image.mode
        return Image.frombytes(image.mode, size, b"".join(strips), "raw", layout)
    finally:
        for piece in pieces:
            piece.invalidate()


def _lent(vips: ModuleType, image: Image.Image) -> Any:
    """The whole picture as an image of libvips that reads Pillow's memory; None where that cannot be.

    Saves the copy, which for a photograph is a fifth of the time of all this, and its memory. RGB has four bands then.
    """
    memory = lent(image)
    if memory is None:
        return None
    pixels = vips.ffi.buffer(vips.ffi.cast("char *", memory.address), memory.size)
    return vips.Image.new_from_memory(pixels, image.width, image.height, memory.bands, "uchar")


def _pieces(vips: ModuleType, image: Image.Image, edges: tuple[int, int, int, int]) -> list[Any]:
    """The pixels within `edges` as images of libvips, to be put below each other. They own their bytes."""
    left, top, right, bottom = edges
    rows = max(1, _PIECE // (right - left))
    found = []
    for y in range(top, bottom, rows):
        part = (left, y, right, min(bottom, y + rows))
        pixels = (image if part == (0, 0, *image.size) else image.crop(part)).tobytes()
        found.append(vips.Image.new_from_memory(pixels, right - left, part[3] - y, BANDS[image.mode], "uchar"))
    return found


def _window(low: float, high: float, length: int, count: int) -> tuple[int, int, float]:
    """Whole pixels from..to and the factor that come nearest to resampling `low`..`high` to `count` pixels.

    libvips resamples whole pixels, and centres what it makes on them. Of all windows that yield `count` pixels under
    the exact factor, the one with the nearest middle is taken: mostly less than a quarter of a pixel off.
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
