"""`scripts/quality.py`: the measure itself, on pictures whose answer is known."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image, ImageFilter

pytest.importorskip("pyvips", reason="needs libvips")

from scripts.quality import reference, ssim


def _picture() -> Image.Image:
    return Image.merge("RGB", [Image.effect_mandelbrot((96, 64), (-2, -1.5, 1, 1.5), 60)] * 3)


def test_a_picture_is_like_itself() -> None:
    assert ssim(_picture(), _picture()) == pytest.approx(1.0)


def test_a_blurred_picture_is_less_like_it_the_more_it_is_blurred() -> None:
    scores = [ssim(_picture(), _picture().filter(ImageFilter.GaussianBlur(radius))) for radius in (0.5, 1, 3)]
    assert 1 > scores[0] > scores[1] > scores[2] > 0


def test_two_plain_greys_differ_by_the_luminance_term_alone() -> None:
    first, other = (Image.new("RGB", (32, 32), (level,) * 3) for level in (100, 120))
    c1 = (0.01 * 255) ** 2
    assert ssim(first, other) == pytest.approx((2 * 100 * 120 + c1) / (100**2 + 120**2 + c1), abs=1e-6)


def test_the_reference_is_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20), "red").save(tmp_path / "turned.jpg", exif=exif)
    assert reference(tmp_path / "turned.jpg").size == (20, 40)
