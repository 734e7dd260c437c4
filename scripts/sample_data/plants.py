"""Trees to put into a landscape."""

from __future__ import annotations

import random

from PIL import Image, ImageDraw

from scripts.sample_data.field import (
    Picture,
    Size,
    calc,
    flat,
    fractal,
    grade,
    mix,
)


def pines(size: Size, line: list[float], seed: int, height: float, gap: float) -> Image.Image:
    """A mask (L) of conifers standing on `line`; `height` and `gap` in heights of the picture."""
    rng = random.Random(seed)
    scale = 2
    mask = Image.new("L", (size[0] * scale, size[1] * scale))
    draw = ImageDraw.Draw(mask)
    unit = size[1] * scale
    x = -gap
    while x * unit < size[0] * scale:
        column = min(max(int(x * size[1]), 0), size[0] - 1)
        foot = line[column] + 0.01
        tall = height * rng.uniform(0.45, 1.0)
        _pine(draw, (x * unit, foot * unit), tall * unit, rng)
        x += gap * rng.uniform(0.3, 1.0)
    return mask.resize(size, Image.Resampling.BOX)


def _pine(draw: ImageDraw.ImageDraw, foot: tuple[float, float], tall: float, rng: random.Random) -> None:
    x, y = foot
    wide = tall * rng.uniform(0.15, 0.21)
    left, right = [(x, y - tall)], []
    tiers = 9
    for tier in range(1, tiers + 1):
        level = y - tall * (1 - tier / (tiers + 0.6))
        reach = wide * (tier / tiers) ** 0.85
        left += [(x - reach * rng.uniform(0.8, 1.1), level + reach * 0.12), (x - reach * 0.55, level)]
        right += [(x + reach * rng.uniform(0.8, 1.1), level + reach * 0.12), (x + reach * 0.55, level)]
    draw.polygon(left + right[::-1], fill=255)
    draw.rectangle((x - wide * 0.07, y - tall * 0.1, x + wide * 0.07, y + tall * 0.05), fill=255)


def round_trees(picture: Picture, line: list[float], seed: int, tall: float) -> Picture:
    """Groups of broad-leaved trees standing on a line."""
    size = picture.size
    rng = random.Random(seed * 31)
    crowns = Image.new("L", (size[0] * 2, size[1] * 2))
    draw = ImageDraw.Draw(crowns)
    for _ in range(7):
        start = rng.randrange(size[0])
        for _ in range(rng.randrange(2, 9)):
            column = min(max(start + int(rng.gauss(0, 2.2 * tall) * size[1]), 0), size[0] - 1)
            for _ in range(14):
                x = column + rng.gauss(0, tall * 0.24) * size[1]
                y = (line[column] - tall * rng.uniform(0.05, 0.85)) * size[1]
                r = tall * rng.uniform(0.12, 0.3) * size[1]
                draw.ellipse((2 * (x - r), 2 * (y - r), 2 * (x + r), 2 * (y + r)), fill=255)
    mask = calc(lambda f: f / 255.0, crowns.resize(size, Image.Resampling.BOX).convert("F"))
    leaves = grade(fractal(size, (60, 50), seed + 5, 3), [(0.3, "#213d1d"), (0.55, "#3c6229"), (0.75, "#6f9340")])
    haze = mix(leaves, "#9fb9a8", flat(size, max(0.0, 0.6 - tall * 14)))
    return mix(picture, haze, mask)
