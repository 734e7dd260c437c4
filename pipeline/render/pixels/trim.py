"""Removes a border of one colour, measured from the pixels."""

from __future__ import annotations

import functools
from dataclasses import replace

from PIL import Image, ImageChops

from pipeline.render.colour.srgb import to_srgb
from pipeline.render.geometry.fit import Box
from pipeline.render.geometry.framing import Framing
from pipeline.render.geometry.orientation import stored_box, upright_size
from pipeline.render.pixels.frame import Frame

_PREMULTIPLIED = {"LA": "La", "RGBA": "RGBa"}  # hidden pixels have no colour
_BACK = {6: 8, 8: 6}


def trimmed(frame: Frame, whole: Framing, tolerance: int, icc: bytes | None) -> Framing:
    """`whole` without the border in which no channel differs from the top left pixel by more than `tolerance` levels.

    `frame` must not be shrunk. A region of one colour stays as it is.
    """
    stored = upright_size(whole.turned, whole.orientation)
    left, top, right, bottom = map(round, stored_box(whole.region, whole.turned, whole.orientation))
    part = frame.eight_bits.crop((left, top, right, bottom))
    part = part.convert(_PREMULTIPLIED[part.mode]) if part.mode in _PREMULTIPLIED else to_srgb(part, icc)[0]
    corner = _corner(whole)
    pixel = part.getpixel((round(corner[0]) - left, round(corner[1]) - top))
    differs = ImageChops.difference(part, Image.new(part.mode, part.size, 0 if pixel is None else pixel))
    strongest = functools.reduce(ImageChops.lighter, differs.split())
    inner = strongest.point([0 if level <= tolerance else 255 for level in range(256)]).getbbox()
    if inner is None:
        return whole
    box = (left + inner[0], top + inner[1], left + inner[2], top + inner[3])
    region = stored_box(box, stored, _BACK.get(whole.orientation, whole.orientation))
    return replace(whole, region=(round(region[0]), round(region[1]), round(region[2]), round(region[3])))


def _corner(whole: Framing) -> Box:
    """The region's top left pixel, in coordinates of the stored picture."""
    left, top = whole.region[:2]
    return stored_box((left, top, left + 1, top + 1), whole.turned, whole.orientation)
