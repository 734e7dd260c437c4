"""PNGs: Pillow's decoder sees only the chunks that pixels and their meaning are made of; the others are read here.

Pillow refuses a whole picture for a damaged text, reads the transparent colour of 2, 4 and 16 bits wrongly, and checks
no checksum of pixels. This module finds metadata anywhere in the file, and leaves a damaged ancillary chunk out with a
warning, as libpng does.
"""

from __future__ import annotations

import functools
import io
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import IO, Any

from PIL import Image, ImageChops, PngImagePlugin

from pipeline.errors import ErrorKind, PictureError
from pipeline.render.container.png import png_chunks
from pipeline.render.container.splice import spliced
from pipeline.render.container.view import View
from pipeline.render.formats import png_by_libvips
from pipeline.render.formats.animation import CUT_OFF
from pipeline.render.formats.png_texts import READ, Clear, Texts, clear_colour, profile
from pipeline.render.pixels.deep import Deep

SIGNATURE = 8  # bytes
TEXTS = (b"tEXt", b"zTXt", b"iTXt")
FILM = (b"fcTL", b"fdAT")  # frames of an animation: their names say ancillary, but they hold pixels
_NEEDED = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
_MEANING = {b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"pHYs": 9}  # kind -> the bytes that Pillow reads of it
_ANCILLARY = 0x20  # bit of the first letter of a chunk's kind
_REMARKS = 10
# Raw modes of Pillow for 16-bit colour: those that keep the upper bytes, and those that keep the lower ones.
_DEEP, _LOWER = "RGB;16B", "RGB;16L"


class Png(PngImagePlugin.PngImageFile):
    """A still picture, or one frame of an animation. `clear`: the levels that are transparent."""

    remarks: tuple[str, ...] = ()
    bits = 8  # of a channel

    def __init__(self, file: IO[bytes], clear: Clear) -> None:
        super().__init__(file)
        self._file = file
        if clear is not None:
            self.info["transparency"] = clear

    def load(self) -> Any:
        """Decodes; to `LA` or `RGBA` if one 16-bit grey or colour is transparent. Raises whatever Pillow raises."""
        coded = str(self.tile[0].args) if self.tile else ""
        access = super().load()
        clear = self.info.get("transparency")
        if coded.startswith("I;16") and isinstance(clear, int):
            raw = self.tobytes()
            upper, lower = (Image.frombytes("L", self.size, raw[first::2]) for first in (1, 0))
            return self._with_alpha("LA", upper, [(upper, clear >> 8), (lower, clear & 0xFF)])
        if coded == _DEEP and isinstance(clear, tuple):
            bands = [(band, level >> 8) for band, level in zip(self.split(), clear, strict=True)]
            bands += [(band, level & 0xFF) for band, level in zip(self._lower().split(), clear, strict=True)]
            return self._with_alpha("RGBA", self, bands)
        return access

    def deep(self) -> Deep:
        """Decodes by libvips to 16 bits a channel. Raises OSError if the pixels are damaged or cut off."""
        content = bytearray(self._file.seek(0, io.SEEK_END))
        self._file.seek(0)
        self._file.readinto(content)  # type: ignore[attr-defined]  # `read` would hold it twice
        return png_by_libvips.decoded(content, self.size, self.info.pop("transparency", None))

    def _lower(self) -> Image.Image:
        """Decodes the lower bytes of a picture in 16-bit colour; its pixels are the upper ones."""
        self._file.seek(0)
        again = Png(self._file, None)
        again.tile = [again.tile[0]._replace(args=_LOWER)]
        again.load()
        return again

    def _with_alpha(self, mode: str, image: Image.Image, clear: Iterable[tuple[Image.Image, int]]) -> Any:
        """Takes over the pixels of `image` in `mode`, transparent where every band of `clear` has its level."""
        differ = (band.point([0 if level == value else 255 for value in range(256)]) for band, level in clear)
        picture = image.copy()
        picture.putalpha(functools.reduce(ImageChops.lighter, differ))
        self.im, self._mode = picture.im, mode
        del self.info["transparency"]
        return Image.Image.load(self)


@dataclass(slots=True)
class Sheet:
    """Everything that a PNG says besides its pixels, and the spans in which these lie."""

    depth: int = 0
    colour: int = 0  # its type: 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGB and alpha
    spans: list[tuple[int, int]] = field(default_factory=lambda: [(0, SIGNATURE)])  # of the file, for Pillow to see
    begun: bool = False  # whether the walk has met pixels
    ended: bool = False
    palette: tuple[int, int] | None = None  # span of its chunk
    clear: Clear = None
    cicp: bytes = b""
    icc: bytes | None = None
    exif: bytes = b""
    frames: int = 0  # of the animation; 0: a still picture
    plays: int = 0
    texts: Texts = field(default_factory=Texts)
    _warnings: list[str] = field(default_factory=list)

    def show(self, start: int, end: int) -> None:
        """Adds the span from `start` to `end` to those that Pillow sees."""
        if self.spans[-1][1] == start:
            start = self.spans.pop()[0]
        self.spans.append((start, end))

    def warn(self, text: str) -> None:
        """Adds a warning about something left out, up to a bounded number."""
        if len(self._warnings) < _REMARKS:
            self._warnings.append(text)

    def opened(self, view: View) -> Png:
        """Opens the still picture. Raises whatever Pillow raises."""
        image = Png(spliced((view, start, end) for start, end in self.spans), self.clear)
        image.bits = self.depth
        image.info.update(self.info)
        image.remarks = self.remarks
        return image

    @property
    def info(self) -> dict[str | tuple[int, int], Any]:
        """The metadata, under the names that Pillow uses for other formats."""
        said = {
            "exif": self.exif or self.texts.exif,
            "xmp": self.texts.xmp,
            "iptc": self.texts.iptc,
            "comment": self.texts.comment,
            "icc_profile": self.icc,
            "cicp": self.cicp,
        }
        return {name: value for name, value in said.items() if value}

    @property
    def remarks(self) -> tuple[str, ...]:
        """Warnings about what was left out."""
        cut = () if self.ended else (CUT_OFF,)
        return (*cut, *self._warnings, *(f"damaged text ignored: {name}" for name in self.texts.damaged))


def read(view: View) -> Sheet:
    """Reads the chunks of the PNG in `view`, those of later animation frames excepted.

    Raises PictureError if a critical chunk is damaged or cut off, or if a text or profile inflates beyond the bound.
    """
    sheet = Sheet()
    with memoryview(view) as whole:
        for kind, at, size in png_chunks(view):
            if not kind.isalpha():
                sheet.show(at - 8, len(view))  # the decoder reports the fault
                break
            if at + size + 4 > len(view):
                if kind in FILM and sheet.begun:
                    break  # the frames before may be all that is needed
                raise PictureError(ErrorKind.TRUNCATED, f"PNG: cut off within {kind.decode('ascii')}")
            if kind in FILM:
                continue
            if is_sound(whole, at, size):
                _take(sheet, kind, view, at, size)
            elif kind[0] & _ANCILLARY:
                sheet.warn(f"damaged chunk ignored: {kind.decode('ascii')}")
            else:
                raise wrong_checksum(kind)
    return sheet


def is_sound(whole: View | memoryview, at: int, size: int) -> bool:
    """Whether the checksum of the chunk with `size` bytes of content at offset `at` is right."""
    return zlib.crc32(whole[at - 4 : at + size]) == int.from_bytes(whole[at + size : at + size + 4])


def wrong_checksum(kind: bytes) -> PictureError:
    """The error for a critical chunk of `kind` with a wrong checksum."""
    return PictureError(ErrorKind.DAMAGED, f"PNG: wrong checksum in {kind.decode('ascii')}")


def _take(sheet: Sheet, kind: bytes, view: View, at: int, size: int) -> None:
    if kind in _NEEDED:
        _take_needed(sheet, kind, view, at, size)
        return
    content = view[at : at + min(size, READ)]
    if kind in TEXTS:
        sheet.texts.read(kind, content)
    elif kind == b"eXIf":
        sheet.exif = sheet.exif or content
    elif not sheet.begun and size >= _MEANING.get(kind, size + 1):
        sheet.show(at - 8, at + size + 4)
    elif not sheet.begun:
        _take_meaning(sheet, kind, content)


def _take_needed(sheet: Sheet, kind: bytes, view: View, at: int, size: int) -> None:
    if kind == b"IHDR" and size >= 13:
        sheet.depth, sheet.colour = view[at + 8], view[at + 9]
    elif kind == b"PLTE":
        sheet.palette = (at - 8, at + size + 4)
    elif kind == b"IDAT":
        sheet.begun = True
    elif kind == b"IEND":
        sheet.ended = True
    sheet.show(at - 8, at + size + 4)


def _take_meaning(sheet: Sheet, kind: bytes, content: bytes) -> None:
    """Takes a chunk that is valid only before the pixels."""
    match kind:
        case b"tRNS":
            sheet.clear = clear_colour(content, sheet.depth, sheet.colour)
        case b"cICP":
            sheet.cicp = content[:4]
        case b"iCCP" if sheet.icc is None:
            sheet.icc = profile(content)
            if sheet.icc is None:
                sheet.warn("colour profile ignored: it is broken")
        case b"acTL" if len(content) >= 8 and not sheet.frames:
            sheet.frames, sheet.plays = int.from_bytes(content[:4]), int.from_bytes(content[4:8])
