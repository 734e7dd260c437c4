"""Food on a table: fruit in a bowl, slices of citrus."""

from __future__ import annotations

import math
import random

from PIL import Image, ImageDraw, ImageFilter

from scripts.sample_data.field import (
    Colour,
    Picture,
    Size,
    calc,
    clamp,
    distance,
    fractal,
    glow,
    grade,
    mix,
    noise,
    relief,
    shade,
    smooth,
    vignette,
    xs,
    ys,
)

Spot = tuple[float, float]


def table(size: Size, seed: int, pale: Colour, dark: Colour) -> Picture:
    """Planks of wood seen from above."""
    grain = fractal(size, (1.5, 55), seed, 4, 0.6)
    bend = fractal(size, (2, 3), seed + 1, 3)
    rings = calc(
        lambda g, b, v: abs((v * 9.0 + b * 6.0 + g * 1.2) % 1.0 * 2.0 - 1.0) * 0.5 + g * 0.5, grain, bend, ys(size)
    )
    wood = grade(rings, [(0.2, dark), (0.8, pale)])
    gap = calc(lambda v: abs((v * 4.0 + 0.1) % 1.0 - 0.5), ys(size))
    return shade(wood, calc(lambda s: 1.0 - s * 0.55, smooth(gap, 0.488, 0.499)))


def ball(picture: Picture, spot: Spot, radius: float, skin: Picture, shine: float = 0.6) -> Picture:
    """A lit sphere of `skin`, with a soft shadow to the lower right and light from the upper left."""
    size = picture.size
    x, y = spot
    shadow = smooth(distance(size, x + radius * 0.22, y + radius * 0.30), radius * 1.35, radius * 0.7)
    picture = shade(picture, calc(lambda s: 1.0 - s * 0.5, shadow))
    away = distance(size, x, y)
    up = clamp(calc(lambda d: 1.0 - (d / radius) ** 2, away), 0.0, 1.0)
    facing = calc(
        lambda h, u, v: h**0.5 * 0.72 - (u - x) / radius * 0.42 - (v - y) / radius * 0.55, up, xs(size), ys(size)
    )
    light = calc(lambda f, h: 0.26 + f * 0.95 + (1.0 - h) ** 3 * 0.10, clamp(facing), up)
    lit = shade(skin, light)
    gleam = calc(lambda f: f**42 * shine, clamp(calc(lambda f: f / 1.0, facing)))
    lit = glow(lit, "#fff8ea", gleam)
    return mix(picture, lit, smooth(away, radius + 0.002, radius - 0.002))


def _skin(size: Size, seed: int, spot: Spot, low: Colour, high: Colour, grain: float, stripes: float = 0.0) -> Picture:
    blush = fractal(size, (4, 4), seed, 3)
    fine = fractal(size, (70, 70), seed + 1, 2)
    side = calc(lambda u, v: (u - spot[0]) * 2.0 + (v - spot[1]) * 1.0 + 0.5, xs(size), ys(size))
    streak = noise(size, (90, 3), seed + 2)
    tone = calc(
        lambda b, f, s, k: b * 0.7 + s * 0.5 + (f - 0.5) * grain + (k - 0.5) * stripes - 0.1, blush, fine, side, streak
    )
    return grade(tone, [(0.2, low), (0.75, high)])


def _stalk(picture: Picture, spot: Spot, length: float) -> Picture:
    size = picture.size
    mask = Image.new("L", (size[0] * 3, size[1] * 3))
    unit = size[1] * 3
    path = [(spot[0] + length * 0.35 * (t / 8) ** 2, spot[1] - length * t / 8) for t in range(9)]
    ImageDraw.Draw(mask).line([(u * unit, v * unit) for u, v in path], fill=255, width=int(unit * 0.010), joint="curve")
    stalk = calc(lambda f: f / 255.0, mask.resize(size, Image.Resampling.BOX).convert("F"))
    dip = smooth(distance(size, spot[0], spot[1], 2.0), 0.035, 0.0)
    return mix(shade(picture, calc(lambda d: 1.0 - d * 0.6, dip)), "#4a3420", stalk)


def fruit_bowl(size: Size, seed: int = 21) -> Picture:
    """Apples, oranges, plums and a lemon in a blue glazed bowl on a wooden table."""
    middle = size[0] / size[1] / 2
    picture = table(size, seed, "#a8794c", "#6f4a2c")
    picture = shade(picture, calc(lambda d: 1.25 - d * 0.55, distance(size, middle - 0.4, 0.15)))
    shadow = smooth(distance(size, middle + 0.06, 0.58), 0.52, 0.36)
    picture = shade(picture, calc(lambda s: 1.0 - s * 0.6, shadow))
    rim = distance(size, middle, 0.51)
    glaze = grade(fractal(size, (6, 6), seed + 5), [(0.3, "#123f6d"), (0.6, "#2b74a8"), (0.8, "#6fb0cf")])
    tilt = calc(lambda u, v: 1.0 - (u - middle) * 0.7 - (v - 0.5) * 0.9, xs(size), ys(size))
    picture = mix(picture, shade(glaze, tilt), smooth(rim, 0.442, 0.438))
    inner = shade(glaze, calc(lambda t: 0.25 + (2.0 - t) * 0.45, tilt))
    picture = mix(picture, inner, smooth(rim, 0.412, 0.408))
    ring = calc(lambda d: 1.0 - abs(d - 0.425) / 0.012, rim)
    picture = glow(picture, "#dff2ff", calc(lambda r, t: r * t * 0.45, clamp(ring), smooth(tilt, 0.95, 1.35)))
    kinds = {
        "orange": ("#d9690a", "#f59d1d", 0.28, 0.0, 0.40),
        "apple": ("#8f1220", "#d83a2f", 0.10, 0.5, 0.75),
        "green": ("#6f9a22", "#b9cf4a", 0.12, 0.2, 0.70),
        "plum": ("#2f1440", "#6a2a63", 0.10, 0.0, 0.45),
        "lemon": ("#e2b808", "#f8e04a", 0.22, 0.0, 0.45),
    }
    order = (  # kind, place from the middle, radius; those behind come first
        ("plum", -0.27, -0.13, 0.095),
        ("orange", 0.02, -0.25, 0.125),
        ("green", 0.25, -0.13, 0.13),
        ("plum", 0.26, 0.16, 0.10),
        ("lemon", -0.25, 0.13, 0.115),
        ("apple", 0.03, 0.22, 0.14),
        ("apple", -0.12, -0.03, 0.145),
        ("orange", 0.14, 0.02, 0.13),
    )
    for number, (kind, dx, dy, radius) in enumerate(order):
        low, high, grain, stripes, shine = kinds[kind]
        spot = (middle + dx, 0.51 + dy)
        picture = ball(picture, spot, radius, _skin(size, seed + number * 7, spot, low, high, grain, stripes), shine)
        if kind in {"apple", "green"}:
            picture = _stalk(picture, (spot[0] + radius * 0.15, spot[1] - radius * 0.45), radius * 0.5)
    return vignette(picture, 0.3)


def citrus(size: Size, seed: int = 37) -> Picture:
    """Slices of orange, lemon, lime and grapefruit on mint."""
    rng = random.Random(seed)
    picture = shade(_board(size, seed), calc(lambda d: 1.12 - d * 0.16, distance(size, 0.2, 0.1)))
    kinds = (("#f28c13", "#f9b233"), ("#f2c511", "#f9e05a"), ("#7cb518", "#b9dc5a"), ("#e4483f", "#f47c63"))
    placed: list[tuple[float, float, float]] = []
    for _ in range(4000):
        radius = rng.choice((0.20, 0.17, 0.14, 0.11))
        x, y = rng.uniform(0, size[0] / size[1]), rng.uniform(0, 1)
        if len(placed) < 17 and all(math.hypot(x - u, y - v) > radius + r + 0.02 for u, v, r in placed):
            placed.append((x, y, radius))
    for number, (x, y, radius) in enumerate(placed):
        rind, flesh = kinds[(number * 3 + number // 4) % 4]
        picture = _slice(picture, (x, y, radius), rind, flesh, seed + number, rng.uniform(0, 6))
    return vignette(picture, 0.12)


def _board(size: Size, seed: int) -> Picture:
    """A painted board, almost even."""
    return grade(fractal(size, (3, 3), seed, 6), [(0.3, "#a9d8c6"), (0.7, "#bfe5d5")])


def _slice(
    picture: Picture, circle: tuple[float, float, float], rind: Colour, flesh: Colour, seed: int, turn: float
) -> Picture:
    size = picture.size
    x, y, radius = circle
    shadow = smooth(distance(size, x + 0.012, y + 0.016), radius * 1.10, radius * 0.92)
    picture = shade(picture, calc(lambda s: 1.0 - s * 0.38, shadow))
    away = calc(lambda d: d / radius, distance(size, x, y))
    picture = mix(picture, rind, smooth(away, 1.0, 0.985))
    picture = mix(picture, "#fbf3d9", smooth(away, 0.945, 0.915))
    wedges, unit = Image.new("L", (size[0] * 2, size[1] * 2)), size[1] * 2
    draw = ImageDraw.Draw(wedges)
    for number in range(10):
        a, b = (turn + 2 * math.pi * (number + part) / 10 for part in (0.06, 0.94))
        arc = [a + (b - a) * t / 12 for t in range(13)]
        mid = (a + b) / 2
        inner = (x + 0.14 * radius * math.cos(mid), y + 0.14 * radius * math.sin(mid))
        rim = [(x + 0.86 * radius * math.cos(t), y + 0.86 * radius * math.sin(t)) for t in arc]
        draw.polygon([(u * unit, v * unit) for u, v in [inner, *rim]], fill=255)
    blurred = wedges.filter(ImageFilter.GaussianBlur(radius * unit * 0.035)).resize(size, Image.Resampling.BOX)
    mask = smooth(calc(lambda f: f / 255.0, blurred.convert("F")), 0.42, 0.62)
    cells = fractal(size, (38, 38), seed, 3, 0.7)
    pulp = grade(calc(lambda c, a: c * 0.8 + a * 0.25, cells, away), [(0.35, rind), (0.62, flesh), (0.85, "#fff3c4")])
    pulp = shade(pulp, calc(lambda r: 1.0 - r * 1.6, relief(cells, 2, 2)))
    return mix(picture, pulp, mask)
