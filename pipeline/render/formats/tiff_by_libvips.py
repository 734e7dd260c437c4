"""Decodes TIFF pages through libvips: those that Pillow misreads or refuses, and those of more than 8 bits a sample.

The calling thread fetches rows from a descriptor, so libvips starts no thread and opens no file.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from PIL import Image

from pipeline.render.formats.tiff_layout import (
    COLOURS,
    FLOAT,
    LAB,
    PALETTE,
    PREMULTIPLIED,
    RGB,
    STRAIGHT,
    WHITE_IS_ZERO,
    Layout,
)
from pipeline.render.pixels import deep, libvips
from pipeline.render.pixels.deep import WHITE, Deep

_WHITE = {
    "uchar": 255.0,
    "ushort": 65535.0,
    "uint": 65535.0,
}  # 32-bit integers have 16-bit white


def mode(stored: Layout) -> str:
    """The working mode for pages of this layout. Lab becomes sRGB, because 8 bits of Lab are too coarse."""
    match COLOURS[stored.photometric], stored.photometric:
        case 4, _:
            return "CMYK"
        case 1, photometric if photometric != PALETTE:
            return "LA" if _has_alpha(stored) else "L"
    return "RGBA" if _has_alpha(stored) else "RGB"


def decoded(descriptor: int, page: int, stored: Layout) -> Image.Image:
    """Decodes page number `page` of the TIFF in `descriptor` to 8 bits a sample, as stored, not turned.

    The file offset is restored. Raises OSError if libvips fails. Call only where `libvips.available()`.
    """
    with _loaded(descriptor, page) as loaded:
        levels = _samples(loaded, stored, 255.0)
        return Image.frombytes(mode(stored), (levels.width, levels.height), libvips.fetched(levels))


def decoded_deep(descriptor: int, page: int, stored: Layout) -> Deep:
    """The same to 16 bits a sample, of the layouts that are `tiff_layout.is_deep`."""
    with _loaded(descriptor, page) as loaded:
        return deep.of(_samples(loaded, stored, float(WHITE)), mode(stored))


@contextmanager
def _loaded(descriptor: int, page: int) -> Iterator[Any]:
    vips: Any = libvips.module()
    offset = os.lseek(descriptor, 0, os.SEEK_CUR)
    loaded = None
    try:
        source = vips.Source.new_from_descriptor(descriptor)
        loaded = vips.Image.tiffload_source(source, page=page, access="sequential", fail_on="error")
        yield loaded
    except vips.Error as error:
        raise OSError(" ".join(str(error).split())) from error
    finally:
        if loaded is not None:
            loaded.invalidate()  # otherwise the operation cache keeps it
        os.lseek(descriptor, offset, os.SEEK_SET)


def sample() -> bytes:
    """A TIFF of one pixel that takes this path (16-bit Lab), for the warm-up."""
    tags = [(256, 3, 1, 1), (257, 3, 1, 1), (258, 3, 3, 8), (259, 3, 1, 1), (262, 3, 1, LAB), (273, 4, 1, 14)]
    tags += [(277, 3, 1, 3), (278, 3, 1, 1), (279, 4, 1, 6)]
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHLL", *tag) for tag in tags) + bytes(4)
    return struct.pack("<2sHL3H3H", b"II", 42, 20, 16, 16, 16, 30_000, 0, 0) + directory


def _has_alpha(stored: Layout) -> bool:
    return stored.extras[:1] in (PREMULTIPLIED, STRAIGHT)


def _samples(loaded: Any, stored: Layout, white: float) -> Any:
    """`loaded` with the bands of its working mode, from 0 to `white`: 255 or, of grey and RGB, 65,535."""
    if stored.photometric == PALETTE:
        first = loaded.extract_band(0)
        colours = loaded if loaded.bands == COLOURS[RGB] else first.bandjoin([first, first])  # greys: one band
        return _levels(colours, white, 1 / _WHITE[colours.format])
    bands = loaded.extract_band(0, n=COLOURS[stored.photometric] + _has_alpha(stored))
    if stored.photometric == LAB:
        bands = bands.copy(interpretation="labs" if bands.format == "short" else "lab")
        return bands.icc_export(output_profile="srgb", intent="relative", black_point_compensation=True, depth=8)
    if stored.kind == FLOAT:
        return _of_floats(bands, stored, white)
    if stored.bits == 16:
        black = (
            _WHITE["ushort"] - stored.most if stored.photometric == WHITE_IS_ZERO else 0.0
        )  # libvips has inverted it
        return _levels(bands, white, 1 / stored.most, -black / stored.most)
    return _levels(bands, white, 1 / _WHITE[bands.format])


def _of_floats(bands: Any, stored: Layout, white: float) -> Any:
    """Floats of 0 to 1 as levels. Values outside are clipped, NaN becomes 0."""
    bands = (bands == bands).ifthenelse(bands, 0.0)  # noqa: PLR0124 -- a NaN is not equal to itself
    if stored.photometric != WHITE_IS_ZERO:
        return _levels(bands, white)
    inverted = _levels(bands.extract_band(0), white, -1.0, 1.0)
    return inverted.bandjoin(_levels(bands.extract_band(1), white)) if bands.bands > 1 else inverted


def _levels(bands: Any, white: float, scale: float = 1.0, offset: float = 0.0) -> Any:
    """Samples times `scale` plus `offset`, 0 to 1 then, as whole levels of 0 to `white`."""
    return bands.linear(scale * white, offset * white + 0.5).cast("uchar" if white == 255 else "ushort")
