"""The format of a file by its first 64 bytes, and whether its name says that it is a picture.

The main process reads no more of a picture's structure than this: parsing hostile headers is a child's work.
"""

from __future__ import annotations

import functools
import importlib.util

from pipeline.model.only import Only

HEAD = 64  # bytes that `sniff` looks at

RARE_EXTENSIONS = frozenset({"heic", "heif", "heics", "heifs", "hif", "jxl"})
"""Extensions of pictures that may have a format which is not decoded here."""

PICTURE_EXTENSIONS = RARE_EXTENSIONS | frozenset(
    {"jpg", "jpeg", "jpe", "jfif", "png", "apng", "gif", "webp", "avif", "avifs", "tif", "tiff", "bmp", "dib", "ico"}
    | {"ppm", "pgm", "pbm", "pnm", "jp2", "j2k", "j2c", "jpf", "jpx"}
)
"""Extensions of pictures: a file with one of these that cannot be decoded has failed, and is not just unsupported."""

RAW_EXTENSIONS = frozenset(
    {"3fr", "arq", "arw", "cap", "cr2", "cs1", "dcr", "dcs", "dng", "drf", "erf", "fff", "gpr", "iiq", "k25", "kdc"}
    | {"mef", "mos", "nef", "nrw", "pef", "ptx", "pxn", "raw", "rw2", "rwl", "sr2", "srf", "srw", "sti"}
    | {"cr3", "orf", "raf"}
)
"""Extensions of camera raws: most are TIFF by their first bytes, but a TIFF decoder finds only a thumbnail in them."""

_RAW_HEADS = (b"II*\0", b"MM\0*", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FUJIFILMCCD-RAW")

_DIB_HEADERS = frozenset({12, 16, 40, 52, 56, 64, 108, 124})
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"})
_PREFIXES = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"II+\0", "tiff"),  # BigTIFF
    (b"MM\0+", "tiff"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "jp2"),
    (b"\xff\x4f\xff\x51", "jp2"),  # a bare codestream
    (b"\0\0\0\x0cJXL \r\n\x87\n", "jxl"),
    (b"\xff\x0a", "jxl"),
)


@functools.cache
def not_decoded() -> frozenset[str]:
    """The formats that `sniff` knows and no installed library decodes: HEIF needs pillow-heif, JPEG XL the extra."""
    needed = {"heif": "pillow_heif", "jxl": "pillow_jxl"}
    return frozenset(name for name, module in needed.items() if importlib.util.find_spec(module) is None)


def extension(source: str) -> str:
    """The last extension of the path's name, in lower case and without its dot; "" where there is none."""
    name = source.rpartition("/")[2]
    stem, dot, last = name.rpartition(".")
    return last.lower() if dot and stem else ""


def has_picture_name(source: str) -> bool:
    """Whether the extension is one of a picture."""
    return extension(source) in PICTURE_EXTENSIONS


def is_raw(source: str) -> bool:
    """Whether the extension is one of a camera raw."""
    return extension(source) in RAW_EXTENSIONS


def counts_as_raw(source: str, only: Only | None) -> bool:
    """Whether the file `source` is taken by its embedded preview, as `only` says of its part of the sources."""
    return only is not None and only.raw and is_raw(source)


def recognise(source: str, head: bytes, *, raw: bool = False) -> str | None:
    """The format of the file `source` that begins with `head`; None where it is no picture.

    A camera raw, by name and content, is one only with `raw`.
    """
    image_format = sniff(head)
    if is_raw(source) and image_format in ("tiff", None):
        return "raw" if raw and (head.startswith(_RAW_HEADS) or head[4:12] == b"ftypcrx ") else None
    return image_format


def sniff(head: bytes) -> str | None:
    """The picture format that `head` begins as (`HEAD` bytes, or all where the file is shorter); None for others."""
    for prefix, name in _PREFIXES:
        if head.startswith(prefix):
            return name
    if head[4:8] == b"ftyp":
        return _brand(head)
    for name, test in (("webp", _webp), ("bmp", _bmp), ("ico", _ico), ("ppm", _ppm)):
        if test(head):
            return name
    return None


def _webp(head: bytes) -> bool:
    return head[:4] == b"RIFF" and head[8:12] == b"WEBP"


def _bmp(head: bytes) -> bool:
    return head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _DIB_HEADERS  # two letters alone prove little


def _ico(head: bytes) -> bool:
    return head[:4] == b"\0\0\1\0" and head[4:6] != b"\0\0" and head[9:10] == b"\0"


def _ppm(head: bytes) -> bool:
    return head[:1] == b"P" and head[1:2] in b"123456f" and head[2:3] in b" \t\r\n#"


def _brand(head: bytes) -> str | None:
    """HEIF and AVIF share a container; the brands in its first box say which of them it is."""
    length = min(max(int.from_bytes(head[:4], "big"), 16), len(head))
    brands = {head[at : at + 4] for at in (8, *range(16, length - 3, 4))}
    if brands & _AVIF_BRANDS:
        return "avif"
    return "heif" if brands & _HEIF_BRANDS else None
