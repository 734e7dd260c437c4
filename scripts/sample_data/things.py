"""Things close by: autumn leaves, a flower, soap bubbles, hot-air balloons."""

from __future__ import annotations

import math
import random

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from scripts.sample_data.field import (
    Picture,
    Size,
    calc,
    clamp,
    distance,
    flat,
    fractal,
    glow,
    grade,
    mix,
    relief,
    shade,
    smooth,
    to_grey,
    vignette,
    xs,
    ys,
)
from scripts.sample_data.land import clouds

Spot = tuple[float, float]


def leaf_mask(side: int, lobes: int = 7) -> Image.Image:
    """A maple-like leaf (L) that fills a square, stalk down, with its veins darker."""
    scale = side * 2
    mask = Image.new("L", (scale, scale))
    draw = ImageDraw.Draw(mask)
    centre = (scale * 0.5, scale * 0.62)
    tips, outline = [], []
    for number in range(lobes):
        angle = math.radians(-90 + (number - (lobes - 1) / 2) * 42)
        reach = scale * (0.56 - 0.045 * abs(number - (lobes - 1) / 2) ** 1.3)
        tips.append((centre[0] + reach * math.cos(angle), centre[1] + reach * math.sin(angle)))
        for turn, part in (
            (-17, 0.45),
            (-11, 0.62),
            (-12.5, 0.74),
            (-4.5, 0.78),
            (0, 1.0),
            (4.5, 0.78),
            (12.5, 0.74),
            (11, 0.62),
            (17, 0.45),
        ):
            a = angle + math.radians(turn)
            outline.append((centre[0] + reach * part * math.cos(a), centre[1] + reach * part * math.sin(a)))
    draw.polygon(outline, fill=255)
    draw.line([centre, (scale * 0.53, scale * 0.99)], fill=230, width=max(2, scale // 50))
    for tip in tips:
        draw.line([centre, tip], fill=205, width=max(1, scale // 110))
    return mask.filter(ImageFilter.GaussianBlur(scale / 400)).resize((side, side), Image.Resampling.BOX)


def autumn_leaves(size: Size, seed: int = 25) -> Picture:
    """Maple leaves, gold to crimson, fallen on dark water."""
    rng = random.Random(seed)
    water = grade(fractal(size, (2, 5), seed, 4), [(0.2, "#0e1d22"), (0.5, "#1c3940"), (0.8, "#50747a")])
    picture = shade(water, calc(lambda v: 1.35 - v * 0.7, ys(size)))
    colours = ("#d9480f", "#f08c00", "#b3202a", "#e8b10a", "#8a2b14", "#c96f12", "#a8b12e")
    for number in range(30):
        side = int(size[1] * (0.16 + 0.30 * (number / 29) ** 1.5) * rng.uniform(0.8, 1.15))
        turned = leaf_mask(side).rotate(rng.uniform(0, 360), Image.Resampling.BICUBIC, expand=True)
        x, y = rng.randrange(-side // 3, size[0] - side // 2), rng.randrange(-side // 3, size[1] - side // 2)
        sheet = Image.new("L", size)
        sheet.paste(turned, (x, y))
        cover = smooth(calc(lambda f: f / 255.0, sheet.convert("F")), 0.1, 0.6)
        drop = Image.new("L", size)
        drop.paste(turned, (x + side // 28, y + side // 20))
        soft = drop.filter(ImageFilter.GaussianBlur(side / 30)).convert("F")
        picture = shade(picture, calc(lambda s: 1.0 - s / 255.0 * 0.55, soft))
        blotch = fractal(size, (9, 9), seed + number * 3, 5)
        first, second = rng.sample(colours, 2)
        skin = grade(blotch, [(0.3, first), (0.7, second)])
        veins = calc(lambda f: (f / 255.0 - 0.80) * 1.7 + 0.62, clamp(sheet.convert("F"), 150, 255))
        skin = shade(skin, calc(lambda v, b: v + b * 3.0, veins, relief(blotch, 2, 2)))
        picture = mix(picture, skin, cover)
    return vignette(picture, 0.35)


def flower(size: Size, seed: int = 28) -> Picture:
    """A gerbera in the strongest reds a wide-gamut screen has, on blurred green."""
    rng = random.Random(seed)
    x, y = size[0] / size[1] * 0.52, 0.5
    picture = grade(fractal(size, (3, 2.2), seed, 3), [(0.25, "#0b3a12"), (0.5, "#1b7a24"), (0.75, "#7ed321")])
    for _ in range(14):
        spot = (rng.uniform(0, size[0] / size[1]), rng.uniform(0, 1))
        disc = smooth(distance(size, *spot), 0.07, 0.06)
        picture = glow(picture, rng.choice(("#c8ff6a", "#7dff9a", "#fff07a")), calc(lambda d: d * 0.16, disc))
    for ring, (count, reach, wide) in enumerate(
        ((22, 0.45, 0.062), (22, 0.40, 0.058), (20, 0.31, 0.045), (26, 0.19, 0.022))
    ):
        for number in rng.sample(range(count), count):
            angle = 2 * math.pi * (number + 0.5 * (ring % 2)) / count + rng.uniform(-0.04, 0.04)
            long = reach * rng.uniform(0.93, 1.05)
            picture = _petal(picture, (x, y), angle, (long, wide), rng.uniform(0.82, 1.06) - 0.05 * (ring == 0))
    seeds = fractal(size, (90, 70), seed + 3, 2)
    heart = shade(
        grade(distance(size, x, y), [(0.0, "#4c5a12"), (0.05, "#3a1408"), (0.09, "#c98a10")]),
        calc(lambda s: 0.5 + s, seeds),
    )
    return vignette(mix(picture, heart, smooth(distance(size, x, y), 0.088, 0.075)), 0.35)


def _petal(picture: Picture, centre: Spot, angle: float, shape: Spot, tone: float) -> Picture:
    """One petal, drawn in a crop around it, with a groove along its middle and a shadow on those below."""
    width, height = picture.size
    long, wide = shape
    tip = (centre[0] + long * math.cos(angle), centre[1] + long * math.sin(angle))
    left, right = sorted((centre[0], tip[0]))
    top, bottom = sorted((centre[1], tip[1]))
    box = (
        max(0, int((left - wide) * height)),
        max(0, int((top - wide) * height)),
        min(width, int((right + wide) * height) + 1),
        min(height, int((bottom + wide) * height) + 1),
    )
    part = picture.crop(box)
    size = part.size
    us = calc(lambda f: (f * size[1] + box[0]) / height - centre[0], xs(size))
    vs = calc(lambda f: (f * size[1] + box[1]) / height - centre[1], ys(size))
    c, s = math.cos(angle), math.sin(angle)
    ahead = calc(lambda u, v: (u * c + v * s) / long, us, vs)
    along = clamp(ahead)
    across = calc(lambda u, v: abs(v * c - u * s) / wide, us, vs)
    edge = calc(lambda a, b: b - (a * 4.0 * (1.0 - a)) ** 0.45 * (0.55 + a * 0.45) * 0.5, along, across)
    shadow = calc(lambda m, end: m * end, smooth(edge, 0.28, -0.05), smooth(ahead, 1.05, 0.97))
    part = shade(part, calc(lambda m: 1.0 - m * 0.38, shadow))
    groove = calc(lambda b, a: tone * (0.72 + abs(b - 0.16) * 0.9) * (0.70 + a * 0.36), across, along)
    skin = shade(grade(along, [(0.1, "#b30016"), (0.55, "#ff0f1e"), (1.0, "#ff5a2a")]), groove)
    picture.paste(mix(part, skin, smooth(edge, 0.02, -0.02)), box)
    return picture


def bubbles(size: Size, seed: int = 33) -> Image.Image:
    """Soap bubbles with iridescent rims on nothing (mode RGBA, soft alpha everywhere)."""
    rng = random.Random(seed)
    aspect = size[0] / size[1]
    colour, alpha = Image.new("RGB", size, "#dff4ff"), Image.new("L", size)
    placed: list[tuple[float, float, float]] = []
    for radius in (0.26, 0.19, 0.15, 0.12, 0.10, 0.08, 0.07, 0.05, 0.05, 0.04, 0.03, 0.03):
        for _ in range(400):
            x, y = rng.uniform(radius, aspect - radius), rng.uniform(radius, 1 - radius)
            if all(math.hypot(x - u, y - v) > radius + r for u, v, r in placed):
                placed.append((x, y, radius))
                break
    for number, (x, y, radius) in enumerate(placed):
        away = calc(lambda d, r=radius: d / r, distance(size, x, y))
        film = calc(
            lambda n, v, a, y0=y, r=radius: n * 1.6 + (v - y0) / r * 0.5 + a**3 * 0.9,
            fractal(size, (4, 4), seed + number, 3),
            ys(size),
            clamp(away),
        )
        hue = calc(lambda f: f % 1.0, film)
        skin = grade(
            hue,
            [(0, "#ff7ad9"), (0.2, "#ffd36b"), (0.4, "#7dffb0"), (0.6, "#63d8ff"), (0.8, "#9a7bff"), (1, "#ff7ad9")],
        )
        inside = smooth(away, 1.0, 0.97)
        rim = calc(lambda a, m: (0.10 + a**5 * 0.70) * m, clamp(away), inside)
        gleam = smooth(distance(size, x - radius * 0.45, y - radius * 0.5, 1.3), radius * 0.22, radius * 0.05)
        glint = smooth(distance(size, x + radius * 0.5, y + radius * 0.55), radius * 0.12, radius * 0.03)
        light = clamp(calc(lambda g, h: g * 0.9 + h * 0.5, gleam, glint))
        colour = mix(colour, mix(skin, "#ffffff", light), inside)
        alpha = ImageChops.lighter(alpha, to_grey(calc(lambda r, w: r + w, rim, light)))
    colour.putalpha(alpha)
    return colour


def balloons(size: Size, seed: int = 41) -> Picture:
    """Hot-air balloons over a sea of clouds in the morning."""
    picture = grade(ys(size), [(0.0, "#3f86c9"), (0.5, "#a9d3ec"), (0.75, "#fbe0c2")])
    picture = mix(picture, "#ffffff", calc(lambda c: c * 0.5, clouds(size, seed, 0.35, 3)))
    aspect = size[0] / size[1]
    fleet = [
        (0.30, 0.34, 0.21, 0),
        (0.68, 0.24, 0.13, 1),
        (0.86, 0.46, 0.095, 2),
        (0.52, 0.52, 0.065, 3),
        (0.10, 0.60, 0.045, 4),
    ]
    for x, y, radius, paint in reversed(fleet):
        picture = _balloon(picture, (x * aspect, y, radius), paint, haze=0.5 - radius * 2.2)
    for number in range(3):
        top = 0.70 + number * 0.09
        puff = fractal(size, (3 - number * 0.5, 6), seed + 7 + number, 7, 0.5)
        cover = smooth(calc(lambda v, p, t=top: (v - t) * 3.0 + (p - 0.5) * 1.5, ys(size), puff), 0.0, 0.30)
        tone = calc(lambda p, r: p * 1.1 + r * 1.4, puff, relief(puff, -4, 6))
        picture = mix(
            picture,
            grade(tone, [(0.25, "#b9c4d8"), (0.5, "#f3e6e0"), (0.7, "#fffaf2")]),
            calc(lambda c: c * 0.92, cover),
        )
    return picture


def _balloon(picture: Picture, circle: tuple[float, float, float], paint: int, haze: float) -> Picture:
    size = picture.size
    x, y, radius = circle
    colours = (
        ("#d7263d", "#f9c846"),
        ("#1b998b", "#f4f1de"),
        ("#5f4bb6", "#f2a65a"),
        ("#f46036", "#fdf0d5"),
        ("#2e86ab", "#f6f5ae"),
    )[paint]
    u = calc(lambda f: (f - x) / radius, xs(size))
    v = calc(lambda f: (f - y) / radius, ys(size))
    wide = calc(lambda b: (1.0 - b * b) ** 0.5, clamp(v, -1, 0.55))
    neck = calc(lambda w, b: w * (b <= 0.55) + (b > 0.55) * (0.835 - (b - 0.55) * 0.93), wide, v)
    across = calc(lambda a, w: a / w, u, clamp(neck, 0.05, 1))
    body = calc(
        lambda a, b: a * b, smooth(calc(abs, across), 1.0, 0.985), smooth(calc(lambda b: abs(b - 0.15), v), 1.15, 1.14)
    )
    gores = clamp(across, -0.999, 0.999)
    bend = calc(lambda a: a * (1.0 + a * a * 0.30), gores)
    stripe = smooth(calc(lambda a: abs((a * 3.6 + 20.25) % 1.0 - 0.5), bend), 0.235, 0.265)
    band = smooth(calc(lambda b: abs(b - 0.08), v), 0.16, 0.14)
    skin = mix(Image.new("RGB", size, colours[0]), colours[1], clamp(calc(lambda s, t: abs(s - t), stripe, band)))
    light = calc(lambda a, b: 1.10 - a * 0.34 - a * a * 0.22 - b * 0.16, gores, clamp(v, -1, 1.3))
    skin = shade(skin, light)
    basket = calc(lambda a, b: (abs(a) < 0.13) * (b > 1.45) * (b < 1.66), u, v)
    ropes = calc(lambda a, b: (abs(abs(a) - 0.2 + (b - 1.28) * 0.4) < 0.014) * (b > 1.26) * (b < 1.5), u, v)
    picture = mix(picture, "#5a3d28", basket.convert("F"))
    picture = mix(picture, "#4a4038", calc(lambda r: r * 0.8, ropes.convert("F")))
    return mix(picture, mix(skin, "#cfe3ef", flat(size, max(0.0, haze))), body)
