"""Resampling in linear light, which averages light as a lens does, instead of sRGB's encoded values.

Colours are decoded to 0..65535 by sRGB's curve, premultiplied, resampled and encoded again: in 32-bit floats by Pillow,
in 16-bit integers by libvips. Both round once, at the end, so they differ by one level at most beyond their kernels.
"""

from __future__ import annotations

import functools
from array import array
from types import ModuleType
from typing import Any

from PIL import Image, ImageMath

from pipeline.render.geometry.fit import Box, Size

WITH_ALPHA = ("LA", "RGBA")


@functools.cache
def _decoded() -> list[float]:
    """0..255 encoded -> 0..65535 of light (IEC 61966-2-1)."""
    values = (level / 255 for level in range(256))
    return [65535 * (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4) for v in values]


@functools.cache
def _encoded() -> bytes:
    """0..65535 of light -> 0..255 encoded."""
    values = (level / 65535 for level in range(65536))
    return bytes(int(255 * (v * 12.92 if v <= 0.0031308 else 1.055 * v ** (1 / 2.4) - 0.055) + 0.5) for v in values)


def resized(image: Image.Image, box: Box, size: Size, kernel: Image.Resampling, gap: float | None) -> Image.Image:
    """Resamples `box` of an sRGB `image` in `L`, `LA`, `RGB` or `RGBA` to `size`, by Pillow."""
    colours = image.split()
    alpha = colours[-1] if image.mode in WITH_ALPHA else None
    colours = colours if alpha is None else colours[:-1]

    def through(channel: Image.Image) -> Image.Image:
        return channel.resize(size, kernel, box=box, reducing_gap=gap)

    cover = None if alpha is None else alpha.convert("F")
    small_cover = None if cover is None else through(cover)
    result = []
    for colour in colours:
        light = colour.point(_decoded(), "F")
        if cover is None or small_cover is None:
            small = through(light)
        else:
            small = _math(lambda of: of["light"] * of["cover"] / 255.0, light=light, cover=cover)
            small = _math(lambda of: of["light"] * 255.0 / of["max"](of["cover"], 1e-3), light=through(small),
                          cover=small_cover)  # fmt: skip
        result.append(_rounded(small).point(list(_encoded()), "L"))
    if small_cover is not None:
        result.append(_rounded(small_cover).point([min(level, 255) for level in range(65536)], "L"))
    return result[0] if len(result) == 1 else Image.merge(image.mode, result)


def _math(expression: Any, **images: Image.Image) -> Image.Image:
    levels: Image.Image = ImageMath.lambda_eval(expression, **images)
    return levels


def _rounded(image: Image.Image) -> Image.Image:
    """Floats rounded to `I`, half upwards. The table applied next clips overshoots."""
    return image.point(lambda level: level * 1 + 0.5).convert("I")


def from_encoded(vips: ModuleType, image: Any, mode: str) -> Any:
    """A libvips image in 8-bit sRGB, not premultiplied, as premultiplied 16-bit linear light."""
    table = array("H", (int(level + 0.5) for level in _decoded()))
    lut = vips.Image.new_from_memory(table.tobytes(), 256, 1, 1, "ushort")
    if mode not in WITH_ALPHA:
        return image.maplut(lut)
    colour, alpha = image[: image.bands - 1].maplut(lut), image[image.bands - 1]
    return (colour * alpha * (1 / 255)).rint().cast("ushort").bandjoin((alpha * 257).cast("ushort"))


def to_encoded(vips: ModuleType, image: Any, mode: str) -> Any:
    """The inverse of `from_encoded`."""
    lut = vips.Image.new_from_memory(_encoded(), 65536, 1, 1, "uchar")
    if mode not in WITH_ALPHA:
        return image.maplut(lut)
    colour, alpha = image[: image.bands - 1], image[image.bands - 1]
    colour = (colour * 65535 / alpha).rint().cast("ushort").maplut(lut)
    return colour.bandjoin((alpha * (1 / 257)).rint().cast("uchar"))


def of_deep(image: Any, *, alpha: bool) -> Any:
    """A libvips image in 16-bit sRGB as linear light, in floats of 0 to 65535. Alpha is left as it is."""
    light = image[: image.bands - 1] if alpha else image
    light = light.linear(1 / 65535, 0)
    light = (light <= 0.04045).ifthenelse(light / 12.92, ((light + 0.055) / 1.055) ** 2.4) * 65535
    return light.bandjoin(image[image.bands - 1]) if alpha else light


def to_deep(image: Any, *, alpha: bool) -> Any:
    """The inverse of `of_deep`, not rounded."""
    light = image[: image.bands - 1] if alpha else image
    light = light.linear(1 / 65535, 0)
    light = (light > 0).ifthenelse(light, 0.0)
    light = (light <= 0.0031308).ifthenelse(light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055) * 65535
    return light.bandjoin(image[image.bands - 1]) if alpha else light
