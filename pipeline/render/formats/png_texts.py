"""The texts and the colour profile of a PNG, inflated with bounds.

ImageMagick and related programs store EXIF, IPTC and XMP as hexadecimal digits in texts named "Raw profile type ...".
These count as metadata, never as comments.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field

from pipeline.errors import ErrorKind, PictureError
from pipeline.render.metadata import iptc

MOST = 16 * 2**20  # bytes that a profile, or all texts together, may inflate to; a JPEG's profile holds as many
READ = MOST + 2**10  # bytes read of a chunk
Clear = int | tuple[int, ...] | bytes | None
"""What of a picture is transparent: a grey or a colour, in levels of the decoded pixels, or alphas by palette entry."""

_COMMENT = 60_000  # bytes kept of a comment
_REMARKS = 10
_SCALES = {1: 255, 2: 85, 4: 17}  # bits of a grey -> the factor to its 8-bit level
_KEYWORD = 80  # bytes, the closing NUL included
_XMP, _RAW = b"XML:com.adobe.xmp", b"Raw profile type "
_XMP_MARK = b"http://ns.adobe.com/xap/1.0/\0"


@dataclass(slots=True)
class Texts:
    """The contents of the texts read so far. Used by one thread."""

    exif: bytes = b""
    xmp: bytes = b""
    iptc: bytes = b""
    comment: bytes = b""  # the text named Comment, else the first text, after its keyword
    damaged: list[str] = field(default_factory=list)  # names of texts that could not be read
    _commented: bool = False
    _left: int = MOST

    def read(self, kind: bytes, content: bytes) -> None:
        """Reads a chunk of `kind` tEXt, zTXt or iTXt. `content` may be cut after `READ` bytes.

        Raises PictureError if it inflates beyond `MOST`.
        """
        keyword, _, said = content.partition(b"\0")
        if len(keyword) >= _KEYWORD:
            return
        packed = kind == b"zTXt"
        if kind == b"iTXt":
            packed = said[:1] == b"\1"
            said = said[2:].split(b"\0", 2)[-1]
        elif packed:
            said = said[1:]
        if packed:
            inflated = inflate(said, self._left, kind)
            if inflated is None:
                self._warn(keyword)
                return
            said = inflated
            self._left -= len(said)
        if keyword == _XMP:
            self.xmp = self.xmp or said
        elif keyword.startswith(_RAW):
            self._read_raw(keyword, said)
        elif not self._commented:
            self._read_comment(keyword, said, latin=kind != b"iTXt")

    def _warn(self, keyword: bytes) -> None:
        if len(self.damaged) < _REMARKS:
            self.damaged.append(_printable(keyword))

    def _read_comment(self, keyword: bytes, said: bytes, *, latin: bool) -> None:
        text = said[:_COMMENT].decode("latin-1").encode() if latin else said[:_COMMENT]
        if keyword == b"Comment" and said:
            self.comment, self._commented = text, True
        elif not self.comment:
            self.comment = _printable(keyword).encode() + b": " + text

    def _read_raw(self, keyword: bytes, said: bytes) -> None:
        """Reads a raw profile: its name, its number of bytes, and the bytes in hexadecimal digits."""
        try:
            _, size, digits = said[:MOST].split(None, 2)
            content = bytes.fromhex(digits.decode("latin-1"))[: int(size)]
        except ValueError:
            self._warn(keyword)
            return
        match keyword.removeprefix(_RAW):
            case b"exif" | b"APP1" if not content.startswith(_XMP_MARK):
                self.exif = self.exif or content
            case b"xmp" | b"APP1":
                self.xmp = self.xmp or content.removeprefix(_XMP_MARK)
            case b"iptc" | b"8bim":
                self.iptc = self.iptc or iptc.in_resources(content)


def profile(content: bytes) -> bytes | None:
    """The ICC profile in an iCCP chunk; None if it is damaged. Raises PictureError if it inflates beyond `MOST`."""
    return inflate(content.partition(b"\0")[2][1:], MOST, b"iCCP")


def inflate(packed: bytes, most: int, kind: bytes) -> bytes | None:
    """Inflates `packed`; None if it is damaged. Raises PictureError if the result exceeds `most` bytes."""
    inflated = b""
    if len(packed) <= most:
        try:
            inflated = zlib.decompressobj().decompress(packed, most + 1)
        except zlib.error:
            return None
    if max(len(inflated), len(packed)) > most:
        text = f"PNG: {kind.decode('ascii')} inflates to more than {MOST // 2**20} MiB"
        raise PictureError(ErrorKind.TOO_MANY_BYTES, text)
    return inflated


def clear_colour(content: bytes, depth: int, colour: int) -> Clear:
    """What a tRNS chunk makes transparent; `depth` and `colour` are the bit depth and colour type of IHDR.

    Bits of a level beyond `depth` are ignored.
    """
    most = (1 << depth) - 1
    if colour == 0 and len(content) >= 2:
        return (int.from_bytes(content[:2]) & most) * _SCALES.get(depth, 1)
    if colour == 2 and len(content) >= 6:
        return tuple(level & most for level in struct.unpack_from(">HHH", content))
    return content if colour == 3 and 0 < len(content) <= 256 else None


def _printable(keyword: bytes) -> str:
    return keyword.decode("latin-1")
