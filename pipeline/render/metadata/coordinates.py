"""Which metadata describes positions within the picture, and whether it is still true of a rendition."""

from __future__ import annotations

import enum

from pipeline.model.spec import Spec
from pipeline.render.geometry.fit import Placement, Size
from pipeline.render.metadata.exif import ORIENTATION, Exif

# EXIF: subject area and location, and the pixels to a millimetre of the sensor.
_TAGS_OF_PIXELS = frozenset((0x9214, 0xA214, 0xA20E, 0xA20F, 0xA210))
_EXIF = "{http://ns.adobe.com/exif/1.0/}"
_NAMES_OF_PIXELS = (f"{_EXIF}Subject", f"{_EXIF}FocalPlane")
# XMP: faces and other regions in fractions of width and height; crops, masks and retouches of raw developers.
_NAMES_OF_PARTS = (
    "{http://www.metadataworkinggroup.com/schemas/regions/}",
    "{http://ns.microsoft.com/photo/1.2/}",
    "{http://ns.acdsee.com/regions/}",
    "{http://ns.apple.com/faceinfo/1.0/}",
    "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}ImageRegion",
    "{http://ns.adobe.com/camera-raw-settings/1.0/}",
)


class Place(enum.Enum):
    """Where the content of a source lies in a rendition."""

    SAME = "same"  # every pixel has its old position
    SCALED = "scaled"  # all of it, at another size
    MOVED = "moved"  # cropped, turned or padded


def place_of(size: Size, orientation: int, exif: Exif, placement: Placement, spec: Spec) -> Place:
    """Where a source of `size` (upright) that is stored under `orientation` lies in the rendition of `spec`.

    `exif` counts as well: Pillow turns TIFFs itself, so that their `orientation` is 1 whatever the tag says.
    """
    whole = (0.0, 0.0, float(size[0]), float(size[1]))
    said = exif.main.get(ORIENTATION)
    upright = orientation == 1 and spec.rotate == 0 and (said is None or said.number == 1)
    if not upright or placement.box != whole or placement.size != placement.canvas:
        return Place.MOVED
    return Place.SAME if placement.size == size else Place.SCALED


def tag_is_true(tag: int, place: Place) -> bool:
    """Whether an EXIF tag of the source is true of a rendition with that `place`."""
    return place is Place.SAME or tag not in _TAGS_OF_PIXELS


def property_is_true(name: str, place: Place) -> bool:
    """Whether an XMP property of the source is true of a rendition with that `place`."""
    if place is Place.MOVED and name.startswith(_NAMES_OF_PARTS):
        return False
    return place is Place.SAME or not name.startswith(_NAMES_OF_PIXELS)
