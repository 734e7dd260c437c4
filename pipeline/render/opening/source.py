"""Opens a picture by its content, from a descriptor, with nothing decoded yet.

Pillow's plugins are called directly instead of through `Image.open`: that would warn about (or refuse) large pictures
by a switch of the whole process, hide what a plugin had to say, and try plugins that are not on the list. Only the
plugins imported here are ever used: none of them starts another program or follows a reference out of the file.
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
    PpmImagePlugin,
    WebPImagePlugin,
)

from pipeline import extras
from pipeline.errors import ErrorKind, PictureError
from pipeline.model.spec import ANIMATED
from pipeline.render.container.truncation import is_short
from pipeline.render.container.view import View
from pipeline.render.formats import apng, gif, heif
from pipeline.render.formats.animation import CUT_OFF
from pipeline.render.formats.avif import Avif
from pipeline.render.formats.bmp import Bmp
from pipeline.render.formats.icon import Icon
from pipeline.render.formats.jpeg import Jpeg
from pipeline.render.formats.tiff import Tiff
from pipeline.render.metadata.policy import Facts
from pipeline.render.opening.failures import decode_failure
from pipeline.workers.exchange import Held

# In the order of how often they are met. JPEG's own class, not its factory, which would turn a file of several pictures
# (MPO, Ultra HDR) into something else and warn about it; the first picture is what such files are taken for.
# PNG, GIF and AVIF are opened by modules of their own.
_PLUGINS: dict[str, type[ImageFile.ImageFile]] = {
    "JPEG": Jpeg,
    "WEBP": WebPImagePlugin.WebPImageFile,
    "TIFF": Tiff,
    "BMP": Bmp,
    "ICO": Icon,
    "PPM": PpmImagePlugin.PpmImageFile,
}

_SIGNATURES: tuple[tuple[str, re.Pattern[bytes]], ...] = tuple(
    (name, re.compile(signature, re.DOTALL))
    for name, signature in (
        ("JPEG", rb"\xff\xd8\xff"),
        ("PNG", rb"\x89PNG\r\n\x1a\n"),
        ("WEBP", rb"RIFF....WEBPVP8[ LX]"),
        ("GIF", rb"GIF8[79]a"),
        ("TIFF", rb"II\*\x00(?!....CR)|MM\x00\*|II\+\x00|MM\x00\+"),  # CR: a Canon raw
        ("AVIF", rb"....ftyp(?:....){0,30}?avi[fs]"),  # among the brands, first or not
        ("HEIF", rb"....ftyp(?:hei|hev|mif1|msf1)"),
        ("BMP", rb"BM"),
        ("ICO", rb"\x00\x00\x01\x00"),
        ("PPM", rb"P[1-6f][\s#]"),
    )
)
_SIGNATURE_BYTES = 256  # bytes, which hold every signature
_WEAK = ("BMP", "ICO", "PPM")  # signatures so short that a text can begin with them by chance

# Pictures that are known and not decoded here.
_FOREIGN: tuple[tuple[str, re.Pattern[bytes]], ...] = tuple(
    (name, re.compile(signature, re.DOTALL))
    for name, signature in (
        ("JPEG 2000", rb"\x00\x00\x00\x0cjP  |\xff\x4f\xff\x51"),
        ("JPEG XL", rb"\xff\x0a|\x00\x00\x00\x0cJXL "),
        ("camera raw", rb"FUJIFILMCCD-RAW|IIR[OS]|IIU\x00|II\*\x00....CR|....ftypcrx "),
        ("Photoshop", rb"8BPS"),
        ("OpenEXR", rb"\x76\x2f\x31\x01"),
        ("QOI", rb"qoif"),
        ("DDS", rb"DDS "),
        ("Radiance", rb"#\?RADIANCE"),
    )
)
_SMALL = 64 * 2**10  # bytes: a file that is no longer is read at once, which costs less than a mapping of it
_CAN_BE_CUT = ("GIF", "WEBP", "AVIF")  # and are decoded as far as they go; a PNG says so itself


@dataclass(frozen=True, slots=True)
class Source:
    """An opened picture: Pillow's lazy image, the file's bytes mapped for walks, and the format as Pillow writes it.

    `facts`: what blocks of EXIF have said that were read already; a photograph's is asked four times.
    """

    image: ImageFile.ImageFile
    view: View
    format: str
    facts: dict[bytes, Facts] = field(default_factory=dict)

    @property
    def animated(self) -> bool:
        """Whether it is an animation; the further pages of a TIFF and pictures of an MPO are not its frames."""
        return self.format.lower() in ANIMATED and bool(getattr(self.image, "is_animated", False))

    @property
    def decoded(self) -> tuple[int, int]:
        """The size of what is decoded, of which a part may be all that is shown."""
        return getattr(self.image, "whole", None) or self.image.size

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was left out of it because it is damaged, and is not needed for its pixels."""
        cut = self.format in _CAN_BE_CUT and is_short(self.view, self.format)
        return (*getattr(self.image, "remarks", ()), *((CUT_OFF,) if cut else ()))

    @property
    def by_libvips(self) -> bool:
        """Whether its pixels are decoded by libvips, not by Pillow."""
        return isinstance(self.image, Tiff) and self.image.by_libvips


@contextmanager
def opening(held: Held) -> Iterator[Source]:
    """The picture that is `held`, which stays the caller's and must not change meanwhile (it may be mapped).

    Raises PictureError: `not a picture`, `unsupported`, or what its header's damage amounts to. Exceptions raised
    inside the `with` block pass through untouched.
    """
    if held.size == 0:
        raise PictureError(ErrorKind.NOT_A_PICTURE, "empty file")
    content = os.pread(held.descriptor, held.size if held.size <= _SMALL else _SIGNATURE_BYTES, 0)
    name = _recognised(content)
    if held.size <= _SMALL and name != "TIFF":  # libtiff reads a file itself
        with _image(name, io.BytesIO(content), content) as image:
            yield Source(image, content, name)
        return
    # The mapping is private: the kernel refuses shared ones of a sealed file before Linux 6.7.
    with (
        _file(held) as file,
        mmap.mmap(file.fileno(), 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ) as view,
        _image(name, file, view) as image,
    ):
        yield Source(image, view, name)


def _file(held: Held) -> IO[bytes]:
    file = os.fdopen(os.dup(held.descriptor), "rb")
    file.seek(0)
    return file


def _image(name: str, file: IO[bytes], view: View) -> ImageFile.ImageFile:
    try:
        image = _opened(name, file, view)
    except Exception as error:
        failure = decode_failure(error, view, name)
        if name in _WEAK and failure is not error and failure.kind is not ErrorKind.TOO_MANY_PIXELS:
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
    return _plugin(name)(file)


def _recognised(view: View) -> str:
    """The format whose signature the file begins with. Raises PictureError where there is none on the list."""
    for name, signature in _SIGNATURES:
        if signature.match(view):
            return name
    for name, signature in _FOREIGN:
        if signature.match(view):
            raise PictureError(ErrorKind.UNSUPPORTED, f"{name} is not decoded here")
    raise PictureError(ErrorKind.NOT_A_PICTURE, "no known mark at its beginning")


def _plugin(name: str) -> type[ImageFile.ImageFile]:
    """Raises PictureError where it is that of an extra which is not installed."""
    if name != "HEIF":
        return _PLUGINS[name]
    plugin = heif.plugin()
    if plugin is None:
        raise PictureError(ErrorKind.UNSUPPORTED, f"HEIF {extras.missing('heif')}")
    return plugin
