"""Pictures made to hurt: small files that ask for much time, memory or patience. All are made by code, in memory."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

from PIL import Image

from tests.pictures import encoded, giant_gif, giant_png, jpeg_of_scans, quarters

_MIB = 2**20


def chunk(kind: bytes, content: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">L", len(content)) + kind + content + struct.pack(">L", zlib.crc32(kind + content))


def png(*between: bytes, size: tuple[int, int] = (64, 48)) -> bytes:
    """A small PNG with chunks after its header."""
    whole = encoded(quarters(size), "PNG")
    return whole[:33] + b"".join(between) + whole[33:]


def inflating(size: int) -> bytes:
    """A deflated run of zeros that inflates to `size` bytes; a thousandth as long. A block of it is packed once and
    repeated, as packing all of it would take seconds.
    """
    packer = zlib.compressobj(9, wbits=-15)
    block = packer.compress(bytes(_MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    end = packer.compress(bytes(size % _MIB)) + packer.flush()
    sum_of_zeros = size % 65521 << 16 | 1  # Adler-32
    return b"\x78\xda" + block * (size // _MIB) + end + struct.pack(">L", sum_of_zeros)


def png_profile_bomb() -> bytes:
    """An iCCP chunk of half a megabyte that inflates to 500."""
    return png(chunk(b"iCCP", b"x\0\0" + inflating(500 * _MIB)))


def png_text_bomb(kind: bytes = b"zTXt", count: int = 1) -> bytes:
    """Compressed texts that inflate to 500 MB each."""
    head = {b"zTXt": b"key%d\0\0", b"iTXt": b"key%d\0\1\0\0\0"}[kind]
    body = inflating(500 * _MIB)
    return png(*(chunk(kind, head % number + body) for number in range(count)))


def png_many_texts(count: int = 200) -> bytes:
    """Texts that are each small enough and together far too large."""
    body = inflating(_MIB - 4096)
    return png(*(chunk(b"zTXt", b"key%d\0\0" % number + body) for number in range(count)))


def png_many_chunks(count: int = 300_000) -> bytes:
    """Nothing but tiny chunks for a few megabytes."""
    return png(chunk(b"teXt", b"") * count)


def png_of_zeros(width: int, height: int) -> bytes:
    """A whole PNG of black pixels: a thousandth of what it decodes to."""
    body = inflating((1 + 3 * width) * height)
    header = struct.pack(">LLBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def apng_of_frames(claimed: int) -> bytes:
    """An animated PNG that claims that many frames and has two."""
    pictures = [quarters((32, 32)), quarters((32, 32)).rotate(90)]
    whole = encoded(pictures[0], "PNG", save_all=True, append_images=pictures[1:])
    at = whole.index(b"acTL") - 4
    return whole[:at] + chunk(b"acTL", struct.pack(">LL", claimed, 0)) + whole[at + 20 :]


def gif_of_frames(count: int, size: tuple[int, int] = (1, 1)) -> bytes:
    """A GIF of that many frames of one pixel on a screen of `size`."""
    screen = b"GIF89a" + struct.pack("<HHBBB", *size, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\0"
    return screen + frame * count + b";"


def webp_of_frames(count: int) -> bytes:
    """An animated WebP of that many frames of 16 x 16 pixels."""
    still = encoded(Image.new("RGB", (16, 16), "red"), "WEBP")[12:]
    frame = struct.pack("<L", 0)[:3] * 2 + struct.pack("<L", 15)[:3] * 2 + struct.pack("<L", 100)[:3] + b"\0" + still
    body = (
        b"WEBPVP8X" + struct.pack("<LL", 10, 0x02) + struct.pack("<L", 15)[:3] * 2
        + b"ANIM" + struct.pack("<LLH", 6, 0, 0)
        + (b"ANMF" + struct.pack("<L", len(frame)) + frame) * count
    )  # fmt: skip
    return b"RIFF" + struct.pack("<L", len(body)) + body


def webp_canvas(width: int, height: int) -> bytes:
    """An animated WebP of one small frame on a canvas of that size."""
    whole = bytearray(webp_of_frames(1))
    whole[24:30] = struct.pack("<L", width - 1)[:3] + struct.pack("<L", height - 1)[:3]
    return bytes(whole)


def tiff(entries: list[tuple[int, int, int, int]], tail: bytes = b"", following: int = 0) -> bytes:
    """A little-endian TIFF with one directory of (tag, type, count, value or offset), then `tail` (after it)."""
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHLL", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<L", 8) + directory + struct.pack("<L", following) + tail


def _tiff_of(width: int, height: int, **more: tuple[int, int, int, int]) -> list[tuple[int, int, int, int]]:
    tags = {
        "width": (256, 4, 1, width),
        "height": (257, 4, 1, height),
        "bits": (258, 3, 1, 8),
        "compression": (259, 3, 1, 1),
        "photometric": (262, 3, 1, 1),
        "offset": (273, 4, 1, 8),
        "samples": (277, 3, 1, 1),
        "rows": (278, 4, 1, height),
        "count": (279, 4, 1, width * height),
    }
    return sorted({**tags, **more}.values())


def tiff_of_loops() -> bytes:
    """A TIFF whose directory is followed by itself."""
    entries = _tiff_of(8, 8, count=(279, 4, 1, 64))
    return tiff(entries, bytes(64), following=8)


def tiff_strip(compression: int, rows: int = 2**32 - 1, claimed: int = 2**32 - 1) -> bytes:
    """A TIFF of 8 x 8 pixels whose one strip claims to be as long as a file can be."""
    return tiff(
        _tiff_of(8, 8, compression=(259, 3, 1, compression), rows=(278, 4, 1, rows), count=(279, 4, 1, claimed)),
        bytes(64),
    )


def tiff_wide_strip(compression: int = 5) -> bytes:
    """A TIFF within the pixel limit, of one line."""
    return tiff(_tiff_of(90_000_000, 1, compression=(259, 3, 1, compression), count=(279, 4, 1, 64)), bytes(64))


def tiff_tile(side: int = 2**20) -> bytes:
    """A TIFF of 8 x 8 pixels in one tile of far more."""
    entries = [entry for entry in _tiff_of(8, 8, compression=(259, 3, 1, 5)) if entry[0] not in (273, 278, 279)]
    entries += [(322, 4, 1, side), (323, 4, 1, side), (324, 4, 1, 8), (325, 4, 1, 64)]
    return tiff(sorted(entries), bytes(64))


def tiff_tag_bomb(tags: int = 2_000, size: int = 4 * _MIB) -> bytes:
    """A TIFF with many tags that all claim the same few megabytes."""
    entries = [*_tiff_of(8, 8), *((40_000 + number, 1, size, 8) for number in range(tags))]
    return tiff(sorted(entries), bytes(size))


def tiff_many_samples() -> bytes:
    """A TIFF with 65,535 samples a pixel."""
    return tiff(_tiff_of(1000, 1000, samples=(277, 3, 1, 65535)), bytes(64))


def jpeg_many_markers(count: int = 500_000) -> bytes:
    """Two megabytes of empty comments before the picture."""
    whole = encoded(quarters((64, 48)), "JPEG")
    return whole[:2] + b"\xff\xfe\0\2" * count + whole[2:]


def jpeg_many_profiles(count: int = 255, sets: int = 10) -> bytes:
    """As many pieces of a colour profile as there can be, several times over."""
    whole = encoded(quarters((64, 48)), "JPEG")
    pieces = [
        b"\xff\xe2" + struct.pack(">H", 65_535) + b"ICC_PROFILE\0" + bytes([number + 1, count]) + bytes(65_519)
        for number in range(count)
    ]
    return whole[:2] + b"".join(pieces) * sets + whole[2:]


def jpeg_of_size(width: int, height: int) -> bytes:
    """A small JPEG that claims another size."""
    whole = bytearray(encoded(quarters((64, 48)), "JPEG"))
    at = whole.index(b"\xff\xc0")
    whole[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(whole)


def jpeg_slow(size: int = 4096, scans: int = 400) -> bytes:
    """A progressive JPEG of many pixels and as many scans as are allowed: each goes over all pixels."""
    whole = encoded(Image.new("L", (size, size), 128), "JPEG", progressive=True)
    last, end = whole.rindex(b"\xff\xda"), whole.rindex(b"\xff\xd9")
    return whole[:end] + whole[last:end] * (scans - whole.count(b"\xff\xda")) + whole[end:]


def avif_of_size(width: int, height: int) -> bytes:
    """A small AVIF that claims another size."""
    whole = bytearray(encoded(quarters((64, 48)), "AVIF"))
    at = whole.index(b"ispe") + 8
    whole[at : at + 8] = struct.pack(">LL", width, height)
    return bytes(whole)


def avif_of_frames(count: int) -> bytes:
    """An animated AVIF whose table of samples claims that many."""
    frames = [quarters((64, 48)), quarters((64, 48)).rotate(90)]
    whole = bytearray(encoded(frames[0], "AVIF", save_all=True, append_images=frames[1:]))
    at = whole.index(b"stts") + 12
    whole[at : at + 4] = struct.pack(">L", count)
    size = whole.index(b"stsz") + 12
    whole[size : size + 4] = struct.pack(">L", count)
    return bytes(whole)


def bmp_of_size(width: int, height: int, compression: int = 0) -> bytes:
    """A BMP header that claims that size, and some bytes."""
    header = struct.pack("<LllHHLLllLL", 40, width, height, 1, 8, compression, 0, 0, 0, 2, 0)
    return b"BM" + struct.pack("<LLL", 1000, 0, 14 + 40 + 8) + header + bytes(8) + bytes(64)


def bmp_rle_bomb() -> bytes:
    """A run-length coded BMP of 90 Mpx in a few bytes."""
    whole = bmp_of_size(9_000, 10_000, 1)
    return whole + b"\0\2\xff\xff" * 200_000 + b"\0\1"


def ico_of_size(width: int, height: int) -> bytes:
    """An icon whose picture is a PNG that claims that size."""
    inner = giant_png(width, height)
    return b"\0\0\1\0\1\0" + struct.pack("<BBBBHHLL", 0, 0, 0, 0, 1, 32, len(inner), 22) + inner


def ico_in_ico() -> bytes:
    """An icon whose picture is an icon."""
    inner = ico_of_size(16, 16)
    return b"\0\0\1\0\1\0" + struct.pack("<BBBBHHLL", 0, 0, 0, 0, 1, 32, len(inner), 22) + inner


def ico_of_entries(count: int = 65_535) -> bytes:
    """An icon whose directory holds as many pictures as it can, all the same."""
    inner = encoded(quarters((16, 16)), "PNG")
    entry = struct.pack("<BBBBHHLL", 16, 16, 0, 0, 1, 32, len(inner), 6 + 16 * count)
    return b"\0\0\1\0" + struct.pack("<H", count) + entry * count + inner


def ico_text_bomb() -> bytes:
    """An icon whose PNG holds a text bomb."""
    inner = png_text_bomb()
    return b"\0\0\1\0\1\0" + struct.pack("<BBBBHHLL", 0, 0, 0, 0, 1, 32, len(inner), 22) + inner


def ppm_of_size(width: int, height: int, kind: bytes = b"P6", most: int = 255) -> bytes:
    """A PPM header that claims that size."""
    return kind + b" %d %d %d\n" % (width, height, most) + bytes(64)


def ppm_text(digits: int = 3_000_000) -> bytes:
    """A plain PPM with one number of millions of digits."""
    return b"P3 8 8 255\n" + b"1" * digits


def gif_lzw(size: int = 9_000) -> bytes:
    """A GIF of 81 Mpx of one colour: it packs into almost nothing."""
    out = io.BytesIO()
    Image.new("P", (size, size)).save(out, "GIF")
    return out.getvalue()


def gif_frames_on_a_screen(count: int = 500, side: int = 400) -> bytes:
    """Frames of one pixel on a large screen: each frame is that screen again."""
    return gif_of_frames(count, (side, side))


HOSTILE: dict[str, tuple[Callable[[], bytes], tuple[str, ...]]] = {
    # name: (how it is made, the kinds of error that are right for it; "done" where it may be rendered)
    "png: profile of 500 MB": (png_profile_bomb, ("too many bytes",)),
    "png: text of 500 MB": (png_text_bomb, ("too many bytes",)),
    "png: international text of 500 MB": (lambda: png_text_bomb(b"iTXt"), ("too many bytes",)),
    "png: 200 texts of a megabyte": (png_many_texts, ("too many bytes",)),
    "png: 300,000 chunks": (png_many_chunks, ("done",)),
    "png: 2,000 Mpx": (lambda: giant_png(50_000, 40_000), ("too many pixels",)),
    "png: as large as it can be": (lambda: giant_png(2**31 - 1, 2**31 - 1), ("too many pixels",)),
    "png: a million frames claimed": (lambda: apng_of_frames(1_000_000), ("too many frames",)),
    "png: 900 frames claimed": (lambda: apng_of_frames(900), ("truncated", "damaged")),
    "gif: a million frames": (lambda: gif_of_frames(1_000_000), ("too many frames",)),
    "gif: 500 screens": (gif_frames_on_a_screen, ("done",)),
    "gif: 900 large screens": (lambda: gif_of_frames(900, (4000, 4000)), ("too many pixels",)),
    "gif: 4,000 Mpx": (lambda: giant_gif(65_535, 65_535), ("too many pixels",)),
    "webp: 20,000 frames": (lambda: webp_of_frames(20_000), ("too many frames",)),
    "webp: a canvas of 268 Mpx": (lambda: webp_canvas(16_383, 16_383), ("too many pixels",)),
    "webp: a canvas beyond the format": (
        lambda: webp_canvas(2**24, 2**24),
        ("too many pixels", "damaged", "memory limit"),
    ),
    "tiff: a directory that follows itself": (tiff_of_loops, ("done",)),
    "tiff: a strip of 4 GB": (lambda: tiff_strip(1), ("truncated", "damaged", "done")),
    "tiff: a packed strip of 4 GB": (lambda: tiff_strip(5), ("truncated", "damaged", "memory limit")),
    "tiff: a line of 90 Mpx": (tiff_wide_strip, ("truncated", "damaged", "memory limit")),
    "tiff: a tile of a million squared": (tiff_tile, ("truncated", "damaged", "memory limit")),
    "tiff: 2,000 tags of 4 MB": (tiff_tag_bomb, ("memory limit", "done")),
    "tiff: 65,535 samples": (tiff_many_samples, ("unsupported", "damaged", "truncated")),
    "jpeg: 10,000 scans": (lambda: jpeg_of_scans(10_000), ("too many scans",)),
    "jpeg: 500,000 markers": (jpeg_many_markers, ("done",)),
    "jpeg: 160 MB of profile": (jpeg_many_profiles, ("done",)),
    "jpeg: 4,000 Mpx": (lambda: jpeg_of_size(65_500, 65_500), ("too many pixels",)),
    "jpeg: 90 Mpx that are not there": (lambda: jpeg_of_size(9_000, 10_000), ("truncated", "damaged", "done")),
    "avif: 4,000 Mpx": (lambda: avif_of_size(65_535, 65_535), ("too many pixels", "damaged")),
    "avif: 90 Mpx that are not there": (lambda: avif_of_size(9_000, 10_000), ("damaged", "done")),
    "avif: a million frames": (lambda: avif_of_frames(1_000_000), ("too many frames", "damaged", "truncated")),
    "bmp: 4,000 Mpx": (lambda: bmp_of_size(65_535, 65_535), ("too many pixels",)),
    "bmp: as large as it can be": (lambda: bmp_of_size(2**31 - 1, 2**31 - 1), ("too many pixels", "not a picture")),
    "bmp: runs for 90 Mpx": (bmp_rle_bomb, ("truncated", "damaged", "done")),
    "ico: 4,000 Mpx": (lambda: ico_of_size(65_535, 65_535), ("too many pixels",)),
    "ico: an icon in an icon": (ico_in_ico, ("not a picture", "damaged", "truncated")),
    "ico: 65,535 entries": (ico_of_entries, ("done",)),
    "ico: a text of 500 MB": (ico_text_bomb, ("too many bytes",)),
    "ppm: 4,000 Mpx": (lambda: ppm_of_size(65_535, 65_535), ("too many pixels",)),
    "ppm: 90 Mpx that are not there": (lambda: ppm_of_size(9_000, 10_000), ("truncated", "damaged")),
    "ppm: a number of 3 million digits": (ppm_text, ("damaged", "truncated")),
}
