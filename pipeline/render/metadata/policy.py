"""Which metadata of a source its renditions carry, by policy: read from EXIF, XMP and IPTC, written as EXIF and XMP.

Metadata is never copied as a block. Each tag is written anew if it was understood and is on a list of allowed ones, so
unknown tags cannot slip through. Values that describe the file instead of the picture (sizes, orientation, colour
space, previews, offsets) are left out: the rendition has its own.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.model.spec import Format, Metadata, Private, Spec
from pipeline.render.metadata import exif, iptc, xmp
from pipeline.render.metadata.blocks import NOTHING, Blocks
from pipeline.render.metadata.coordinates import Place, property_is_true, tag_is_true
from pipeline.render.metadata.density import Density, entries
from pipeline.render.metadata.private import (
    PRIVATE_TAGS,
    is_private,
)

_TEXT = 2_000  # bytes kept of a text
_XMP_MOST = 60_000  # bytes; a JPEG holds 65,504

# EXIF tags that stay true of renditions.
MAIN = frozenset(
    (0x010D, 0x010E, 0x010F, 0x0110, 0x011D, 0x0131, 0x0132, exif.ARTIST, 0x013C, 0x4746, 0x4749, exif.COPYRIGHT)
) | {0x9C9B, 0x9C9D, 0x9C9E, 0x9C9F}  # document, make, model, software, dates, rating; Windows' titles and keywords
PHOTO = frozenset(
    (
        *(0x829A, 0x829D, 0x8822, 0x8824, 0x8827, *range(0x8830, 0x8836)),  # exposure, sensitivity
        *(0x9000, 0x9003, 0x9004, 0x9010, 0x9011, 0x9012, 0x9290, 0x9291, 0x9292),  # version, times
        *range(0x9201, 0x920B),
        *(0x9214, *range(0x9400, 0x9406)),  # subject, surroundings
        *(0xA20B, 0xA20E, 0xA20F, 0xA210, 0xA214, 0xA215, 0xA217, 0xA300, 0xA301),
        *(*range(0xA401, 0xA40B), 0xA40C),
        *(0xA432, 0xA433, 0xA434, 0xA460, 0xA461, 0xA462, 0xA500),  # lens, composite images, gamma
    )
)

NAMED = frozenset((exif.ARTIST, exif.COPYRIGHT))

_CREATOR, _RIGHTS = f"{{{xmp.DC}}}creator", f"{{{xmp.DC}}}rights"
_CREDIT = f"{{{xmp.PHOTOSHOP}}}Credit"
_RIGHTS_SPACES = (
    "{http://ns.adobe.com/xap/1.0/rights/}",
    "{http://ns.useplus.org/ldf/xmp/1.0/}",
    "{http://creativecommons.org/ns#}",
)
_RIGHTS_NAMES = frozenset(
    (
        *(f"{{{xmp.PHOTOSHOP}}}{name}" for name in ("Source", "Instructions", "AuthorsPosition")),
        "{http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/}CreatorContactInfo",
        "{http://ns.adobe.com/xap/1.0/}WebStatement",
    )
)
# Namespaces that describe the file: its sizes, its layers, its gain map, the video appended to it.
_OF_THE_FILE = (
    "{http://ns.adobe.com/tiff/1.0/}",
    "{http://ns.adobe.com/xap/1.0/mm/}",
    "{http://ns.adobe.com/hdr-gain-map/1.0/}",
    "{http://ns.apple.com/HDRGainMap/1.0/}",
    "{http://ns.apple.com/pixeldatainfo/1.0/}",
    "{http://ns.google.com/photos/",
    "{http://ns.adobe.com/xmp/note/}",
)
_OF_THE_FILE_NAMES = frozenset(
    f"{{http://ns.adobe.com/exif/1.0/}}{name}"
    for name in ("PixelXDimension", "PixelYDimension", "ColorSpace", "ExifVersion", "NativeDigest")
) | {f"{{{xmp.DC}}}format", f"{{{xmp.PHOTOSHOP}}}ICCProfile", f"{{{xmp.PHOTOSHOP}}}ColorMode"}
# Numbers of IPTC, and the XMP properties that replace them.
_IPTC_TEXTS = {
    25: (xmp.DC, "subject", "Bag"),
    5: (xmp.DC, "title", "Alt"),
    120: (xmp.DC, "description", "Alt"),
    105: (xmp.PHOTOSHOP, "Headline", ""),
    40: (xmp.PHOTOSHOP, "Instructions", ""),
    115: (xmp.PHOTOSHOP, "Source", ""),
    90: (xmp.PHOTOSHOP, "City", ""),
    95: (xmp.PHOTOSHOP, "State", ""),
    101: (xmp.PHOTOSHOP, "Country", ""),
}


@dataclass(frozen=True, slots=True)
class Facts:
    """The orientation, artist and copyright of a picture.

    `orientation` is 1..8, and 1 if it is missing or invalid. Texts are bytes as stored, mostly UTF-8.
    """

    orientation: int = 1
    artist: bytes = b""
    copyright: bytes = b""
    damaged: bool = False


@dataclass(frozen=True, slots=True)
class Written:
    """The blocks to write into a rendition; empty ones are not written."""

    exif: bytes = b""
    xmp: bytes = b""
    comment: bytes = b""


def read_exif(block: bytes) -> Facts:
    """The facts in an EXIF block, with or without its `Exif` prefix. Never raises: unreadable values are left out."""
    if not block.removeprefix(b"Exif\0\0"):
        return Facts()
    try:
        entries = exif.read_main(block, (exif.ORIENTATION, exif.ARTIST, exif.COPYRIGHT))
    except (struct.error, ValueError):
        return Facts(damaged=True)
    orientation = entries[exif.ORIENTATION].number if exif.ORIENTATION in entries else None
    upright = orientation if orientation is not None and 1 <= orientation <= 8 else 1
    return Facts(upright, _text(entries.get(exif.ARTIST)), _text(entries.get(exif.COPYRIGHT)))


def written(
    blocks: Blocks, spec: Spec, place: Place, density: Density | None = None
) -> tuple[Written, tuple[str, ...]]:
    """The metadata that `spec` allows and that is true of a rendition at `place`, and warnings about unreadable blocks.

    `density` goes into EXIF for formats that have no other place for it. Never raises.
    """
    dots = entries(density) if density is not None and spec.format in (Format.WEBP, Format.AVIF, Format.JXL) else {}
    if blocks == NOTHING and not dots:
        return Written(), ()
    warnings: tuple[str, ...] = ()
    properties: tuple[xmp.Property, ...] = ()
    if blocks.xmp:
        try:
            properties = xmp.read(blocks.xmp)
        except ValueError as error:
            warnings = (f"damaged XMP ignored: {error}",)
    older = iptc.read(blocks.iptc) if blocks.iptc else {}
    said = {property_.name: property_.text for property_ in properties}
    artist = _text(blocks.exif.main.get(exif.ARTIST)) or _said(older, iptc.BYLINE) or _cut(said.get(_CREATOR, ""))
    rights = _text(blocks.exif.main.get(exif.COPYRIGHT)) or _said(older, iptc.COPYRIGHT) or _cut(said.get(_RIGHTS, ""))
    credit = _cut(said.get(_CREDIT, "")) or _said(older, iptc.CREDIT)
    kept = [
        property_ for property_ in properties if passes(property_, spec) and property_is_true(property_.name, place)
    ]
    kept += [
        property_
        for property_ in _from_iptc(older)
        if property_.name not in said and _POLICIES[spec.metadata](property_)
    ]
    if credit and _CREDIT not in {property_.name for property_ in kept}:
        kept.append(xmp.plain(xmp.PHOTOSHOP, "Credit", credit.decode("utf-8", "replace")))
    if all(property_.name in (_CREATOR, _RIGHTS) for property_ in kept):
        kept = []  # EXIF holds the same
    packet = xmp.write(kept)
    if len(packet) > _XMP_MOST:
        packet, warnings = b"", (*warnings, f"XMP of {len(packet)} bytes left out")
    named = _named(artist, rights) | dots
    block = exif.write(_exif(blocks.exif, spec, place, named))
    if len(block) > _XMP_MOST:
        block, warnings = exif.write(exif.Exif(named)), (*warnings, "EXIF too long to be kept")
    comment = blocks.comments[0] if blocks.comments and Private.COMMENTS in spec.private else b""
    return Written(block, packet, comment[:_XMP_MOST]), warnings


def passes(property_: xmp.Property, spec: Spec) -> bool:
    """Whether `spec` allows a property."""
    return _POLICIES[spec.metadata](property_) and not (is_private(property_) - set(spec.private))


def _exif(stated: exif.Exif, spec: Spec, place: Place, named: dict[int, exif.Entry]) -> exif.Exif:
    keep = spec.metadata is Metadata.KEEP
    main = {tag: entry for tag, entry in stated.main.items() if keep and tag in MAIN}
    photo = {tag: entry for tag, entry in stated.photo.items() if keep and tag in PHOTO and tag_is_true(tag, place)}
    for private in spec.private:
        tags = PRIVATE_TAGS[private]
        main |= {tag: entry for tag, entry in stated.main.items() if tag in tags}
        photo |= {tag: entry for tag, entry in stated.photo.items() if tag in tags}
    return exif.Exif(
        main | named,
        photo,
        stated.gps if Private.GPS in spec.private else {},
        stated.thumbnail if Private.THUMBNAILS in spec.private else b"",
    )


def _named(artist: bytes, rights: bytes) -> dict[int, exif.Entry]:
    return {tag: exif.text(said) for tag, said in ((exif.ARTIST, artist), (exif.COPYRIGHT, rights)) if said}


def _from_iptc(older: dict[int, tuple[str, ...]]) -> list[xmp.Property]:
    made = []
    for number, (space, name, kind) in _IPTC_TEXTS.items():
        said = [text for text in older.get(number, ()) if text]
        if said:
            made.append(xmp.listed(space, name, kind, said) if kind else xmp.plain(space, name, ", ".join(said)))
    return made


def _of_strip(property_: xmp.Property) -> bool:
    return property_.name in (_CREATOR, _RIGHTS, _CREDIT)


def _of_rights(property_: xmp.Property) -> bool:
    return _of_strip(property_) or property_.name in _RIGHTS_NAMES or property_.name.startswith(_RIGHTS_SPACES)


def _of_keep(property_: xmp.Property) -> bool:
    return property_.name not in _OF_THE_FILE_NAMES and not property_.name.startswith(_OF_THE_FILE)


_POLICIES: dict[Metadata, Callable[[xmp.Property], bool]] = {
    Metadata.STRIP: _of_strip,
    Metadata.RIGHTS: _of_rights,
    Metadata.KEEP: _of_keep,
}


def _text(entry: exif.Entry | None) -> bytes:
    return b"" if entry is None else _clean(entry.value)


def _said(older: dict[int, tuple[str, ...]], number: int) -> bytes:
    return _cut(", ".join(older.get(number, ())))


def _cut(said: str) -> bytes:
    return _clean(said.encode("utf-8", "replace"))


def _clean(raw: bytes) -> bytes:
    return raw.replace(b"\0", b" ").strip()[:_TEXT].strip()
