"""TIFFs: Pillow's plugin, with each page decoded by the library that reads its layout right (see `tiff_layout`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PIL import Image, ImageFile, ImageMath, ImagePalette, TiffImagePlugin

from pipeline import extras
from pipeline.errors import ErrorKind, PictureError
from pipeline.render.formats import tiff_by_libvips
from pipeline.render.formats.tiff_layout import LAB, UNSIGNED, WHITE_IS_ZERO, YCBCR, Decoder, decoder, is_deep, layout
from pipeline.render.pixels import libvips
from pipeline.render.pixels.deep import PILLOWS, Deep, of_pillow

_SUBFILE_TYPE, _OLD_SUBFILE_TYPE, _SUB_DIRECTORIES, _DNG_VERSION = 254, 255, 330, 0xC612
_ORIENTATION = 0x0112
_TILE_WIDTH, _TILE_LENGTH = 322, 323
_REDUCED, _MASK, _OLD_REDUCED = 1, 4, 2
_LOOKED_THROUGH = 100  # pages, in search of one that is neither a preview nor a mask
_BIG_ENDIAN_BIG = b"MM\0+"
_WHITE = 65535.0


class Tiff(TiffImagePlugin.TiffImageFile):
    """Pillow's plugin, opened at the main picture: the first page that is no preview or mask.

    Opening and `seek` raise PictureError (`unsupported`) if no decoder reads the page right.
    """

    remarks: tuple[str, ...] = ()

    @property
    def by_libvips(self) -> bool:
        """Whether libvips decodes the page."""
        return self._decoder is Decoder.LIBVIPS

    @property
    def bits(self) -> int:
        """The bits of a channel, as stored; 8 once a deep page with damaged tags was decoded to 8."""
        return 8 if self._is_read_as_8 else self._layout.bits

    @property
    def tile_size(self) -> tuple[int, int]:
        """Width and height of the tiles that the page is stored in; (0, 0) where there are none."""
        across, down = self.tag_v2.get(_TILE_WIDTH), self.tag_v2.get(_TILE_LENGTH)
        if isinstance(across, int) and isinstance(down, int) and across > 0 < down:
            return across, down
        return 0, 0

    @property
    def is_deep(self) -> bool:
        """Whether the page can be decoded to 16 bits a channel, where libvips is installed."""
        return self.is_deep_by_libvips or self.mode in PILLOWS

    @property
    def is_deep_by_libvips(self) -> bool:
        """Whether libvips decodes it to 16 bits a channel, rather than Pillow."""
        return is_deep(self._layout)

    def deep(self) -> Deep | None:
        """Decodes to 16 bits a channel, upright. Raises whatever Pillow or libvips raises.

        libvips refuses wrong tags that do not matter. Pillow then decodes: grey at its full depth, colour at 8 bits,
        for which the answer is None.
        """
        access = self._by_libvips() if self.is_deep_by_libvips else None
        if access is None:
            self.load()
            if self.mode in PILLOWS:
                return of_pillow(self)
            self.remarks = (f"{self.bits} bits a channel are read as 8: its tags are damaged",)
            self._is_read_as_8 = True
        return access

    def _by_libvips(self) -> Deep | None:
        try:
            deep_pixels = tiff_by_libvips.decoded_deep(self._fp.fileno(), self.tell(), self._layout)
        except OSError:
            if self._decoder is Decoder.PILLOW:
                return None
            raise
        if deep_pixels.size != self._tile_size:
            raise SyntaxError("page is not of the size it claims")
        orientation = self.tag_v2.get(_ORIENTATION)
        return deep_pixels.turned(orientation) if isinstance(orientation, int) else deep_pixels

    def _open(self) -> None:
        assert self.fp is not None  # noqa: S101 -- always so in _open; Pillow's type allows None for closed files
        if self.fp.read(4) == _BIG_ENDIAN_BIG:
            raise PictureError(ErrorKind.UNSUPPORTED, "TIFF: a big-endian BigTIFF is not decoded here")
        self.fp.seek(0)
        super()._open()
        if _DNG_VERSION in self.tag_v2 or (self.tag_v2.get(_SUBFILE_TYPE) == 1 and _SUB_DIRECTORIES in self.tag_v2):
            # The first page is only the thumbnail of a raw picture.
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
        """Whether the page is a reduced version or a mask of another one."""
        kind = self.tag_v2.get(_SUBFILE_TYPE, 0)
        if isinstance(kind, int) and kind & (_REDUCED | _MASK):
            return True
        return bool(self.tag_v2.get(_OLD_SUBFILE_TYPE) == _OLD_REDUCED)

    def seek(self, frame: int) -> None:
        """Chooses another page. Raises EOFError where there is none, and PictureError as above."""
        super().seek(frame)
        self._refuse()

    def _refuse(self) -> None:
        if self._decoder is Decoder.NONE:
            raise PictureError(ErrorKind.UNSUPPORTED, f"TIFF: {self._layout} is not decoded here")
        if self.by_libvips and not libvips.available():
            raise PictureError(ErrorKind.UNSUPPORTED, f"TIFF: {self._layout} {extras.missing('libvips')}")

    def _setup(self) -> None:
        """Called by Pillow after it has read the tags of a page."""
        self.info.pop("icc_profile", None)  # left from the page before
        self._is_read_as_8 = False
        self._layout = layout(self.tag_v2, big_endian=self.tag_v2.prefix == b"MM")
        self._decoder = decoder(self._layout)
        if self._decoder is Decoder.PILLOW:
            self._stored_size()
            super()._setup()
            self._leave_to_libtiff()
            colours = self.tag_v2.get(TiffImagePlugin.COLORMAP, ())
            if self.palette is not None and all(colour in range(256) for colour in colours):  # old writers store 8 bits
                self.palette = ImagePalette.raw("RGB;L", bytes(map(int, colours)))
        elif self.by_libvips:
            self._set_up_for_libvips()

    def _stored_size(self) -> tuple[int, int]:
        """Width and height as the tags have them. Raises SyntaxError, in words for users, where they have none."""
        width, height = self.tag_v2.get(TiffImagePlugin.IMAGEWIDTH), self.tag_v2.get(TiffImagePlugin.IMAGELENGTH)
        if not isinstance(width, int) or not isinstance(height, int) or width < 1 or height < 1:
            raise SyntaxError("its header names no width or height")
        return width, height

    def _leave_to_libtiff(self) -> None:
        """Makes Pillow decode through libtiff where its own reader is wrong, and take the bytes as libtiff yields them.

        This concerns uncompressed planes and subsampled chroma, and big-endian samples of 32 bits, whose bytes libtiff
        has swapped already.
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
        width, height = self._stored_size()
        self._mode = tiff_by_libvips.mode(self._layout)
        self._tile_size = (width, height)
        turned = self.tag_v2.get(_ORIENTATION) in (5, 6, 7, 8)
        self._size = (height, width) if turned else (width, height)
        self.palette = None
        self.use_load_libtiff = False
        self.tile = [ImageFile._Tile("libvips", (0, 0, width, height))]
        profile = self.tag_v2.get(TiffImagePlugin.ICCPROFILE)
        if isinstance(profile, bytes) and self._layout.photometric != LAB:
            self.info["icc_profile"] = profile

    def load(self) -> Any:
        """Decodes. Raises whatever Pillow or libvips raises."""
        if self.tile and self.by_libvips:
            image = tiff_by_libvips.decoded(self._fp.fileno(), self.tell(), self._layout)
            if image.size != self._tile_size:
                raise SyntaxError("page is not of the size it claims")
            self.im, self.tile = image.im, []
            self.load_end()
        return super().load()

    def load_end(self) -> None:
        """Called by Pillow with the decoded pixels, before it turns them upright."""
        if self._decoder is Decoder.PILLOW:
            self._put_right()
        super().load_end()

    def _put_right(self) -> None:
        """Rescales or inverts samples whose white differs from that of the working mode."""
        stored, inverted = self._layout, self._layout.photometric == WHITE_IS_ZERO
        if self.mode == "I" and stored.kind == UNSIGNED:  # values beyond 31 bits were read as negative: they are white
            self.im = _calculated(self, lambda bands: bands["max"](bands["image"], (bands["image"] < 0) * 65535)).im
        elif self.mode == "F" and inverted:
            self.im = _calculated(self, lambda bands: 1 - bands["min"](bands["max"](bands["image"], 0.0), 1.0)).im
        elif self.mode.startswith("I;16") and (inverted or stored.most != _WHITE):
            scale = _WHITE / stored.most
            slope, offset = (-scale, _WHITE) if inverted else (scale, 0.0)
            numbers = self.convert("I")  # ImageMath does not take all modes of 16 bits
            self.im, self._mode = numbers.point(lambda value: value * slope + offset).im, "I"


def _calculated(image: Image.Image, formula: Callable[[Any], Any]) -> Image.Image:
    levels: Image.Image = ImageMath.lambda_eval(formula, image=image)
    return levels
