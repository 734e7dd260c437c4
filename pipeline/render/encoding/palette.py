"""Reduces pictures to a palette: GIF needs one, and it makes a PNG small."""

from __future__ import annotations

from PIL import Image


def with_palette(image: Image.Image, colors: int | None = None) -> Image.Image:
    """For GIF: at most `colors` (None: 256) by median cut, dithered.

    Pixels that are more than half transparent get an entry of their own. Grey of 256 levels needs no palette.
    """
    if image.mode == "L" and colors is None:
        return image
    most = colors or 256
    opaque = image.convert("RGB")
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    result = _dithered(opaque, most if alpha is None else max(1, most - 1))
    if alpha is not None:
        clear = alpha.point([255] * 128 + [0] * 128)
        place = most - 1
        taken = (result.getpalette() or [])[: place * 3]
        result.putpalette(taken + [0] * ((place + 1) * 3 - len(taken)))
        result.paste(place, (0, 0), clear)
        result.info["transparency"] = place
    return result


def with_soft_palette(image: Image.Image, colors: int) -> Image.Image:
    """For PNG: at most `colors`, each with its own alpha. Dithered if nothing is transparent."""
    if image.mode in ("L", "RGB"):
        return _dithered(image.convert("RGB"), colors)
    return image.convert("RGBA").quantize(colors, Image.Quantize.FASTOCTREE)


def _dithered(opaque: Image.Image, colors: int) -> Image.Image:
    palette = opaque.quantize(colors, Image.Quantize.MEDIANCUT)
    return opaque.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)
