"""Made things: a city at night, glazed tiles, a flat poster, woven cloth."""

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
    fractal,
    glow,
    grade,
    mix,
    noise,
    profile,
    relief,
    shade,
    smooth,
    vignette,
    xs,
    ys,
)


def city_at_night(size: Size, seed: int = 51) -> Picture:
    """A skyline with lit windows and its reflection in the river."""
    rng = random.Random(seed)
    river = 0.66
    picture = grade(ys(size), [(0.0, "#070d24"), (0.4, "#1b2552"), (0.66, "#6a4a78")])
    haze = fractal(size, (3, 3), seed, 6)
    picture = glow(
        picture, "#ff9d6b", calc(lambda n, v: n * 0.55 * v**3.0, haze, clamp(calc(lambda v: v / river, ys(size))))
    )
    moon = (size[0] / size[1] * 0.80, 0.16)
    picture = glow(picture, "#cfd8ff", calc(lambda d: 0.5 / (1.0 + (d * 11) ** 2), distance(size, *moon)))
    maria = grade(fractal(size, (18, 18), seed + 2, 4), [(0.3, "#c6c6d2"), (0.6, "#fbf8ea")])
    picture = mix(picture, maria, smooth(distance(size, *moon), 0.041, 0.038))
    for depth in range(3):
        _row_of_houses(picture, rng, river, depth)
    lights = picture.filter(ImageFilter.GaussianBlur(size[1] / 60))
    picture = Image.blend(picture, ImageChops.screen(picture, lights), 0.45)
    foot = int(river * size[1])
    mirror = picture.crop((0, 2 * foot - size[1], size[0], foot)).transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    mirror = mirror.filter(ImageFilter.BoxBlur((1, size[1] / 55))).filter(ImageFilter.BoxBlur((1, size[1] / 55)))
    water = Image.new("RGB", size)
    water.paste(mirror, (0, foot))
    ripple = noise(size, (9, 190), seed + 4)
    fine = noise(size, (26, 330), seed + 5)
    water = shade(water, calc(lambda a, b: 0.42 + a * 0.75 + b * 0.45, ripple, fine))
    picture = mix(picture, water, smooth(ys(size), river - 0.001, river + 0.001))
    quay = calc(lambda v: abs(v - river), ys(size))
    return vignette(mix(picture, "#0b0d1a", smooth(quay, 0.006, 0.004)), 0.3)


def _row_of_houses(picture: Picture, rng: random.Random, river: float, depth: int) -> None:
    """Draws one row of towers; nearer rows are lower, darker and have larger windows."""
    width, height = picture.size
    draw = ImageDraw.Draw(picture)
    walls = ("#3b3563", "#231f45", "#12122b")[depth]
    pane = (0.0045, 0.006, 0.0085)[depth] * height
    x = -0.02 * height
    centre = width * 0.45
    while x < width:
        wide = rng.uniform(0.05, 0.10) * height * (0.8 + 0.35 * depth)
        rise = math.exp(-(((x - centre) / (width * 0.28)) ** 2))
        tall = (0.16 + 0.34 * rise * rng.uniform(0.5, 1.0) + rng.uniform(0, 0.10)) * (1.0, 0.78, 0.48)[depth] * height
        top = river * height - tall
        draw.rectangle((x, top, x + wide, river * height), fill=walls)
        style = rng.random()
        if style < 0.25:
            draw.polygon([(x, top), (x + wide / 2, top - wide * 0.7), (x + wide, top)], fill=walls)
        elif style < 0.5:
            draw.rectangle((x + wide * 0.2, top - wide * 0.25, x + wide * 0.8, top), fill=walls)
            draw.line((x + wide / 2, top - wide * 0.9, x + wide / 2, top), fill=walls, width=max(2, height // 400))
            draw.ellipse(
                (x + wide / 2 - 2, top - wide * 0.9 - 2, x + wide / 2 + 2, top - wide * 0.9 + 2), fill="#ff4a3a"
            )
        _windows(draw, rng, (x, top, x + wide, river * height), pane)
        x += wide * rng.uniform(0.9, 1.35)


def _windows(
    draw: ImageDraw.ImageDraw, rng: random.Random, box: tuple[float, float, float, float], pane: float
) -> None:
    tint = rng.choice(
        (("#ffd98a", "#ffc560", "#fff0c8"), ("#ffe9b8", "#ffd27a", "#d8ecff"), ("#bfe0ff", "#e8f4ff", "#ffdf9a"))
    )
    share = rng.uniform(0.25, 0.6)
    y = box[1] + pane * 1.5
    while y < box[3] - pane * 2:
        x = box[0] + pane
        while x < box[2] - pane * 1.6:
            if rng.random() < share:
                draw.rectangle((x, y, x + pane * 0.85, y + pane * 1.15), fill=rng.choice(tint))
            x += pane * 1.9
        y += pane * 2.3


def tiles(size: Size, seed: int = 55) -> Picture:
    """A wall of hand-painted glazed tiles in blue, white and ochre."""
    side = size[1] // 4
    drawn = [_tile(side * 3, kind).resize((side, side), Image.Resampling.LANCZOS) for kind in range(2)]
    picture = Image.new("RGB", size)
    rng = random.Random(seed)
    for line in range(size[1] // side + 1):
        for column in range(size[0] // side + 1):
            tile = drawn[(line + column) % 2].rotate(rng.choice((0, 90, 180, 270)))
            tone = rng.uniform(0.90, 1.06)
            picture.paste(tile.point(lambda v, t=tone: int(min(255, v * t))), (column * side, line * side))
    step = side / size[1]
    us, vs = (calc(lambda f: abs((f / step) % 1.0 - 0.5), axis(size)) for axis in (xs, ys))
    edge = calc(lambda a, b: (a**14 + b**14) ** (1 / 14), us, vs)
    glaze = fractal(size, (12, 9), seed + 3, 6)
    bump = calc(lambda g, e: g * 0.12 - e, glaze, smooth(edge, 0.44, 0.5))
    picture = shade(picture, clamp(calc(lambda r: 1.0 - r * 2.3, relief(bump, 4, 4)), 0.5, 1.5))
    grout = grade(fractal(size, (60, 50), seed + 4, 3), [(0.3, "#8f8578"), (0.7, "#b9ae9d")])
    picture = mix(picture, grout, smooth(edge, 0.486, 0.493))
    gleam = smooth(
        calc(lambda g, d: g * 0.7 - d * 0.5, glaze, distance(size, size[0] / size[1] * 0.3, 0.2)), 0.16, 0.42
    )
    picture = glow(picture, "#ffffff", calc(lambda g, e: g * (1.0 - e) * 0.30, gleam, smooth(edge, 0.45, 0.49)))
    return vignette(picture, 0.3)


def _tile(side: int, kind: int) -> Picture:
    tile = Image.new("RGB", (side, side), "#f1ebdd")
    draw = ImageDraw.Draw(tile)
    blue, ochre, pale = "#1c4e9a", "#d9952b", "#7fa8d6"

    def circle(x: float, y: float, radius: float, colour: str) -> None:
        draw.ellipse([(x - radius) * side, (y - radius) * side, (x + radius) * side, (y + radius) * side], fill=colour)

    for x, y in ((0, 0), (1, 0), (0, 1), (1, 1)):
        for radius, colour in (
            (0.36, blue),
            (0.31, "#f1ebdd"),
            (0.26, pale),
            (0.17, ochre if kind else blue),
            (0.09, "#f1ebdd"),
        ):
            circle(x, y, radius, colour)
    for petal in range(8):
        angle = math.pi * petal / 4
        reach = 0.29 if petal % 2 == 0 else 0.22
        tip = (0.5 + reach * math.cos(angle), 0.5 + reach * math.sin(angle))
        sides = [(0.5 + 0.14 * math.cos(angle + turn), 0.5 + 0.14 * math.sin(angle + turn)) for turn in (-0.42, 0.42)]
        shape = [(u * side, v * side) for u, v in ((0.5, 0.5), sides[0], tip, sides[1])]
        draw.polygon(shape, fill=(blue, ochre)[petal % 2] if kind else (ochre, blue)[petal % 2])
        circle(*tip, 0.022, blue)
    circle(0.5, 0.5, 0.075, "#f1ebdd")
    circle(0.5, 0.5, 0.045, ochre)
    return tile


def poster(size: Size, seed: int = 58) -> Picture:
    """Hills, a sun and a road in a dozen flat colours with hard edges, as posters were printed."""
    scale = 2
    big = (size[0] * scale, size[1] * scale)
    picture = Image.new("RGB", big, "#f6d7a7")
    draw = ImageDraw.Draw(picture)
    unit = big[1]
    sun = (big[0] * 0.64, 0.36 * unit)
    for radius, colour in ((0.34, "#f7cf94"), (0.26, "#f5bd78"), (0.18, "#f2a65a"), (0.115, "#ee8434")):
        r = radius * unit
        draw.ellipse((sun[0] - r, sun[1] - r, sun[0] + r, sun[1] + r), fill=colour)
    tones = ("#c8897a", "#9a6a78", "#6d5273", "#46406b", "#2b2d55", "#1b1f3d")
    for number, tone in enumerate(tones):
        top = 0.44 + number * 0.095
        bumps = profile(big[0], 1.5 + number * 0.5, seed * 3 + number, 3 if number > 2 else 5, 0.35, sharp=number < 3)
        edge = [(n, (top + (0.20 - 0.02 * number) * (0.55 - v)) * unit) for n, v in enumerate(bumps)]
        draw.polygon([(0, big[1]), *edge, (big[0], big[1])], fill=tone)
    for number in range(26):
        x = (number + 0.5 + 0.3 * math.sin(number * 5)) / 26 * big[0]
        foot, tall = 1.02 * unit, (0.10 + 0.09 * abs(math.sin(number * 2.3))) * unit
        for tier in range(3):
            y = foot - tall * (0.25 + tier * 0.22)
            half = tall * (0.28 - tier * 0.06)
            draw.polygon([(x - half, y), (x, y - tall * 0.42), (x + half, y)], fill="#12142b")
        draw.rectangle((x - tall * 0.03, foot - tall * 0.3, x + tall * 0.03, foot), fill="#12142b")
    for x, y, s in ((0.24, 0.2, 0.03), (0.31, 0.16, 0.022), (0.19, 0.13, 0.018), (0.36, 0.23, 0.016)):
        wing = [
            (x * big[0] + dx * s * unit, y * unit + dy * s * unit)
            for dx, dy in ((-1, -0.3), (-0.4, -0.5), (0, 0), (0.4, -0.5), (1, -0.3))
        ]
        draw.line(wing, fill="#46406b", width=int(0.005 * unit), joint="curve")
    return picture.resize(size, Image.Resampling.BOX)


def weave(size: Size, seed: int = 61) -> Picture:
    """A tartan seen so close that its threads show: fine regular detail that a bad reduction turns into moire."""
    pitch = 6 / size[1]
    sett = [
        ("#7a1f2b", 14),
        ("#1f3f2f", 5),
        ("#e3c46a", 1),
        ("#1f3f2f", 5),
        ("#7a1f2b", 8),
        ("#1b2a4a", 9),
        ("#f0ead8", 1),
        ("#1b2a4a", 9),
    ]
    threads = [colour for colour, count in sett for _ in range(count)]
    columns, lines = round(size[0] / size[1] / pitch) + 1, round(1 / pitch) + 1
    warp, weft = Image.new("RGB", (columns, 1)), Image.new("RGB", (1, lines))
    for n in range(columns):
        warp.paste(threads[n % len(threads)], (n, 0, n + 1, 1))
    for n in range(lines):
        weft.paste(threads[n % len(threads)], (0, n, 1, n + 1))
    across, down = (
        strip.resize((columns * 6, lines * 6), Image.Resampling.NEAREST).crop((0, 0, *size)) for strip in (warp, weft)
    )
    over = calc(
        lambda u, v: (((u - u % pitch) + (v - v % pitch)) / pitch + 0.5) % 4.0 < 2.0, xs(size), ys(size)
    ).convert("F")
    picture = mix(down, across, over)
    hump_u, hump_v = (calc(lambda f: 1.0 - (((f / pitch) % 1.0) * 2.0 - 1.0) ** 2, axis(size)) for axis in (xs, ys))
    hump = calc(lambda o, a, b: o * a + (1.0 - o) * b, over, hump_u, hump_v)
    fold = relief(fractal(size, (2.5, 2), seed, 3, 0.4), 30, 22)
    fibre = noise(size, (size[0] / 3, size[1] / 3), seed + 2)
    return vignette(
        shade(picture, calc(lambda h, f, n: (0.62 + h * 0.5 + (n - 0.5) * 0.16) * (1.0 - f * 4.5), hump, fold, fibre)),
        0.25,
    )
