from __future__ import annotations

from dataclasses import replace

import pytest
from PIL import Image

from pipeline.model.spec import Format, Spec
from tests.pictures import as_stored, encoded, exif, near, pixel
from tests.render.drawing import rendition

TRIM = Spec("a", format=Format.PNG, trim=10)


def framed(mode: str = "RGB") -> Image.Image:
    """30 x 20 of red in a border of white: 5 to the left, 7 above, 11 to the right, 3 below."""
    image = Image.new("RGB", (46, 30), (250, 250, 250))
    image.paste((200, 20, 20), (5, 7, 35, 27))
    image.paste((20, 20, 200), (5, 7, 15, 12))  # marks its top left
    if mode == "P":
        return image.quantize(4)
    return image.convert(mode, dither=Image.Dither.NONE)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_border_of_one_colour_goes_however_the_picture_is_stored(orientation: int) -> None:
    content = encoded(as_stored(framed(), orientation), "PNG", exif=exif({0x0112: orientation}))
    image = rendition(content, TRIM)
    assert image.size == (30, 20)
    assert pixel(image, (0, 0)) == (20, 20, 200)


@pytest.mark.parametrize(
    ("kind", "mode"), [("PNG", "L"), ("PNG", "P"), ("PNG", "RGBA"), ("TIFF", "CMYK"), ("PNG", "1")]
)
def test_it_goes_from_any_mode(kind: str, mode: str) -> None:
    assert rendition(encoded(framed(mode), kind), TRIM).size == (30, 20)


def test_noise_below_the_tolerance_is_border() -> None:
    image = framed()
    image.putpixel((0, 15), (243, 250, 250))
    assert rendition(encoded(image, "PNG"), TRIM).size == (30, 20)
    assert rendition(encoded(image, "PNG"), replace(TRIM, trim=5)).size == (35, 20)


def test_a_jpeg_is_trimmed_at_full_size_whatever_its_rendition() -> None:
    large = framed().resize((1380, 900), Image.Resampling.NEAREST)
    image = rendition(encoded(large, "JPEG", quality=95), replace(TRIM, width=60, trim=30))
    assert image.size == (60, 40)
    assert near(pixel(image, (59, 39)), (200, 20, 20), 12)


def test_what_is_hidden_is_border_whatever_its_colour() -> None:
    image = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    image.paste((90, 200, 10, 0), (2, 2, 8, 8))
    image.paste((90, 200, 10, 255), (10, 10, 20, 20))
    assert rendition(encoded(image, "PNG"), TRIM).size == (10, 10)


def test_a_picture_of_one_colour_stays() -> None:
    assert rendition(encoded(Image.new("RGB", (40, 30), (9, 9, 9)), "PNG"), TRIM).size == (40, 30)


def test_trim_comes_after_rotate_and_before_the_box() -> None:
    image = rendition(encoded(framed(), "PNG"), replace(TRIM, rotate=90, width=10))
    assert image.size == (10, 15)
