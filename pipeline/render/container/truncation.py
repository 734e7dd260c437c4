"""Whether a file ends too early, by the structure of its container."""

from __future__ import annotations

import struct
from collections.abc import Callable

from pipeline.render.container import bmff, gif, jpeg, png, riff, tiff
from pipeline.render.container.view import View


def is_short(view: View, name: str) -> bool:
    """Whether the container of format `name` (as Pillow writes it) claims more bytes than there are."""
    return name in _IS_SHORT and _IS_SHORT[name](view)


def _icon_is_short(view: View) -> bool:
    count = int.from_bytes(view[4:6], "little")
    if 6 + 16 * count > len(view):
        return True
    entries = (view[at : at + 16] for at in range(6, 6 + 16 * count, 16))
    return max((sum(struct.unpack("<LL", entry[8:])) for entry in entries), default=0) > len(view)


def _jp2_is_short(view: View) -> bool:
    return bmff.is_short(view) if view[:1] == b"\0" else view[-2:] != b"\xff\xd9"


_IS_SHORT: dict[str, Callable[[View], bool]] = {
    "JPEG": jpeg.is_short,
    "PNG": png.is_short,
    "WEBP": riff.is_short,
    "AVIF": bmff.is_short,
    "HEIF": bmff.is_short,
    "GIF": gif.is_short,
    "TIFF": tiff.is_short,
    "JP2": _jp2_is_short,
    "JXL": lambda view: view[:1] == b"\0" and bmff.is_short(view),
    "ICO": _icon_is_short,
}
