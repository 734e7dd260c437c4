"""A ThumbHash as a picture: what the reference decoder would show, only smaller."""

from __future__ import annotations

import base64
import io

import pytest
from PIL import Image

from pipeline.render.pixels.thumbhash import thumbhash
from pipeline.report.blur import as_address


def shown(hashed: bytes) -> Image.Image:
    address = as_address(hashed)
    assert len(address) < 640
    prefix = "data:image/png;base64,"
    assert address.startswith(prefix)
    picture = Image.open(io.BytesIO(base64.b64decode(address.removeprefix(prefix))))
    picture.load()
    return picture


@pytest.mark.parametrize("size", [(8, 5), (5, 8), (7, 7), (90, 10), (1, 60)])
def test_it_has_the_shape_of_its_picture(size: tuple[int, int]) -> None:
    picture = Image.new("RGBA", size, "#3366cc")
    width, height = shown(thumbhash(size, picture.tobytes())).size
    assert max(width, height) == 12
    assert (width > height, width < height) == (size[0] > size[1], size[0] < size[1])


def test_it_has_the_colours_of_its_picture_where_they_are() -> None:
    picture = Image.new("RGB", (80, 60), "#c03020")
    picture.paste("#2040b0", (40, 0, 80, 60))
    small = shown(thumbhash((80, 60), picture.convert("RGBA").tobytes()))
    for place, colour in (((1, 4), (192, 48, 32)), ((10, 4), (32, 64, 176))):
        assert small.getpixel(place) == pytest.approx(colour, abs=40)


def test_what_is_seen_through_has_no_blur_behind_it() -> None:
    assert as_address(thumbhash((4, 4), Image.new("RGBA", (4, 4), (9, 9, 9, 90)).tobytes())) == ""
