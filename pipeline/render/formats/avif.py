"""AVIFs: Pillow's decoder, and a crop to the clean aperture (the `clap` property), which Pillow ignores.

Stills of more than 8 bits a channel are decoded by libvips where it is installed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from typing import IO, Any

from PIL import AvifImagePlugin, Image

from pipeline.render.container.bmff import VERSION, boxes, span
from pipeline.render.container.view import View
from pipeline.render.formats import avif_by_libvips
from pipeline.render.pixels.deep import Deep

_PROPERTIES = 1_000  # the most properties of a file that are read
# The path of boxes to a track's sample entry, and the bytes to skip before the boxes within each.
_TRACK = ((b"moov", 0), (b"trak", 0), (b"mdia", 0), (b"minf", 0), (b"stbl", 0), (b"stsd", 8), (b"av01", 78))

Property = tuple[bytes, int, int]  # its kind, and where its content starts and ends
Box = tuple[int, int, int, int]


class Avif(AvifImagePlugin.AvifImageFile):
    """Pillow's plugin. `size` is the size after the crop; `whole` is the size that is decoded, None without a crop."""

    remarks: tuple[str, ...] = ()
    whole: tuple[int, int] | None = None
    bits = 8  # of a channel

    def __init__(self, file: IO[bytes], view: View) -> None:
        super().__init__(file)
        known = tuple(_said_of_track(view) if self.is_animated else _properties_of_item(view))
        said = _clap(view, known)
        self.bits = _bits(view, known)
        self._view = view
        shown = _box(said, self.size) if said is not None else (0, 0, *self.size)
        if shown is None:
            self.remarks = ("clean aperture ignored: it is not within the picture",)
        elif shown != (0, 0, *self.size):
            self._shown, self.whole = shown, self.size
            self._size = (shown[2] - shown[0], shown[3] - shown[1])

    @property
    def is_deep(self) -> bool:
        """Whether libvips can decode it to 16 bits a channel: not an animation."""
        return self.bits > 8 and not self.is_animated

    def deep(self, orientation: int) -> Deep | None:
        """Decodes to 16 bits a channel, as stored under `orientation`. Raises whatever Pillow or libvips raises.

        libheif refuses files that Pillow's libavif reads, and leaves colours multiplied by their alpha, where they are
        stored so. Pillow then decodes to 8 bits, and the answer is None.
        """
        try:
            if not _is_premultiplied(self._view):
                return avif_by_libvips.decoded(self._view[:], self.size, self.mode, orientation)
        except OSError:
            pass
        self.load()
        self.remarks = (*self.remarks, f"{self.bits} bits a channel are read as 8")
        self.bits = 8
        return None

    def seek(self, frame: int) -> None:
        """Chooses another frame. Raises EOFError where there is none."""
        shown, self._size = self.size, self.whole or self.size
        super().seek(frame)
        self._size = shown

    def load(self) -> Any:
        """Decodes and crops. Raises whatever Pillow's decoder raises."""
        if not self.tile or self.whole is None:
            return super().load()
        shown, self._size = self.size, self.whole
        super().load()
        self.im, self._size = self.im.crop(self._shown), shown
        return Image.Image.load(self)


def _is_premultiplied(view: View) -> bool:
    try:
        start, end = span(view, b"iref", *_meta(view))
    except ValueError:
        return False
    return b"prem" in view[start:end]


def _box(clap: bytes, size: tuple[int, int]) -> Box | None:
    """The crop that a clap box defines for a picture of `size`; None if it is not in whole pixels or lies outside.

    The box holds width, height, and the offset of the crop's centre from the picture's, each as a fraction.
    """
    numbers = struct.unpack(">LLLLlLlL", clap)
    if 0 in numbers[1::2]:
        return None
    width, height, right, down = (Fraction(*pair) for pair in zip(numbers[0::2], numbers[1::2], strict=True))
    left, top = (size[0] - width) / 2 + right, (size[1] - height) / 2 + down
    edges = (left, top, left + width, top + height)
    inside = 0 <= left < edges[2] <= size[0] and 0 <= top < edges[3] <= size[1]
    if not inside or any(edge.denominator != 1 for edge in edges):
        return None
    return (int(left), int(top), int(edges[2]), int(edges[3]))


def _said_of_track(view: View) -> Iterator[Property]:
    start, end = 0, len(view)
    try:
        for kind, skipped in _TRACK:
            start, end = span(view, kind, start, end)
            start += skipped
    except ValueError:
        return iter(())
    return islice(boxes(view, start, end), _PROPERTIES)


def _properties_of_item(view: View) -> Iterator[Property]:
    """The properties of the primary item."""
    try:
        meta = _meta(view)
        main, properties = span(view, b"pitm", *meta), span(view, b"iprp", *meta)
        container, links = span(view, b"ipco", *properties), span(view, b"ipma", *properties)
    except ValueError:
        return
    known = list(islice(boxes(view, *container), _PROPERTIES))
    numbers = _linked(view[links[0] : links[1]], int.from_bytes(view[main[0] + VERSION : main[1]]))
    yield from (known[number - 1] for number in numbers if 0 < number <= len(known))


def _bits(view: View, known: tuple[Property, ...]) -> int:
    """The bits of a channel, as the codec's configuration or, of a grid, the item says; 8 if nothing does."""
    for kind, start, end in known:
        if kind == b"av1C" and end - start > 2:
            return {0: 8, 0x20: 8, 0x40: 10, 0x60: 12}[view[start + 2] & 0x60]
        if kind == b"pixi" and end - start > 5:
            return view[start + 5]
    return 8


def _clap(view: View, properties: tuple[Property, ...]) -> bytes | None:
    return next((view[start:end] for kind, start, end in properties if kind == b"clap" and end - start == 32), None)


def _linked(links: bytes, wanted: int) -> list[int]:
    """The numbers, from 1, of the properties that an ipma box associates with the item `wanted`."""
    version, wide = links[:1] != b"\0", bool(links[3:4] and links[3] & 1)
    at = 8
    while at < len(links):
        behind = at + (4 if version else 2)
        count = links[behind] if behind < len(links) else 0
        size = 2 if wide else 1
        end = behind + 1 + count * size
        if int.from_bytes(links[at:behind]) == wanted:
            indices = (links[place : place + size] for place in range(behind + 1, end, size))
            return [int.from_bytes(index) & (0x7FFF if wide else 0x7F) for index in indices]
        at = end
    return []


def _meta(view: View) -> tuple[int, int]:
    """Where the boxes in the meta box start and end. Raises ValueError if there is none."""
    start, end = span(view, b"meta", 0, len(view))
    return start + VERSION, end
