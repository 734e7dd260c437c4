"""Where metadata holds private values, and which of them a picture has."""

from __future__ import annotations

from pipeline.model.spec import Private
from pipeline.render.metadata import xmp
from pipeline.render.metadata.blocks import NOTHING, Blocks

PRIVATE_TAGS: dict[Private, frozenset[int]] = {
    Private.GPS: frozenset(),  # has a directory of its own
    # Camera owner, body and lens serial numbers, the picture's unique id; DNG's own for camera and raw file
    Private.SERIALS: frozenset((0xA420, 0xA430, 0xA431, 0xA435, 0xC62F, 0xC65D)),
    Private.MAKER_NOTES: frozenset((0x927C, 0xC634)),
    Private.THUMBNAILS: frozenset(),  # a directory of its own
    Private.COMMENTS: frozenset((0x9286, 0x9C9C)),
}
"""EXIF tags, whichever directory they stand in."""

# Parts of XMP names, in lower case, because makers invent new names: `drone-dji:GpsLatitude`, `aux:SerialNumber`.
_XMP_WORDS: dict[Private, tuple[str, ...]] = {
    Private.GPS: ("gps", "latitude", "longitude", "geotag"),
    Private.SERIALS: ("serialnumber", "cameraownername", "ownername", "imageuniqueid", "imagenumber"),
    Private.MAKER_NOTES: ("makernote",),
    Private.THUMBNAILS: ("thumbnail", "gimg"),
    Private.COMMENTS: ("usercomment",),
}


def is_private(property_: xmp.Property) -> set[Private]:
    """The kinds of private values in a property, which is kept or left out as a whole."""
    return {
        kind for kind, words in _XMP_WORDS.items() if any(word in name for word in words for name in property_.names)
    }


def private_in(blocks: Blocks) -> tuple[Private, ...]:
    """The kinds of private values in `blocks`, in canonical order. An unreadable XMP packet counts as all of them."""
    if blocks == NOTHING:
        return ()
    tags = blocks.exif.main.keys() | blocks.exif.photo.keys()
    kinds = {kind for kind, private in PRIVATE_TAGS.items() if tags & private}
    kinds |= {Private.GPS} if blocks.exif.gps else set()
    kinds |= {Private.THUMBNAILS} if blocks.exif.has_second or blocks.thumbnail else set()
    kinds |= {Private.COMMENTS} if blocks.comments else set()
    if blocks.xmp:
        try:
            for property_ in xmp.read(blocks.xmp):
                kinds |= is_private(property_)
        except ValueError:
            kinds |= set(Private)
    return tuple(kind for kind in Private if kind in kinds)
