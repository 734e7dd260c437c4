"""JPEGs: Pillow's plugin without its look into EXIF, and the index of a file of several pictures (MPF)."""

from __future__ import annotations

import struct

from PIL import ImageFile, JpegImagePlugin

from pipeline.render.container.view import View
from pipeline.render.metadata import exif

_INDEX = 0xB002  # tag of an MPO's index: 16 bytes a picture


class Jpeg(JpegImagePlugin.JpegImageFile):
    """Pillow's plugin, which does not look for a resolution in EXIF.

    That takes 0.2 ms a photograph and parses bytes that may be hostile. `metadata.exif` reads the resolution instead.
    """

    remarks: tuple[str, ...] = ()

    def _read_dpi_from_exif(self) -> None:
        """Called by Pillow after it has read the header; does nothing."""


def pictures_in(image: ImageFile.ImageFile, view: View) -> list[tuple[int, int, int]]:
    """The type, the offset and the size of each picture in the index of an opened JPEG; empty where it has none."""
    block, base = image.info.get("mp"), image.info.get("mpoffset")
    if not isinstance(block, bytes) or not isinstance(base, int):
        return []
    try:
        entry = exif.read_main(block, (_INDEX,)).get(_INDEX)
    except (struct.error, ValueError):
        return []
    order = "<" if block.startswith(b"II") else ">"
    pictures = []
    for at in range(0, len(entry.value) - 15 if entry else 0, 16):
        kind, size, offset = struct.unpack_from(order + "LLL", entry.value, at) if entry else (0, 0, 0)
        start = offset + base if offset else 0
        if size and start < len(view):
            # Some writers get the size of the last one wrong.
            pictures.append((kind >> 16 & 0xFF, start, min(size, len(view) - start)))
    return pictures
