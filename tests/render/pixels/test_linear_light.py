from __future__ import annotations

from dataclasses import replace

import pytest
from PIL import Image, ImageChops, ImageStat

from pipeline.model.shape import Resampler
from pipeline.model.spec import Format, Spec
from pipeline.render.pixels import libvips
from tests.pictures import ADOBE_RGB, encoded, matrix_profile, near, nonlinear, pixel
from tests.render.drawing import rendition
from tests.render.scenes import scene

SPEC = Spec("a", 80, format=Format.PNG, linear=True)
BOTH = [Resampler.PILLOW] + [Resampler.LIBVIPS] * libvips.available()
HALF = round(255 * nonlinear(0.5))  # 188: what a screen of white and black dots looks like from afar


def dots(mode: str, first: int | tuple[int, ...], other: int | tuple[int, ...]) -> Image.Image:
    """A fine chess board."""
    image = Image.new(mode, (2, 2), first)
    image.putpixel((0, 1), other)
    image.putpixel((1, 0), other)
    board = Image.new(mode, (320, 320))
    for x in range(0, 320, 2):
        for y in range(0, 320, 2):
            board.paste(image, (x, y))
    return board


@pytest.mark.parametrize("resampler", BOTH)
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_chess_board_becomes_as_bright_as_it_looks_from_afar(mode: str, resampler: Resampler) -> None:
    black, white = (0, 255) if mode == "L" else ((0, 0, 0), (255, 255, 255))
    content = encoded(dots(mode, black, white), "PNG")
    assert near(pixel(rendition(content, replace(SPEC, resampler=resampler)), (40, 40))[:1], (HALF,), 2)
    assert near(pixel(rendition(content, replace(SPEC, resampler=resampler, linear=False)), (40, 40))[:1], (128,), 2)


@pytest.mark.parametrize("resampler", BOTH)
@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_hidden_colours_do_not_bleed(mode: str, resampler: Resampler) -> None:
    seen, hidden = ((200, 255), (0, 0)) if mode == "LA" else ((200, 80, 30, 255), (0, 255, 0, 0))
    image = rendition(encoded(dots(mode, seen, hidden), "PNG"), replace(SPEC, resampler=resampler))
    assert near(pixel(image, (40, 40)), (*seen[:-1], 128), 2)


@pytest.mark.parametrize("resampler", BOTH)
def test_levels_that_are_not_mixed_stay_what_they_are(resampler: Resampler) -> None:
    for level in (0, 1, 2, 10, 77, 128, 254, 255):
        content = encoded(Image.new("RGB", (320, 320), (level, 255 - level, level)), "PNG")
        got = rendition(content, replace(SPEC, resampler=resampler)).getcolors()
        assert got == [(80 * 80, (level, 255 - level, level))]


@pytest.mark.skipif(not libvips.available(), reason="needs libvips")
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_both_resamplers_make_the_same_within_a_bound(mode: str) -> None:
    image = scene((640, 480))
    if mode == "RGBA":
        image.putalpha(Image.radial_gradient("L").resize(image.size))
    content = encoded(image.convert(mode), "PNG")
    first, other = (rendition(content, replace(SPEC, resampler=resampler)) for resampler in BOTH)
    if mode == "RGBA":
        first, other = first.convert("RGBa"), other.convert("RGBa")
    assert max(ImageStat.Stat(ImageChops.difference(first, other)).mean) < 1.0


@pytest.mark.parametrize("resampler", BOTH)
def test_light_is_told_from_the_pictures_own_profile(resampler: Resampler) -> None:
    content = encoded(dots("RGB", (0, 0, 0), (255, 255, 255)), "PNG", icc_profile=matrix_profile(ADOBE_RGB, 2.2))
    assert near(pixel(rendition(content, replace(SPEC, resampler=resampler)), (40, 40)), (HALF,) * 3, 2)


def test_a_jpeg_is_not_shrunk_by_its_decoder_which_knows_no_light() -> None:
    content = encoded(dots("L", 0, 255), "JPEG", quality=100)
    assert near(pixel(rendition(content, replace(SPEC, width=20)), (10, 10)), (HALF,), 3)
