"""What goes together: the formats that know a key, their largest sides, fits that give a shape; and libvips.

The checks take a value and the values of the keys before it, and raise `PydanticCustomError`.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import Any

from pipeline import extras
from pipeline.config.section import rule
from pipeline.model.shape import Resampler
from pipeline.model.spec import (
    AS_SOURCE,
    DEFAULT_QUALITY,
    EFFORT,
    LONGEST_SIDE,
    NAMED,
    Fit,
    Format,
    Hdr,
    Profile,
    Subsampling,
)

MAX_SIDE = {known: LONGEST_SIDE[known] for known in (Format.JPEG, Format.WEBP)}
"""Pixels that a box may have at the most. A box beyond the longest side of AVIF or GIF is accepted where smaller
pictures leave it unfilled: a rendition that is too large fails when it is made."""

ONLY_FOR = {
    "quality": tuple(DEFAULT_QUALITY),
    "lossless": (Format.WEBP, Format.JXL),
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

_WITHOUT_PROFILE = {Format.GIF: "a gif holds no profile", Format.JXL: "no profile is written into a jxl here"}
SHAPED = (Fit.COVER, Fit.CONTAIN, Fit.FILL)  # fits whose result has the shape of the box
LIBVIPS, JXL = "pyvips", "pillow_jxl"  # as they are imported


def check_installed(value: Resampler | Format) -> None:
    """Refuse a `value` that needs what is not installed."""
    if value is Resampler.LIBVIPS:
        check_libvips()
    if value is Format.JXL and importlib.util.find_spec(JXL) is None:
        raise rule(f"{value} {extras.missing('jxl')}")


def check_libvips(word: str = "") -> None:
    """Refuse a key, or its value `word`, where libvips is not installed."""
    if importlib.util.find_spec(LIBVIPS) is None:
        raise rule(f"{word} {extras.missing('libvips')}".lstrip())


def check_optimize(optimize: bool, others: Mapping[str, Any]) -> bool:
    """`optimize`, if it goes with the values before it."""
    if not optimize:
        return optimize
    check_libvips()
    if others.get("progressive") is False:
        raise rule("always writes progressive files; leave progressive out")
    if others.get("subsampling") is Subsampling.HALF:
        raise rule("goes with the subsamplings 4:4:4 and 4:2:0 only")
    return optimize


def check_depth(depth: int, others: Mapping[str, Any]) -> int:
    """`depth`, if it goes with the values before it."""
    if depth != AS_SOURCE:
        return depth
    check_libvips("keep")
    for other, why in (("steps", "are done at 8 bits"), ("colors", "makes a palette of 8 bits")):
        if others.get(other):
            raise rule(f"keep does not go with {other}, which {why}")
    if others.get("subsampling") is Subsampling.HALF:
        raise rule("keep goes with the subsamplings 4:4:4 and 4:2:0 only")
    return depth


def check_hdr(hdr: Hdr, others: Mapping[str, Any]) -> Hdr:
    """`hdr`, if it goes with the values before it."""
    if hdr is not Hdr.KEEP:
        return hdr
    check_libvips("keep")
    for other, why in (("steps", "work in srgb"), ("linear", "works in srgb"), ("pad", "has a background in srgb")):
        if others.get(other):
            raise rule(f"keep does not go with {other}, which {why}")
    if others.get("fit") is Fit.CONTAIN:
        raise rule("keep does not go with fit: contain, which has a background in srgb")
    if others.get("format") is Format.AVIF and others.get("subsampling") is Subsampling.HALF:
        raise rule("keep goes with the subsamplings 4:4:4 and 4:2:0 only")
    return hdr


def check_profile(profile: Profile, others: Mapping[str, Any]) -> Profile:
    """`profile`, if it goes with the values before it."""
    if profile is not Profile.SRGB and others.get("format") in (why := _WITHOUT_PROFILE):
        raise rule(f"{why[others['format']]}; only srgb is possible")
    if profile is not Profile.SRGB and others.get("linear"):
        raise rule("does not go with linear, which works in srgb")
    if profile in NAMED and others.get("steps"):
        raise rule("does not go with steps, which work in srgb")
    return profile


def check_sides(value: object, key: str | None, others: Mapping[str, Any]) -> object:
    """`value` of `fit` or `enlarge`, unless it makes all pictures larger than the format can be.

    Where only some would be, each of them fails alone.
    """
    fit, enlarge = (value, False) if key == "fit" else (others.get("fit"), value)
    always = fit is Fit.CONTAIN if key == "fit" else enlarge and fit in (Fit.COVER, Fit.FILL)
    sides = [side * others.get("dpr", 1.0) for name in ("width", "height") if (side := others.get(name))]
    picture_format = others.get("format", Format.PNG)
    most = LONGEST_SIDE.get(picture_format)
    if always and most is not None and (longest := int(max(sides, default=0) + 0.5)) > most:
        raise rule(f"makes pictures of {longest:,} pixels a side, and {picture_format} has at most {most:,}")
    return value
