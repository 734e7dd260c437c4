"""JPEG XL, through the extra `jxl` (libjxl): Pillow itself does not read it.

The plugin decodes when it opens. So the header is read here, and the pixels are decoded when they are needed. It has
8 bits of colours, and shows the last frame of an animation. libjxl turns pictures upright itself.
"""

from __future__ import annotations

import functools
import importlib.util
import io
import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import IO, Any

from PIL import Image, ImageFile

from pipeline import extras
from pipeline.errors import ErrorKind, PictureError
from pipeline.model.spec import Limits
from pipeline.render.container.bmff import boxes
from pipeline.render.container.jpeg import jpeg_scans
from pipeline.render.container.tiff import field_count, fields, read_header
from pipeline.render.container.view import View
from pipeline.render.formats.jpeg import Jpeg
from pipeline.render.geometry.orientation import turned, upright_size

_LIBRARY = "pillow_jxl"
_ORIENTATION = 0x0112
_LOOKED_AT = 64  # bytes of the codestream that hold the header read here
_RATIOS = (None, (1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))  # width to height, by code
_SIZES = ((9, 1), (13, 1), (18, 1), (30, 1))  # (bits, added) of a side
_MODES = ("L", "LA", "RGB", "RGBA", "I;16")
_SAMPLE = bytes.fromhex(  # 8 x 8, black
    "ff0a41060013880200a800b59f200000152aa38c1bbc9cebf9f24387c5b48deb0c6db56d610963b3bd3048482824c606432c952400"
)


def is_installed() -> bool:
    """Whether the extra `jxl` is installed. Loads nothing."""
    return importlib.util.find_spec(_LIBRARY) is not None


@functools.cache
def version() -> str | None:
    """The version of the plugin, None where it is not installed: libjxl does not tell its own.

    The first call reads files, so a child makes it before it is confined.
    """
    if not is_installed():
        return None
    from importlib.metadata import version  # noqa: PLC0415 -- 20 ms, and nobody else needs it

    return version("pillow-jxl-plugin")


def library() -> Any:
    """The plugin's module. Importing it registers it with Pillow, too. Raises what the import raises."""
    return extras.load(_LIBRARY)


class Jxl(ImageFile.ImageFile):
    """A still picture. Raises PictureError (`unsupported`) for an animation."""

    format = "JXL"
    bits = 8  # of a channel
    most_scans = Limits().scans  # of a packed JPEG, which is unpacked in `load`

    def __init__(self, file: IO[bytes], view: View) -> None:
        self._view = view
        super().__init__(file)

    def _open(self) -> None:
        said = _header(_codestream(self._view))
        if said.moving:
            raise PictureError(ErrorKind.UNSUPPORTED, "JPEG XL: animations are not decoded here")
        self.bits, self._orientation = said.bits, said.orientation
        self._size = upright_size(said.size, said.orientation)
        self._mode = "RGBA" if said.alpha else "RGB"
        for kind, start, end in boxes(self._view, 0, len(self._view)) if self._view[:1] == b"\0" else ():
            if kind == b"Exif" and end - start > 12:
                self.info.setdefault("exif", _upright(_block(self._view[start:end])))
            elif kind == b"xml ":
                self.info.setdefault("xmp", self._view[start:end])
        self.tile = []

    def load(self) -> Any:
        """Decodes, in this thread. Raises OSError where libjxl fails, on a packed JPEG whatever Pillow raises, and
        PictureError for too many scans.
        """
        if self._im is None:
            try:
                packed, about, content, icc, _ = library().Decoder(num_threads=0)(self._view[:])
            except RuntimeError as error:  # whose text is advice to build the library
                raise OSError("damaged or cut off") from error
            if packed:
                image, icc = self._unpacked(content, icc)
            elif about.mode in _MODES:
                image = Image.frombytes(about.mode, (about.width, about.height), content)
            else:
                raise PictureError(ErrorKind.UNSUPPORTED, f"JPEG XL: {about.mode} is not decoded here")
            self._check_size(image.size)
            self.im, self._mode = image.im, image.mode
            if icc:
                self.info["icc_profile"] = icc
        return Image.Image.load(self)

    def _unpacked(self, content: bytes, icc: bytes) -> tuple[Image.Image, bytes]:
        """The picture in a packed JPEG, upright, and its profile."""
        if jpeg_scans(content, self.most_scans) > self.most_scans:
            raise PictureError(ErrorKind.TOO_MANY_SCANS, f"more than {self.most_scans:,}")
        with Jpeg(io.BytesIO(content)) as jpeg:
            self._check_size(upright_size(jpeg.size, self._orientation))
            jpeg.load()
            return turned(jpeg, self._orientation), jpeg.info.get("icc_profile", icc)

    def _check_size(self, size: tuple[int, int]) -> None:
        if size != self._size:
            raise OSError(f"{size} instead of {self._size}")


def sample() -> bytes:
    """A tiny picture, for the warm-up."""
    return _SAMPLE


@dataclass(frozen=True, slots=True)
class _Header:
    size: tuple[int, int]  # as stored
    orientation: int = 1
    bits: int = 8
    alpha: bool = False
    moving: bool = False


class _Bits:
    """Reads from the lowest bit of each byte upwards. Raises SyntaxError at the end."""

    def __init__(self, content: bytes) -> None:
        self._all, self._left = int.from_bytes(content, "little"), len(content) * 8

    def read(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise SyntaxError("header is cut off")
        value = self._all & ((1 << count) - 1)
        self._all >>= count
        return value

    def choice(self, *kinds: tuple[int, int]) -> int:
        """A number in one of four forms, each of (bits, added)."""
        bits, added = kinds[self.read(2)]
        return self.read(bits) + added


def _header(codestream: bytes) -> _Header:
    """Reads ISO/IEC 18181-1, D.2 and D.3, as far as the first extra channel."""
    if codestream[:2] != b"\xff\x0a":
        raise SyntaxError("no codestream")
    bits = _Bits(codestream[2:_LOOKED_AT])
    size = _size(bits)
    if bits.read(1):  # all else as usual
        return _Header(size)
    orientation = 1
    if bits.read(1):
        orientation = bits.read(3) + 1
        if bits.read(1):
            _size(bits)  # at which to show it
        if bits.read(1):
            _preview(bits)
        if bits.read(1):
            return _Header(size, moving=True)
    if bits.read(1):  # floats
        depth = bits.choice((0, 32), (0, 16), (0, 24), (6, 1))
        bits.read(4)
    else:
        depth = bits.choice((0, 8), (0, 10), (0, 12), (6, 1))
    bits.read(1)
    alpha = False
    if bits.choice((0, 0), (0, 1), (4, 2), (12, 1)):
        alpha = bool(bits.read(1)) or bits.choice((0, 0), (0, 1), (4, 2), (6, 18)) == 0
    return _Header(size, orientation, depth, alpha)


def _size(bits: _Bits) -> tuple[int, int]:
    small = bits.read(1)
    height = (bits.read(5) + 1) * 8 if small else bits.choice(*_SIZES)
    ratio = _RATIOS[bits.read(3)]
    if ratio is not None:
        return int(height * Fraction(*ratio)), height
    return ((bits.read(5) + 1) * 8 if small else bits.choice(*_SIZES)), height


def _preview(bits: _Bits) -> None:
    whole = bits.read(1)
    sizes = ((0, 16), (0, 32), (5, 1), (9, 33)) if whole else ((6, 1), (8, 65), (10, 321), (12, 1345))
    bits.choice(*sizes)
    if bits.read(3) == 0:
        bits.choice(*sizes)


def _codestream(view: View) -> bytes:
    """The beginning of the codestream, which a file may have in parts."""
    if view[:2] == b"\xff\x0a":
        return view[:_LOOKED_AT]
    found = b""
    for kind, start, end in boxes(view, 0, len(view)):
        if kind == b"jxlc":
            return view[start : min(end, start + _LOOKED_AT)]
        if kind == b"jxlp":
            found += view[start + 4 : min(end, start + 4 + _LOOKED_AT)]
        if len(found) >= _LOOKED_AT:
            break
    return found


def _block(box: bytes) -> bytes:
    """The block of EXIF behind the offset that a box begins with; some writers leave the offset out."""
    return box if box[:4] in (b"II*\0", b"MM\0*") else box[4 + int.from_bytes(box[:4]) :]


def _upright(exif: bytes) -> bytes:
    """`exif` with an orientation that turns nothing, whatever it says: libjxl turns by the codestream's."""
    try:
        order, _, start = read_header(exif)
        places = [
            at for tag, _, _, at in fields(exif, order, start, field_count(exif, order, start)) if tag == _ORIENTATION
        ]
    except (struct.error, ValueError):
        return exif
    patched = bytearray(exif)
    for at in places:
        struct.pack_into(order + "H", patched, at, 1)
    return bytes(patched)
