"""Watermarks: a picture or a text, the mark, laid over the picture.

The mark is as large as fits into `scale` of the picture's width and height, and keeps its shape. FreeType sets texts
with its basic layout (left to right, kerning, no ligatures): the other layout engine is loaded from the system, and
bytes would depend on whether it is installed.
"""

from __future__ import annotations

import functools
import io
import math
import os

from PIL import Image, ImageChops, ImageColor, ImageDraw, ImageFont

from pipeline.errors import ErrorKind, PictureError
from pipeline.model.rendering import RenderTask
from pipeline.model.spec import Limits
from pipeline.model.steps import Asset, Watermark
from pipeline.render import memory
from pipeline.render.colour.srgb import to_srgb
from pipeline.render.geometry.orientation import turned
from pipeline.render.opening.decode import frames, picture
from pipeline.render.opening.source import opening
from pipeline.render.pixels import libvips
from pipeline.workers.exchange import whole

_MEASURED_AT = 200  # pixels of the font size at which a text's shape is measured
_LARGEST = 25_000_000  # pixels of a mark's picture, decoded
_CACHED = 4  # marks of a process, decoded


def applied(step: Watermark, image: Image.Image, dpr: float) -> Image.Image:
    """Lays the mark over `image`. Raises PictureError if the mark's file is not a picture or a font."""
    most = max(1, round(image.width * step.scale)), max(1, round(image.height * step.scale))
    mark = _written(step, most) if step.picture is None else _loaded(step.picture, most)
    if step.opacity < 1:
        mark.putalpha(mark.getchannel("A").point([int(level * step.opacity + 0.5) for level in range(256)]))
    margin = step.margin.of(min(image.size), dpr)
    across, down = step.gravity.anchor
    place = _offset(image.width, mark.width, across, margin), _offset(image.height, mark.height, down, margin)
    base = "LA" if image.mode in ("L", "LA") and _is_grey(mark) else "RGBA"
    over = Image.new("RGBA", image.size)
    over.paste(mark, place)
    result = Image.alpha_composite(image.convert("RGBA"), over)
    if image.mode in ("L", "RGB"):
        return result.convert("L" if base == "LA" else "RGB")
    return result.convert(base)


def _offset(side: int, length: int, anchor: float, margin: int) -> int:
    free = side - length
    inset = min(margin, free / 2)
    return math.floor(inset + (free - 2 * inset) * anchor)


def _is_grey(mark: Image.Image) -> bool:
    red, green, blue, _alpha = mark.split()
    different = ImageChops.lighter(ImageChops.difference(red, green), ImageChops.difference(green, blue))
    return different.getbbox() is None


def _loaded(asset: Asset, most: tuple[int, int]) -> Image.Image:
    whole = _decoded(asset)
    scale = min(most[0] / whole.width, most[1] / whole.height)
    size = max(1, math.floor(whole.width * scale + 0.5)), max(1, math.floor(whole.height * scale + 0.5))
    kernel = Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.BICUBIC
    return whole.resize(size, kernel, reducing_gap=3.0)


@functools.lru_cache(maxsize=_CACHED)
def _decoded(asset: Asset) -> Image.Image:
    """The mark's picture as `RGBA`, upright, decoded like a source and cached for the process. Not to be changed."""
    descriptor = memory.create()
    try:
        os.write(descriptor, asset.content)
        with opening(whole(descriptor)) as source:
            if source.image.width * source.image.height > _LARGEST:
                raise PictureError(ErrorKind.TOO_MANY_PIXELS, f"limit {_LARGEST:,}")
            frame = next(frames(source, RenderTask((), Limits()), 1))
            about = picture(source, frame.image.size, 1)
            srgb, _warnings = to_srgb(frame.eight_bits, about.icc, libvips.cmyk_profile())
            return turned(srgb, about.orientation).convert("RGBA")
    except PictureError as error:
        raise PictureError(ErrorKind.NOT_ENCODABLE, f"watermark {asset.name}: {error}") from error
    finally:
        os.close(descriptor)


def _written(step: Watermark, most: tuple[int, int]) -> Image.Image:
    text = step.text or ""
    left, top, right, bottom = _extent(_font(step.font, _MEASURED_AT), text)
    size = _MEASURED_AT * min(most[0] / max(1.0, right - left), most[1] / max(1.0, bottom - top))
    font = _font(step.font, max(1.0, round(size, 2)))
    left, top, right, bottom = _extent(font, text)
    mark = Image.new("RGBA", (max(1, right - left), max(1, bottom - top)), (*ImageColor.getrgb(step.color)[:3], 0))
    glyphs = Image.new("L", mark.size)
    ImageDraw.Draw(glyphs).multiline_text((-left, -top), text, fill=255, font=font)
    mark.putalpha(glyphs)
    return mark


def _extent(font: ImageFont.FreeTypeFont, text: str) -> tuple[int, int, int, int]:
    left, top, right, bottom = ImageDraw.Draw(Image.new("L", (1, 1))).multiline_textbbox((0, 0), text, font=font)
    return math.floor(left), math.floor(top), math.ceil(right), math.ceil(bottom)


def _font(asset: Asset | None, size: float) -> ImageFont.FreeTypeFont:
    """The font of the asset, or the one that Pillow embeds, at `size` pixels."""
    try:
        if asset is not None:
            return ImageFont.truetype(io.BytesIO(asset.content), size, layout_engine=ImageFont.Layout.BASIC)
        font = ImageFont.load_default(size)
    except OSError as error:
        name = "" if asset is None else asset.name
        raise PictureError(ErrorKind.NOT_ENCODABLE, f"font {name}: {error}") from error
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise PictureError(ErrorKind.NOT_ENCODABLE, "texts need a Pillow with FreeType")
    return font
