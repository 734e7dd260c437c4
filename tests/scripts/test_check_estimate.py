"""What a run reserves for a large picture is what it takes, or somewhat more: a short form of the script's table."""

from __future__ import annotations

import pytest

from scripts.check_estimate import cases, measure

LARGE = [
    "PNG RGBA 3000x2000",
    "PNG P 3000x2000",
    "WEBP RGB 3000x2000",
    "AVIF RGB 3000x2000",
    "GIF P 3000x2000",
    "TIFF F 3000x2000",
    "TIFF RGBA 3000x2000",
    "JPEG progressive 3000x2000",
    "to jpeg 3000x2000",
    "to webp 3000x2000",
    "to avif 3000x2000",
    "to gif 3000x2000",
    "PNG of 4 frames to avif",
    "RGBA 3000x2000 family by auto: all",
    "RGBA 3000x2000 family by pillow: 10 % only",
    "RGB 3000x2000 family by auto: with steps",
    "RGBA 3000x2000 to webp",
    "RGBA 750x500 to webp slowly",
]
MANY_FRAMES = ["WEBP of 60 frames to png", "WEBP of 60 frames to gif", "WEBP of 60 frames to webp"]
CASES = {case.name: case for case in (*cases(quick=True), *cases(quick=False))}


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE + MANY_FRAMES)
def test_what_is_reserved_for_a_large_picture_is_enough_and_not_far_too_much(name: str) -> None:
    case = CASES[name]
    measured = measure(case.make(), case.specs, case.beside)
    assert measured is not None
    assert measured.taken <= measured.reserved <= 3.2 * measured.taken
