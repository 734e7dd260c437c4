"""Opens a picture by its content, from a descriptor, without decoding it.

Pillow's plugins are called directly. `Image.open` would warn about large pictures or refuse them by a switch of the
whole process, hide a plugin's error, and try plugins that are not on the list. The plugins imported here are the only
ones used: none of them starts another program or follows a reference out of the file.
"""

from __future__ import annotations

import io
import mmap
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO

from PIL import (
    ImageFile,
    WebPImagePlugin,
)

from pipeline import extras
from pipeline.errors import ErrorKind, PictureError
from pipeline.model.spec import ANIMATED
from pipeline.render.colour.cicp import is_hdr
from pipeline.render.container.mending import mended
from pipeline.render.container.truncation import is_short
from pipeline.render.container.view import View
from pipeline.render.formats import apng, gain_map, gif, heif, jxl
from pipeline.render.formats.animation import CUT_OFF
from pipeline.render.formats.avif import Avif
from pipeline.render.formats.bmp import Bmp
from pipeline.render.formats.icon import Icon
from pipeline.render.formats.jp2 import Jp2
from pipeline.render.formats.jpeg import Jpeg
from pipeline.render.formats.png import Png
from pipeline.render.formats.ppm import Ppm
from pipeline.render.formats.raw import joined, preview
from pipeline.render.formats.tiff import Tiff
from pipeline.render.metadata.policy import Facts, read_exif
from pipeline.render.opening.failures import decode_failure
from pipeline.render.pixels import libvips
from pipeline.render.pixels.deep import PILLOWS
from pipeline.workers.exchange import Held

# The most frequent first. JPEG's class is used instead of its factory, which would turn a file of several pictures
# (MPO, Ultra HDR) into another class and warn about it; here such a file stands for its first picture. PNG, GIF and
# AVIF are opened by modules of their own.
_PLUGINS: dict[str, type[ImageFile.ImageFile]] = {
    "JPEG": Jpeg,
    "WEBP": WebPImagePlugin.WebPImageFile,
    "TIFF": Tiff,
    "BMP": Bmp,
    "ICO": Icon,
    "PPM": Ppm,
}

_SIGNATURES: tuple[tuple[str, re.Pattern[bytes]], ...] = tuple(
    (name, re.compile(signature, re.DOTALL))
    for name, signature in (
        ("JPEG", rb"\xff\xd8\xff"),
        ("PNG", rb"\x89PNG\r\n\x1a\n"),
        ("WEBP", rb"RIFF....WEBPVP8[ LX]"),
        ("GIF", rb"GIF8[79]a"),
        ("TIFF", rb"II\*\x00(?!....CR)|MM\x00\*|II\+\x00|MM\x00\+"),  # CR: a Canon raw
        ("AVIF", rb"....ftyp(?:....){0,30}?avi[fs]"),  # anywhere among the brands
        ("HEIF", rb"....ftyp(?:hei|hev|mif1|msf1)"),
        ("JP2", rb"\x00\x00\x00\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51"),
        ("JXL", rb"\x00\x00\x00\x0cJXL \r\n\x87\n|\xff\x0a"),
        ("BMP", rb"BM"),
        ("ICO", rb"\x00\x00\x01\x00"),
        ("PPM", rb"P[1-6f][\s#]"),
    )
)
_SIGNATURE_BYTES = 256  # every signature lies within these
_WEAK = ("BMP", "ICO", "PPM", "JXL")  # signatures so short that a text may begin with them

# Formats that are recognised and not decoded.
_FOREIGN: tuple[tuple[str, re.Pattern[bytes]], ...] = tuple(
    (name, re.compile(signature, re.DOTALL))
    for name, signature in (
        ("camera raw", rb"FUJIFILMCCD-RAW|IIR[OS]|IIU\x00|II\*\x00....CR|....ftypcrx "),
        ("Photoshop", rb"8BPS"),
        ("OpenEXR", rb"\x76\x2f\x31\x01"),
        ("QOI", rb"qoif"),
        ("DDS", rb"DDS "),
        ("Radiance", rb"#\?RADIANCE"),
    )
)
DEEP = 8  # bits: with more, a channel is deep
DAMAGED_EXIF = "damaged EXIF ignored"
MENDED = "cut off: what is there was made"
_NOT_LIGHT = ("CMYK", "LAB")  # modes whose levels are no brightness
_SMALL = 64 * 2**10  # bytes: up to this size, reading the whole file costs less than mapping it
_CAN_BE_CUT = ("GIF", "WEBP", "AVIF")  # decoded as far as they go; PNG has its own check


@dataclass(frozen=True, slots=True)
class Source:
    """An opened picture: Pillow's lazy image, all bytes of the file, and the format as Pillow writes it.

    `facts` caches what a block of EXIF says: it is needed four times for a photograph.
    """

    image: ImageFile.ImageFile
    view: View
    format: str
    facts: dict[bytes, Facts] = field(default_factory=dict)
    damage: str = ""  # what is missing of a file that is cut off, and was made whole
    of_raw: bool = False  # it is the preview of a camera raw, which says more of it

    @property
    def animated(self) -> bool:
        """Whether it is an animation. Pages of a TIFF and pictures of an MPO are not frames."""
        return self.format.lower() in ANIMATED and bool(getattr(self.image, "is_animated", False))

    @property
    def decoded(self) -> tuple[int, int]:
        """The size of the decoded picture, of which a crop (AVIF's clean aperture) may be shown."""
        return getattr(self.image, "whole", None) or self.image.size

    @property
    def remarks(self) -> tuple[str, ...]:
        """Warnings about damaged parts that were left out because the pixels do not need them."""
        cut = self.format in _CAN_BE_CUT and is_short(self.view, self.format)
        damage = (self.damage,) if self.damage else ()
        return (*damage, *getattr(self.image, "remarks", ()), *((CUT_OFF,) if cut else ()))

    @property
    def bits(self) -> int:
        """The bits of a channel, as stored."""
        image = self.image
        if self.format == "HEIF":
            return int(image.info.get("bit_depth", DEEP))
        return int(getattr(image, "bits", DEEP))

    @property
    def is_deep(self) -> bool:
        """Whether its pixels are worked on at 16 bits a channel."""
        image = self.image
        if self.bits <= DEEP:
            # The profile of a JPEG XL is known only when its pixels are.
            maps = image.mode not in _NOT_LIGHT and not isinstance(image, jxl.Jxl)
            return maps and self.is_hdr and not self.animated and libvips.available()
        match image:
            case Tiff() | Avif():
                known = image.is_deep
            case jxl.Jxl():
                known = False
            case _:
                known = isinstance(image, Png) or self.format == "HEIF" or image.mode in PILLOWS
        return known and libvips.available()

    @property
    def is_hdr(self) -> bool:
        """Whether its pixels state brightness by PQ or HLG."""
        return is_hdr(self.image, self.format, self.view)

    @property
    def has_gain_map(self) -> bool:
        """Whether it says how much brighter an HDR screen may show it."""
        return gain_map.is_there(self.image, self.format, self.view)

    @property
    def may_keep_gain_map(self) -> bool:
        """Whether a gain map that it has is of a kind that JPEGs can have."""
        return self.format == "JPEG" or gain_map.is_apples(self.image)

    @property
    def by_libvips(self) -> bool:
        """Whether libvips decodes the pixels, or works on them because they have more than 8 bits a channel."""
        if isinstance(self.image, Tiff) and self.image.by_libvips:
            return True
        return self.is_deep


@contextmanager
def opening(held: Held, mend: int = 0, *, raw: bool = False) -> Iterator[Source]:
    """Opens the picture in `held`. The caller keeps the descriptor, whose content must not change: it may be mapped.

    A file that is cut off is made whole where that is possible and it has no more than `mend` pixels.

    With `raw` it is a camera raw, and its preview is opened.

    Raises PictureError: `not a picture`, `unsupported`, or the kind that fits a damaged header. Exceptions raised
    within the `with` block pass through unchanged.
    """
    if held.size == 0:
        raise PictureError(ErrorKind.NOT_A_PICTURE, "empty file")
    if raw:
        content, image = _of_raw(held)
        with image:
            yield Source(image, content, "JPEG", of_raw=True)
        return
    content = os.pread(held.descriptor, held.size if held.size <= _SMALL else _SIGNATURE_BYTES, 0)
    name = _recognised(content)
    if held.size <= _SMALL and name != "TIFF":  # libtiff needs a descriptor
        with _whole(name, io.BytesIO(content), content, mend) as source:
            yield source
        return
    # The mapping is private: before Linux 6.7 the kernel refuses shared mappings of a sealed file.
    with (
        _file(held) as file,
        mmap.mmap(file.fileno(), 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ) as view,
        _whole(name, file, view, mend) as source,
    ):
        yield source


@contextmanager
def _whole(name: str, file: IO[bytes], view: View, mend: int) -> Iterator[Source]:
    content = mended(view, name, mend) if mend else None
    damage = ""
    if content is not None:
        file, view, damage = io.BytesIO(content), content, MENDED
    with _image(name, file, view) as image:
        yield Source(image, view, name, damage=damage)


def _of_raw(held: Held) -> tuple[bytes, Jpeg]:
    with (
        _file(held) as file,
        mmap.mmap(file.fileno(), 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ) as view,
    ):
        found = preview(view)
    try:
        image = Jpeg(io.BytesIO(found.content))
    except Exception as error:
        raise decode_failure(error, found.content, "JPEG") from error
    own = image.info.get("exif", b"")
    image.info["exif"] = joined(own, found.exif)
    taken = f"camera raw: its preview of {found.size[0]} x {found.size[1]} is taken"
    image.remarks = (taken, DAMAGED_EXIF) if read_exif(own).damaged else (taken,)
    return found.content, image


def _file(held: Held) -> IO[bytes]:
    file = os.fdopen(os.dup(held.descriptor), "rb")
    file.seek(0)
    return file


def _image(name: str, file: IO[bytes], view: View) -> ImageFile.ImageFile:
    try:
        image = _opened(name, file, view)
    except PictureError:
        raise
    except Exception as error:
        failure = decode_failure(error, view, name)
        if name in _WEAK and failure.kind is not ErrorKind.TOO_MANY_PIXELS:
            raise PictureError(ErrorKind.NOT_A_PICTURE, failure.detail) from error
        raise failure from error
    return image


def _opened(name: str, file: IO[bytes], view: View) -> ImageFile.ImageFile:
    match name:
        case "PNG":
            return apng.opened(view)
        case "GIF":
            return gif.opened(file, view)
        case "AVIF":
            return Avif(file, view)
        case "JP2":
            return Jp2(file, view)
        case "JXL":
            if not jxl.is_installed():
                raise PictureError(ErrorKind.UNSUPPORTED, f"JPEG XL {extras.missing('jxl')}")
            return jxl.Jxl(file, view)
    return _plugin(name)(file)


def _recognised(view: View) -> str:
    """The format by the file's signature. Raises PictureError if it is not on the list."""
    for name, signature in _SIGNATURES:
        if signature.match(view):
            return name
    for name, signature in _FOREIGN:
        if signature.match(view):
            raise PictureError(ErrorKind.UNSUPPORTED, f"{name} is not decoded here")
    raise PictureError(ErrorKind.NOT_A_PICTURE, "no known mark at its beginning")


def _plugin(name: str) -> type[ImageFile.ImageFile]:
    """Pillow's class for the format. Raises PictureError if it belongs to an extra that is not installed."""
    if name != "HEIF":
        return _PLUGINS[name]
    plugin = heif.plugin()
    if plugin is None:
        raise PictureError(ErrorKind.UNSUPPORTED, f"HEIF {extras.missing('pillow-heif')}")
    return plugin
