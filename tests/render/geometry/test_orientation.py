from __future__ import annotations

import pytest

from pipeline.model.spec import Fit, Format, Spec
from pipeline.render.geometry.orientation import stored_box, turned
from tests.pictures import BLUE, GREEN, RED, WHITE, as_stored, corners, encoded, exif, near, pixel, quarters
from tests.render.drawing import rendition

SHAPES = [(320, 240), (240, 320)]


@pytest.mark.parametrize("orientation", range(9))
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_every_orientation_comes_out_upright_from_every_format(
    orientation: int, shape: tuple[int, int], kind: str
) -> None:
    stored = as_stored(quarters(shape), orientation)
    options = {"tiffinfo": {0x0112: orientation}} if kind == "TIFF" else {"exif": exif({0x0112: orientation})}
    image = rendition(encoded(stored, kind, **options), Spec("a", 96, 96, format=Format.PNG))
    assert image.size == ((96, 72) if shape[0] > shape[1] else (72, 96))
    for got, wanted in zip(corners(image), (RED, GREEN, BLUE, WHITE), strict=True):
        assert near(got, wanted, 12)
    assert image.getexif().get(0x0112) is None


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_crop_is_taken_from_the_upright_picture(orientation: int) -> None:
    """Of a wide picture `cover` keeps the middle: its outer strips are black here, and must be gone in every case."""
    upright = quarters((400, 200))
    upright.paste((0, 0, 0), (0, 0, 90, 200))
    upright.paste((0, 0, 0), (310, 0, 400, 200))
    content = encoded(as_stored(upright, orientation), "PNG", exif=exif({0x0112: orientation}))
    image = rendition(content, Spec("a", 50, 50, Fit.COVER, format=Format.PNG)).convert("RGB")
    assert near(pixel(image, (1, 1)), RED, 12)
    assert near(pixel(image, (48, 48)), WHITE, 12)


def test_a_missing_or_absurd_orientation_means_upright() -> None:
    for tags in ({}, {0x0112: 9}, {0x0112: 77}):
        image = rendition(encoded(quarters(), "JPEG", exif=exif(tags)), Spec("a", 96, format=Format.PNG))
        assert near(corners(image)[0], RED, 12)


def test_orientation_is_known_before_the_size_of_a_shrunk_jpeg_is() -> None:
    """Of a large JPEG stored lying, the box of a standing picture counts; a wrong order would shrink it too much."""
    stored = as_stored(quarters((1200, 2400)), 6)
    image = rendition(encoded(stored, "JPEG", exif=exif({0x0112: 6})), Spec("a", 300, 600, format=Format.PNG))
    assert image.size == (300, 600)
    for got, wanted in zip(corners(image), (RED, GREEN, BLUE, WHITE), strict=True):
        assert near(got, wanted, 12)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_any_box_of_the_upright_picture_is_found_in_the_stored_one(orientation: int) -> None:
    upright, box = quarters((60, 40)), (5, 3, 48, 33)
    left, top, right, bottom = stored_box(box, upright.size, orientation)
    part = as_stored(upright, orientation).crop((int(left), int(top), int(right), int(bottom)))
    assert turned(part, orientation).tobytes() == upright.crop(box).tobytes()
