"""Scenes of earth and air: mountains, dunes, a forest in mist, the northern lights, fields, the moon's ground."""

from __future__ import annotations

import math
import random

from PIL import Image, ImageDraw, ImageFilter

from scripts.sample_data.field import (
    Colour,
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
    row,
    shade,
    smooth,
    vignette,
    xs,
    ys,
)
from scripts.sample_data.plants import pines, round_trees


def clouds(size: Size, seed: int, cover: float = 0.5, flatness: float = 2.2) -> Field:
    """Density of clouds, 0 to 1, layers thinner and finer towards the horizon at the middle of the picture."""
    wide = fractal(size, (2.2 * size[0] / size[1], 2.2 * flatness), seed, 7, 0.55)
    fine = fractal(size, (5 * size[0] / size[1], 5 * flatness * 1.6), seed + 1, 6, 0.55)
    mixed = calc(lambda a, b, v: a * (1.0 - v * 0.6) + b * v * 0.6, wide, fine, ys(size))
    return smooth(mixed, 0.62 - cover * 0.3, 0.86 - cover * 0.3)


def mountains(size: Size, seed: int = 5) -> Picture:
    """Ranges at sunrise, each paler than the one before it, a wood and a cabin with a lit window in front."""
    sun = (size[0] / size[1] * 0.66, 0.36)
    sky = grade(ys(size), [(0.0, "#3d6aa5"), (0.25, "#8fb0d2"), (0.42, "#f3d3b0"), (0.55, "#fbe3c0")])
    sky = mix(sky, "#fff1dc", calc(lambda c: c * 0.75, clouds(size, seed, 0.42)))
    sky = glow(sky, "#ffcf8a", calc(lambda d: 1.0 / (1.0 + (d * 7.0) ** 2), distance(size, *sun)))
    picture = mix(sky, "#fffbe9", smooth(distance(size, *sun), 0.034, 0.030))
    far, near = ("#b3bccf", "#8b9dba", "#617a9d", "#3f5a75"), ("#e6d5c8", "#c3c4cc", "#93a6b8", "#5f7d88")
    rock = ridged(size, (6, 5), seed + 3, 5)
    for number, (dark, pale) in enumerate(zip(far, near, strict=True)):
        top = 0.31 + number * 0.095
        rise = 0.20 - number * 0.02
        line = [top + rise * (0.75 - v) for v in profile(size[0], 2.2 + number * 0.9, seed * 10 + number, sharp=True)]
        inside = below(size, line)
        depth = smooth(ys(size), top - 0.05, top + 0.19)
        face = mix(grade(depth, [(0, dark), (1, pale)]), pale, flat(size, 0.1))
        light = calc(lambda r, n=number: 1.0 - r * (0.7 + n * 0.5), relief(rock, 4, 3))
        picture = mix(picture, shade(face, clamp(light, 0.55, 1.5)), inside)
    hill = [
        0.79 + 0.10 * (v - 0.5) - 0.03 * math.sin(n / size[0] * 5) for n, v in enumerate(profile(size[0], 3, seed + 50))
    ]
    wood = pines(size, hill, seed, 0.2, 0.028).convert("F")
    picture = mix(picture, grade(ys(size), [(0.6, "#2c4650"), (0.85, "#1c3034")]), calc(lambda f: f / 255.0, wood))
    grass = grade(fractal(size, (14, 60), seed + 9, 6, 0.75), [(0.3, "#24381f"), (0.5, "#3b5730"), (0.7, "#6f8440")])
    picture = mix(
        picture, shade(grass, calc(lambda v: 1.5 - v * 0.8, ys(size))), below(size, [v + 0.012 for v in hill], 0.006)
    )
    picture = _cabin(picture, size[0] / size[1] * 0.27, hill[int(size[0] * 0.27)] + 0.085)
    return vignette(picture, 0.25)


def _cabin(picture: Picture, x: float, y: float) -> Picture:
    size = picture.size
    scale, unit = 3, size[1] * 3
    layer = Image.new("RGBA", (size[0] * scale, size[1] * scale))
    draw = ImageDraw.Draw(layer)

    def points(*pairs: tuple[float, float]) -> list[tuple[float, float]]:
        return [((x + dx) * unit, (y + dy) * unit) for dx, dy in pairs]

    draw.polygon(points((-0.055, 0), (-0.055, -0.062), (0.07, -0.062), (0.07, 0)), fill="#4a3327")
    for plank in range(1, 6):
        draw.line(points((-0.055, -0.0103 * plank), (0.07, -0.0103 * plank)), fill="#38261d", width=3)
    draw.polygon(points((0.035, -0.09), (0.035, -0.135), (0.05, -0.135), (0.05, -0.075)), fill="#57504c")
    draw.polygon(points((-0.07, -0.055), (-0.035, -0.11), (0.055, -0.11), (0.085, -0.055)), fill="#2a2022")
    draw.polygon(points((-0.035, -0.11), (0.055, -0.11), (0.057, -0.105), (-0.037, -0.105)), fill="#6e5a4e")
    draw.rectangle(points((-0.038, -0.046), (-0.012, -0.02)), fill="#ffd27a")
    draw.line(points((-0.025, -0.046), (-0.025, -0.02)), fill="#4a3327", width=5)
    draw.line(points((-0.038, -0.033), (-0.012, -0.033)), fill="#4a3327", width=5)
    draw.rectangle(points((0.02, -0.045), (0.043, 0)), fill="#2b1d17")
    layer = layer.resize(size, Image.Resampling.LANCZOS)
    picture = Image.composite(layer.convert("RGB"), picture, layer.getchannel("A"))
    return glow(picture, "#ffb04a", calc(lambda d: 0.7 / (1.0 + (d * 30.0) ** 2), distance(size, x - 0.025, y - 0.033)))


def dunes(size: Size, seed: int = 3) -> Picture:
    """Sand under a clear sky: long crests, one side in the sun, wind ripples that follow the slope."""
    sky = grade(ys(size), [(0.0, "#1f5fa8"), (0.3, "#7fb0dc"), (0.42, "#e2dccb")])
    picture = mix(sky, "#ffffff", calc(lambda c, v: c * 0.35 * (1.0 - v), clouds(size, seed, 0.25, 4), ys(size)))
    width = size[0]
    for number in range(5):
        t = number / 4
        line = [
            0.36
            + 0.62 * t**1.7 * 0.75
            + (0.05 + 0.16 * t) * (v - 0.62)
            + 0.02 * math.sin(n / width * (9 - number) + number)
            for n, v in enumerate(profile(width, 1.2 + (4 - number) * 0.55, seed * 7 + number, 3, 0.35))
        ]
        inside = below(size, line, 0.002)
        depth = calc(lambda v, edge: v - edge, ys(size), row(size, line))
        crest = profile(width, 2.5 + number, seed * 13 + number, 4, 0.4)
        fold = [edge + (0.03 + 0.22 * t) * max(0.0, c - 0.30) for edge, c in zip(line, crest, strict=True)]
        shadow = calc(lambda f: 1.0 - f, below(size, fold, 0.004 + 0.02 * t))
        phase = fractal(size, (3, 3), seed + 30 + number, 3)
        waves = noise(size, (4, 60 + 30 * (4 - number)), seed + 60 + number)
        ripple = calc(lambda w, p, f=0.06 + 0.1 * t: 1.0 + (w - 0.5) * f * 1.6 + (p - 0.5) * 0.25, waves, phase)
        lit = grade(smooth(depth, 0, 0.3), [(0, "#f3c98d"), (0.5, "#e0a25e"), (1, "#c4803f")])
        dark = grade(smooth(depth, 0, 0.25), [(0, "#8a5436"), (1, "#a9693c")])
        sand = shade(mix(lit, dark, shadow), ripple)
        haze = "#e9cfae"
        picture = mix(picture, mix(sand, haze, flat(size, 0.55 * (1 - t) ** 1.5)), inside)
    return vignette(glow(picture, "#ffd9a0", flat(size, 0.04)), 0.3)


def misty_forest(size: Size, seed: int = 8) -> Image.Image:
    """Conifers fading into mist, in grey (mode L)."""
    picture = grade(ys(size), [(0.0, "#c9c9c9"), (0.4, "#ececec"), (1.0, "#d8d8d8")])
    picture = glow(
        picture, "#ffffff", calc(lambda d: 0.6 / (1.0 + (d * 3) ** 2), distance(size, size[0] / size[1] * 0.4, 0.25))
    )
    for number in range(6):
        t = number / 5
        line = [0.46 + 0.74 * t + (0.12 + 0.08 * t) * (v - 0.5) for v in profile(size[0], 2, seed * 5 + number, 4)]
        tone = int(205 - 190 * t**0.8)
        ground = below(size, line, 0.01)
        trees = calc(
            lambda f: f / 255.0, pines(size, line, seed + number, 0.15 + 0.5 * t, 0.02 + 0.13 * t).convert("F")
        )
        mask = clamp(calc(lambda a, b: a + b, ground, trees))
        mist = calc(
            lambda v, n, e: 1.0 - (v - e + 0.16) * n * 5.0,
            ys(size),
            fractal(size, (3, 6), seed + 40 + number),
            row(size, line),
        )
        picture = mix(
            picture, f"#{tone:02x}{tone:02x}{tone:02x}", calc(lambda m, q: m * q, mask, clamp(mist, 0.0, 1.0))
        )
    return vignette(picture, 0.3).convert("L")


def aurora(size: Size, seed: int = 4) -> Picture:
    """Northern lights over a frozen lake and snowy hills."""
    aspect = size[0] / size[1]
    sky = grade(ys(size), [(0.0, "#040b1e"), (0.45, "#0b2440"), (0.66, "#1d4a5c")])
    rng = random.Random(seed)
    stars = Image.new("L", size)
    for _ in range(int(size[0] * 0.4)):
        stars.putpixel((rng.randrange(size[0]), rng.randrange(int(size[1] * 0.6))), rng.choice((90, 130, 180, 255)))
    soft = stars.filter(ImageFilter.GaussianBlur(0.8)).convert("F")
    sky = glow(sky, "#ffffff", calc(lambda f: f / 130.0, soft))
    for number, (colour, base) in enumerate((("#39f0a0", 0.50), ("#5effb8", 0.40), ("#b46cff", 0.30))):
        curve = profile(size[0], 1.6 + number * 0.5, seed * 3 + number, 3)
        line = [base + 0.30 * (v - 0.5) + 0.1 * math.sin(3 * n / size[0] + number) for n, v in enumerate(curve)]
        rays = fractal((size[0], 1), (34, 1), seed + number, 4).resize(size)
        up = calc(lambda e, v: e - v, row(size, line), ys(size))
        curtain = calc(lambda a, b: a * b, smooth(up, -0.015, 0.02), smooth(up, 0.36, 0.0))
        sky = glow(sky, colour, calc(lambda c, r: c * c * (r * r * 1.9), curtain, rays))
    land = [0.64 - 0.12 * (v - 0.45) for v in profile(size[0], 3, seed + 20, sharp=True)]
    snow = grade(relief(fractal(size, (9, 9), seed + 6), 3, 3), [(-0.1, "#0d2230"), (0.0, "#27475a"), (0.1, "#6f9aa0")])
    picture = mix(sky, snow, below(size, land))
    shore = int(size[1] * 0.70)
    mirror = picture.crop((0, 2 * shore - size[1], size[0], shore)).transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    mirror = mirror.filter(ImageFilter.BoxBlur(3)).filter(ImageFilter.GaussianBlur(2))
    ice = Image.new("RGB", size)
    ice.paste(mirror, (0, shore))
    cracks = calc(lambda r: r**24 * 1.4, ridged(size, (3 * aspect, 14), seed + 8, 5))
    ice = glow(shade(ice, flat(size, 0.8)), "#7fd0d8", calc(lambda c: c * 0.5, clamp(cracks)))
    picture = mix(picture, ice, smooth(ys(size), 0.698, 0.702))
    feet = [0.705 for _ in range(size[0])]
    trees = pines(size, feet, seed + 1, 0.11, 0.017).convert("F")
    return mix(
        picture,
        "#06121a",
        calc(
            lambda f, v: f / 255.0 * v,
            trees,
            row(size, [min(1.0, abs(2 * n / size[0] - 0.9) ** 2 * 4) for n in range(size[0])]),
        ),
    )


def moon_ground(size: Size, seed: int = 2) -> Image.Image:
    """A cratered plain in low sun: 16 bits of grey (mode I;16), with shadows that 8 bits would drown."""
    rng = random.Random(seed)
    height = calc(lambda f: f * 0.05, fractal(size, (6, 5), seed, 8, 0.5))
    for _ in range(170):
        x, y = rng.uniform(0, size[0] / size[1]), rng.uniform(0, 1)
        radius = 0.008 / rng.uniform(0.07, 1.0) ** 1.05
        d = calc(lambda f, r=radius: f / r, distance(size, x, y))
        bowl = calc(lambda b: (b - 1.0) * 0.32, smooth(d, 0.15, 1.0))
        rim = calc(lambda a, b: a * b * 0.11, smooth(d, 0.75, 1.0), smooth(d, 1.7, 1.0))
        height = calc(lambda h, b, w, r=radius: h + (b + w) * r, height, bowl, rim)
    slope = relief(height, 2.5, 1.2)  # the sun is low at the left
    light = clamp(calc(lambda s: 0.30 - s * size[1] / 7.0, slope), 0.004, 1.0)
    ground = fractal(size, (5, 4), seed + 3)
    tone = calc(lambda g, m: g * (0.9 + m * 0.7), light, ground)
    return calc(lambda t: t * 65535.0, clamp(tone)).convert("I").convert("I;16")


def meadow(size: Size, sky: Colour, seed: int = 6) -> Picture:
    """Rolling green fields with hedges under fair-weather clouds."""
    picture = grade(ys(size), [(0.0, sky), (0.5, "#bfe0f2")])
    dense = clouds(size, seed, 0.55)
    base = relief(fractal(size, (6, 6), seed + 2), 4, 8)
    cloud = shade(
        grade(dense, [(0, "#ffffff"), (0.7, "#ffffff"), (1, "#c9d3de")]), calc(lambda b: 1.0 + b * 0.45, base)
    )
    picture = mix(picture, cloud, dense)
    tones = (("#8fae86", "#a9bf95"), ("#6f9c4e", "#93b765"), ("#5c8f36", "#a9bf4f"), ("#3f7a2a", "#7fae3c"))
    for number, (dark, pale) in enumerate(tones):
        line = [
            0.50 + number * 0.11 + 0.10 * (v - 0.5) + 0.02 * math.sin(n / size[0] * 6 + number * 2)
            for n, v in enumerate(profile(size[0], 2, seed + number, 3, 0.3))
        ]
        patch = fractal(size, (4, 10), seed + 10 + number, 6)
        stripes = calc(
            lambda p, x, v, k=number: (x * (14 - k * 2) + v * (22 - k * 3) + p * 1.5) % 1.0, patch, xs(size), ys(size)
        )
        field = mix(
            grade(patch, [(0.35, dark), (0.65, pale)]),
            dark,
            calc(lambda s, p: (s - 0.5) * (p > 0.5) * 0.35, stripes, patch),
        )
        picture = mix(picture, field, below(size, line, 0.003))
        hedge = [v + 0.004 * n for n, v in zip(profile(size[0], 90, seed + number + 30, 4), line, strict=True)]
        hedges = calc(
            lambda a, b: a - b,
            below(size, [v - 0.006 - 0.002 * number for v in hedge], 0.003),
            below(size, line, 0.003),
        )
        picture = mix(picture, "#2f4f2a", calc(lambda h, n=number: h * (0.5 + 0.12 * n), clamp(hedges)))
        picture = round_trees(picture, line, seed + number, 0.012 + 0.016 * number)
    shadow = smooth(fractal(size, (2, 5), seed + 77, 3), 0.5, 0.62)
    return vignette(shade(picture, calc(lambda s, v: 1.0 - s * (v > 0.5) * 0.25, shadow, ys(size))), 0.2)
