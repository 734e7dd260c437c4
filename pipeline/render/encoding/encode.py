"""Encodes finished pixels into one file. The same pixels, spec and metadata give the same bytes, on any thread.

Pillow writes to a real descriptor, because there it encodes without holding the GIL. Encoding JPEG into a BytesIO holds
it, and two threads are then no faster than one.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import replace

from PIL import Image

from pipeline.errors import ErrorKind, PictureError
from pipeline.model.spec import LONGEST_SIDE, Format, Spec
from pipeline.render import memory
from pipeline.render.encoding import deep, mozjpeg
from pipeline.render.encoding.encode_input import EncodeInput
from pipeline.render.encoding.gain_map import with_gain
from pipeline.render.encoding.jxl import jpeg_xl
from pipeline.render.encoding.options import bounded, options
from pipeline.render.encoding.palette import gif, is_for_libvips, with_comment, with_palette, with_soft_palette
from pipeline.render.encoding.png_palette import unfiltered
from pipeline.render.encoding.strip_timestamps import strip_timestamps
from pipeline.render.encoding.webp_alpha import say_alpha
from pipeline.render.pixels.deep import WITH_ALPHA, Deep
from pipeline.workers import sealed

_MODES = {
    Format.JPEG: ("L", "RGB", "CMYK"),
    Format.PNG: ("L", "LA", "RGB", "RGBA"),
    Format.WEBP: ("RGB", "RGBA"),
    Format.AVIF: ("L", "RGB", "RGBA"),
    Format.GIF: ("L", "RGB", "RGBA"),
    Format.TIFF: ("L", "LA", "RGB", "RGBA", "CMYK"),
    Format.JXL: ("L", "LA", "RGB", "RGBA"),
}


def prepared(encode_input: EncodeInput, spec: Spec) -> tuple[EncodeInput, tuple[str, ...]]:
    """The input with all images in one mode that the encoder takes, and warnings: the work that all qualities share.

    Raises PictureError if the picture is larger than the format allows.
    """
    width, height = encode_input.images[0].size
    if max(width, height) > (most := LONGEST_SIDE.get(spec.format, max(width, height))):
        raise PictureError(ErrorKind.NOT_ENCODABLE, f"{width} x {height}: {spec.format} has at most {most:,} a side")
    warnings: tuple[str, ...] = ()
    first = encode_input.images[0]
    if isinstance(first, Deep):
        hides_nothing = first.mode in WITH_ALPHA and not first.is_transparent
        return replace(encode_input, images=(first.opaque() if hides_nothing else first,)), warnings
    images = _in_one_mode(encode_input.of_pillow, spec.format)
    if spec.format is Format.GIF and not is_for_libvips(images[0], spec.colors):
        images = tuple(with_palette(image, spec.colors, spec.dither) for image in images)
    elif spec.format is Format.PNG and spec.colors is not None:
        if len(images) == 1:
            images = (with_soft_palette(images[0], spec.colors, spec.dither),)
        else:  # its frames would have to share a palette
            warnings = ("colors is left out: an animated png has no palette",)
    encode_input = EncodeInput(
        images,
        encode_input.durations,
        encode_input.plays,
        encode_input.icc,
        encode_input.written,
        encode_input.density,
        encode_input.gain,
    )  # takes a third of the time of `replace`
    return encode_input, warnings


def encode(encode_input: EncodeInput, spec: Spec, quality: int | None) -> tuple[int, int]:
    """A new sealed descriptor with the encoded file, which the caller closes, and its size in bytes.

    `encode_input` has to be `prepared`. Raises whatever the encoder raises, and leaves no descriptor open then.
    """
    descriptor = memory.create()
    try:
        first = encode_input.images[0]
        if isinstance(first, Deep):
            with open(descriptor, "wb", closefd=False) as file:
                deep.save(file, encode_input, first, spec, quality)
            return descriptor, sealed.seal(descriptor)
        if spec.format is Format.GIF and is_for_libvips(first, spec.colors):
            with open(descriptor, "wb", closefd=False) as file:
                file.write(_gif(encode_input, spec))
            return descriptor, sealed.seal(descriptor)
        if spec.format is Format.JXL:
            with open(descriptor, "wb", closefd=False) as file:
                file.write(jpeg_xl(first, encode_input.written, spec, quality))
        elif spec.optimize:
            with open(descriptor, "wb", closefd=False) as file:
                file.write(mozjpeg.jpeg(first, options(encode_input, spec, quality)))
        elif spec.format is Format.PNG and first.mode == "P":
            with open(descriptor, "wb", closefd=False) as file, io.BytesIO() as saved:
                first.save(saved, "PNG", **options(encode_input, spec, quality))
                file.write(unfiltered(saved.getvalue(), first, spec.effective_effort))
        else:
            _save(first, descriptor, spec.format, options(encode_input, spec, quality))
        if spec.format is Format.AVIF and len(encode_input.images) > 1:
            strip_timestamps(descriptor)
        if spec.format is Format.WEBP and len(encode_input.images) > 1 and encode_input.images[0].mode == "RGBA":
            say_alpha(descriptor)
        if encode_input.gain is not None:
            _add_gain(descriptor, encode_input.gain)
        return descriptor, sealed.seal(descriptor)
    except BaseException:
        os.close(descriptor)
        raise


def _add_gain(descriptor: int, gain: bytes) -> None:
    jpeg = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
    os.lseek(descriptor, 0, os.SEEK_SET)
    with open(descriptor, "wb", closefd=False) as file:
        file.write(with_gain(jpeg, gain))


def _gif(encode_input: EncodeInput, spec: Spec) -> bytes:
    images = encode_input.of_pillow
    durations, plays = bounded(encode_input, spec.format) if len(images) > 1 else ([], 1)
    made = gif(images, durations, plays, spec.colors, spec.dither)
    comment = encode_input.written.comment
    return with_comment(made, comment) if comment else made


def _save(image: Image.Image, descriptor: int, format_: Format, named: dict[str, object]) -> None:
    try:
        with open(descriptor, "wb", closefd=False) as file:
            image.save(file, format_.value, **named)
    except OSError as error:
        # Pillow gives libjpeg a buffer of one byte a pixel (two from quality 95). An optimised or progressive file has
        # to fit into it as a whole, and noise does not. Without these two options libjpeg writes in pieces.
        if format_ is not Format.JPEG or error.errno is not None:  # an errno means a fault of the system
            raise
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        with open(descriptor, "wb", closefd=False) as file:
            image.save(file, format_.value, **named | {"optimize": False, "progressive": False})


def _in_one_mode(images: Sequence[Image.Image], format_: Format) -> tuple[Image.Image, ...]:
    """All images in one mode that holds them all and that the format takes. An alpha that hides nothing is dropped."""
    if images[0].mode == "CMYK" and "CMYK" in _MODES[format_]:
        return tuple(images)
    alpha = any(_is_transparent(image) for image in images)
    colour = any(image.mode in ("RGB", "RGBA") for image in images)
    mode = ("RGBA" if alpha else "RGB") if colour else ("LA" if alpha else "L")
    if mode not in _MODES[format_]:
        mode = "RGBA" if alpha else "RGB"
    return tuple(image if image.mode == mode else image.convert(mode) for image in images)


def _is_transparent(image: Image.Image) -> bool:
    return image.mode in ("LA", "RGBA") and image.getchannel("A").getextrema() != (255, 255)
