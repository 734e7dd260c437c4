"""AVIFs that stay PQ or HLG."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from PIL import Image

from pipeline.model.spec import AS_SOURCE, Format, Hdr, Profile, Spec, Subsampling
from pipeline.render.encoding.inspect import inspect
from pipeline.render.encoding.nclx import with_nclx
from pipeline.render.pixels import libvips
from tests.pictures import exif, near, pixel
from tests.render.drawing import answer_to
from tests.render.pixels.test_tone_mapping import MAPPED, of_light, stated

pytestmark = pytest.mark.skipif(not libvips.available(), reason="needs libvips")

KEPT = Spec("a", format=Format.AVIF, hdr=Hdr.KEEP, quality=90, subsampling=Subsampling.FULL)
PNG = Spec("a", format=Format.PNG)
COLOUR = (600.0, 420.0, 330.0)


def codes(content: bytes) -> bytes:
    """The colour box of an AVIF."""
    at = content.index(b"colrnclx")
    return content[at + 8 : at + 15]


@pytest.mark.parametrize("transfer", [16, 18])
def test_it_has_ten_bits_and_the_codes_of_its_source(transfer: int) -> None:
    answer, files = answer_to(stated((0.6, 0.5, 0.4), transfer), KEPT)
    assert answer.warnings == ("16 bits a channel become 10; depth: keep would keep 16",)
    assert codes(files["a"]) == bytes((0, 9, 0, transfer, 0, 6, 0x80))
    assert inspect(files["a"]).bits == 10
    assert not inspect(files["a"]).has_profile


def test_with_depth_it_has_twelve() -> None:
    answer, files = answer_to(of_light(*COLOUR), replace(KEPT, depth=AS_SOURCE))
    assert answer.warnings == ()
    assert inspect(files["a"]).bits == 12


@pytest.mark.parametrize("more", [b"", exif({0x8298: "somebody"})], ids=["alone", "with EXIF"])
def test_what_is_kept_shows_the_same_when_it_is_mapped(more: bytes) -> None:
    content = of_light(*COLOUR)
    if more:
        from tests.render.pixels.test_tone_mapping import chunk

        at = content.index(b"IDAT") - 4
        content = content[:at] + chunk(b"eXIf", more.removeprefix(b"Exif\0\0")) + content[at:]
    _, files = answer_to(content, KEPT)
    assert (b"Exif" in files["a"]) == bool(more)
    again, mapped = answer_to(files["a"], PNG)
    assert MAPPED in again.warnings
    direct = answer_to(content, PNG)[1]["a"]
    got, wanted = (pixel(Image.open(io.BytesIO(each)), (4, 4)) for each in (mapped["a"], direct))
    assert near(got, wanted, 2), (got, wanted)


def test_a_profile_that_is_asked_for_is_for_other_pictures() -> None:
    wide = replace(KEPT, profile=Profile.DISPLAY_P3)
    assert codes(answer_to(of_light(*COLOUR), wide)[1]["a"])[3] == 16
    other = answer_to(stated((0.6, 0.5, 0.4), 13, 1), wide)[1]["a"]
    assert inspect(other).has_profile
    assert inspect(other).bits == 8


def test_what_a_jpeg_cannot_hold_is_mapped_and_said() -> None:
    assert answer_to(of_light(*COLOUR), replace(KEPT, format=Format.JPEG))[0].warnings[-1] == MAPPED


@pytest.mark.parametrize("content", [b"", bytes(40), b"\0\0\0\x10meta" + bytes(8)])
def test_another_layout_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="no .* box"):
        with_nclx(content, 9, 16)
