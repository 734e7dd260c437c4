"""The blocks of metadata of one picture, as its file stores them."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.render.metadata import exif


@dataclass(frozen=True, slots=True)
class Blocks:
    """A picture's metadata beside its pixels, as stored; a field is empty where the file has no such block."""

    exif: exif.Exif = field(default_factory=exif.Exif)  # of a TIFF: the tags of its directories
    xmp: bytes = b""
    iptc: bytes = b""
    comments: tuple[bytes, ...] = ()
    thumbnail: bool = False  # whether there is one outside of EXIF and XMP


NOTHING = Blocks()
