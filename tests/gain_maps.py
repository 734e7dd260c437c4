"""Pictures with a gain map of Apple's kind, in JPEG and in HEIC, as iPhones write them."""

from __future__ import annotations

import io
import struct

from PIL import Image

from pipeline.render.container.bmff import boxes
from tests.pictures import encoded

KIND = b"urn:com:apple:photo:2020:aux:hdrgainmap"


def apple_notes(headroom: float, gain: float | None = 0.0) -> bytes:
    """The maker's notes of an iPhone with the two numbers that a headroom is made of."""
    fractions = [(0x21, headroom)] + ([] if gain is None else [(0x30, gain)])
    table = struct.pack(">H", len(fractions))
    heap_at, heap = 14 + 2 + 12 * len(fractions) + 4, b""
    for tag, number in fractions:
        table += struct.pack(">HHLL", tag, 10, 1, heap_at + len(heap))
        heap += struct.pack(">ll", round(number * 100_000), 100_000)
    return b"Apple iOS\0\0\1MM" + table + bytes(4) + heap


def exif_with(notes: bytes, orientation: int = 1) -> bytes:
    made = Image.Exif()
    made[0x0112] = orientation
    made.get_ifd(0x8769)[0x927C] = notes
    return made.tobytes()


def apple_xmp(headroom: float | None) -> bytes:
    said = "" if headroom is None else f"<HDRGainMap:HDRGainMapHeadroom>{headroom}</HDRGainMap:HDRGainMapHeadroom>"
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:apdi="http://ns.apple.com/pixeldatainfo/1.0/" '
        'xmlns:HDRGainMap="http://ns.apple.com/HDRGainMap/1.0/">'
        f"<apdi:AuxiliaryImageType>{KIND.decode()}</apdi:AuxiliaryImageType>"
        f"<HDRGainMap:HDRGainMapVersion>{65536 if headroom is None else 131072}</HDRGainMap:HDRGainMapVersion>{said}"
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode("ascii")


def apple_jpeg(picture: Image.Image, gain: Image.Image, headroom: float | None = None, exif: bytes = b"") -> bytes:
    """With `headroom` in its XMP, or only in the notes within `exif`."""
    gain = gain.copy()
    gain.encoderinfo = {"xmp": apple_xmp(headroom), "quality": 95}
    return encoded(picture, "MPO", save_all=True, append_images=[gain], exif=exif, quality=90)


def box(kind: bytes, *parts: bytes) -> bytes:
    return struct.pack(">L4s", 8 + sum(map(len, parts)), kind) + b"".join(parts)


def apple_heic(picture: Image.Image, gain: Image.Image, exif: bytes, turns: int = 0) -> bytes:
    """Both pictures stored as they are, to be shown turned by `turns` times 90 degrees, against the clock."""
    coded, known = zip(*map(_coded, (picture, gain)), strict=True)
    contents = (*coded, struct.pack(">L", 0) + exif.removeprefix(b"Exif\0\0"))
    auxiliary = box(b"auxC", bytes(4), KIND + b"\0")
    properties = (*known[0], *known[1], auxiliary, box(b"irot", bytes((turns,))))
    of_first, of_second = (0x81, 2, 0x86), (0x83, 4, 0x85, 0x86)  # numbers of properties; the high bit: essential
    links = b"".join(
        struct.pack(">HB", item, len(each)) + bytes(each) for item, each in ((1, of_first), (2, of_second))
    )
    kinds = ((1, b"hvc1", 0), (2, b"hvc1", 1), (3, b"Exif", 1))
    infos = [box(b"infe", struct.pack(">LHH4sB", 2 << 24 | hidden, item, 0, kind, 0)) for item, kind, hidden in kinds]

    def meta(start: int) -> bytes:
        places = b""
        for item, content in enumerate(contents, 1):
            places += struct.pack(">HHHLL", item, 0, 1, start, len(content))
            start += len(content)
        return box(
            b"meta",
            bytes(4),
            box(b"hdlr", bytes(8), b"pict", bytes(13)),
            box(b"pitm", bytes(4), struct.pack(">H", 1)),
            box(b"iloc", bytes(4), b"\x44\0", struct.pack(">H", len(contents)), places),
            box(b"iinf", bytes(4), struct.pack(">H", len(infos)), *infos),
            box(
                b"iref",
                bytes(4),
                *(box(kind, struct.pack(">HHH", item, 1, 1)) for kind, item in ((b"auxl", 2), (b"cdsc", 3))),
            ),
            box(b"iprp", box(b"ipco", *properties), box(b"ipma", bytes(4), struct.pack(">L", 2), links)),
        )

    head = box(b"ftyp", b"heic", bytes(4), b"mif1heic")
    return head + meta(len(head) + len(meta(0)) + 8) + box(b"mdat", *contents)


def _coded(picture: Image.Image) -> tuple[bytes, tuple[bytes, bytes]]:
    """What x265 makes of a picture, and the properties `hvcC` and `ispe` of that."""
    from pillow_heif import from_pillow

    out = io.BytesIO()
    from_pillow(picture).save(out, quality=90)
    content = out.getvalue()
    start, end = next((start, end) for kind, start, end in boxes(content, 0, len(content)) if kind == b"mdat")
    known = []
    for kind in (b"hvcC", b"ispe"):
        at = content.index(kind) - 4
        known.append(content[at : at + int.from_bytes(content[at : at + 4])])
    return content[start:end], (known[0], known[1])
