"""Estimates from the header how much memory a picture will need: a thread reserves that before the child goes on.

The estimate is the sum of these parts, in bytes. Pixels are those of one decoded frame, so shrink on load counts. The
figures were fitted to peaks of resident memory (12 Mpx sources of every format and mode, 3 Mpx targets of every format,
animations of 20 frames): the sum was never below the peak, and mostly 1.1 to 2 times as high.

    metadata   profiles, texts and comments, which were read with the header
    file       what was read at once instead of mapped; and the bytes that the decoder copies (AVIF, WebP, ICO) or maps
               once more (TIFF), where others read in blocks
    decoder    what the codec keeps beside the picture: `_DECODER` bytes a pixel, and for a progressive JPEG its
               coefficients, which shrink on load does not reduce
    picture    Pillow's own bytes a pixel, and once more where the mode is converted or alpha premultiplied
    renditions for each 4 bytes a pixel, or where it is animated `_FRAME` for each frame: all are drawn before one is
               encoded. Twice where it goes through steps, is padded or loses its alpha, because others may want its
               pixels from before; those that are not made now count where theirs may be wanted
    a step     the largest of: what the resampler keeps between its two passes (4 bytes times the target's width or
               height and the source's other side) and the copies that libvips, trimming and linear light need;
               `_COLOURS` bytes a target pixel for its colours, `_STEPPED` or, of HDR, `_TONES`; and `_ENCODER` bytes a
               target pixel. They run one after the other, so the largest counts
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

from PIL import JpegImagePlugin

from pipeline.errors import PictureError
from pipeline.model.rendering import RenderTask
from pipeline.model.shape import Gravity, Resampler
from pipeline.model.spec import ANIMATED, AS_SOURCE, Format, Hdr, Similarity, Spec
from pipeline.render.formats.tiff import Tiff
from pipeline.render.geometry.cascade import is_plain
from pipeline.render.geometry.fit import Placement, Size
from pipeline.render.geometry.framing import framing
from pipeline.render.geometry.orientation import upright_size
from pipeline.render.opening.decode import facts_of, shrink_on_load
from pipeline.render.opening.source import Source
from pipeline.render.pixels.canvas import WITHOUT_ALPHA
from pipeline.render.pixels.resize import LIBVIPS_TO

_BASE = 4 * 2**20  # buffers, transforms, the file's header

# Bytes a pixel that a decoder keeps beside the picture it fills; in an animation, that and the frame before.
_DECODER = {
    "AVIF": 8.0,
    "WEBP": 13.0,
    "GIF": 1.0,
    "TIFF": 4.5,
    "JPEG": 0.2,
    "PNG": 0.2,
    "BMP": 0.2,
    "ICO": 8.0,
    "HEIF": 12.0,
    "PPM": 0.2,
    "JP2": 24.0,
    "JXL": 32.0,
}
_FRAME_BEFORE = 12.0
_HOLDS_FILE = ("AVIF", "HEIF", "WEBP", "ICO", "TIFF", "JP2", "JXL")

# Bytes a target pixel that an encoder takes at its highest.
_ENCODER = {
    Format.JPEG: 8.0,
    Format.PNG: 4.0,
    Format.WEBP: 16.0,
    Format.AVIF: 40.0,
    Format.GIF: 20.0,
    Format.TIFF: 6.0,
    Format.JXL: 72.0,
}
_DEEP_AVIF = 130.0  # the same for 12 bits a channel
_TONES, _TONE_TABLES = 32.0, 16 * 2**20  # bytes a target pixel that tone mapping takes, and of its tables
_MOZJPEG = 24.0  # the same for JPEG with `optimize`: measured 17.3 for RGB noise at 4:4:4, a third more for CMYK
_GAIN = 8  # bytes a pixel of the source: a gain map may have as many pixels
_SIMILARITY, _SIMILARITY_ALPHA = 60.0, 80.0  # what measuring one keeps, beside the encoder: measured 55 and 71
_COLOURS, _STEPPED = 16.0, 28.0  # bytes a target pixel: colours beside an alpha; sharpening with one
_WEBP_ALPHA, _WEBP_LOSSLESS = 64.0, 32.0  # the same for WebP, whose alpha is never lossy; more than the rest of it
_DETECTOR = 40 * 2**20  # bytes that the detector of faces takes for what it sees, measured: 30
# The same for JPEG XL with alpha, and from effort 8 on; beside its tables: measured 79, 314 and 8 MB.
_JXL_ALPHA, _JXL_HARD, _JXL_TABLES = 90.0, 330.0, 10 * 2**20
_JXL_HARD_FROM = 8
_WEBP_TABLES = 13 * 2**20  # bytes, for either, however small
# AVIF's encoder works on whole blocks with a margin, and for an animation looks ahead, however few frames there are.
_AVIF_BLOCK, _AVIF_MOVING = 64, 520.0
# Bytes a pixel of each frame of a moving target: drawn, then held by the encoder beside its copy or what came of it.
_FRAME = {Format.PNG: 13, Format.GIF: 15, Format.WEBP: 9}
_PIXEL = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}  # bytes; all other modes take 4
_SIXTEEN_TRANSPARENT = 12  # bytes a pixel: 16-bit colour with a transparent one is decoded once more, band by band
_ROWS = 1_400  # that libvips holds of a file it reads from top to bottom
_BY_PILLOW = 8  # bytes a pixel: grey that Pillow has decoded, and its copy
_WITH_ALPHA = ("P", "PA", "LA", "La", "RGBA", "RGBa")
_CONVERTED = ("1", "P", "PA", "LA", "La", "RGBA", "RGBa", "RGBX", "YCbCr", "I;16B", "I;16N", "F")


class _Shape(NamedTuple):
    """The properties that decide how much a picture needs, apart from its file and metadata."""

    size: Size  # as stored
    upright: Size
    format: str
    mode: str
    names_transparent: bool  # a colour that is: or may do so, for Pillow's own answer trusts that a palette is one
    frames: int
    animated: bool
    shrink: int
    layers: tuple[tuple[int, int], ...]  # the sampling of a progressive JPEG's components
    deep: bool  # worked on at 16 bits a channel
    deep_by_pillow: bool  # and decoded by Pillow, or by libheif, which takes as much
    hdr: bool  # and tone-mapped
    interlaced: bool
    tile: Size  # of a TIFF that is stored in tiles; (0, 0): in strips


def estimate(source: Source, task: RenderTask, frames: int) -> int:
    """The most bytes that decoding `source` and rendering `task` will take, beyond those of an idle process."""
    image = source.image
    progressive = (
        image.layer if isinstance(image, JpegImagePlugin.JpegImageFile) and "progressive" in image.info else ()
    )
    shape = _Shape(
        source.decoded,
        upright_size(image.size, facts_of(source).orientation),
        source.format,
        image.mode,
        "transparency" in image.info,
        frames,
        source.animated,
        shrink_on_load(source, task),
        tuple((layer[1], layer[2]) for layer in progressive),
        source.is_deep,
        source.is_deep and not (source.format == "PNG" or (isinstance(image, Tiff) and image.is_deep_by_libvips)),
        source.is_deep and source.is_hdr,
        bool(image.info.get("interlace")),
        image.tile_size if isinstance(image, Tiff) else (0, 0),
    )
    holds = source.format in _HOLDS_FILE or source.is_deep
    gain = any(spec.hdr is Hdr.KEEP and spec.format is Format.JPEG for spec in task.specs) and source.has_gain_map
    file = len(source.view) * (holds + gain + isinstance(source.view, bytes))
    return work_by_shape(task)(shape) + _metadata(source) + file + gain * _GAIN * image.width * image.height


@functools.lru_cache(maxsize=4)  # a task may hold a font; a child keeps as many requests
def work_by_shape(task: RenderTask) -> Callable[[_Shape], int]:
    """`_of_shape` for one task, cached: small pictures are often of one size, and this is a twentieth of their time."""
    return functools.lru_cache(maxsize=64)(functools.partial(_of_shape, task))


def _of_shape(task: RenderTask, shape: _Shape) -> int:
    """The bytes for everything but file and metadata."""
    (width, height), upright, shrink, frames = shape.size, shape.upright, shape.shrink, shape.frames
    pixels = -(-width // shrink) * -(-height // shrink)
    total = _BASE + _decoder(shape, pixels) + _picture(shape, pixels)
    steps = [0.0]
    transparent = shape.mode in _WITH_ALPHA or shape.names_transparent
    drawn = 4 + (_deep_pixel(shape) if shape.deep else 0)  # bytes a pixel
    for spec in task.specs:
        placed = _placed(upright, spec, task)
        (across, down), canvas = placed.size, placed.canvas
        area, shown = canvas[0] * canvas[1], frames if spec.format in ANIMATED else 1
        total += area * shown * (drawn if shown == 1 else _FRAME.get(spec.format, 4))
        if spec.steps or canvas != placed.size or (transparent and spec.format in WITHOUT_ALPHA):
            total += drawn * across * down
        steps.append(4.0 * max(across * height, down * width) / shrink + _looked_at(spec, shape, pixels))
        steps.append(area * (_STEPPED if spec.steps else _COLOURS))
        if shape.hdr:
            steps.append(area * _TONES + _TONE_TABLES)
        measured = _SIMILARITY_ALPHA if transparent else _SIMILARITY
        held = area * measured + _TONE_TABLES * shape.hdr if isinstance(spec.quality, Similarity) else 0.0
        if shape.deep and (spec.depth == AS_SOURCE or (shape.hdr and spec.hdr is Hdr.KEEP)):
            steps.append(held + area * (_DEEP_AVIF if spec.format is Format.AVIF else 3 * _deep_pixel(shape)))
        else:
            steps.append(held + _encoder(spec, canvas, shown, transparent=transparent))
    if frames == 1 and any(map(is_plain, task.specs)):
        others = [_placed(upright, spec, task) for spec in task.beside if is_plain(spec)]
        for across, down in {
            placement.size for placement in others if placement.shrink >= 1
        }:  # an enlarged rendition is no source
            total += drawn * across * down
            steps.append(4.0 * max(across * height, down * width) / shrink)
            steps.append(across * down * _COLOURS)
    return int(total + max(steps))


def _encoder(spec: Spec, canvas: Size, shown: int, *, transparent: bool) -> float:
    width, height = canvas
    if spec.format is Format.AVIF:
        each = _ENCODER[spec.format] if shown == 1 else _AVIF_MOVING
        return (width + _AVIF_BLOCK) * (height + _AVIF_BLOCK) * each
    area = width * height * min(shown, 2)  # the frame and the one before
    if spec.format is Format.WEBP and (transparent or spec.lossless):
        return area * (_WEBP_ALPHA if transparent else _WEBP_LOSSLESS) + _WEBP_TABLES
    if spec.format is Format.JXL:
        usual = _JXL_ALPHA if transparent else _ENCODER[spec.format]
        return area * (_JXL_HARD if spec.effective_effort >= _JXL_HARD_FROM else usual) + _JXL_TABLES
    return area * (_MOZJPEG if spec.optimize else _ENCODER[spec.format])


def _placed(upright: Size, spec: Spec, task: RenderTask) -> Placement:
    try:
        return framing(upright, 1, spec, task).place(spec)
    except PictureError:  # there will be no rendition
        return Placement((0, 0, 1, 1), (1, 1), (1, 1), (0, 0))


def _looked_at(spec: Spec, shape: _Shape, pixels: int) -> float:
    """The bytes of copies of the decoded picture that a rendition makes, one rendition after the other."""
    if shape.deep:  # whole only for what is measured or averaged as light
        looks = spec.trim is not None or spec.gravity.measured
        return pixels * (16.0 * looks + (_TONES if shape.hdr else 8.0) * spec.linear)
    total = 0.0
    if spec.gravity is Gravity.FACES:
        total = _DETECTOR
    if spec.resampler is not Resampler.PILLOW and (spec.resampler is Resampler.LIBVIPS or pixels <= LIBVIPS_TO):
        total += pixels * 8.0  # at most four channels, twice while they are handed over
    if spec.linear:
        total = pixels * 20.0  # sRGB, its channels, and three of them in floats
    return max(total, pixels * 16.0 if spec.trim is not None else 0.0)


def _metadata(source: Source) -> int:
    """The bytes of profiles, texts and comments that Pillow holds: seldom many, but up to the size of the file."""
    held = [*source.image.info.values(), *(content for _, content in getattr(source.image, "applist", ()))]
    return sum(len(content) for content in held if isinstance(content, bytes | str))


def _decoder(shape: _Shape, pixels: int) -> float:
    total = 0.0 if shape.deep and not shape.deep_by_pillow else pixels * _DECODER[shape.format]
    if shape.animated:
        total += pixels * _FRAME_BEFORE
    across = max((x * y for x, y in shape.layers), default=1) or 1
    return total + sum(shape.size[0] * shape.size[1] * x * y * 2 / across for x, y in shape.layers)


def _deep_pixel(shape: _Shape) -> int:
    """The bytes of a pixel of 16 bits a channel."""
    alpha = shape.names_transparent or shape.mode in _WITH_ALPHA
    return 2 * ((3 if shape.mode.startswith("RGB") else 1) + alpha)


def _tiles(shape: _Shape) -> int:
    """The pixels of the tiles that libvips holds: all that lie beside each other, whole, and the next one."""
    across, down = shape.tile
    return (-(-shape.size[0] // across) + 1) * across * down if across else 0


def _picture(shape: _Shape, pixels: int) -> float:
    if shape.deep:
        buffered = 2 * pixels if shape.interlaced else max(min(pixels, _ROWS * shape.size[0]), _tiles(shape))
        by_pillow = pixels * _BY_PILLOW if shape.deep_by_pillow else 0
        return (pixels + buffered) * _deep_pixel(shape) + by_pillow
    copies = 4 if shape.mode in _CONVERTED or shape.names_transparent else 0
    if shape.format == "PNG" and shape.names_transparent and shape.mode in ("RGB", "I;16"):
        copies = _SIXTEEN_TRANSPARENT
    return pixels * (_PIXEL.get(shape.mode, 4) + copies)
