"""Resampling: a placement's box, as it lies in the decoded picture, to its size; then upright."""

from __future__ import annotations

from PIL import Image

from pipeline.model.shape import Resampler
from pipeline.model.spec import Spec
from pipeline.render.geometry.fit import Box, Placement, Size
from pipeline.render.geometry.orientation import stored_box, turned, upright_size
from pipeline.render.pixels import libvips, linear_light
from pipeline.render.pixels.frame import Frame

# Where more than this many times the target's pixels (along a side) are left, whole blocks are averaged first. Measured
# beside SHRINK_MARGIN; matters to PNG, TIFF and other formats that cannot shrink on load.
REDUCING_GAP = 3.0

# What `auto` takes libvips for: a box of so many samples (pixels times channels) or more, because below that its half
# a millisecond of overhead costs more than it saves; of so many pixels at the most, because it works on a copy of them,
# and what is larger was not shrunk on load and has mostly a long decoding behind it.
LIBVIPS_FROM = 200_000
LIBVIPS_TO = 25_000_000

_PREMULTIPLIED = {"LA": "La", "RGBA": "RGBa"}
_LIGHT_MODES = ("L", "LA", "RGB", "RGBA")


def resample(frame: Frame, placement: Placement, whole: Size, orientation: int, spec: Spec) -> Image.Image:
    """`placement.box` of `frame`, turned by `orientation`, as a new image of `placement.size`.

    `whole` is the size of the whole picture, turned and not shrunk. Lanczos where a side is made smaller, bicubic
    where none is. Alpha is premultiplied meanwhile, so that hidden colours do not bleed. What is to be resampled in
    linear light is in sRGB already.
    """
    image = frame.image
    left, top, right, bottom = (edge / frame.shrink for edge in stored_box(placement.box, whole, orientation))
    box = (max(0.0, left), max(0.0, top), min(right, float(image.width)), min(bottom, float(image.height)))
    size = upright_size(placement.size, orientation)
    if size == image.size and box == (0, 0, *size):
        return _own(turned(image, orientation), image)
    linear = spec.linear and image.mode in _LIGHT_MODES
    if _by_libvips(image, box, size, spec.resampler):
        return turned(_through_libvips(image, box, size, linear=linear), orientation)
    smaller = size[0] < right - left or size[1] < bottom - top
    kernel = Image.Resampling.LANCZOS if smaller else Image.Resampling.BICUBIC
    gap = None if image.mode.startswith("I;16") else REDUCING_GAP  # Pillow averages blocks of all modes but this
    if linear:
        return turned(linear_light.resized(image, box, size, kernel, gap), orientation)
    # Pillow premultiplies RGBA and LA itself before it resamples, and divides afterwards.
    return turned(image.resize(size, kernel, box=box, reducing_gap=gap), orientation)


def _own(image: Image.Image, source: Image.Image) -> Image.Image:
    return image.copy() if image is source else image


def _by_libvips(image: Image.Image, box: Box, size: Size, resampler: Resampler) -> bool:
    """Whether libvips is to do it: it makes pictures of 8 bits smaller. Enlarging and deeper ones are Pillow's."""
    width, height = box[2] - box[0], box[3] - box[1]
    if resampler is Resampler.PILLOW or width < size[0] or height < size[1]:
        return False
    if image.mode not in libvips.BANDS:
        return False
    if resampler is Resampler.LIBVIPS:
        return True
    pixels = width * height
    return pixels * libvips.BANDS[image.mode] >= LIBVIPS_FROM and pixels <= LIBVIPS_TO and libvips.available()


def _through_libvips(image: Image.Image, box: Box, size: Size, *, linear: bool) -> Image.Image:
    if linear or image.mode not in _PREMULTIPLIED:
        return libvips.shrunk(image, box, size, linear=linear)
    small = libvips.shrunk(image.convert(_PREMULTIPLIED[image.mode]), box, size)
    return small.convert(image.mode)
