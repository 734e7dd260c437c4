"""Puts a gain map behind a JPEG, as Adobe's specification (XMP) and ISO 21496-1 say, for older and newer readers.

The file has the numbers in both forms, an index of the two pictures (MPF), and the gain map as a JPEG of its own.
"""

from __future__ import annotations

import io
import struct

from PIL import Image

from pipeline.errors import ErrorKind
from pipeline.model.spec import Format, Spec
from pipeline.render.colour.srgb import same_primaries
from pipeline.render.formats import apple_gain_map
from pipeline.render.formats.gain_map import GainMap, Numbers, Unkept, read
from pipeline.render.geometry.fit import Placement
from pipeline.render.geometry.framing import Framing
from pipeline.render.geometry.orientation import upright_size
from pipeline.render.opening.decode import Picture
from pipeline.render.opening.failures import decode_failure
from pipeline.render.pixels import libvips
from pipeline.render.pixels.frame import Frame
from pipeline.render.pixels.resize import resample

_QUALITY = 85  # of the gain map
_SMALLER = 2  # the least factor between a picture and its gain map, which has no fine detail
_SOI, _APP1, _APP2 = b"\xff\xd8", b"\xff\xe1", b"\xff\xe2"
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_ISO = b"urn:iso:std:iso:ts:21496:-1\0"
_ISO_VERSIONS = bytes(4)  # the least that a reader has to know, and the writer's
_MULTICHANNEL, _IN_BASE = 0x80, 0x40
_DENOMINATOR = 1_000_000
_SPACE = 'xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0"'
_PACKET = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">{}</rdf:RDF>'
    "</x:xmpmeta>"
)
_END = b"</rdf:RDF>"
_MOST = 65_533  # bytes of a segment's content


def drawn(picture: Picture, framed: Framing, placement: Placement, spec: Spec, icc: bytes | None) -> bytes:
    """The gain map of a rendition of `picture`, cropped, turned and made smaller as that is, and encoded.

    `icc`: the profile of the rendition, None for sRGB. Raises `Unkept`, of a damaged one, too, and PictureError where
    memory or this program fails.
    """
    if spec.page is not None:
        raise Unkept("page takes a picture alone")
    if spec.format is not Format.JPEG:
        raise Unkept
    try:
        found = _found(picture)
    except Unkept:
        raise
    except Exception as error:
        failure = decode_failure(error, picture.source.view, picture.source.format)
        if failure.kind in (ErrorKind.INTERNAL, ErrorKind.MEMORY_LIMIT):
            raise failure from error
        raise Unkept("it is damaged") from error
    if found.image.mode == "RGB" and not same_primaries(picture.icc, icc):
        raise Unkept("its three channels are for other primaries than those that colours are converted to")
    turned = upright_size(found.image.size, framed.orientation)
    across, down = turned[0] / framed.turned[0], turned[1] / framed.turned[1]
    left, top, right, bottom = placement.box
    box = (left * across, top * down, right * across, bottom * down)
    size = (
        max(1, round(min(box[2] - box[0], placement.size[0] / _SMALLER))),
        max(1, round(min(box[3] - box[1], placement.size[1] / _SMALLER))),
    )
    image = resample(Frame(found.image, 1), Placement(box, size, size, (0, 0)), turned, framed.orientation, spec)
    if not isinstance(image, Image.Image):
        raise Unkept
    image.info = {}  # from which Pillow's encoder would copy a comment
    return encoded(image, found.numbers)


def _found(picture: Picture) -> GainMap:
    """The gain map in the source of `picture`, as stored beside that. Raises `Unkept`, and as decoders do on damage."""
    source, stored = picture.source, upright_size(picture.size, picture.orientation)
    if source.format == "HEIF":
        return apple_gain_map.in_heif(source.view, stored, picture.blocks.exif)
    if source.format != "JPEG":
        raise Unkept
    apples = apple_gain_map.in_jpeg(source.image, source.view, stored, picture.blocks.exif)
    if apples is None and not libvips.available():
        raise Unkept
    return apples or read(source.view, stored)


def encoded(image: Image.Image, numbers: Numbers) -> bytes:
    """A gain map, in mode `L` or `RGB`, as a JPEG with its numbers in it."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_QUALITY, subsampling="4:4:4", optimize=True)
    said = _segment(_APP1, _XMP + _PACKET.format(_in_xmp(numbers)).encode("ascii"))
    said += _segment(_APP2, _ISO + _in_iso(numbers, multichannel=image.mode == "RGB"))
    return _SOI + said + buffer.getvalue()[len(_SOI) :]


def with_gain(jpeg: bytes, gain: bytes) -> bytes:
    """The file of the picture `jpeg`, as this program's encoder writes it, with its encoded `gain` map.

    Where XMP of the picture leaves no room, only ISO's form is written.
    """
    item = '<rdf:li rdf:parseType="Resource"><Container:Item Item:Semantic="{}" Item:Mime="image/jpeg"{}/></rdf:li>'
    items = item.format("Primary", "") + item.format("GainMap", f' Item:Length="{len(gain)}"')
    description = (
        '<rdf:Description rdf:about="" xmlns:Container="http://ns.google.com/photos/1.0/container/" '
        f'xmlns:Item="http://ns.google.com/photos/1.0/container/item/" {_SPACE}>'
        f"<Container:Directory><rdf:Seq>{items}</rdf:Seq></Container:Directory></rdf:Description>"
    )
    segments, rest = _opened(jpeg)
    own = next((place for place, (mark, content) in enumerate(segments) if mark + content[:29] == _APP1 + _XMP), None)
    if own is None:
        segments.append((_APP1, _XMP + _PACKET.format(description).encode("ascii")))
    elif len(both := segments[own][1].replace(_END, description.encode("ascii") + _END, 1)) <= _MOST:
        segments[own] = (_APP1, both)
    segments.append((_APP2, _ISO + _ISO_VERSIONS))
    head = _SOI + b"".join(_segment(mark, content) for mark, content in segments)
    whole = len(head) + len(_segment(_APP2, _index(0, 0, 0))) + len(rest)
    # Offsets in the index are counted from behind its own name, four bytes after the segment's mark and length.
    index = _index(whole, len(gain), whole - len(head) - 8)
    return head + _segment(_APP2, index) + rest + gain


def _opened(jpeg: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """The segments of applications and comments at the beginning of a JPEG, and what follows them."""
    segments, at = [], len(_SOI)
    while jpeg[at + 1] & 0xF0 == 0xE0 or jpeg[at + 1] == 0xFE:
        size = int.from_bytes(jpeg[at + 2 : at + 4])
        segments.append((jpeg[at : at + 2], jpeg[at + 4 : at + 2 + size]))
        at += 2 + size
    return segments, jpeg[at:]


def _segment(mark: bytes, content: bytes) -> bytes:
    return mark + struct.pack(">H", len(content) + 2) + content


def _index(whole: int, size: int, offset: int) -> bytes:
    """The index of a file of two pictures (CIPA DC-007): one of `whole` bytes, another of `size` at `offset`."""
    fields = struct.pack(">HHL4s", 0xB000, 7, 4, b"0100") + struct.pack(">HHLL", 0xB001, 4, 1, 2)
    fields += struct.pack(">HHLL", 0xB002, 7, 32, 8 + 2 + 3 * 12 + 4)
    entries = struct.pack(">LLLHH", 0x030000, whole, 0, 0, 0) + struct.pack(">LLLHH", 0, size, offset, 0, 0)
    return b"MPF\0MM\0*" + struct.pack(">LH", 8, 3) + fields + bytes(4) + entries


def _in_xmp(numbers: Numbers) -> str:
    each = {
        "GainMapMin": numbers.least,
        "GainMapMax": numbers.most,
        "Gamma": numbers.gamma,
        "OffsetSDR": numbers.offset_sdr,
        "OffsetHDR": numbers.offset_hdr,
    }
    same = {name: values[0] for name, values in each.items() if len(set(values)) == 1}
    same |= {"HDRCapacityMin": numbers.headroom[0], "HDRCapacityMax": numbers.headroom[1]}
    said = "".join(f' hdrgm:{name}="{value:.7g}"' for name, value in same.items())
    lists = ""
    for name in (name for name in each if name not in same):
        entries = "".join(f"<rdf:li>{value:.7g}</rdf:li>" for value in each[name])
        lists += f"<hdrgm:{name}><rdf:Seq>{entries}</rdf:Seq></hdrgm:{name}>"
    return f'<rdf:Description rdf:about="" {_SPACE}{said} hdrgm:BaseRenditionIsHDR="False">{lists}</rdf:Description>'


def _in_iso(numbers: Numbers, *, multichannel: bool) -> bytes:
    """ISO 21496-1, annex C.2: fractions of 32 bits each."""
    said = _ISO_VERSIONS + bytes((_IN_BASE | (_MULTICHANNEL if multichannel else 0),))
    said += b"".join(struct.pack(">LL", _part(max(0.0, value)), _DENOMINATOR) for value in numbers.headroom)
    for channel in range(3 if multichannel else 1):
        for kind, values in (
            ("l", numbers.least),
            ("l", numbers.most),
            ("L", numbers.gamma),
            ("l", numbers.offset_sdr),
            ("l", numbers.offset_hdr),
        ):
            said += struct.pack(f">{kind}L", _part(values[channel]), _DENOMINATOR)
    return said


def _part(value: float) -> int:
    return round(value * _DENOMINATOR)
