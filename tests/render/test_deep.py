"""Pictures of 16 bits a channel, from source to file."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Sequence
from dataclasses import replace

import pytest
from PIL import Image

from pipeline.model.spec import AS_SOURCE, Fit, Format, Metadata, Profile, Spec
from pipeline.render.encoding.inspect import inspect
from pipeline.render.geometry.orientation import turned
from pipeline.render.pixels import libvips
from tests.pictures import encoded, exif, pixel, png16
from tests.render.drawing import answer_to, rendition
from tests.tiffs import FLOAT, Layout, tiff

pytestmark = pytest.mark.skipif(not libvips.available(), reason="needs libvips")

SIDE = 7
CHANNELS = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}


def levels(channels: int, *, seed: int = 1) -> list[int]:
    chance = random.Random(seed)
    return [chance.randrange(1, 65536) for _ in range(SIDE * SIDE * channels)]


def png_levels(content: bytes) -> list[int]:
    """The samples of a PNG of 16 bits, unfiltered here, because Pillow keeps only the top bytes."""
    chunks: dict[bytes, bytes] = {}
    at = 8
    while at < len(content):
        size, kind = struct.unpack_from(">L4s", content, at)
        chunks[kind] = chunks.get(kind, b"") + content[at + 8 : at + 8 + size]
        at += size + 12
    width, height, depth, colour = struct.unpack_from(">LLBB", chunks[b"IHDR"])
    assert depth == 16
    step = 2 * {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    raw, row, unpacked = zlib.decompress(chunks[b"IDAT"]), bytearray(step * width), bytearray()
    for y in range(height):
        start = y * (step * width + 1)
        row = _unfiltered(raw[start], raw[start + 1 : start + 1 + step * width], row, step)
        unpacked += row
    return list(struct.unpack(f">{len(unpacked) // 2}H", unpacked))


def _unfiltered(kind: int, line: bytes, above: Sequence[int], step: int) -> bytearray:
    row = bytearray()
    for x, value in enumerate(line):
        a, b, c = (row[x - step] if x >= step else 0), above[x], (above[x - step] if x >= step else 0)
        p = a + b - c
        nearest = min((a, b, c), key=lambda neighbour: abs(p - neighbour))
        row.append((value + (0, a, b, (a + b) // 2, nearest)[kind]) % 256)
    return row


@pytest.mark.parametrize("mode", CHANNELS)
def test_a_png_of_16_bits_is_kept_level_by_level(mode: str) -> None:
    stored = levels(CHANNELS[mode])
    answer, files = answer_to(png16((SIDE, SIDE), mode, stored), Spec("a", format=Format.PNG, depth=AS_SOURCE))
    assert png_levels(files["a"]) == stored
    assert answer.warnings == ()


@pytest.mark.parametrize("mode", CHANNELS)
def test_a_tiff_of_16_bits_is_kept_level_by_level(mode: str) -> None:
    stored = levels(CHANNELS[mode])
    kept = Spec("a", format=Format.TIFF, depth=AS_SOURCE)
    first = answer_to(png16((SIDE, SIDE), mode, stored), kept)[1]["a"]
    again = answer_to(first, replace(kept, format=Format.PNG))[1]["a"]
    assert png_levels(again) == stored


def test_floats_are_kept_at_16_bits() -> None:
    rows = [[(x / 6,) for x in range(SIDE)] for _ in range(SIDE)]
    content = tiff(rows, Layout(1, 32, kind=FLOAT))
    answer, files = answer_to(content, Spec("a", format=Format.PNG, depth=AS_SOURCE))
    assert png_levels(files["a"])[:SIDE] == [int(65535 * x / 6 + 0.5) for x in range(SIDE)]
    assert answer.warnings == ("32 bits a channel become 16",)


def test_a_tiff_with_a_wrong_tag_that_libvips_refuses_is_read_by_pillow() -> None:
    wrong = ((0x0112, "H", (99,)),)  # no orientation
    kept = Spec("a", format=Format.PNG, depth=AS_SOURCE)
    greys, colours = ([[(x * 9_000,) * channels for x in range(SIDE)]] * SIDE for channels in (1, 3))
    answer, files = answer_to(tiff(greys, Layout(1, 16, tags=wrong)), kept)
    assert png_levels(files["a"]) == [level for row in greys for (level,) in row]
    assert answer.warnings == ()
    answer, files = answer_to(tiff(colours, Layout(2, 16, tags=wrong)), kept)
    assert pixel(Image.open(io.BytesIO(files["a"])), (5, 1)) == (45_000 >> 8,) * 3
    assert answer.warnings == ("16 bits a channel are read as 8: its tags are damaged",)
    answer, _files = answer_to(tiff(colours, Layout(2, 16, tags=wrong)), Spec("a", format=Format.PNG))
    assert answer.warnings == ("16 bits a channel are read as 8: its tags are damaged",)


def avif(mode: str, samples: list[int], size: tuple[int, int], bits: int, orientation: int = 1) -> bytes:
    import pyvips

    raw = struct.pack(f"={len(samples)}H", *samples)
    image = pyvips.Image.new_from_memory(raw, *size, CHANNELS[mode], "ushort")
    image = image.copy(interpretation="grey16" if CHANNELS[mode] < 3 else "rgb16")
    image.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    content: bytes = image.heifsave_buffer(bitdepth=bits, compression="av1", Q=100, subsample_mode="off", effort=0)
    return content


@pytest.mark.parametrize(("mode", "bits"), [("RGB", 10), ("RGB", 12), ("RGBA", 10)])
def test_avif_of_more_than_8_bits_keeps_them(mode: str, bits: int) -> None:
    count, alpha = 256, mode == "RGBA"
    ramp = [round(16_000 + x / (count - 1) * 4_000) for x in range(count)]
    samples = [level for level in ramp for level in (level, level, level, *([65535] * alpha))] * 4
    kept = Spec("a", format=Format.PNG, depth=AS_SOURCE)
    answer, files = answer_to(avif(mode, samples, (count, 4), bits), kept)
    made = png_levels(files["a"])[0 : count * 3 : 3]
    assert answer.warnings == ()
    assert len(set(made)) > 3 * 4_000 * 255 / 65535
    assert max(abs(a - b) for a, b in zip(made, ramp, strict=True)) < 200


@pytest.mark.parametrize("orientation", range(2, 9))
def test_avif_of_more_than_8_bits_stands_upright(orientation: int) -> None:
    stored = [0] * 32 * 16 * 3
    for y in range(8):  # a corner, above left
        stored[y * 96 : y * 96 + 48] = [65535] * 48
    image = rendition(avif("RGB", stored, (32, 16), 10, orientation), Spec("a", format=Format.PNG))
    wanted = Image.new("L", (32, 16))
    wanted.paste(255, (0, 0, 16, 8))
    wanted = turned(wanted, orientation)
    assert image.size == wanted.size
    places = [(x, y) for x in (4, image.width - 5) for y in (4, image.height - 5)]
    for place in places:
        assert abs(pixel(image, place)[0] - pixel(wanted, place)[0]) < 40, place


def test_avif_that_libheif_refuses_is_read_at_8_bits_with_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.render.formats import avif_by_libvips

    def refused(*_: object) -> None:
        raise OSError("no")

    monkeypatch.setattr(avif_by_libvips, "decoded", refused)
    answer, _ = answer_to(avif("RGB", [30_000] * 48, (4, 4), 10), Spec("a"))
    assert "10 bits a channel are read as 8" in answer.warnings


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_heic_of_more_than_8_bits_keeps_them(mode: str) -> None:
    import pillow_heif

    count, alpha = 256, mode == "RGBA"
    ramp = [round(16_000 + x / (count - 1) * 4_000) for x in range(count)]
    raw = b"".join(struct.pack("<H", level) * (CHANNELS[mode] - alpha) + b"\xff\xff" * alpha for level in ramp)
    buffer = io.BytesIO()
    picture = pillow_heif.from_bytes(f"{mode};16", (count, 16), raw * 16)
    picture.save(buffer, format="HEIF", quality=-1, chroma=444)
    answer, files = answer_to(buffer.getvalue(), Spec("a", format=Format.PNG, depth=AS_SOURCE))
    made = png_levels(files["a"])[0 : count * (CHANNELS[mode] - alpha) : CHANNELS[mode] - alpha]
    assert answer.warnings == ()
    assert len(set(made)) > 2 * 4_000 * 255 / 65535
    assert max(abs(a - b) for a, b in zip(made, ramp, strict=True)) < 200


def test_a_source_that_loses_its_depth_says_so_once() -> None:
    content = png16((SIDE, SIDE), "RGB", levels(3))
    specs = (Spec("a", 4), Spec("b", format=Format.PNG))
    assert answer_to(content, *specs)[0].warnings == ("16 bits a channel become 8; depth: keep would keep 16",)
    assert answer_to(content, *specs, Spec("c", format=Format.TIFF, depth=AS_SOURCE))[0].warnings == ()


def moving_png() -> bytes:
    """An animation of one frame, of 16 bits a channel."""
    control = struct.pack(">LLLLLHHBB", 0, SIDE, SIDE, 0, 0, 1, 10, 0, 0)
    return png16((SIDE, SIDE), "RGB", levels(3), (b"acTL", struct.pack(">LL", 1, 0)), (b"fcTL", control))


def moving_avif() -> bytes:
    """An animation that says in its track that it has 10 bits a channel."""
    first = Image.new("RGB", (16, 16), "red")
    content = bytearray(encoded(first, "AVIF", save_all=True, append_images=[first.rotate(90)], duration=50))
    content[content.rindex(b"av1C") + 6] |= 0x40
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "bits"),
    [
        pytest.param(moving_png(), 16, id="moving png"),
        pytest.param(moving_avif(), 10, id="moving avif"),
        pytest.param(b"P6 8 8 65535\n" + bytes(8 * 8 * 6), 16, id="ppm"),
        pytest.param(b"P3 1 1 1023\n1 2 3\n", 16, id="ppm in digits"),
    ],
)
def test_what_is_read_at_8_bits_says_so(content: bytes, bits: int) -> None:
    answer, _ = answer_to(content, Spec("a", format=Format.PNG, depth=AS_SOURCE))
    assert answer.warnings == (f"{bits} bits a channel become 8",)


def test_a_ppm_of_8_bits_has_no_more_to_say() -> None:
    for content in (b"P6 1 1 255\n123", b"P6 1 1 100\n123", b"P3 1 1 255\n1 2 3\n", b"P5 1 1 255\n1", b"P4 8 1\n1"):
        assert answer_to(content, Spec("a"))[0].warnings == ()


def test_an_avif_has_twelve_bits() -> None:
    content = answer_to(png16((64, 64), "RGB", [9_000] * 64 * 64 * 3), Spec("a", format=Format.AVIF, depth=AS_SOURCE))
    assert inspect(content[1]["a"]).bits == 12


def test_an_avif_says_no_more_than_was_asked_for() -> None:
    block = exif({0x013B: "Ada", 0x011A: 300, 0x011B: 300, 0x0128: 2}).removeprefix(b"Exif\0\0")
    plain, told = (png16((8, 8), "RGB", [9_000] * 192, *chunks) for chunks in ((), ((b"eXIf", block),)))
    spec = Spec("a", format=Format.AVIF, depth=AS_SOURCE, profile=Profile.DISPLAY_P3, metadata=Metadata.KEEP)
    bare = Image.open(io.BytesIO(answer_to(plain, spec)[1]["a"]))
    assert "exif" not in bare.info
    assert "icc_profile" in bare.info
    main = Image.open(io.BytesIO(answer_to(told, spec)[1]["a"])).getexif()
    assert dict(main) == {0x013B: "Ada", 0x011A: 300, 0x011B: 300, 0x0128: 2}  # libvips would add eight more
    without = replace(spec, metadata=Metadata.STRIP)
    pixels = [Image.open(io.BytesIO(answer_to(told, each)[1]["a"])).tobytes() for each in (spec, without)]
    assert pixels[0] == pixels[1]


def test_without_libvips_colour_is_read_at_8_bits_with_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libvips, "available", lambda: False)
    answer, files = answer_to(png16((SIDE, SIDE), "RGB", [0x12FF] * SIDE * SIDE * 3), Spec("a", format=Format.PNG))
    assert pixel(Image.open(io.BytesIO(files["a"])), (1, 1)) == (0x12, 0x12, 0x12)
    assert answer.warnings == ("16 bits a channel become 8",)


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_turned_picture_is_upright(orientation: int) -> None:
    stored = levels(3)
    block = exif({0x0112: orientation}).removeprefix(b"Exif\0\0")
    content = png16((SIDE, SIDE), "RGB", stored, (b"eXIf", block))
    made = png_levels(answer_to(content, Spec("a", format=Format.PNG, depth=AS_SOURCE))[1]["a"])
    pixels = Image.frombytes("RGB", (SIDE, SIDE), bytes(level >> 8 for level in stored))
    assert bytes(level >> 8 for level in made) == turned(pixels, orientation).tobytes()


def test_what_is_padded_lies_over_the_background() -> None:
    white = png16((4, 2), "LA", [65535, 32768] * 8)
    spec = Spec("a", 4, 4, Fit.CONTAIN, enlarge=True, format=Format.PNG, depth=AS_SOURCE, background="#00000080")
    made = png_levels(answer_to(white, spec)[1]["a"])
    assert made[:2] == [0, 128 * 257]
    alpha = made[2 * 5 + 1]
    assert alpha == pytest.approx(65535 * (0.5 + 0.5 * 128 / 255), abs=2)
    assert made[2 * 5] == pytest.approx(65535 * 32768 / alpha, abs=2)


def test_a_linear_profile_leaves_its_levels_apart() -> None:
    """256 dark levels of 16 bits in linear light are some sixteen of 8 bits there, and many more in sRGB."""
    ramp = [level for level in range(0, 2560, 10) for _channel in range(3)]
    gamma = (b"gAMA", struct.pack(">L", 100_000))
    primaries = (b"cHRM", struct.pack(">8L", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000))
    made = rendition(png16((16, 16), "RGB", ramp, gamma, primaries), Spec("a", format=Format.PNG))
    assert len(made.getcolors() or []) > 45
