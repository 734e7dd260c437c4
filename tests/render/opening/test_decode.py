from __future__ import annotations

import struct

import pytest
from PIL import Image

from pipeline.model.spec import Format, Spec
from pipeline.render.pixels import libvips
from tests.pictures import BLUE, GREEN, RED, WHITE, WRITTEN, corners, deep_png, encoded, near, pixel, quarters
from tests.render.drawing import answer_to, rendition

PNG = Spec("a", 40, format=Format.PNG)


def sixteen(mode: str, value: int) -> Image.Image:
    order = ">" if mode == "I;16B" else "<"
    return Image.frombytes(mode, (40, 30), struct.pack(order + "H", value) * 1200)


@pytest.mark.parametrize(
    ("image", "kind", "wanted"),
    [
        (sixteen("I;16", 0x8000), "PNG", (128,)),
        (sixteen("I;16", 300), "PNG", (1,)),
        (sixteen("I;16", 65535), "TIFF", (255,)),
        (sixteen("I;16B", 0x4000), "TIFF", (64,)),
        (Image.new("I", (40, 30), 0x8000), "TIFF", (128,)),
        (Image.new("F", (40, 30), 0.5), "TIFF", (128,)),
        (Image.new("F", (40, 30), 7.5), "TIFF", (255,)),
        (Image.new("F", (40, 30), -1.0), "TIFF", (0,)),
        (Image.new("1", (40, 30), 1), "PNG", (255,)),
        (Image.new("1", (40, 30), 1), "TIFF", (255,)),
        (Image.new("L", (40, 30), 77), "JPEG", (77,)),
        (Image.new("LA", (40, 30), (77, 128)), "PNG", (77, 128)),
        (Image.new("RGB", (40, 30), RED), "BMP", RED),
        (Image.new("RGB", (40, 30), RED), "PPM", RED),
        (Image.new("RGBA", (40, 30), (*RED, 128)), "PNG", (*RED, 128)),
        (Image.new("RGBA", (40, 30), (*RED, 128)), "TIFF", (*RED, 128)),
        (Image.new("RGBA", (40, 30), (*RED, 255)), "PNG", RED),
        (Image.new("RGB", (40, 30), RED).quantize(4), "GIF", RED),
        (Image.new("RGB", (40, 30), RED).quantize(4), "PNG", RED),
    ],
)
def test_every_mode_keeps_its_brightness(image: Image.Image, kind: str, wanted: tuple[int, ...]) -> None:
    got = rendition(encoded(image, kind), PNG)
    assert near(pixel(got, (10, 10)), wanted, 1)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I", "F", "I;16", "CMYK", "LAB"])
def test_every_mode_can_be_made_very_small(mode: str) -> None:
    """Beyond a factor of six whole blocks are averaged first, which not every mode allows."""
    image = Image.new(mode, (900, 600)) if mode.startswith("I;16") else Image.linear_gradient("L").resize((900, 600))
    image = image if image.mode == mode else image.convert("RGB").convert("P") if mode == "P" else _as(image, mode)
    assert rendition(encoded(image, "TIFF"), Spec("a", 30, format=Format.PNG)).size == (30, 20)


def _as(image: Image.Image, mode: str) -> Image.Image:
    return Image.merge("LAB", [image] * 3) if mode == "LAB" else image.convert(mode)


def test_sixteen_bit_grey_with_a_transparent_grey() -> None:
    row = struct.pack("<H", 0x1234) * 20 + struct.pack("<H", 0x12FF) * 20  # they differ in the low byte only
    image = Image.frombytes("I;16", (40, 30), row * 30)
    got = rendition(encoded(image, "PNG", transparency=0x1234), PNG)
    assert got.mode == "LA"
    assert pixel(got, (5, 15))[1] == 0
    assert pixel(got, (35, 15)) == (0x13, 255)


@pytest.mark.parametrize("by_libvips", [True, False])
def test_sixteen_bit_colour_has_its_transparent_colour(by_libvips: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not by_libvips:
        monkeypatch.setattr(libvips, "available", lambda: False)
    got = rendition(deep_png((40, 30), (0x1180, 0x22C0, 0x3340), (0x8080, 0x4040, 0xC0C0)), PNG)
    assert pixel(got, (5, 15))[3] == 0
    assert pixel(got, (35, 15)) == (0x80, 0x40, 0xC0, 255)


def test_palette_with_transparency_and_transparent_colours() -> None:
    palette = quarters((40, 30)).quantize(8)
    clear = pixel(palette, (5, 5))[0]
    for content in (
        encoded(palette, "PNG", transparency=clear),
        encoded(palette, "GIF", transparency=clear),
        encoded(quarters((40, 30)), "PNG", transparency=RED),
    ):
        image = rendition(content, PNG)
        assert image.mode == "RGBA"
        assert pixel(image, (5, 5))[3] == 0
        assert near(pixel(image, (35, 5)), (*GREEN, 255), 2)


def test_hidden_colours_do_not_bleed_into_what_is_seen() -> None:
    """Red beside transparent green: a resampled edge is red of less alpha, never brownish."""
    image = Image.new("RGBA", (400, 400), (0, 255, 0, 0))
    image.paste((255, 0, 0, 255), (0, 0, 199, 400))
    small = rendition(encoded(image, "PNG"), Spec("a", 37, format=Format.PNG))
    edge = [pixel(small, (x, 18)) for x in range(37)]
    assert any(0 < alpha < 255 for *_, alpha in edge)
    assert all(near(colour, (255, 0, 0), 3) for *colour, alpha in edge if alpha > 8)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "GIF", "TIFF", "BMP", "PPM"])
@pytest.mark.parametrize("target", WRITTEN)
def test_every_format_reaches_every_format(kind: str, target: Format) -> None:
    image = rendition(encoded(quarters(), kind), Spec("a", 96, format=target))
    assert image.format == target.name
    assert image.size == (96, 72)
    for got, wanted in zip(corners(image), (RED, GREEN, BLUE, WHITE), strict=True):
        assert near(got, wanted, 16)


def test_an_icon_gives_its_largest_picture_with_alpha() -> None:
    image = Image.new("RGBA", (64, 64), (*RED, 255))
    image.paste((0, 0, 0, 0), (32, 0, 64, 64))
    for options in ({}, {"bitmap_format": "bmp"}):
        got = rendition(
            encoded(image, "ICO", sizes=[(16, 16), (64, 64), (32, 32)], **options), Spec("a", format=Format.PNG)
        )
        assert got.size == (64, 64)
        assert pixel(got, (16, 32)) == (*RED, 255)
        assert pixel(got, (48, 32))[3] == 0


def test_shrink_on_load_is_not_seen_in_the_picture() -> None:
    """A shrunk JPEG and a PNG of the same pixels give renditions that differ by compression and rounding only."""
    content = encoded(quarters((2401, 1799)), "JPEG", quality=95, subsampling=0)
    other = encoded(quarters((2401, 1799)), "PNG")
    for box in ((100, 100), (300, 300), (1000, 1000)):
        for first, second in zip(
            corners(rendition(content, Spec("a", *box, format=Format.PNG))),
            corners(rendition(other, Spec("a", *box, format=Format.PNG))),
            strict=True,
        ):
            assert near(first, second, 4)


def test_the_first_page_of_several_with_a_warning() -> None:
    pages = [quarters((60, 40)), Image.new("RGB", (60, 40), BLUE)]
    answer, _ = answer_to(encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:]), PNG)
    assert answer.header.frames == 2
    assert answer.warnings == ("first of 2 pages only",)
