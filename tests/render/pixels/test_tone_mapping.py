"""HDR against the formulas of BT.2100 and BT.2390, written out here for one pixel at a time."""

from __future__ import annotations

import io
import math
import os
import struct
from collections.abc import Callable

import pytest
from PIL import Image

from pipeline.model.rendering import Rendered
from pipeline.model.spec import Format, Hdr, Spec
from pipeline.render.colour.cicp import profile_of
from pipeline.render.formats import jxl
from pipeline.render.opening.source import opening
from pipeline.render.pixels import libvips
from pipeline.workers.exchange import whole
from tests.pictures import descriptor_of, encoded, nonlinear, pixel, png16
from tests.render.drawing import answer_to, rendition

PNG = Spec("a", format=Format.PNG)
M1, M2, C1, C2, C3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
MAPPED = "HDR: tone-mapped to what other screens show"

needs_libvips = pytest.mark.skipif(not libvips.available(), reason="needs libvips")


def pq(light: float) -> float:
    """0 to 1 for cd/m2."""
    power = (light / 10_000) ** M1
    return float(((C1 + C2 * power) / (1 + C3 * power)) ** M2)


def light_of_pq(level: float) -> float:
    power = level ** (1 / M2)
    return float(10_000 * (max(power - C1, 0) / (C2 - C3 * power)) ** (1 / M1))


def shown(light: float, peak: float = 1000.0) -> float:
    """The level of 0 to 255 for a grey of `light`."""
    top = pq(203) / pq(peak)
    knee, level = 1.5 * top - 0.5, min(1.0, pq(light) / pq(peak))
    if level > knee:
        t = (level - knee) / (1 - knee)
        bent = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (3 * t**2 - 2 * t**3) * top
        light = light_of_pq(bent * pq(peak))
    return 255 * nonlinear(min(1.0, light / 203))


def stated(levels: tuple[float, ...], transfer: int = 16, primaries: int = 9, *more: tuple[bytes, bytes]) -> bytes:
    """An RGB picture of one colour."""
    codes = (b"cICP", bytes((primaries, transfer, 0, 1)))
    return png16((8, 8), "RGB", [round(level * 65535) for level in levels] * 64, codes, *more)


def of_light(*light: float, peak: bytes | None = None, primaries: int = 9) -> bytes:
    more = [] if peak is None else [(b"cLLI", peak)]
    return stated(tuple(pq(each) for each in light), 16, primaries, *more)


@needs_libvips
@pytest.mark.parametrize("light", [0.0, 1.0, 20.0, 60.0, 120.0, 203.0, 500.0, 1000.0, 4000.0])
def test_greys_follow_the_curve(light: float) -> None:
    level = pixel(rendition(of_light(light, light, light), PNG), (4, 4))
    assert max(abs(each - shown(light)) for each in level[:3]) <= 1, (level, shown(light))


@needs_libvips
def test_up_to_the_knee_nothing_changes_and_the_peak_is_white() -> None:
    assert math.isclose(shown(60), 255 * nonlinear(60 / 203), abs_tol=0.01)
    assert pixel(rendition(of_light(1000, 1000, 1000), PNG), (4, 4))[:3] == (255, 255, 255)


@needs_libvips
def test_the_brightest_pixel_that_a_file_states_is_white() -> None:
    for peak in (400, 4000):
        content = of_light(peak, peak, peak, peak=struct.pack(">LL", peak * 10_000, 0))
        assert pixel(rendition(content, PNG), (4, 4))[:3] == (255, 255, 255)
    content = of_light(400, 400, 400, peak=struct.pack(">LL", 4000 * 10_000, 0))
    assert abs(pixel(rendition(content, PNG), (4, 4))[0] - shown(400, 4000)) <= 1


@needs_libvips
@pytest.mark.parametrize("colour", [(600.0, 420.0, 330.0), (350.0, 480.0, 700.0)], ids=["skin", "sky"])
def test_bright_colours_keep_their_hue(colour: tuple[float, float, float]) -> None:
    """The proportions between the channels, in the primaries that are sRGB's here."""
    level = pixel(rendition(of_light(*colour, primaries=1), PNG), (4, 4))
    brightest = max(colour)
    mapped = light_shown(shown(brightest))
    wanted = tuple(255 * nonlinear(each / brightest * mapped) for each in colour)
    assert max(abs(a - b) for a, b in zip(level, wanted, strict=False)) <= 1, (level, wanted)


def light_shown(level: float) -> float:
    encoded = level / 255
    return encoded / 12.92 if encoded <= 0.04045 else float(((encoded + 0.055) / 1.055) ** 2.4)


@needs_libvips
def test_hlg_goes_through_the_screen_that_it_is_made_for() -> None:
    """Of BT.2408's levels: 75 % is diffuse white at 203 cd/m2, and 38 % a grey card at 26."""
    for level, light in ((0.75, 203.0), (0.38, 26.0), (1.0, 1000.0)):
        got = pixel(rendition(stated((level,) * 3, 18), PNG), (4, 4))
        assert max(abs(each - shown(light)) for each in got[:3]) <= 2, (got, shown(light))


@needs_libvips
def test_eight_bits_and_alpha_are_mapped_too_and_the_record_says_so() -> None:
    image = Image.new("RGBA", (8, 8), (round(pq(203) * 255),) * 3 + (128,))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    content = buffer.getvalue()
    at = content.index(b"IDAT") - 4
    content = content[:at] + chunk(b"cICP", bytes((9, 16, 0, 1))) + content[at:]
    answer, files = answer_to(content, PNG)
    assert answer.warnings == (MAPPED,)
    assert isinstance(answer.renditions[0], Rendered)
    level = pixel(Image.open(io.BytesIO(files["a"])), (4, 4))
    assert abs(level[0] - shown(203)) <= 3
    assert level[3] == 128


def chunk(kind: bytes, content: bytes) -> bytes:
    import zlib

    return struct.pack(">L", len(content)) + kind + content + struct.pack(">L", zlib.crc32(kind + content))


@needs_libvips
def test_heic_of_ten_bits_is_mapped() -> None:
    import pillow_heif

    level = struct.pack("<H", round(pq(60) * 65535))
    buffer = io.BytesIO()
    picture = pillow_heif.from_bytes("RGB;16", (16, 16), level * 16 * 16 * 3)
    picture.save(buffer, format="HEIF", quality=-1, chroma=444, color_primaries=9, transfer_characteristics=16)
    answer, files = answer_to(buffer.getvalue(), PNG)
    assert answer.warnings == ("10 bits a channel become 8; depth: keep would keep 16", MAPPED)
    assert abs(pixel(Image.open(io.BytesIO(files["a"])), (4, 4))[0] - shown(60)) <= 2


@needs_libvips
@pytest.mark.parametrize("tag", [b"cicp", b"none"])
def test_a_profile_with_numbers_in_it_counts_as_they_do(tag: bytes) -> None:
    from pipeline.render.colour import hdr

    body = tag + bytes(4) + bytes((9, 16, 0, 1))
    icc = bytes(128) + struct.pack(">L4sLL", 1, tag, 144, len(body)) + body
    assert hdr.said(icc) == (hdr.Hdr(9, 16) if tag == b"cicp" else None)
    assert hdr.said(icc[:150]) is None


def pq_profile() -> bytes:
    """The profile that goes with numbers of PQ."""
    content = of_light(100, 100, 100)
    descriptor = descriptor_of(content)
    with opening(whole(descriptor)) as source:
        icc = profile_of(source.image, source.format, content)
    os.close(descriptor)
    assert icc is not None
    return icc


@needs_libvips
@pytest.mark.parametrize("format_", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_eight_bits_under_a_profile_of_pq_are_mapped_wherever_they_are_in_the_picture(format_: str) -> None:
    image = Image.new("RGB", (64, 48))
    image.paste((round(pq(203) * 255),) * 3, (0, 0, 32, 48))
    options = {"quality": 95} if format_ in ("JPEG", "WEBP") else {}
    content = encoded(image, format_, icc_profile=pq_profile(), **options)
    answer, files = answer_to(content, Spec("a", 8, format=Format.PNG))  # which JPEG's decoder makes smaller, too
    assert answer.warnings == (MAPPED,)
    made = Image.open(io.BytesIO(files["a"]))
    assert made.size == (8, 6)
    assert abs(pixel(made, (1, 3))[0] - shown(203)) <= 4
    assert pixel(made, (6, 3))[0] <= 4
    kept = Spec("a", 32, format=Format.AVIF, hdr=Hdr.KEEP)
    assert answer_to(content, kept)[0].warnings == ()


@needs_libvips
def test_inks_under_such_a_profile_are_not_mapped() -> None:
    inks = encoded(Image.new("CMYK", (16, 16)), "JPEG", icc_profile=pq_profile())
    assert MAPPED not in answer_to(inks, PNG)[0].warnings


@needs_libvips
def test_a_jpeg_xl_whose_decoder_says_pq_is_not_mapped_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    library = pytest.importorskip("pillow_jxl", reason="needs the extra jxl")
    decoder, icc = library.Decoder, pq_profile()

    def in_pq(**options: object) -> Callable[[bytes], tuple[object, ...]]:
        decode = decoder(**options)

        def decoded(content: bytes) -> tuple[object, ...]:
            packed, about, levels, _icc, more = decode(content)
            return packed, about, levels, icc, more

        return decoded

    monkeypatch.setattr(library, "Decoder", in_pq)
    assert answer_to(jxl.sample(), PNG)[0].warnings == ("HDR: its brightness is not mapped",)


def test_without_libvips_the_brightness_is_not_mapped_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libvips, "available", lambda: False)
    answer, _ = answer_to(of_light(100, 100, 100), PNG)
    assert answer.warnings == ("16 bits a channel become 8", "HDR: its brightness is not mapped")
