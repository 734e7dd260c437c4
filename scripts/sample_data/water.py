"""Scenes at the water: a sunset, a shore from above, a lighthouse, a pond with leaves."""

from __future__ import annotations

import math
import random

from PIL import Image, ImageDraw, ImageFilter

from scripts.sample_data.field import (
    Field,
    Picture,
    Size,
    below,
    calc,
    clamp,
    distance,
    flat,
    fractal,
    glow,
    grade,
    mix,
    noise,
    profile,
    relief,
    ridged,
    shade,
    smooth,
    vignette,
    xs,
    ys,
)
from scripts.sample_data.land import clouds


def swell(size: Size, horizon: float, seed: int, phase: float = 0.0) -> Field:
    """Waves in perspective below `horizon`: about -1 to 1; far ones are fine. `phase` turns once per loop."""
    total = flat(size, 0.0)
    depth = clamp(calc(lambda v: (v - horizon) / (1.0 - horizon), ys(size)), 0.004, 1.0)
    for octave in range(5):
        band = noise(size, (6 * 1.9**octave, 400), seed + octave)
        bend = fractal(size, (2.0 * 1.6**octave, 24), seed + 20 + octave, 3)
        turn = phase * (1 + octave % 2) / (2 * math.pi)
        waves = calc(
            lambda d, n, b, k=octave, w=turn: (d**-0.75 * 3.0 * 1.7**k + b * 5.0 + n * 0.25 + w) % 1.0,
            depth,
            band,
            bend,
        )
        crest = calc(lambda w: abs(w * 2.0 - 1.0) * 2.0 - 1.0, waves)
        total = calc(lambda t, c, s=0.62**octave: t + c * s, total, crest)
    return calc(lambda t: t / 2.2, total)


def sunset(size: Size, seed: int = 11, phase: float = 0.0) -> Picture:
    """A low sun over the sea, its path on the waves, clouds lit from below, a sailing boat."""
    horizon, sun_x = 0.56, size[0] / size[1] * 0.42
    sky = grade(ys(size), [(0.0, "#24386b"), (0.25, "#7a5b8c"), (0.42, "#e0795f"), (0.54, "#ffc46b")])
    dense = clouds(size, seed, 0.55, 3)
    near = distance(size, sun_x, 0.5)
    lit = grade(near, [(0.0, "#ffdc96"), (0.35, "#f08a62"), (0.8, "#8a5a7d"), (1.3, "#4b4370")])
    sky = mix(sky, lit, calc(lambda c: c * 0.85, dense))
    sky = glow(sky, "#ffb35c", calc(lambda d: 1.0 / (1.0 + (d * 5.0) ** 2), near))
    sky = mix(sky, "#fff4cf", smooth(distance(size, sun_x, 0.505), 0.047, 0.043))
    sea = grade(ys(size), [(horizon, "#b5685a"), (0.7, "#5d476b"), (1.0, "#1d2547")])
    waves = swell(size, horizon, seed, phase)
    sea = shade(sea, calc(lambda w: 1.0 + w * 0.45, waves))
    away = calc(lambda u, v: abs(u - sun_x) / (0.035 + (v - horizon) * 0.42), xs(size), ys(size))
    path = calc(lambda a, w: a * w, smooth(away, 1.0, 0.0), smooth(waves, -0.05, 0.5))
    sea = glow(glow(sea, "#ff9d52", smooth(away, 2.6, 0.0)), "#ffe2a0", path)
    picture = mix(sky, sea, smooth(ys(size), horizon - 0.001, horizon + 0.001))
    return vignette(_boat(picture, size[0] / size[1] * 0.71, 0.66), 0.3)


def _boat(picture: Picture, x: float, y: float) -> Picture:
    size = picture.size
    unit = size[1] * 3
    mask = Image.new("L", (size[0] * 3, size[1] * 3))
    draw = ImageDraw.Draw(mask)

    def points(*pairs: tuple[float, float]) -> list[tuple[float, float]]:
        return [((x + dx) * unit, (y + dy) * unit) for dx, dy in pairs]

    draw.polygon(points((-0.06, -0.012), (0.065, -0.016), (0.045, 0.008), (-0.045, 0.008)), fill=255)
    draw.polygon(points((0.004, -0.022), (0.004, -0.185), (0.055, -0.026)), fill=225)
    draw.polygon(points((-0.002, -0.022), (-0.002, -0.165), (-0.05, -0.024)), fill=205)
    draw.line(points((0.001, -0.19), (0.001, 0)), fill=255, width=5)
    hull = mask.resize(size, Image.Resampling.BOX)
    top = int((y + 0.008) * size[1])
    mirror = Image.new("L", size)
    part = hull.crop((0, 2 * top - size[1], size[0], top)).transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    mirror.paste(part, (0, top))
    blurred = mirror.filter(ImageFilter.BoxBlur((2, 9))).convert("F")
    picture = mix(picture, "#241c35", calc(lambda f: f / 255.0 * 0.6, blurred))
    return mix(picture, "#1d1730", calc(lambda f: f / 255.0, hull.convert("F")))


def shore(size: Size, seed: int = 14) -> Picture:
    """A beach from above: turquoise water over sand, two lines of foam, wet and dry sand, parasols."""
    edge = fractal(size, (2.5, 2), seed, 5, 0.42)
    depth = calc(lambda u, v, e: (u * 0.75 + v * 0.9) - 0.78 + (e - 0.45) * 0.5, xs(size), ys(size), edge)
    sand = shade(grade(depth, [(0.0, "#c9a878"), (0.10, "#e6cd9f"), (0.5, "#f2dfb8")]), _grain(size, seed))
    floor = calc(lambda d, f: d + (f - 0.5) * 0.22, depth, fractal(size, (5, 5), seed + 4))
    water = grade(
        floor, [(-0.75, "#06506f"), (-0.42, "#0f86a0"), (-0.2, "#37b9bd"), (-0.06, "#8fdcd0"), (0.0, "#c4ead8")]
    )
    net = calc(lambda r: r**9 * 1.6, ridged(size, (11, 11), seed + 8, 3))
    water = glow(water, "#d8fff4", calc(lambda n, d: n * d * 0.5, clamp(net), smooth(depth, -0.6, -0.05)))
    picture = mix(sand, water, smooth(depth, 0.006, -0.006))
    lace = fractal(size, (26, 26), seed + 6, 5, 0.7)
    for place, width in ((0.0, 0.018), (-0.10, 0.010), (-0.24, 0.007)):
        wander = calc(lambda d, n, p=place: abs(d - p + (n - 0.5) * 0.05), depth, fractal(size, (7, 7), seed + 60, 3))
        foam = calc(lambda n, m: n * m, smooth(wander, width * 2.4, width * 0.2), smooth(lace, 0.42, 0.55))
        picture = mix(picture, "#ffffff", calc(lambda f, k=1.0 + place * 2: f * k, foam))
    rng = random.Random(seed)
    spots = [(size[0] / size[1] * rng.uniform(0.62, 0.98), rng.uniform(0.62, 0.97)) for _ in range(40)]
    kept: list[tuple[float, float]] = []
    for spot in spots:
        if spot[0] * 0.75 + spot[1] * 0.9 > 1.25 and all(math.dist(spot, other) > 0.14 for other in kept):
            kept.append(spot)
    for number, spot in enumerate(kept):
        picture = _parasol(picture, spot, ("#e4572e", "#2e86ab", "#f3a712", "#d7263d")[number % 4], rng.uniform(0, 1))
    return vignette(picture, 0.15)


def _grain(size: Size, seed: int) -> Field:
    dunes = relief(fractal(size, (14, 9), seed + 2, 6, 0.65), 2, 2)
    return calc(lambda d: 1.0 + d * 1.2, dunes)


def _parasol(picture: Picture, spot: tuple[float, float], colour: str, turn: float) -> Picture:
    size = picture.size
    radius = 0.045
    shadow = smooth(distance(size, spot[0] + 0.022, spot[1] + 0.026), radius * 1.08, radius * 0.88)
    picture = shade(picture, calc(lambda s: 1.0 - s * 0.42, shadow))
    layer = Image.new("L", (size[0] * 2, size[1] * 2))
    top = Image.new("RGB", layer.size, colour)
    draw, paint = ImageDraw.Draw(layer), ImageDraw.Draw(top)
    unit = size[1] * 2
    box = [(spot[0] - radius) * unit, (spot[1] - radius) * unit, (spot[0] + radius) * unit, (spot[1] + radius) * unit]
    draw.ellipse(box, fill=255)
    for part in range(0, 8, 2):
        paint.pieslice(box, (part + turn) * 45, (part + 1 + turn) * 45, fill="#fdf6e8")
    cover = top.resize(size, Image.Resampling.BOX)
    light = calc(lambda d: 1.12 - d * 7.0, distance(size, spot[0] - 0.012, spot[1] - 0.014))
    mask = calc(lambda f: f / 255.0, layer.resize(size, Image.Resampling.BOX).convert("F"))
    return mix(picture, shade(cover, clamp(light, 0.6, 1.2)), mask)


def lighthouse(size: Size, seed: int = 17) -> Picture:
    """A white and red lighthouse on a rock at dusk; upright format."""
    aspect = size[0] / size[1]
    picture = grade(ys(size), [(0.0, "#15294f"), (0.35, "#3f5f93"), (0.6, "#c58f93"), (0.72, "#f5c39a")])
    dense = clouds(size, seed, 0.5, 3)
    picture = mix(picture, grade(ys(size), [(0.1, "#47608f"), (0.6, "#f0a98c")]), calc(lambda c: c * 0.75, dense))
    waves = swell(size, 0.74, seed)
    sea = shade(
        grade(ys(size), [(0.74, "#a98a94"), (0.85, "#3f5675"), (1.0, "#16263d")]), calc(lambda w: 1 + w * 0.4, waves)
    )
    picture = mix(picture, sea, smooth(ys(size), 0.739, 0.741))
    x, lamp = aspect * 0.56, 0.26
    for side in (-1.0, 1.0):
        along = calc(lambda u, s=side: (u - x) * s, xs(size))
        off = calc(lambda v, a: abs(v - lamp + a * 0.10) / (0.008 + a * 0.10), ys(size), clamp(along, 0, 9))
        beam = calc(lambda o, a: o * (a > 0.0) * 0.42 / (1.0 + a * 2.2), smooth(off, 1.0, 0.0), along)
        picture = glow(picture, "#fff0c0", beam)
    rock_line = [
        0.80 - 0.13 * math.exp(-(((n / size[1] - x) / 0.28) ** 2)) + 0.05 * (v - 0.5)
        for n, v in enumerate(profile(size[0], 4, seed, 7, 0.55))
    ]
    rough = ridged(size, (8, 10), seed + 2)
    light = clamp(calc(lambda r: 1.0 - r * 4.0, relief(rough, 3, 3)), 0.4, 1.9)
    rock = shade(grade(ys(size), [(0.66, "#7a6660"), (0.85, "#4a4048"), (1.0, "#231f2b")]), light)
    picture = mix(picture, rock, below(size, rock_line, 0.004))
    picture = _tower(picture, x, lamp)
    picture = glow(picture, "#ffe9b0", calc(lambda d: 1.0 / (1.0 + (d * 22.0) ** 2), distance(size, x, lamp)))
    return vignette(picture, 0.3)


def _tower(picture: Picture, x: float, lamp: float) -> Picture:
    size = picture.size
    unit = size[1] * 3
    layer = Image.new("RGBA", (size[0] * 3, size[1] * 3))
    draw = ImageDraw.Draw(layer)
    foot = 0.72

    def points(*pairs: tuple[float, float]) -> list[tuple[float, float]]:
        return [((x + dx) * unit, y * unit) for dx, y in pairs]

    for band in range(6):
        a, b = lamp + 0.03 + (foot - lamp - 0.03) * band / 6, lamp + 0.03 + (foot - lamp - 0.03) * (band + 1) / 6
        wide_a, wide_b = 0.030 + 0.028 * band / 6, 0.030 + 0.028 * (band + 1) / 6
        colour = "#c8392f" if band % 2 else "#f4efe6"
        draw.polygon(points((-wide_a, a), (wide_a, a), (wide_b, b), (-wide_b, b)), fill=colour)
    draw.rectangle(points((-0.042, lamp + 0.02), (0.042, lamp + 0.032)), fill="#2c2a33")
    draw.rectangle(points((-0.022, lamp - 0.02), (0.022, lamp + 0.02)), fill="#fff2c4")
    for bar in (-0.022, -0.008, 0.008, 0.022):
        draw.line(points((bar, lamp - 0.02), (bar, lamp + 0.02)), fill="#2c2a33", width=4)
    draw.polygon(points((-0.03, lamp - 0.02), (0, lamp - 0.055), (0.03, lamp - 0.02)), fill="#a32c28")
    draw.ellipse([(x - 0.005) * unit, (lamp - 0.063) * unit, (x + 0.005) * unit, (lamp - 0.053) * unit], fill="#2c2a33")
    for y in (0.40, 0.55):
        draw.rounded_rectangle(points((-0.008, y), (0.008, y + 0.03)), 12, fill="#2b3350")
    layer = layer.resize(size, Image.Resampling.LANCZOS)
    round_light = calc(lambda u: 1.12 - ((u - x + 0.014) * 15.0) ** 2, xs(size))
    tower = shade(layer.convert("RGB"), clamp(round_light, 0.35, 1.2))
    return Image.composite(tower, picture, layer.getchannel("A"))
