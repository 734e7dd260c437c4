"""What goes together: the formats that know a key, their largest sides, fits that give a shape; and libvips."""

from __future__ import annotations

import importlib.util

from pipeline import extras
from pipeline.config.section import rule
from pipeline.model.shape import Resampler
from pipeline.model.spec import DEFAULT_QUALITY, EFFORT, LONGEST_SIDE, Fit, Format

MAX_SIDE = {known: LONGEST_SIDE[known] for known in (Format.JPEG, Format.WEBP)}
"""Pixels that a box may have at the most. A box beyond the longest side of AVIF or GIF is accepted where smaller
pictures leave it unfilled: a rendition that is too large fails when it is made."""

ONLY_FOR = {
    "quality": tuple(DEFAULT_QUALITY),
    "lossless": (Format.WEBP,),
    "effort": tuple(EFFORT),
    "subsampling": (Format.JPEG, Format.AVIF),
    "progressive": (Format.JPEG,),
    "colors": (Format.PNG, Format.GIF),
    "dither": (Format.PNG, Format.GIF),
    "max_bytes": tuple(DEFAULT_QUALITY),
    "optimize": (Format.JPEG,),
    "keep_smaller": (Format.JPEG, Format.PNG, Format.WEBP),  # their readers tell everything that is in a file
    "depth": (Format.PNG, Format.TIFF, Format.AVIF),
    "hdr": (Format.JPEG, Format.AVIF),
    "density": tuple(known for known in Format if known is not Format.GIF),
}
"""For keys that not all formats know: the formats that do."""

SHAPED = (Fit.COVER, Fit.CONTAIN, Fit.FILL)  # fits whose result has the shape of the box
LIBVIPS = "pyvips"  # as it is imported


def check_resampler(value: Resampler) -> Resampler:
    """`value`. Raises `PydanticCustomError` where it is not installed."""
    if value is Resampler.LIBVIPS and importlib.util.find_spec(LIBVIPS) is None:
        raise rule(extras.missing("libvips"))
    return value
