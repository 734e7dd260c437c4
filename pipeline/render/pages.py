"""Which picture of a file that holds several is meant: pages of a TIFF, pictures of an MPO, sizes of an icon."""

from __future__ import annotations

from pipeline.render.source import Source


def name_of(source: Source) -> str:
    """The format in lower case; a JPEG that holds several pictures is an `mpo`."""
    several = source.format == "JPEG" and "mp" in source.image.info
    return "mpo" if several else source.format.lower()
