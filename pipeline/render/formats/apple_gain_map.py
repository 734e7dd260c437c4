"""The gain maps of iPhones, which are of Apple's own kind, put into the terms of Adobe and ISO 21496-1.

By Apple a place becomes `1 + (headroom - 1) * linear(level)` times as bright, where `linear` undoes the curve of
Rec. 709; by Adobe and ISO, `2 ** (stops * level)` times. So a table of 256 levels converts one into the other, rounded
once: within half a level, which is 0.4 % of the brightness where the headroom is 8. Formulas and numbers:
https://developer.apple.com/documentation/appkit/applying-apple-hdr-effect-to-your-photos
"""

from __future__ import annotations

import io
import math
import struct

from PIL import Image, ImageFile

from pipeline.render.container.view import View
from pipeline.render.formats import heif
from pipeline.render.formats.gain_map import (
    APPLES,
    BY_OTHERS,
    LOOKED_AT,
    MOST_PICTURES,
    GainMap,
    Numbers,
    Unkept,
    check_size,
)
from pipeline.render.formats.jpeg import Jpeg, pictures_in
from pipeline.render.geometry.fit import Size
from pipeline.render.metadata import exif, xmp

_SAID_KIND = "{http://ns.apple.com/pixeldatainfo/1.0/}AuxiliaryImageType"
_SAID_HEADROOM = "{http://ns.apple.com/HDRGainMap/1.0/}HDRGainMapHeadroom"
_NOTES, _NOTES_HEAD, _NOTES_START = 0x927C, b"Apple iOS\0\0\1MM", 14  # in EXIF: the maker's notes, and their directory
_HDR_HEADROOM, _HDR_GAIN = 0x21, 0x30
_SIGNED_FRACTION = 10  # a type of EXIF
_MOST_HEADROOM = 64.0  # times white; Apple's screens show up to 8


def in_jpeg(image: ImageFile.ImageFile, view: View, size: Size, stated: exif.Exif) -> GainMap | None:
    """The gain map of an opened JPEG of `size`, whose EXIF is `stated`; None where it has none of Apple's kind alone.

    libultrahdr must not see one of this kind: it takes the headroom for stops, and the levels as they are. Raises
    `Unkept` where it cannot be kept, and whatever Pillow raises on damage.
    """
    for _kind, at, length in pictures_in(image, view)[1:MOST_PICTURES]:
        head = view[at : at + min(length, LOOKED_AT)]
        if APPLES.encode() not in head or any(mark in head for mark in BY_OTHERS):
            continue
        content = view[at : at + length]
        stored = Jpeg(io.BytesIO(content))
        packet = stored.info.get("xmp")
        said = _said(packet) if isinstance(packet, bytes) else {}
        if said.get(_SAID_KIND) == APPLES:
            check_size(stored.size, size, content)
            return _converted(stored, size, said.get(_SAID_HEADROOM), stated)
    return None


def in_heif(view: View, size: Size, stated: exif.Exif) -> GainMap:
    """The same of a HEIC, upright as its picture is. Raises as pillow-heif does on damage."""
    stored = heif.auxiliary(view, APPLES)
    if stored is None:
        raise Unkept
    check_size(stored.size, size)
    return _converted(stored.to_pillow(), size, None, stated)


def _said(packet: bytes) -> dict[str, str]:
    try:
        return {property_.name: property_.text for property_ in xmp.read(packet)}
    except ValueError:
        return {}


def _converted(stored: Image.Image, size: Size, said: str | None, stated: exif.Exif) -> GainMap:
    (width, height), (across, down) = size, stored.size
    if stored.mode != "L":
        raise Unkept
    if abs(width * down - height * across) > width + height:  # turned otherwise, or of another part of it
        raise Unkept("it has not the shape of its picture")
    try:
        headroom = _headroom(stated) if said is None else float(said)
    except (ValueError, struct.error, ArithmeticError):
        headroom = math.nan
    if not 1 < headroom <= _MOST_HEADROOM:
        raise Unkept("it does not say how much brighter it makes its picture")
    stops = math.log2(headroom)
    levels = [round(255 * math.log2(1 + (headroom - 1) * _linear(level / 255)) / stops) for level in range(256)]
    none, all_ = (0.0,) * 3, (stops,) * 3
    return GainMap(stored.point(levels), Numbers(none, all_, (1.0,) * 3, none, none, (0.0, stops)))


def _linear(level: float) -> float:
    """The light of a level from 0 to 1, by ITU-R BT.709-6, item 1.2."""
    return level / 4.5 if level < 0.081 else ((level + 0.099) / 1.099) ** (1 / 0.45)


def _headroom(stated: exif.Exif) -> float:
    """The headroom in the maker's notes; without the second of its numbers, as where that is 0.

    Raises ValueError, struct.error or ArithmeticError where they do not hold it.
    """
    notes = stated.photo[_NOTES].value if _NOTES in stated.photo else b""
    if not notes.startswith(_NOTES_HEAD):
        raise ValueError("no notes by Apple")
    wanted = (_HDR_HEADROOM, _HDR_GAIN)
    entries, _ = exif.directory(notes, ">", _NOTES_START, wanted)
    fractions = {
        tag: struct.unpack(">ll", entry.value) for tag, entry in entries.items() if entry.kind == _SIGNED_FRACTION
    }
    if _HDR_HEADROOM not in fractions:
        raise ValueError("no headroom in them")
    first, second = (over / under for over, under in (fractions.get(tag, (0, 1)) for tag in wanted))
    if first < 1:
        stops = 1.8 - 20 * second if second <= 0.01 else 1.601 - 0.101 * second
    else:
        stops = 3 - 70 * second if second <= 0.01 else 2.303 - 0.303 * second
    return math.exp2(stops)
