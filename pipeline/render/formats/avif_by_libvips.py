"""Decodes AVIFs of 10 and 12 bits a channel through libvips: Pillow has 8 bits of them."""

from __future__ import annotations

from typing import Any

from pipeline.render.geometry.fit import Size
from pipeline.render.geometry.orientation import inverse
from pipeline.render.pixels import deep, libvips
from pipeline.render.pixels.deep import Deep

_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}  # by bands


def decoded(content: bytes, size: Size, mode: str, orientation: int) -> Deep:
    """The pixels of an AVIF of `size`, in Pillow's `mode`, as stored under `orientation`: libvips turns them upright.

    Raises OSError if libvips fails or makes something else of it. Call only where `libvips.available()`.
    """
    vips: Any = libvips.module()
    loaded = None
    try:
        loaded = vips.Image.heifload_buffer(content, access="sequential", fail_on="error")
        if loaded.format != "ushort":
            raise OSError("libheif has 8 bits of it")
        samples = loaded
        if mode in ("L", "LA") and samples.bands > len(mode):  # libheif makes three channels of one
            alpha = [samples.extract_band(samples.bands - 1)] if mode == "LA" else []
            samples = samples.extract_band(0).bandjoin(alpha) if alpha else samples.extract_band(0)
        upright = deep.scaled(samples, loaded.get("bits-per-sample"), _MODES[samples.bands])
        stored = upright.turned(inverse(orientation))
    except vips.Error as error:
        raise OSError(" ".join(str(error).split())) from error
    finally:
        if loaded is not None:
            loaded.invalidate()  # otherwise the operation cache keeps it
    if stored.size != size:
        raise OSError(f"{stored.size} instead of {size}")
    return stored
