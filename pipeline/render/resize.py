"""Resampling: a placement's box, as it lies in the decoded picture, to its size; then upright."""

from __future__ import annotations

from PIL import Image

from pipeline.render.decode import Frame
from pipeline.render.geometry import Placement, Size
from pipeline.render.orientation import stored_box, turned, upright_size

# Where more than this many times the target's pixels (along a side) are left, whole blocks are averaged first. Measured
# beside SHRINK_MARGIN; matters to PNG, TIFF and other formats that cannot shrink on load.
REDUCING_GAP = 3.0


def resample(frame: Frame, placement: Placement, upright: Size, orientation: int) -> Image.Image:
    """`placement.box` of `frame` as an upright picture of `placement.size`, a new image that shares nothing.

    `upright` is the size of the whole picture, turned and not shrunk. Lanczos where a side is made smaller, bicubic
    where none is. Alpha is premultiplied meanwhile, so that hidden colours do not bleed.
    """
    image = frame.image
    left, top, right, bottom = (edge / frame.shrink for edge in stored_box(placement.box, upright, orientation))
    box = (max(0.0, left), max(0.0, top), min(right, float(image.width)), min(bottom, float(image.height)))
    size = upright_size(placement.size, orientation)
    smaller = size[0] < right - left or size[1] < bottom - top
    kernel = Image.Resampling.LANCZOS if smaller else Image.Resampling.BICUBIC
    gap = None if image.mode.startswith("I;16") else REDUCING_GAP  # Pillow averages blocks of all modes but this
    # Pillow premultiplies RGBA and LA itself before it resamples, and divides afterwards.
    return turned(image.resize(size, kernel, box=box, reducing_gap=gap), orientation)
