from __future__ import annotations

import struct

import pytest
from PIL import Image

from pipeline.errors import ErrorKind, PictureError
from pipeline.model.spec import Format, Limits, Metadata, Spec
from tests.pictures import BLUE, DISPLAY_P3, GREEN, RED, WHITE, corners, encoded, exif, matrix_profile, near, quarters
from tests.render.colour.test_srgb import as_srgb
from tests.render.drawing import answer_to, rendition

PNG = Spec("a", 96, format=Format.PNG)
SIZE = (320, 240)


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">L4s", len(content) + 8, kind) + content


@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_pictures_come_out_with_their_colours(bare: bool, mode: str) -> None:
    content = encoded(quarters(SIZE).convert(mode), "JPEG2000", no_jp2=bare)
    answer, _ = answer_to(content, PNG)
    assert (answer.header.format, answer.warnings) == ("jp2", ())
    image = rendition(content, PNG).convert("RGB")
    for got, wanted in zip(corners(image), (RED, GREEN, BLUE, WHITE), strict=True):
        assert near(got, wanted, 2)


def test_its_profile_counts() -> None:
    content = encoded(Image.new("RGB", (16, 16), (128, 96, 80)), "JPEG2000")
    at = content.index(b"colr") - 4
    size = int.from_bytes(content[at : at + 4])
    colour = box(b"colr", b"\2\0\0" + matrix_profile(DISPLAY_P3))
    header = content.index(b"jp2h") - 4
    larger = int.from_bytes(content[header : header + 4]) + len(colour) - size
    content = content[:header] + struct.pack(">L", larger) + content[header + 4 : at] + colour + content[at + size :]
    image = rendition(content, Spec("a", format=Format.PNG))
    assert near(corners(image)[0], as_srgb((128, 96, 80), DISPLAY_P3, None), 2)


def test_its_metadata_goes_along_as_that_of_other_formats() -> None:
    content = encoded(quarters(SIZE), "JPEG2000")
    block = exif({0x8298: "somebody"}).removeprefix(b"Exif\0\0")
    content += box(b"uuid", b"JpgTiffExif->JP2" + block)
    _, files = answer_to(content, Spec("a", 96, metadata=Metadata.RIGHTS))
    assert b"somebody" in files["a"]


def test_more_than_8_bits_of_grey_are_kept() -> None:
    grey = Image.frombytes("I;16", (64, 4), b"".join(struct.pack("<H", x * 257) for x in range(256)))
    assert answer_to(encoded(grey, "JPEG2000"), Spec("a", format=Format.PNG, depth=0))[0].warnings == ()


@pytest.mark.parametrize("bare", [False, True])
def test_a_truncated_one_is_called_so(bare: bool) -> None:
    content = encoded(Image.effect_noise(SIZE, 90), "JPEG2000", no_jp2=bare)
    with pytest.raises(PictureError) as caught:
        answer_to(content[: len(content) // 2], PNG)
    assert caught.value.kind == ErrorKind.TRUNCATED


def test_a_header_that_claims_too_much_is_refused_before_anything_is_decoded() -> None:
    content = encoded(quarters((16, 16)), "JPEG2000")
    at = content.index(b"ihdr") + 4
    content = content[:at] + struct.pack(">LL", 40_000, 40_000) + content[at + 8 :]
    with pytest.raises(PictureError) as caught:
        answer_to(content, PNG)
    assert caught.value.kind == ErrorKind.TOO_MANY_PIXELS


def test_a_codestream_that_is_larger_than_its_header_says_is_damaged() -> None:
    content = encoded(quarters((64, 64)), "JPEG2000")
    at = content.index(b"\xff\x51") + 6
    content = content[:at] + struct.pack(">LL", 30_000, 30_000) + content[at + 8 :]
    with pytest.raises(PictureError) as caught:
        answer_to(content, PNG, limits=Limits(pixels=1_000_000))
    assert caught.value.kind in (ErrorKind.DAMAGED, ErrorKind.TRUNCATED)
