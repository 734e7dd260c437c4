"""How much memory a picture will need, told from its header: what a thread reserves before it says go.

The sum of five parts, each the most that is alive at once (bytes; pixels are those of one frame as decoded, so a JPEG's
shrink on load counts):

    file      the bytes that the decoder holds as a copy (AVIF, WebP, TIFF, ICO: all of them; others read in blocks)
    decoder   what the codec keeps beside the picture: `_DECODER` bytes a pixel, and for a progressive JPEG its
              coefficients, which shrink on load does not reduce
    picture   Pillow's own bytes a pixel, and once more where the mode is converted or alpha premultiplied
    rendition for each: its pixels resampled, converted and placed (3 x 4 bytes), times its frames where it is animated
    encoder   the largest of `_ENCODER` bytes a target pixel; renditions are encoded one after the other
"""

from __future__ import annotations

from PIL import JpegImagePlugin

from pipeline.model import Format, Spec
from pipeline.render.decode import facts_of, shrink_on_load
from pipeline.render.encode import ANIMATED_TARGETS
from pipeline.render.geometry import place
from pipeline.render.orientation import upright_size
from pipeline.render.source import Source

_BASE = 4 * 2**20  # buffers, transforms, the file's header

# Bytes a pixel that a decoder keeps beside the picture it fills.
_DECODER = {
    "AVIF": 12.0,
    "WEBP": 16.0,
    "GIF": 12.0,
    "PNG": 0.1,
    "TIFF": 4.0,
    "JPEG": 0.2,
    "BMP": 0.1,
    "ICO": 8.0,
    "PPM": 0.1,
}
_ANIMATED_PNG = 12.0  # the frame before, and the one it is disposed to
_HOLDS_FILE = ("AVIF", "WEBP", "TIFF", "ICO")

# Bytes a target pixel that an encoder takes at its highest.
_ENCODER = {
    Format.JPEG: 8.0,
    Format.PNG: 2.0,
    Format.WEBP: 24.0,
    Format.AVIF: 80.0,
    Format.GIF: 16.0,
    Format.TIFF: 6.0,
}
_PIXEL = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}  # bytes; all other modes take 4
_CONVERTED = ("1", "P", "PA", "LA", "La", "RGBA", "RGBa", "RGBX", "YCbCr", "I;16B", "I;16N")


def estimate(source: Source, specs: tuple[Spec, ...], frames: int) -> int:
    """Bytes that decoding `source` and rendering `specs` from it will need at the most, above an idle process."""
    width, height = source.image.size
    shrink = shrink_on_load(source, specs)
    pixels = -(-width // shrink) * -(-height // shrink)
    total = _BASE + _decoder(source, pixels) + _picture(source, pixels)
    if source.format in _HOLDS_FILE:
        total += len(source.view)
    encoders = [0.0]
    upright = upright_size((width, height), facts_of(source).orientation)
    for spec in specs:
        canvas = place(upright, spec).canvas
        area = canvas[0] * canvas[1] * (frames if spec.format in ANIMATED_TARGETS else 1)
        total += area * 12
        encoders.append(area * _ENCODER[spec.format])
    return int(total + max(encoders))


def _decoder(source: Source, pixels: int) -> float:
    total = pixels * _DECODER[source.format]
    if source.format == "PNG" and getattr(source.image, "is_animated", False):
        total += pixels * _ANIMATED_PNG
    if isinstance(source.image, JpegImagePlugin.JpegImageFile) and "progressive" in source.image.info:
        full = source.image.size[0] * source.image.size[1]
        across = max((layer[1] * layer[2] for layer in source.image.layer), default=1) or 1
        total += sum(full * layer[1] * layer[2] * 2 / across for layer in source.image.layer)
    return total


def _picture(source: Source, pixels: int) -> float:
    mode = source.image.mode
    copies = 4 if mode in _CONVERTED or "transparency" in source.image.info else 0
    return pixels * (_PIXEL.get(mode, 4) + copies)
