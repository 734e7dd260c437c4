from __future__ import annotations

import io

import pytest
from PIL import Image, ImageFilter, ImageOps

from pipeline.render.pixels import libvips
from pipeline.render.pixels.ssimulacra2 import Original
from tests.pictures import encoded, noise, quarters

pytestmark = pytest.mark.skipif(not libvips.available(), reason="needs libvips")
INNER = Image.blend(quarters((260, 250)), noise((260, 250), 60, seed=5).convert("RGB"), 0.4)
PICTURE = ImageOps.expand(INNER, 30, (90, 90, 90))


def jpeg(picture: Image.Image, quality: int) -> Image.Image:
    return Image.open(io.BytesIO(encoded(picture, "JPEG", quality=quality))).convert(picture.mode)


def test_equal_pictures_have_100_and_more_loss_has_less() -> None:
    original = Original(PICTURE)
    scores = [original.score(jpeg(PICTURE, quality)) for quality in (95, 50, 10)]
    assert original.score(PICTURE) == 100
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize(
    ("other", "score"),
    [
        (ImageOps.posterize(PICTURE, 5), 87.6),
        (PICTURE.filter(ImageFilter.GaussianBlur(0.4)), 75.5),
        (ImageOps.posterize(PICTURE, 4), 63.8),
    ],
    ids=["32 levels", "soft", "16 levels"],
)
def test_scores_are_those_of_another_implementation(other: Image.Image, score: float) -> None:
    """Those of `ssimulacra2` 0.3.0, which treats edges in another way."""
    assert Original(PICTURE).score(other) == pytest.approx(score, abs=0.7)


def test_what_differs_under_transparency_counts_on_the_ground_that_shows_it() -> None:
    grey = Image.new("RGBA", (64, 64), (26, 26, 26, 255))
    hole = Image.new("RGBA", (64, 64), (26, 26, 26, 0))
    assert Original(hole).score(grey) < 50
    assert Original(hole).score(hole) == 100


@pytest.mark.parametrize("size", [(8, 8), (9, 300)])
def test_small_and_odd_sizes_have_scores(size: tuple[int, int]) -> None:
    picture = noise(size, 60, seed=2)
    assert Original(picture).score(picture) == 100
    assert Original(picture).score(jpeg(picture, 5)) < 90
