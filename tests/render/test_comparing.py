"""What `compare` asks of pictures."""

from __future__ import annotations

import io
import os

import pytest
from PIL import Image

from pipeline.errors import PictureError
from pipeline.model.rendering import Look, Resemblance, Traits
from pipeline.model.spec import Limits
from pipeline.render import memory
from pipeline.render.comparing import answer, ssim
from pipeline.workers.exchange import whole


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def asked(content: bytes, task: Look | Resemblance) -> object:
    descriptor = memory.create()
    try:
        os.write(descriptor, content)
        _first, last = answer(whole(descriptor), task)
        return last.payload
    finally:
        os.close(descriptor)


def looked(content: bytes) -> Traits:
    traits = asked(content, Look(Limits()))
    assert isinstance(traits, Traits)
    return traits


def similarity(first: bytes, other: bytes, background: str = "#ffffff") -> float:
    score = asked(first + other, Resemblance(Limits(), len(first), background))
    assert isinstance(score, float)
    return score


DETAILED = Image.effect_noise((64, 48), 60).convert("RGB")


def test_the_header_tells_what_a_picture_is() -> None:
    grey = Image.linear_gradient("L").resize((12, 8))
    assert looked(encoded(grey, "JPEG")) == Traits(12, 8, animated=False, transparent=False, cmyk=False, rotated=False)
    assert looked(encoded(grey.convert("CMYK"), "JPEG")).cmyk
    assert looked(encoded(grey.convert("RGBA"), "PNG")).transparent
    turned = Image.Exif()
    turned[0x0112] = 6
    assert looked(encoded(grey, "JPEG", exif=turned)).rotated
    moving = encoded(grey, "GIF", save_all=True, append_images=[grey.rotate(180)], duration=100)
    assert looked(moving).animated


def test_equal_pictures_are_wholly_alike_and_less_quality_is_less_so() -> None:
    reference = encoded(DETAILED, "PNG")
    assert similarity(reference, reference) == 1.0
    scores = [similarity(reference, encoded(DETAILED, "JPEG", quality=quality)) for quality in (20, 60, 95)]
    assert scores == sorted(scores)
    assert 0 < scores[0] < scores[-1] < 1


def test_colours_that_differ_are_seen_where_the_luma_is_the_same() -> None:
    first = Image.merge("YCbCr", [Image.new("L", (16, 16), level) for level in (128, 128, 128)])
    other = Image.merge("YCbCr", [Image.new("L", (16, 16), level) for level in (128, 220, 128)])
    assert ssim(first, other) < 0.99


def test_a_level_more_or_less_is_as_little_in_black_as_in_grey() -> None:
    for level in (0, 128):
        first, other = (encoded(Image.new("L", (16, 16), shade), "PNG") for shade in (level, level + 1))
        assert 0.998 < similarity(first, other) < 1


@pytest.mark.parametrize("size", [(1, 1), (5, 3), (8, 8), (9, 40)])
def test_pictures_smaller_than_a_window_have_a_score(size: tuple[int, int]) -> None:
    picture = DETAILED.resize(size)
    assert similarity(encoded(picture, "PNG"), encoded(picture, "WEBP", lossless=True)) == pytest.approx(1, abs=1e-6)


def test_transparent_parts_are_compared_on_the_background() -> None:
    glass = Image.new("RGBA", (16, 16), (0, 0, 0, 0))
    red = Image.new("RGB", (16, 16), (255, 0, 0))
    assert similarity(encoded(glass, "PNG"), encoded(red, "PNG"), "#ff0000") == 1.0
    assert similarity(encoded(glass, "PNG"), encoded(red, "PNG"), "#ffffff") < 0.9


def test_pictures_of_two_sizes_are_not_compared() -> None:
    with pytest.raises(PictureError, match="compared with"):
        similarity(encoded(DETAILED, "PNG"), encoded(DETAILED.resize((32, 24)), "PNG"))
