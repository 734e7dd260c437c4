"""Finds the blocks of metadata in an opened picture, and whether the file holds anything else beside its pixels.

Pillow finds most blocks when it opens the file; the others are read from the container.
"""

from __future__ import annotations

from PIL import TiffImagePlugin

from pipeline.render.container.png import png_chunks
from pipeline.render.container.riff import riff_chunks, riff_end
from pipeline.render.formats.png import TEXTS
from pipeline.render.metadata import exif, iptc
from pipeline.render.metadata.blocks import Blocks
from pipeline.render.opening.source import Source

_THUMBNAIL_RESOURCES = (0x0409, 0x040C)  # numbers of Photoshop's resources
_TIFF_XMP, _TIFF_IPTC = 700, 33723
# Parts that only describe the pixels, or that `read_blocks` reads. Any other part makes `holds_more` true.
_JPEG_KNOWN = {
    "APP0": (b"JFIF\0", b"JFXX\0"),
    "APP1": (b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"),
    "APP2": (b"ICC_PROFILE\0",),
    "APP13": (b"Photoshop 3.0\0",),
    "APP14": (b"Adobe",),
    "COM": (b"",),
}
_PNG_KNOWN = frozenset(b"IHDR PLTE IDAT IEND tRNS sRGB gAMA cHRM cICP sBIT bKGD pHYs iCCP eXIf acTL fcTL fdAT".split())
_WEBP_KNOWN = frozenset((b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP", b"EXIF", b"XMP "))


def read_blocks(source: Source) -> Blocks:
    """Reads the blocks of `source`, of which the first frame is decoded. Never raises."""
    stated = source.image.info
    block = exif.read(_bytes(stated.get("exif")))
    xmp = _bytes(stated.get("xmp"))
    match source.format:
        case "JPEG":
            photoshop = stated.get("photoshop")
            resources = photoshop if isinstance(photoshop, dict) else {}
            segments = _segments(source)
            comments = tuple(content for name, content in segments if name == "COM")
            small = any(name == "APP0" and _holds_thumbnail(content) for name, content in segments)
            small = small or any(code in resources for code in _THUMBNAIL_RESOURCES)
            return Blocks(block, xmp, _bytes(resources.get(iptc.RESOURCE)), comments, small)
        case "PNG":
            said = _bytes(stated.get("comment"))
            return Blocks(block, xmp, _bytes(stated.get("iptc")), (said,) if said else ())
        case "TIFF":
            return _of_tiff(source)
        case "GIF":
            said = _bytes(stated.get("comment"))
            return Blocks(block, xmp, comments=(said,) if said else ())
    return Blocks(block, xmp)


def holds_more(source: Source) -> bool:
    """Whether a JPEG, PNG or WebP holds anything besides pixels, their description and what `read_blocks` finds.

    True for all other formats. Reads through the file without decoding.
    """
    view = source.view
    match source.format:
        case "JPEG":
            known = all(content.startswith(_JPEG_KNOWN.get(name, ())) for name, content in _segments(source))
            photoshop = source.image.info.get("photoshop")
            resources = set(photoshop) - {iptc.RESOURCE} if isinstance(photoshop, dict) else set()
            end = view.find(b"\xff\xd9", view.find(b"\xff\xda"))
            return not known or bool(resources) or "mp" in source.image.info or end + 2 != len(view)
        case "PNG":
            chunks = list(png_chunks(view))
            known = all(kind in _PNG_KNOWN or kind in TEXTS for kind, _, _ in chunks)
            return not known or bool(source.remarks) or chunks[-1][1] + 4 != len(view)
        case "WEBP":
            return riff_end(view) != len(view) or not all(kind in _WEBP_KNOWN for kind, _, _ in riff_chunks(view))
    return True


def _of_tiff(source: Source) -> Blocks:
    tags = source.image.tag_v2 if isinstance(source.image, TiffImagePlugin.TiffImageFile) else {}
    xmp, iptc = (_bytes(tags.get(tag)) for tag in (_TIFF_XMP, _TIFF_IPTC))
    if source.view[2:4] in (b"*\0", b"\0*"):
        return Blocks(exif.read(source.view), xmp, iptc)
    texts = {tag: _bytes(tags.get(tag)) for tag in (exif.ARTIST, exif.COPYRIGHT)}  # of a BigTIFF, from Pillow
    return Blocks(exif.Exif({tag: exif.text(said) for tag, said in texts.items() if said}), xmp, iptc)


def _segments(source: Source) -> list[tuple[str, bytes]]:
    return list(getattr(source.image, "applist", ()))


def _holds_thumbnail(jfif: bytes) -> bool:
    return jfif.startswith(b"JFXX\0") or (jfif.startswith(b"JFIF\0") and jfif[12:14] not in (b"", b"\0\0"))


def _bytes(value: object) -> bytes:
    if isinstance(value, str):
        return value.encode("utf-8", "replace")
    if isinstance(value, tuple) and all(isinstance(comment, bytes) for comment in value):
        return b"".join(value)
    return value if isinstance(value, bytes) else b""
