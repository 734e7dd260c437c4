"""A picture that is as hard to resample as a photograph: detail at every scale, edges, soft gradients."""

from __future__ import annotations

import math
import random

from PIL import Image, ImageChops, ImageDraw


def scene(size: tuple[int, int]) -> Image.Image:
    """The same RGB picture each time."""
    width, height = size
    dice = random.Random(7)
    image = Image.merge("RGB", [_gradient(size, turn) for turn in (0.3, 1.4, 2.2)])
    draw = ImageDraw.Draw(image)
    for _ in range(60):
        x, y, reach = dice.random() * width, dice.random() * height, dice.random() ** 3 * width / 4
        colour = tuple(dice.randrange(256) for _ in range(3))
        corners = [
            (x + reach * math.cos(angle), y + reach * math.sin(angle))
            for angle in sorted(dice.random() * 6.3 for _ in range(5))
        ]
        draw.polygon(corners, fill=colour)
    for step in range(2, 40):
        draw.line((step * step, 0, width - step * step, height), fill=(step * 6, 255 - step * 6, 60))
    grain = Image.frombytes("L", (64, 64), bytes(dice.randrange(96, 160) for _ in range(64 * 64))).resize(size)
    return ImageChops.add(image, Image.merge("RGB", (grain, grain, grain)), 1, -128)


def _gradient(size: tuple[int, int], turn: float) -> Image.Image:
    across, down = Image.linear_gradient("L").rotate(90).resize(size), Image.linear_gradient("L").resize(size)
    return Image.blend(across, down, abs(math.sin(turn)))
