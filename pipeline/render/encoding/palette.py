"""Reduces pictures to a palette: GIF needs one, and it makes a PNG small.

Palettes are libimagequant's, through libvips, which seeks the colours that leave the least error and dithers where it
shows. Without libvips they are Pillow's median cut.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from PIL import GifImagePlugin, Image, PngImagePlugin

from pipeline.render.pixels import libvips

_EFFORT = 7  # of 1 to 10, of libimagequant: its own default, and sharp's
_OF_PNG = {4: 2, 16: 4, 256: 8}  # numbers of colours that libvips can be asked for, with their bits
_FEW = 4  # colours from which libimagequant keeps one for what is transparent
_MOST = 256
_LONGEST_BLOCK = 255  # bytes of a GIF's comment in one piece
_LONGEST_SIDE = 65_535  # pixels of a GIF
_HEADER = 13  # bytes of a GIF before its palette


def with_palette(image: Image.Image, colors: int | None, dither: float) -> Image.Image:
    """For a GIF that Pillow encodes: at most `colors` (None: 256), dithered unless `dither` is 0.

    Pixels that are more than half transparent get an entry of their own. Grey of 256 levels needs no palette.
    """
    if image.mode == "L" and colors is None:
        return image
    most = colors or _MOST
    opaque = image.convert("RGB")
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    result = _dithered(opaque, most if alpha is None else max(1, most - 1), dither)
    if alpha is not None:
        clear = alpha.point([255] * 128 + [0] * 128)
        place = most - 1
        taken = (result.getpalette() or [])[: place * 3]
        result.putpalette(taken + [0] * ((place + 1) * 3 - len(taken)))
        result.paste(place, (0, 0), clear)
        result.info["transparency"] = place
    return result


def with_soft_palette(image: Image.Image, colors: int, dither: float) -> Image.Image:
    """For PNG: at most `colors`, each with its own alpha.

    Through libvips the number is the largest power of two, and with an alpha one of 4, 16 and 256; Pillow's palette
    is taken for others, and not dithered. It is also taken for what is longer than a GIF can be.
    """
    if image.mode in ("L", "RGB"):
        if libvips.available() and max(image.size) <= _LONGEST_SIDE:
            return _of_gif(gif([image], [], 1, colors, dither))
        return _dithered(image.convert("RGB"), colors, dither)
    if colors in _OF_PNG and libvips.available():
        return _of_png(_image([image]).pngsave_buffer(**_told(dither), palette=True, bitdepth=_OF_PNG[colors]))
    return image.convert("RGBA").quantize(colors, Image.Quantize.FASTOCTREE)


def is_for_libvips(image: Image.Image, colors: int | None) -> bool:
    """Whether libvips makes a GIF of pictures in the mode of `image`: not of grey that needs no palette."""
    match image.mode:
        case "RGB":
            needed = True
        case "RGBA":
            needed = colors is None or colors >= _FEW
        case _:
            needed = image.mode == "L" and colors is not None
    return needed and libvips.available()


def gif(
    images: Sequence[Image.Image], durations: Sequence[int], plays: int, colors: int | None, dither: float
) -> bytes:
    """A whole GIF, whose frames share palettes where they can. Call only where `is_for_libvips`.

    The number of colours is the largest power of two. `durations` in milliseconds; `plays`: how often, 0 for ever.
    """
    vips: Any = libvips.module()
    image = _image(images)
    image.set_type(vips.GValue.gint_type, "loop", plays)
    if len(images) > 1:
        image.set_type(vips.GValue.gint_type, "page-height", images[0].height)
        image.set_type(vips.GValue.array_int_type, "delay", list(durations))
    made: bytes = image.gifsave_buffer(**_told(dither), bitdepth=(colors or _MOST).bit_length() - 1)
    return made


def with_comment(content: bytes, comment: bytes) -> bytes:
    """The GIF in `content` with a comment before its first frame."""
    blocks = (comment[at : at + _LONGEST_BLOCK] for at in range(0, len(comment), _LONGEST_BLOCK))
    said = b"".join(bytes((len(block),)) + block for block in blocks)
    start = _HEADER + (3 << (content[10] & 7) + 1 if content[10] & 0x80 else 0)  # behind the palette of all frames
    return content[:start] + b"!\xfe" + said + b"\0" + content[start:]


def _image(images: Sequence[Image.Image]) -> Any:
    """The pictures, which have one size and mode, one below the other."""
    vips: Any = libvips.module()
    mode = images[0].mode
    pixels = b"".join(image.tobytes() for image in images)
    height = sum(image.height for image in images)
    strip = vips.Image.new_from_memory(pixels, images[0].width, height, libvips.BANDS[mode], "uchar")
    return libvips.one_thread(strip.copy(interpretation="srgb" if mode.startswith("RGB") else "b-w"))


def _told(dither: float) -> dict[str, object]:
    return {"dither": dither, "effort": _EFFORT, "keep": "none"}


def _of_gif(content: bytes) -> Image.Image:
    with GifImagePlugin.GifImageFile(io.BytesIO(content)) as image:
        return _plain(image)


def _of_png(content: bytes) -> Image.Image:
    with PngImagePlugin.PngImageFile(io.BytesIO(content)) as image:
        return _plain(image)


def _plain(image: Image.Image) -> Image.Image:
    """The pixels and what is transparent, without all else that a file says."""
    image.load()
    indexed = image.copy()
    clear = image.info.get("transparency")
    indexed.info = {} if clear is None else {"transparency": clear}
    return indexed


def _dithered(opaque: Image.Image, colors: int, dither: float) -> Image.Image:
    palette = opaque.quantize(colors, Image.Quantize.MEDIANCUT)
    how = Image.Dither.FLOYDSTEINBERG if dither else Image.Dither.NONE
    return opaque.quantize(palette=palette, dither=how)
