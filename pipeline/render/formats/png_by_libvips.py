"""Decodes PNGs of 16 bits a channel through libvips: Pillow keeps the top bytes of their colours only."""

from __future__ import annotations

import functools
import operator
from typing import Any

from pipeline.render.geometry.fit import Size
from pipeline.render.pixels import deep, libvips
from pipeline.render.pixels.deep import WHITE, Deep

_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}  # by bands


def decoded(content: bytearray, size: Size, clear: object) -> Deep:
    """The pixels of a PNG that claims `size`. `clear`: the grey or the colour that is transparent, if there is one.

    Raises OSError if libvips fails. Call only where `libvips.available()`.
    """
    vips: Any = libvips.module()
    loaded = None
    try:
        loaded = vips.Image.pngload_buffer(content, access="sequential", fail_on="error")
        if (loaded.width, loaded.height, loaded.format) != (*size, "ushort"):
            raise SyntaxError("pixels are not of the kind that the header claims")
        levels = (clear,) if isinstance(clear, int) else clear
        samples = loaded
        if isinstance(levels, tuple) and len(levels) == samples.bands:
            same = functools.reduce(operator.and_, (samples[band] == level for band, level in enumerate(levels)))
            samples = samples.bandjoin(same.linear(-257, WHITE).cast("ushort"))  # true is 255
        return deep.of(samples, _MODES[samples.bands])
    except vips.Error as error:
        raise OSError(" ".join(str(error).split())) from error
    finally:
        if loaded is not None:
            loaded.invalidate()  # otherwise the operation cache keeps it
