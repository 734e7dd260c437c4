from __future__ import annotations

import importlib
import io
import struct
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from pipeline.errors import ErrorKind, PictureError
from pipeline.model.spec import Format, Limits, Metadata, Spec
from pipeline.render.formats import jxl
from pipeline.render.formats.jpeg import Jpeg
from tests.pictures import BLUE, GREEN, RED, WHITE, as_stored, corners, encoded, exif, near, quarters
from tests.render.drawing import answer_to, rendition

PNG = Spec("a", 96, format=Format.PNG)
SIZE = (320, 240)
MOVING = bytes.fromhex(  # three frames of 64 x 48, by libjxl
    "ff0acb044d0020260804010040004b188b158055ff7f0000851600c8e8080804010044004b188b15801dfeff0000102d009c9fc10108040500"
    "44004b188b15805dfeff0000122d001c8dd103"
)
needed = pytest.mark.skipif(not jxl.is_installed(), reason="needs the extra jxl")


def packed(picture: Image.Image, **options: object) -> bytes:
    import pillow_jxl  # noqa: F401 -- registers itself with Pillow

    return encoded(picture, "JXL", **{"exif": b"", "quality": 95, **options})


def around(jpeg: bytes, size: tuple[int, int]) -> bytes:
    """A JPEG packed without loss."""
    from pillow_jxl import Encoder

    encoder: Any = Encoder
    encoder = encoder(
        mode="RGB", lossless=False, quality=90, decoding_speed=0, effort=3, use_container=True,
        use_original_profile=False, num_threads=0,
    )  # fmt: skip
    packed_: bytes = encoder(jpeg, *size, jpeg_encode=True)
    return packed_


def test_without_the_extra_it_is_unsupported_and_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jxl, "is_installed", lambda: False)
    with pytest.raises(PictureError, match=r"JPEG XL needs the extra jxl, .*; to have it: .*jxl") as caught:
        answer_to(jxl.sample(), Spec("a"))
    assert caught.value.kind == ErrorKind.UNSUPPORTED


@needed
def test_its_version_is_looked_up_once_because_a_confined_child_opens_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    known = jxl.version()
    monkeypatch.setattr("importlib.metadata.version", lambda _: None)
    assert jxl.version() == known


@needed
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA"])
def test_pictures_come_out_with_their_colours(mode: str) -> None:
    content = packed(quarters(SIZE).convert(mode))
    answer, _ = answer_to(content, PNG)
    assert (answer.header.format, answer.warnings) == ("jxl", ())
    image = rendition(content, PNG).convert("RGB")
    for got, colour in zip(corners(image), (RED, GREEN, BLUE, WHITE), strict=True):
        assert near(got, Image.new("RGB", (1, 1), colour).convert(mode).convert("RGB").tobytes(), 4)


@needed
@pytest.mark.parametrize("size", [(1, 1), (8, 8), (7, 13), (256, 256), (300, 200), (640, 360), (1000, 3), (3, 9000)])
def test_the_header_tells_every_size(size: tuple[int, int]) -> None:
    header = answer_to(packed(Image.new("RGB", size), quality=50), PNG)[0].header
    assert (header.width, header.height) == size


@needed
@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_stands_upright(orientation: int) -> None:
    """A packed JPEG, whose orientation libjxl reads from its EXIF."""
    stored = as_stored(quarters(SIZE), orientation)
    jpeg = encoded(stored, "JPEG", quality=95, exif=exif({0x0112: orientation}))
    image = rendition(around(jpeg, stored.size), PNG)
    assert image.size == (96, 72)
    for got, wanted in zip(corners(image), (RED, GREEN, BLUE, WHITE), strict=True):
        assert near(got, wanted, 12)


@needed
def test_a_packed_jpeg_has_no_more_scans_than_are_allowed() -> None:
    content = around(encoded(quarters(SIZE), "JPEG", progressive=True), SIZE)
    assert rendition(content, PNG).size == (96, 72)
    with pytest.raises(PictureError, match="more than 3") as caught:
        answer_to(content, PNG, limits=Limits(scans=3))
    assert caught.value.kind == ErrorKind.TOO_MANY_SCANS


@needed
def test_a_packed_jpeg_of_another_size_than_was_said_is_never_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    def decoder(num_threads: int) -> Any:
        return lambda _: (True, None, encoded(quarters((16, 8)), "JPEG"), b"", [])

    def loaded(_: object) -> None:
        raise AssertionError("it is decoded")

    monkeypatch.setattr(importlib, "import_module", lambda _: SimpleNamespace(Decoder=decoder))
    monkeypatch.setattr(Jpeg, "load", loaded)
    with pytest.raises(PictureError, match=r"\(16, 8\) instead of \(8, 8\)"):
        answer_to(jxl.sample(), PNG)


@needed
def test_an_orientation_in_exif_alone_turns_nothing_and_other_metadata_go_along() -> None:
    content = packed(quarters(SIZE), exif=exif({0x0112: 6, 0x8298: "somebody"}))
    assert rendition(content, PNG).size == (96, 72)
    assert b"somebody" in answer_to(content, Spec("a", 96, metadata=Metadata.RIGHTS))[1]["a"]


@needed
def test_an_animation_is_unsupported() -> None:
    with pytest.raises(PictureError, match="animations") as caught:
        answer_to(MOVING, PNG)
    assert caught.value.kind == ErrorKind.UNSUPPORTED


@needed
def test_more_than_8_bits_are_read_at_8_with_a_warning() -> None:
    grey = Image.frombytes("I;16", (16, 16), bytes(512))
    assert answer_to(packed(grey, lossless=True), PNG)[0].warnings == ("16 bits a channel become 8",)


@needed
def test_damage_is_told_in_words() -> None:
    content = packed(quarters(SIZE))
    with pytest.raises(PictureError, match="damaged or cut off"):
        answer_to(content[: len(content) // 2], PNG)
    with pytest.raises(PictureError) as caught:
        answer_to(content, PNG, limits=Limits(pixels=1_000))
    assert caught.value.kind == ErrorKind.TOO_MANY_PIXELS
    with pytest.raises(PictureError) as caught:
        answer_to(b"\xff\x0a", PNG)
    assert caught.value.kind == ErrorKind.NOT_A_PICTURE
    assert Image.open(io.BytesIO(answer_to(jxl.sample(), PNG)[1]["a"])).size == (8, 8)


@needed
def test_a_gain_map_is_dropped_and_that_is_said() -> None:
    content = packed(quarters(SIZE), use_container=True) + struct.pack(">L4s", 16, b"jhgm") + bytes(8)
    assert answer_to(content, PNG)[0].warnings == ("gain map dropped",)
