"""Pictures for tests, made by code: known colours in known places, and headers that promise too much."""

from __future__ import annotations

import io
import os
import struct
import tempfile
import zlib
from collections.abc import Mapping, Sequence
from random import Random

from PIL import Image

from pipeline.model.spec import Format
from pipeline.sources.magic import not_decoded

RED, GREEN, BLUE, WHITE = (220, 30, 30), (30, 190, 40), (30, 40, 210), (245, 245, 245)

WRITTEN = tuple(format_ for format_ in Format if format_.value not in not_decoded())  # JPEG XL needs an extra

Matrix = tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]

# Columns are the primaries' XYZ under D50, from the published definitions of the colour spaces.
DISPLAY_P3: Matrix = ((0.51512, 0.29198, 0.15710), (0.24120, 0.69225, 0.06657), (-0.00105, 0.04189, 0.78407))
ADOBE_RGB: Matrix = ((0.60974, 0.20528, 0.14919), (0.31111, 0.62567, 0.06322), (0.01947, 0.06087, 0.74457))
SRGB: Matrix = ((0.43607, 0.38515, 0.14307), (0.22249, 0.71687, 0.06061), (0.01392, 0.09708, 0.71410))


def quarters(size: tuple[int, int] = (320, 240)) -> Image.Image:
    """An upright RGB picture: red top left, green top right, blue bottom left, white bottom right."""
    width, height = size
    image = Image.new("RGB", size, RED)
    image.paste(GREEN, (width // 2, 0, width, height))
    image.paste(BLUE, (0, height // 2, width, height))
    image.paste(WHITE, (width // 2, height // 2, width, height))
    return image


def corners(image: Image.Image) -> list[tuple[int, ...]]:
    """The RGB colours in the middle of the four quarters: top left, top right, bottom left, bottom right."""
    colours = image.convert("RGB")
    places = [(x * image.width // 4, y * image.height // 4) for y in (1, 3) for x in (1, 3)]
    return [pixel(colours, place) for place in places]


def pixel(image: Image.Image, place: tuple[int, int]) -> tuple[int, ...]:
    """The values of one pixel, as many as the mode has bands."""
    value = image.getpixel(place)
    assert value is not None
    return value if isinstance(value, tuple) else (round(value),)


def near(colour: Sequence[int], wanted: Sequence[int], tolerance: int) -> bool:
    """Whether no channel is further off than `tolerance`."""
    return all(abs(a - b) <= tolerance for a, b in zip(colour, wanted, strict=True))


def as_stored(image: Image.Image, orientation: int) -> Image.Image:
    """The upright `image` as a camera that writes `orientation` would have stored it."""
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    return image.transpose(turns[orientation]) if orientation in turns else image


def encoded(image: Image.Image, format_: str, **options: object) -> bytes:
    """The bytes of `image` in a format, as Pillow names it."""
    buffer = io.BytesIO()
    image.save(buffer, format_, **options)
    return buffer.getvalue()


def exif(tags: Mapping[int, int | str]) -> bytes:
    """An EXIF block with these tags of IFD0; 0x0112 is the orientation, 0x013B the artist, 0x8298 the copyright."""
    block = Image.Exif()
    for tag, value in tags.items():
        block[tag] = value
    return block.tobytes()


def noise(size: tuple[int, int], sigma: float, *, seed: int = 1) -> Image.Image:
    """Grey noise around the middle, as `Image.effect_noise` makes it, but the same each time."""
    random = Random(seed)
    levels = (round(random.gauss(128, sigma)) for _ in range(size[0] * size[1]))
    return Image.frombytes("L", size, bytes(max(0, min(level, 255)) for level in levels))


def descriptor_of(content: bytes) -> int:
    """A readable descriptor of a nameless file with `content`, the caller's to close."""
    descriptor, path = tempfile.mkstemp()
    os.unlink(path)
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def matrix_profile(matrix: Matrix, gamma: float | None = None) -> bytes:
    """A minimal ICC profile: the primaries' `matrix` and a curve, a power of `gamma` or (None) that of sRGB."""
    if gamma is None:
        table = [round(65535 * linear(step / 1023)) for step in range(1024)]
        curve = b"curv\0\0\0\0" + struct.pack(f">L{len(table)}H", len(table), *table)
    else:
        curve = b"curv\0\0\0\0" + struct.pack(">LH", 1, round(gamma * 256)) + b"\0\0"
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">L", 5) + b"test\0" + b"\0" * 78,
        b"cprt": b"text\0\0\0\0none\0",
        b"wtpt": _xyz(0.9642, 1.0, 0.8249),
        b"rXYZ": _xyz(*(row[0] for row in matrix)),
        b"gXYZ": _xyz(*(row[1] for row in matrix)),
        b"bXYZ": _xyz(*(row[2] for row in matrix)),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }
    return _profile(b"RGB ", tags)


def grey_profile(gamma: float) -> bytes:
    """A minimal ICC profile for grey with a power curve."""
    curve = b"curv\0\0\0\0" + struct.pack(">LH", 1, round(gamma * 256)) + b"\0\0"
    description = b"desc\0\0\0\0" + struct.pack(">L", 5) + b"test\0" + b"\0" * 78
    return _profile(b"GRAY", {b"desc": description, b"wtpt": _xyz(0.9642, 1.0, 0.8249), b"kTRC": curve})


def linear(value: float) -> float:
    """sRGB's curve, 0..1: encoded to linear."""
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def nonlinear(value: float) -> float:
    """sRGB's curve, 0..1: linear to encoded."""
    return value * 12.92 if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055


def giant_png(width: int, height: int) -> bytes:
    """A PNG whose header promises that size, with a few bytes of pixels."""
    header = struct.pack(">LLBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(bytes(99)))
        + _chunk(b"IEND", b"")
    )


def deep_png(size: tuple[int, int], left: Sequence[int], right: Sequence[int]) -> bytes:
    """A PNG of 16 bits a channel, RGB: its left half of one colour, which is transparent, its right half of another."""
    header = struct.pack(">LLBBBBB", *size, 16, 2, 0, 0, 0)
    row = b"\0" + struct.pack(">3H", *left) * (size[0] // 2) + struct.pack(">3H", *right) * (size[0] - size[0] // 2)
    chunks = ((b"IHDR", header), (b"tRNS", struct.pack(">3H", *left)), (b"IDAT", zlib.compress(row * size[1])))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks) + _chunk(b"IEND", b"")


def png16(size: tuple[int, int], mode: str, levels: Sequence[int], *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of 16 bits a channel in `L`, `LA`, `RGB` or `RGBA`; `chunks`: kind and content of those before pixels."""
    colour = {"L": 0, "RGB": 2, "LA": 4, "RGBA": 6}[mode]
    row = len(levels) // size[1]
    rows = (b"\0" + struct.pack(f">{row}H", *levels[at : at + row]) for at in range(0, len(levels), row))
    header = struct.pack(">LLBBBBB", *size, 16, colour, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(b"".join(rows))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in parts)


def giant_gif(width: int, height: int) -> bytes:
    """A GIF whose screen promises that size, with one pixel."""
    small = encoded(Image.new("P", (1, 1)), "GIF")
    return small[:6] + struct.pack("<HH", width, height) + small[10:]


def jpeg_of_scans(count: int) -> bytes:
    """A progressive JPEG whose last scan is repeated until there are `count`."""
    whole = encoded(quarters((64, 64)), "JPEG", progressive=True)
    last, end = whole.rindex(b"\xff\xda"), whole.rindex(b"\xff\xd9")
    present = whole.count(b"\xff\xda")
    return whole[:end] + whole[last:end] * (count - present) + whole[end:]


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">L", len(content)) + kind + content + struct.pack(">L", zlib.crc32(kind + content))


def _xyz(*values: float) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3l", *(round(value * 65536) for value in values))


def _profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    table, content = struct.pack(">L", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, tag in tags.items():
        table += struct.pack(">4sLL", name, start + len(content), len(tag))
        content += tag + b"\0" * (-len(tag) % 4)
    header = struct.pack(
        ">L4sL4s4s4s12s4s4sL4s4sQL12s",
        start + len(content), b"\0\0\0\0", 0x02400000, b"mntr", space, b"XYZ ", bytes(12), b"acsp",
        b"\0\0\0\0", 0, b"\0\0\0\0", b"\0\0\0\0", 0, 0, struct.pack(">3l", 63190, 65536, 54061),
    )  # fmt: skip
    return header.ljust(128, b"\0") + table + content
