"""Encodes pixels of 16 bits a channel: PNG and TIFF of 16 bits, AVIF of 12, of PQ and HLG of 10.

libvips compresses a PNG's pixels, with the filter that suits each row, and one worker thread: their number changes no
byte. The other chunks, and all of a TIFF, are written here, because libvips adds a resolution that was not asked for.
"""

from __future__ import annotations

import struct
import threading
import zlib
from collections.abc import Iterator, Mapping
from typing import IO, Any

from pipeline.model.spec import AS_SOURCE, Format, Spec, Subsampling
from pipeline.render.colour import hdr
from pipeline.render.container.png import png_chunk, png_chunks
from pipeline.render.encoding.avif_exif import with_exif
from pipeline.render.encoding.encode_input import EncodeInput
from pipeline.render.encoding.nclx import with_nclx
from pipeline.render.metadata import exif
from pipeline.render.metadata.exif import Entry
from pipeline.render.pixels import libvips
from pipeline.render.pixels.deep import BANDS, WITH_ALPHA, Deep

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_METRES_IN_INCH, _MILLIMETRES_IN_INCH = 0.0254, 25.4
_AVIF_BITS, _HDR_BITS = 12, 10
_STRIP = 2**18  # bytes of a TIFF's strip before compression, about
_ASCII, _SHORT, _LONG, _RATIONAL, _UNDEFINED = 2, 3, 4, 5, 7  # kinds of TIFF's values
_LOCK = threading.Lock()  # held while libvips' number of threads is another


def save(file: IO[bytes], encode_input: EncodeInput, pixels: Deep, spec: Spec, quality: int | None) -> None:
    """Writes `pixels` and the metadata of `encode_input` to `file`. Raises whatever libvips raises."""
    match spec.format:
        case Format.PNG:
            file.writelines(_png(encode_input, pixels, spec))
        case Format.TIFF:
            file.writelines(_tiff(encode_input, pixels))
        case _:
            file.write(_avif(encode_input, pixels, spec, quality))


def _png(encode_input: EncodeInput, pixels: Deep, spec: Spec) -> Iterator[bytes]:
    going = encode_input.written
    packed = libvips.one_thread(pixels.image).pngsave_buffer(
        compression=spec.effective_effort, filter="all", keep="none"
    )
    parts = [(kind, packed[at : at + size]) for kind, at, size in png_chunks(packed) if kind in (b"IHDR", b"IDAT")]
    yield _SIGNATURE
    yield png_chunk(*parts[0])
    if encode_input.icc:
        yield png_chunk(b"iCCP", b"ICC Profile\0\0" + zlib.compress(encode_input.icc))
    if encode_input.density is not None:
        metres = (round(per_inch / _METRES_IN_INCH) for per_inch in encode_input.density)
        yield png_chunk(b"pHYs", struct.pack(">LLB", *metres, 1))
    if going.xmp:
        yield png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + going.xmp)
    if going.comment:
        yield png_chunk(b"iTXt", b"Comment\0\0\0\0\0" + going.comment.replace(b"\0", b" "))
    if going.exif:
        yield png_chunk(b"eXIf", going.exif.removeprefix(b"Exif\0\0"))
    for part in parts[1:]:
        yield png_chunk(*part)
    yield png_chunk(b"IEND", b"")


def _tiff(encode_input: EncodeInput, pixels: Deep) -> Iterator[bytes]:
    """A little-endian TIFF: strips by Deflate with horizontal differences, then the directory."""
    vips: Any = libvips.module()
    image = pixels.image
    left = image.embed(1, 0, pixels.width, pixels.height) if pixels.width > 1 else image * 0
    differences = image.subtract(left).cast("int").boolean_const("and", [0xFFFF]).cast("ushort")
    region, rows = vips.Region.new(differences), max(1, _STRIP // (2 * BANDS[pixels.mode] * pixels.width))
    strips = [
        zlib.compress(region.fetch(0, y, pixels.width, min(rows, pixels.height - y)))
        for y in range(0, pixels.height, rows)
    ]
    pad = [bytes(len(strip) % 2) for strip in strips]
    sizes = [len(strip) for strip in strips]
    offsets, at = [], 8
    for size in sizes:
        offsets.append(at)
        at += size + size % 2
    yield struct.pack("<2sHL", b"II", 42, at)
    for strip, filler in zip(strips, pad, strict=True):
        yield strip
        yield filler
    yield _directory(at, _tags(encode_input, pixels, rows) | {273: (_LONG, offsets), 279: (_LONG, sizes)})


_Values = tuple[int, "list[int] | bytes"]  # a kind, and numbers or the encoded values


def _tags(encode_input: EncodeInput, pixels: Deep, rows: int) -> dict[int, _Values]:
    bands, going = BANDS[pixels.mode], encode_input.written
    tags: dict[int, _Values] = {
        256: (_LONG, [pixels.width]),
        257: (_LONG, [pixels.height]),
        258: (_SHORT, [16] * bands),
        259: (_SHORT, [8]),
        262: (_SHORT, [2 if bands > 2 else 1]),
        277: (_SHORT, [bands]),
        278: (_LONG, [rows]),
        284: (_SHORT, [1]),
        317: (_SHORT, [2]),
    }
    if pixels.mode in WITH_ALPHA:
        tags[338] = (_SHORT, [2])
    if encode_input.density is not None:
        for tag, per_inch in zip((282, 283), encode_input.density, strict=True):
            tags[tag] = (_RATIONAL, struct.pack("<LL", round(per_inch * 1000), 1000))
        tags[296] = (_SHORT, [2])
    main: Mapping[int, Entry] = exif.read(going.exif).main
    tags |= {
        tag: (_ASCII, entry.value.rstrip(b"\0") + b"\0")
        for tag, entry in main.items()
        if entry.kind == exif.ASCII and tag not in tags
    }
    if going.xmp:
        tags[700] = (1, going.xmp)
    if encode_input.icc:
        tags[34675] = (_UNDEFINED, encode_input.icc)
    return tags


def _directory(at: int, tags: Mapping[int, _Values]) -> bytes:
    """The directory that begins at offset `at`, with its values behind it."""
    start = at + 2 + 12 * len(tags) + 4
    table, content = struct.pack("<H", len(tags)), b""
    for tag, (kind, values) in sorted(tags.items()):
        if isinstance(values, bytes):
            raw, count = values, len(values) // (8 if kind == _RATIONAL else 1)
        else:
            raw, count = struct.pack(f"<{len(values)}{'H' if kind == _SHORT else 'L'}", *values), len(values)
        if len(raw) <= 4:
            table += struct.pack("<HHL", tag, kind, count) + raw.ljust(4, b"\0")
            continue
        table += struct.pack("<HHLL", tag, kind, count, start + len(content))
        content += raw + bytes(len(raw) % 2)
    return table + bytes(4) + content


def _avif(encode_input: EncodeInput, pixels: Deep, spec: Spec, quality: int | None) -> bytes:
    vips: Any = libvips.module()
    going, across, down = encode_input.written, *(encode_input.density or (_MILLIMETRES_IN_INCH,) * 2)
    image = pixels.image.copy(xres=across / _MILLIMETRES_IN_INCH, yres=down / _MILLIMETRES_IN_INCH)
    light = hdr.said(encode_input.icc)
    blobs = {"icc-profile-data": None if light else encode_input.icc, "xmp-data": going.xmp, "exif-data": going.exif}
    for name, content in blobs.items():
        if content:
            image.set_type(vips.GValue.blob_type, name, content)
    with _LOCK:  # libheif hands the number of threads to its encoder, whose bytes depend on it
        before = vips.concurrency_get()
        vips.concurrency_set(1)
        try:
            made: bytes = image.heifsave_buffer(
                Q=quality,
                bitdepth=_HDR_BITS if light and spec.depth != AS_SOURCE else _AVIF_BITS,
                compression="av1",
                effort=max(0, spec.effective_effort - 1),  # of 0 to 9
                subsample_mode="on" if spec.subsampling is Subsampling.QUARTER else "off",
                keep="all" if going.exif else "icc|xmp",  # otherwise libvips makes EXIF up, with a resolution
            )
        finally:
            vips.concurrency_set(before)
    if going.exif:
        made = with_exif(made, going.exif.removeprefix(b"Exif\0\0"))
    return with_nclx(made, light.primaries, light.transfer) if light else made
