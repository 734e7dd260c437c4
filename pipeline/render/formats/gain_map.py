"""Gain maps: a second, smaller picture in a file, which says how much brighter each place may be on an HDR screen.

Found in JPEGs by Adobe's and ISO 21496-1's marks and by Apple's, in HEIC and AVIF by the kinds of their items, in JPEG
XL by a box. Those of JPEGs that follow Adobe or ISO are read by libultrahdr, through libvips; Apple's own by
`apple_gain_map`.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageFile

from pipeline.render.container.bmff import boxes
from pipeline.render.container.jpeg import jpeg_scans
from pipeline.render.container.view import View
from pipeline.render.formats.jpeg import Jpeg, pictures_in
from pipeline.render.geometry.fit import Size
from pipeline.render.pixels import libvips

_ISO = b"urn:iso:std:iso:ts:21496:-1\0"
BY_OTHERS = (_ISO, b"http://ns.adobe.com/hdr-gain-map/1.0/")  # marks of gain maps that are not Apple's
_MARKS = (*BY_OTHERS, b"hdrgainmap", b"HDRGainMap")
LOOKED_AT = 64 * 2**10  # bytes of each further picture
MOST_PICTURES = 10  # looked at; iPhones write five with those of depth and mattes
APPLES = "urn:com:apple:photo:2020:aux:hdrgainmap"  # the kind of an auxiliary picture
_BRANDS = 256  # bytes in which the brands of a HEIC or AVIF are
_MOST_STOPS, _MOST = 64, 1000  # bounds of numbers: stops of light; gamma and offsets
_SCANS = 100  # of a progressive gain map; more are not decoded


class Unkept(Exception):
    """Why a gain map cannot be kept."""

    def __init__(self, reason: str = "not of a kind that can be kept here") -> None:
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Numbers:
    """How a gain map is applied: a number for each channel of light, in stops (powers of two) if not said otherwise."""

    least: tuple[float, ...]
    most: tuple[float, ...]
    gamma: tuple[float, ...]  # a power
    offset_sdr: tuple[float, ...]  # light
    offset_hdr: tuple[float, ...]  # light
    headroom: tuple[float, float]  # of screens, from which it has an effect, and for which it has all of it


@dataclass(frozen=True, slots=True)
class GainMap:
    """A gain map in mode `L` or `RGB`, as stored beside its picture: not turned."""

    image: Image.Image
    numbers: Numbers


def is_there(image: ImageFile.ImageFile, format_: str, view: View) -> bool:
    """Whether an opened picture has a gain map, of whatever kind."""
    if format_ == "JPEG":
        if any(name == "APP2" and content.startswith(_ISO) for name, content in getattr(image, "applist", ())):
            return True
        xmp = image.info.get("xmp")
        heads = [xmp] if isinstance(xmp, bytes) else []
        if "mp" in image.info:
            heads += [
                view[at : at + min(size, LOOKED_AT)] for _kind, at, size in pictures_in(image, view)[1:MOST_PICTURES]
            ]
        return any(mark in head for head in heads for mark in _MARKS)
    if format_ in ("HEIF", "AVIF"):
        return is_apples(image) or b"tmap" in view[:_BRANDS]
    return format_ == "JXL" and any(kind == b"jhgm" for kind, _start, _end in boxes(view, 0, len(view)))


def is_apples(image: ImageFile.ImageFile) -> bool:
    """Whether an opened HEIC has a gain map of Apple's kind."""
    kinds = image.info.get("aux")
    return isinstance(kinds, dict) and APPLES in kinds


def read(view: View, size: Size) -> GainMap:
    """The gain map of the JPEG in `view`, whose picture has `size`, by Adobe's or ISO's numbers.

    Raises `Unkept` where it has none of a kind that can be kept, and whatever Pillow raises on damage. Call only where
    `libvips.available()`.
    """
    vips: Any = libvips.module()
    try:
        loaded = vips.Image.uhdrload_buffer(view[:])
    except vips.Error:
        raise Unkept from None
    try:
        content, numbers = loaded.get("gainmap-data"), _numbers(loaded)
        in_base = bool(loaded.get("gainmap-use-base-cg"))
    except vips.Error:
        raise Unkept from None
    finally:
        loaded.invalidate()
    image = Jpeg(io.BytesIO(content))
    check_size(image.size, size, content)
    # Three channels apply to the primaries that the file says, which are its picture's or others.
    if numbers is None or image.mode not in ("L", "RGB") or (image.mode == "RGB" and not in_base):
        raise Unkept
    image.load()
    return GainMap(image, numbers)


def check_size(size: Size, of: Size, jpeg: bytes = b"") -> None:
    """Raises `Unkept` for a gain map of more pixels than its picture has, or a progressive one of very many scans."""
    if size[0] * size[1] > of[0] * of[1] or jpeg_scans(jpeg, _SCANS) > _SCANS:
        raise Unkept


def _numbers(loaded: Any) -> Numbers | None:
    def of(name: str) -> tuple[float, ...]:
        said = loaded.get(f"gainmap-{name}")
        return tuple(said) if isinstance(said, list) else (said,)

    boosts = (of("min-content-boost"), of("max-content-boost"), of("hdr-capacity-min"), of("hdr-capacity-max"))
    others = (of("gamma"), of("offset-sdr"), of("offset-hdr"))
    if not all(0 < value < math.inf for boost in boosts for value in boost):
        return None
    least, most, lowest, highest = (tuple(math.log2(value) for value in boost) for boost in boosts)
    bounded = all(abs(value) <= _MOST_STOPS for stops in (least, most, lowest, highest) for value in stops)
    bounded &= all(abs(value) <= _MOST for each in others for value in each) and min(others[0]) > 0.01
    if not bounded or {len(each) for each in (least, most, *others)} != {3}:
        return None
    return Numbers(least, most, *others, (lowest[0], highest[0]))
