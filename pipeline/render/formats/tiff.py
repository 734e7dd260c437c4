"""TIFFs as Pillow opens them, but each page read by the decoder that reads its layout right (see `layout`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PIL import Image, ImageFile, ImageMath, ImagePalette, TiffImagePlugin

from pipeline import extras
from pipeline.errors import ErrorKind, PictureError
from pipeline.render.formats import tiff_by_libvips
from pipeline.render.formats.tiff_layout import LAB, UNSIGNED, WHITE_IS_ZERO, YCBCR, Decoder, decoder, layout
from pipeline.render.pixels import libvips

_SUBFILE_TYPE, _OLD_SUBFILE_TYPE, _SUB_DIRECTORIES, _DNG_VERSION = 254, 255, 330, 0xC612
_REDUCED, _MASK, _OLD_REDUCED = 1, 4, 2
_LOOKED_THROUGH = 100  # pages, for one that is neither a preview nor a mask
_BIG_ENDIAN_BIG = b"MM\0+"
_WHITE = 65535.0


class Tiff(TiffImagePlugin.TiffImageFile):
    """Pillow's plugin, which begins with the main picture: the first page that is no preview.

    Opening and `seek` raise PictureError (`unsupported`) where no decoder here reads the page right.
    """

    @property
    def by_libvips(self) -> bool:
        """Whether it is libvips that reads the page."""
        return self._decoder is Decoder.LIBVIPS

    def _open(self) -> None:
        assert self.fp is not None  # noqa: S101 -- always so in _open; Pillow's type allows None for closed files
        if self.fp.read(4) == _BIG_ENDIAN_BIG:
            raise PictureError(ErrorKind.UNSUPPORTED, "TIFF: a big-endian BigTIFF is not decoded here")
        self.fp.seek(0)
        super()._open()
        if _DNG_VERSION in self.tag_v2 or (self.tag_v2.get(_SUBFILE_TYPE) == 1 and _SUB_DIRECTORIES in self.tag_v2):
            # A TIFF whose first page is a thumbnail: a picture, but not the picture.
            raise PictureError(ErrorKind.UNSUPPORTED, "camera raw is not decoded here")
        self._turn_to_main()
        self._refuse()

    def _turn_to_main(self) -> None:
        try:
            for page in range(1, _LOOKED_THROUGH):
                if not self._is_beside():
                    return
                self._seek(page)
        except EOFError:
            pass
        self._seek(0)

    def _is_beside(self) -> bool:
        """Whether the page is a smaller version or a mask of another one."""
        kind = self.tag_v2.get(_SUBFILE_TYPE, 0)
        if isinstance(kind, int) and kind & (_REDUCED | _MASK):
            return True
        return bool(self.tag_v2.get(_OLD_SUBFILE_TYPE) == _OLD_REDUCED)

    def seek(self, frame: int) -> None:
        """Turns to another page. Raises EOFError where there is none."""
        super().seek(frame)
        self._refuse()

    def _refuse(self) -> None:
        if self._decoder is Decoder.NONE:
            raise PictureError(ErrorKind.UNSUPPORTED, f"TIFF: {self._layout} is not decoded here")
        if self.by_libvips and not libvips.available():
            raise PictureError(ErrorKind.UNSUPPORTED, f"TIFF: {self._layout} {extras.missing('fast')}")

    def _setup(self) -> None:
        """Called by Pillow with the tags of each page that it turns to."""
        self.info.pop("icc_profile", None)  # of the page before
        self._layout = layout(self.tag_v2, big_endian=self.tag_v2.prefix == b"MM")
        self._decoder = decoder(self._layout)
        if self._decoder is Decoder.PILLOW:
            super()._setup()
            self._leave_to_libtiff()
            colours = self.tag_v2.get(TiffImagePlugin.COLORMAP, ())
            if self.palette is not None and all(one in range(256) for one in colours):  # by writers of old
                self.palette = ImagePalette.raw("RGB;L", bytes(map(int, colours)))
        elif self.by_libvips:
            self._set_up_for_libvips()

    def _leave_to_libtiff(self) -> None:
        """Has Pillow read through libtiff what it reads wrong alone, and take what that yields as it is.

        Planes and chroma in blocks without a compression; and the bytes of big-endian samples of 32 bits, which libtiff
        has turned already.
        """
        stored = self._layout
        kind = self.mode if stored.bits == 8 else f"{self.mode};16N"
        if self.use_load_libtiff:
            if stored.bits != 32 or not stored.big_endian:
                return
            kind = "F;32NF" if self.mode == "F" else "I;32NS"
        elif stored.photometric == YCBCR:
            self._mode, kind = "RGB", "RGBX"
        elif not stored.planar:
            return
        self.use_load_libtiff = True
        self.tile = [ImageFile._Tile("libtiff", (0, 0, *self._tile_size), 0, (kind, False, self.tag_v2.offset))]

    def _set_up_for_libvips(self) -> None:
        width, height = self.tag_v2.get(TiffImagePlugin.IMAGEWIDTH), self.tag_v2.get(TiffImagePlugin.IMAGELENGTH)
        if not isinstance(width, int) or not isinstance(height, int) or width < 1 or height < 1:
            raise SyntaxError("invalid dimensions")
        self._mode = tiff_by_libvips.mode(self._layout)
        self._tile_size = (width, height)
        turned = self.tag_v2.get(0x0112) in (5, 6, 7, 8)
        self._size = (height, width) if turned else (width, height)
        self.palette = None
        self.use_load_libtiff = False
        self.tile = [ImageFile._Tile("libvips", (0, 0, width, height))]
        profile = self.tag_v2.get(TiffImagePlugin.ICCPROFILE)
        if isinstance(profile, bytes) and self._layout.photometric != LAB:
            self.info["icc_profile"] = profile

    def load(self) -> Any:
        """Decodes. Raises whatever the decoders do."""
        if self.tile and self.by_libvips:
            image = tiff_by_libvips.decoded(self._fp.fileno(), self.tell(), self._layout)
            if image.size != self._tile_size:
                raise SyntaxError("page is not of the size it claims")
            self.im, self.tile = image.im, []
            self.load_end()
        return super().load()

    def load_end(self) -> None:
        """Called when the pixels are there, before Pillow turns them upright."""
        if self._decoder is Decoder.PILLOW:
            self._put_right()
        super().load_end()

    def _put_right(self) -> None:
        """Numbers whose white is not where the working mode has it."""
        stored, inverted = self._layout, self._layout.photometric == WHITE_IS_ZERO
        if self.mode == "I" and stored.kind == UNSIGNED:  # what is beyond 31 bits was read as negative, and is white
            self.im = _calculated(self, lambda bands: bands["max"](bands["image"], (bands["image"] < 0) * 65535)).im
        elif self.mode == "F" and inverted:
            self.im = _calculated(self, lambda bands: 1 - bands["min"](bands["max"](bands["image"], 0.0), 1.0)).im
        elif self.mode.startswith("I;16") and (inverted or stored.most != _WHITE):
            scale = _WHITE / stored.most
            slope, offset = (-scale, _WHITE) if inverted else (scale, 0.0)
            numbers = self.convert("I")  # not all modes of 16 bits can be calculated with
            self.im, self._mode = numbers.point(lambda value: value * slope + offset).im, "I"


def _calculated(image: Image.Image, formula: Callable[[Any], Any]) -> Image.Image:
    found: Image.Image = ImageMath.lambda_eval(formula, image=image)
    return found
