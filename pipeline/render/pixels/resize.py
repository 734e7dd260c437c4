"""Resamples a placement's box of the decoded picture to its size, then turns it upright."""

from __future__ import annotations

from PIL import Image

from pipeline.model.shape import Resampler
from pipeline.model.spec import Spec
from pipeline.render.geometry.fit import Box, Placement, Size
from pipeline.render.geometry.orientation import stored_box, turned, upright_size
from pipeline.render.pixels import libvips, linear_light
from pipeline.render.pixels.deep import Deep
from pipeline.render.pixels.frame import Frame, Pixels

# Above this ratio to the target's size (along a side), whole blocks are averaged first. Measured together with
# SHRINK_MARGIN; it matters for PNG, TIFF and other formats without shrink on load.
REDUCING_GAP = 3.0

# `auto` takes libvips from this number of samples (pixels times channels), below which its overhead of half a
# millisecond costs more than it saves, up to this number of pixels: libvips works on a copy, and a larger picture was
# not shrunk on load and has mostly taken long to decode anyway.
LIBVIPS_FROM = 200_000
LIBVIPS_TO = 25_000_000

_PREMULTIPLIED = {"LA": "La", "RGBA": "RGBa"}
_LIGHT_MODES = ("L", "LA", "RGB", "RGBA")


def resample(frame: Frame, placement: Placement, whole: Size, orientation: int, spec: Spec) -> Pixels:
    """Resamples `placement.box` of `frame` to a new image of `placement.size`, turned by `orientation`.

    `whole` is the size of the whole picture, turned and not shrunk. The kernel is Lanczos if a side gets smaller, else
    bicubic. Alpha is premultiplied meanwhile, so that hidden colours do not bleed. With linear light `frame` is sRGB.
    Pixels of 16 bits a channel stay so, and libvips resamples them whatever `spec` says.
    """
    image = frame.image
    left, top, right, bottom = (edge / frame.shrink for edge in stored_box(placement.box, whole, orientation))
    box = (max(0.0, left), max(0.0, top), min(right, float(image.width)), min(bottom, float(image.height)))
    size = upright_size(placement.size, orientation)
    if isinstance(image, Deep):
        same = size == image.size and box == (0, 0, *size)
        return (image if same else image.resampled(box, size, linear=spec.linear)).turned(orientation)
    if size == image.size and box == (0, 0, *size):
        return _own(turned(image, orientation), image)
    linear = spec.linear and image.mode in _LIGHT_MODES
    if _by_libvips(image, box, size, spec.resampler):
        return turned(_through_libvips(image, box, size, linear=linear), orientation)
    smaller = size[0] < right - left or size[1] < bottom - top
    kernel = Image.Resampling.LANCZOS if smaller else Image.Resampling.BICUBIC
    gap = None if image.mode.startswith("I;16") else REDUCING_GAP  # the one mode whose blocks Pillow cannot average
    if linear:
        return turned(linear_light.resized(image, box, size, kernel, gap), orientation)
    # Pillow premultiplies RGBA and LA itself before resampling, and divides afterwards.
    return turned(image.resize(size, kernel, box=box, reducing_gap=gap), orientation)


def _own(image: Image.Image, source: Image.Image) -> Image.Image:
    return image.copy() if image is source else image


def _by_libvips(image: Image.Image, box: Box, size: Size, resampler: Resampler) -> bool:
    """Whether libvips resamples: only 8-bit pictures that get smaller. Pillow does everything else."""
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
