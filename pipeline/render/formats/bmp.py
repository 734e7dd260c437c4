"""Windows bitmaps: Pillow's plugin, extended to bitfields of any position and width."""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

from PIL import BmpImagePlugin, Image, ImageFile, ImageMath, ImagePalette

from pipeline.errors import ErrorKind, PictureError

_BITFIELDS, _BITFIELDS_WITH_ALPHA = 3, 6
_MASKS_AT, _ALPHA_FROM = 54, 56  # offset of the masks in the file; header size from which there is an alpha mask
_OLD_HEADER = 12  # bytes
_HEADERS = (40, 52, 56, 108, 124)
_PIECE = 2**20  # pixels converted at once


class _Field(NamedTuple):
    """The position of a sample within a pixel's integer, and its largest value."""

    shift: int
    most: int


class Bmp(BmpImagePlugin.BmpImageFile):
    """Pillow's plugin, with any bitfields. Raises PictureError (`unsupported`) for overlapping or split ones."""

    _fields: tuple[_Field, ...] = ()
    _pixel_bits, _downwards = 0, False

    def _bitmap(self, header: int = 0, offset: int = 0) -> None:
        """Called by Pillow after it has read the signature."""
        assert self.fp is not None  # noqa: S101 -- always so while it is opened
        start = self.fp.tell()
        try:
            super()._bitmap(header, offset)
        except OSError as error:
            if not str(error).startswith("Unsupported BMP") or "header type" in str(error):
                raise
            self.fp.seek(start)
            if not self._set_up(offset):
                raise PictureError(ErrorKind.UNSUPPORTED, f"BMP: {error}") from error
            return
        self.fp.seek(start)
        bits = self._bits()
        if self.mode == "RGB" and bits == 16:  # Pillow drops an alpha bit beside three times five bits
            self._set_up(offset)
        if (self.mode == "1" and bits != 1) or (self.mode == "L" and bits != 8):
            self._give_back_palette(bits)

    def _bits(self) -> int:
        assert self.fp is not None  # noqa: S101 -- as above
        self.fp.seek(14)
        head = self.fp.read(16)
        at = 10 if head[:1] == bytes([_OLD_HEADER]) else 14
        return int.from_bytes(head[at : at + 2], "little")

    def _give_back_palette(self, bits: int) -> None:
        """Restores a grey palette that Pillow dropped: without it, indices would be read at the wrong bit depth."""
        greys = (0, 255) if self.mode == "1" else range(256)
        self._mode = "P"
        self.palette = ImagePalette.raw("RGB", bytes(grey for grey in greys for _ in range(3)))
        (tile,) = self.tile
        kind = "P;4" if bits == 4 and tile.codec_name == "raw" else "P"
        rest = tile.args[1:] if isinstance(tile.args, tuple) else ()
        self.tile = [tile._replace(args=(kind, *rest))]

    def _set_up(self, offset: int) -> bool:
        """Sets up bitfields that do not overlap. Returns whether they could be set up."""
        assert self.fp is not None  # noqa: S101 -- as above
        self.fp.seek(14)
        head = self.fp.read(56)
        if len(head) < 56:
            return False
        size, width, height, _planes, bits, compression = struct.unpack_from("<LllHHL", head)
        if size not in _HEADERS or compression not in (_BITFIELDS, _BITFIELDS_WITH_ALPHA) or bits not in (16, 32):
            return False
        masks = struct.unpack_from("<4L", head, _MASKS_AT - 14)
        if (size < _ALPHA_FROM and compression == _BITFIELDS) or not masks[3]:
            masks = masks[:3]
        if width < 1 or not height or not _are_apart(masks, bits):
            return False
        self._fields = tuple(_Field(mask.bit_length() - mask.bit_count(), 2 ** mask.bit_count() - 1) for mask in masks)
        self._mode, self._size = ("RGBA" if len(masks) == 4 else "RGB"), (width, abs(height))
        self.tile = [ImageFile._Tile("bitfields", (0, 0, *self._size), offset)]
        self._pixel_bits, self._downwards = bits, height < 0
        return True

    def load(self) -> Any:
        """Decodes. Raises whatever Pillow raises."""
        if self.tile and self._fields:
            self._decode()
        return super().load()

    def _decode(self) -> None:
        assert self.fp is not None  # noqa: S101 -- as above
        bits, downwards = self._pixel_bits, self._downwards
        stride = (self.width * bits + 31) // 32 * 4
        image = Image.new(self.mode, self.size)
        self.fp.seek(self.tile[0].offset)
        step = max(1, _PIECE // self.width)
        for done in range(0, self.height, step):
            rows = min(step, self.height - done)
            content = self.fp.read(rows * stride)
            if len(content) < rows * stride:
                raise OSError("image file is truncated")
            orientation = 1 if downwards else -1
            numbers = Image.frombytes("I", (self.width, rows), content, "raw", f"I;{bits}", stride, orientation)
            piece = Image.merge(self.mode, [_levels(numbers, field) for field in self._fields])
            image.paste(piece, (0, done if downwards else self.height - done - rows))
        self.im, self.tile = image.im, []


def _are_apart(masks: tuple[int, ...], bits: int) -> bool:
    """Whether every mask is one unbroken run of bits within a pixel and none overlaps another."""
    whole = all(0 < mask < 2**bits and mask.bit_count() <= 16 and _is_one_row(mask) for mask in masks)
    return whole and sum(masks).bit_count() == sum(mask.bit_count() for mask in masks)


def _is_one_row(mask: int) -> bool:
    low = mask & -mask
    return (mask + low) & mask == 0


def _levels(numbers: Image.Image, field: _Field) -> Image.Image:
    levels: Image.Image = ImageMath.lambda_eval(
        lambda bands: (bands["numbers"] >> field.shift) & field.most, numbers=numbers
    )
    return levels.point(lambda value: value * (255 / field.most) + 0.5).convert("L")
