"""The blocks of metadata of one picture, as its file stores them."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.render.metadata import exif


@dataclass(frozen=True, slots=True)
class Blocks:
    """What a picture says beside its pixels; everything is as stored, and empty where it says nothing."""

    exif: exif.Exif = field(default_factory=exif.Exif)  # the tags of a TIFF are its own
    xmp: bytes = b""
    iptc: bytes = b""
    comments: tuple[bytes, ...] = ()
    thumbnail: bool = False  # one outside of EXIF and XMP


NOTHING = Blocks()
