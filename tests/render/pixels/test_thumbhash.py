"""Hashes are those of the format's reference; what a browser would draw from one looks like the picture."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest

from pipeline.render.pixels.thumbhash import thumbhash

Alpha = Callable[[int, int], int]


def _ramp(width: int, height: int, alpha: Alpha) -> bytes:
    """Red from left to right, green from top to bottom, a blue that wraps around."""
    return b"".join(
        bytes((x * 255 // max(1, width - 1), y * 255 // max(1, height - 1), x * y * 7 % 256, alpha(x, y)))
        for y in range(height)
        for x in range(width)
    )


# Computed for the same pixels by version 0.1.1 of the author's own package for JavaScript.
KNOWN: dict[str, tuple[int, int, Alpha, str]] = {
    "landscape": (100, 75, lambda x, y: 255, "HwgKNZpwd3dweHeHeGd3h4CACPh3"),
    "portrait": (30, 64, lambda x, y: 255, "HwgKMxpwcXd3dod3kYAI+Hg="),
    "square": (32, 32, lambda x, y: 255, "HwgKLxpwdndwd3d3eGh3eId3BwmYgI8H"),
    "strip": (100, 3, lambda x, y: 255, "XPkRMaR0d4eAiGiIkHcu+Hc="),
    "one pixel": (1, 1, lambda x, y: 255, "AAgCBwAAAAAAAAAAAAAAAAAAAAAAAAAA"),
    "fading": (48, 36, lambda x, y: min(255, x * 6), "41iGHI44s4ewh4dnKAyas08Hd4eHeIiIBw=="),
    "a hole": (20, 40, lambda x, y: 0 if 5 < x < 15 else 255, "XviJIxhYcHN1d3eQggnIePhmiIiIiIg="),
    "nothing": (8, 8, lambda x, y: 0, "AAiCBQAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="),
}


@pytest.mark.parametrize("case", KNOWN)
def test_a_hash_is_that_of_the_reference(case: str) -> None:
    """A strength of nothing lies between two steps, and the reference's last digit decides which: 1 either way."""
    width, height, alpha, known = KNOWN[case]
    made, wanted = thumbhash((width, height), _ramp(width, height, alpha)), base64.b64decode(known)
    head = 5 if alpha(0, 0) == alpha(10, 0) == 255 else 6
    assert len(made) == len(wanted)
    assert made[:head] == wanted[:head]
    differences = [
        abs((byte >> shift & 15) - (other >> shift & 15))
        for byte, other in zip(made[head:], wanted[head:], strict=True)
        for shift in (0, 4)
    ]
    assert max(differences) <= 1
    assert sum(differences) <= 3


def test_a_picture_of_one_colour_has_no_waves() -> None:
    made = thumbhash((8, 8), bytes((10, 20, 30, 255)) * 64)
    assert made[5:] == bytes(len(made) - 5)


def _average(hashed: bytes) -> tuple[int, int, int]:
    """The average colour that a hash holds, as its description says."""
    head = int.from_bytes(hashed[:3], "little")
    light, p, q = (head & 63) / 63, (head >> 6 & 63) / 31.5 - 1, (head >> 12 & 63) / 31.5 - 1
    blue = light - 2 / 3 * p
    red = (3 * light - blue + q) / 2
    return round(255 * red), round(255 * (red - q)), round(255 * blue)


@pytest.mark.parametrize("colour", [(200, 80, 40), (0, 0, 0), (255, 255, 255), (20, 90, 220)])
@pytest.mark.parametrize("size", [(1, 1), (100, 1), (3, 100), (64, 48)])
def test_the_average_colour_is_in_the_hash(colour: tuple[int, int, int], size: tuple[int, int]) -> None:
    made = _average(thumbhash(size, bytes((*colour, 255)) * (size[0] * size[1])))
    assert all(abs(byte - other) <= 8 for byte, other in zip(made, colour, strict=True))


@pytest.mark.parametrize("size", [(0, 5), (101, 5), (5, 101), (5, 6)])
def test_what_is_too_large_or_no_picture_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="pixels"):
        thumbhash(size, bytes(4 * 25))
