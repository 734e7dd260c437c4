"""Fields: pictures of mode F whose values are mostly 0 to 1, and what can be drawn with sums and products of them.

Everything is a function of its arguments and a seed. `Size` is (width, height) in pixels; coordinate fields are
measured in heights of the picture, so that a scene looks the same at any size.
"""

from __future__ import annotations

import itertools
import math
import random
from array import array
from collections.abc import Callable, Sequence
from typing import Any

from PIL import Image, ImageColor, ImageMath

Field = Image.Image  # mode F
Picture = Image.Image  # mode RGB
Size = tuple[int, int]
Colour = str  # "#rrggbb"

_BICUBIC = Image.Resampling.BICUBIC


def calc(formula: Callable[..., Any], *fields: Field) -> Field:
    """`formula` of the fields, pixel by pixel; it gets one operand per field and may use + - * / ** and constants."""
    names = [f"f{number}" for number in range(len(fields))]
    operands = dict(zip(names, fields, strict=True))
    result: Field = ImageMath.lambda_eval(lambda env: formula(*(env[name] for name in names)), **operands)
    return result


def flat(size: Size, value: float) -> Field:
    """One value everywhere."""
    return Image.new("F", size, value)


def clamp(field: Field, low: float = 0.0, high: float = 1.0) -> Field:
    """The field, cut off at `low` and `high`."""
    lows, highs = flat(field.size, low), flat(field.size, high)
    result: Field = ImageMath.lambda_eval(
        lambda env: env["min"](env["max"](env["f"], env["l"]), env["h"]), f=field, l=lows, h=highs
    )
    return result


def row(size: Size, values: Sequence[float]) -> Field:
    """A field that is `values` (one per column) in every row."""
    line = Image.new("F", (len(values), 1))
    line.putdata(values)
    return line.resize(size, Image.Resampling.NEAREST)


def xs(size: Size) -> Field:
    """0 at the left edge, width/height at the right one."""
    return row(size, [(x + 0.5) / size[1] for x in range(size[0])])


def ys(size: Size) -> Field:
    """0 at the top, 1 at the bottom."""
    return row((size[1], size[0]), [(y + 0.5) / size[1] for y in range(size[1])]).transpose(Image.Transpose.TRANSPOSE)


def distance(size: Size, x: float, y: float, squeeze: float = 1.0) -> Field:
    """Distance from (x, y) in heights; `squeeze` > 1 makes its circles flat ellipses."""
    return calc(lambda u, v: ((u - x) ** 2 + ((v - y) * squeeze) ** 2) ** 0.5, xs(size), ys(size))


def smooth(field: Field, start: float, end: float) -> Field:
    """0 below `start`, 1 above `end` (or the other way round), an S between."""
    return calc(lambda t: t * t * (3.0 - t * 2.0), clamp(calc(lambda f: (f - start) / (end - start), field)))


def noise(size: Size, cells: tuple[float, float], seed: int) -> Field:
    """Value noise: random numbers on a grid of `cells` across and down, bicubic between."""
    wide, high = (max(1, round(cells[0])) + 3, max(1, round(cells[1])) + 3)
    grid = Image.frombytes("L", (wide, high), random.Random(seed).randbytes(wide * high)).convert("F")
    box = (1.0, 1.0, 1.0 + max(0.5, cells[0]), 1.0 + max(0.5, cells[1]))
    return calc(lambda f: f / 255.0, grid.resize(size, _BICUBIC, box=box))


def fractal(size: Size, cells: tuple[float, float], seed: int, octaves: int = 6, gain: float = 0.5) -> Field:
    """Octaves of noise, each twice as fine and `gain` times as strong; about 0 to 1, mostly near 0.5."""
    total = flat(size, 0.0)
    weight = 0.0
    for octave in range(octaves):
        part = noise(size, (cells[0] * 2**octave, cells[1] * 2**octave), seed * 101 + octave)
        strength = gain**octave
        total = calc(lambda t, p, s=strength: t + p * s, total, part)
        weight += strength
    return calc(lambda t: t / weight, total)


def ridged(size: Size, cells: tuple[float, float], seed: int, octaves: int = 6) -> Field:
    """Fractal noise with creases turned into sharp ridges, as mountains have; 0 to 1."""
    total = flat(size, 0.0)
    weight = 0.0
    for octave in range(octaves):
        part = noise(size, (cells[0] * 2**octave, cells[1] * 2**octave), seed * 77 + octave)
        strength = 0.5**octave
        total = calc(lambda t, p, s=strength: t + (1.0 - abs(p * 2.0 - 1.0)) * s, total, part)
        weight += strength
    return calc(lambda t: t / weight, total)


def relief(field: Field, dx: float, dy: float) -> Field:
    """How steeply the field rises towards (dx, dy) pixels away: light from there, about -1 to 1 per unit of height."""
    moved = field.transform(field.size, Image.Transform.AFFINE, (1, 0, dx, 0, 1, dy), Image.Resampling.BILINEAR)
    width, height = field.size
    inner = (
        max(0, math.ceil(-dx)),
        max(0, math.ceil(-dy)),
        width - max(0, math.ceil(dx)),
        height - max(0, math.ceil(dy)),
    )
    return calc(lambda f, m: f - m, field, moved).resize(
        field.size, _BICUBIC, box=inner
    )  # no edge that came from outside


def warp(field: Field, shift: Field, strength: float) -> Field:
    """The field moved sideways by `shift` (0.5: not at all), row by row; for reflections. `strength` in heights."""
    width, height = field.size
    result = Image.new("F", field.size)
    offsets = array("f", shift.resize((1, height), _BICUBIC).tobytes())
    for y, value in enumerate(offsets):
        by = (value - 0.5) * strength * height
        line = field.crop((0, y, width, y + 1)).transform(
            (width, 1), Image.Transform.AFFINE, (1, 0, by, 0, 1, 0), Image.Resampling.BILINEAR
        )
        result.paste(line, (0, y))
    return result


def _channels(colour: Colour) -> tuple[int, ...]:
    return ImageColor.getrgb(colour)[:3]


def grade(field: Field, stops: Sequence[tuple[float, Colour]]) -> Picture:
    """Colours by value: `stops` are (value, colour) in rising order. Dithered, so that wide gradients do not band."""
    bands = []
    for channel in range(3):
        points = [(value, _channels(colour)[channel]) for value, colour in stops]
        total = flat(field.size, points[0][1])
        for (low, a), (high, b) in itertools.pairwise(points):
            if a != b:
                part = clamp(calc(lambda f, lo=low, hi=high: (f - lo) / (hi - lo), field))
                total = calc(lambda t, p, d=b - a: t + p * d, total, part)
        bands.append(to_grey(calc(lambda t: t / 255.0, total), seed=channel))
    return Image.merge("RGB", bands)


def to_grey(field: Field, seed: int = 0) -> Image.Image:
    """An 8-bit picture of a field of 0 to 1, dithered by a quarter of a step."""
    grain = noise(field.size, (field.size[0] / 1.5, field.size[1] / 1.5), 9000 + seed)
    return calc(lambda f, g: f * 255.0 + (g - 0.5) * 0.5 + 0.5, clamp(field), grain).convert("L")


def mix(below: Picture, above: Picture | Colour, mask: Field) -> Picture:
    """`above` over `below` where `mask` is 1."""
    if isinstance(above, str):
        above = Image.new("RGB", below.size, above)
    return Image.composite(above, below, calc(lambda f: f * 255.0 + 0.5, clamp(mask)).convert("L"))


def glow(picture: Picture, colour: Colour, light: Field) -> Picture:
    """Light of a colour added like a second exposure (screen): never burns out hard."""
    bands = []
    for band, strength in zip(picture.split(), _channels(colour), strict=True):
        bands.append(
            calc(
                lambda b, m, s=strength / 255.0: 255.0 - (255.0 - b) * (1.0 - m * s) + 0.5,
                band.convert("F"),
                clamp(light),
            ).convert("L")
        )
    return Image.merge("RGB", bands)


def shade(picture: Picture, light: Field) -> Picture:
    """The picture times a light of 0 to about 2, 1 leaves it."""
    bands = [
        clamp(calc(lambda b, m: b * m + 0.5, band.convert("F"), light), 0, 255).convert("L") for band in picture.split()
    ]
    return Image.merge("RGB", bands)


def below(size: Size, line: Sequence[float], softness: float = 0.0015) -> Field:
    """1 below a line (its y per column, in heights), 0 above, an antialiased edge between."""
    return clamp(calc(lambda v, edge: (v - edge) / softness + 0.5, ys(size), row(size, line)))


def profile(
    width: int, cells: float, seed: int, octaves: int = 7, gain: float = 0.5, sharp: bool = False
) -> list[float]:
    """A line of fractal noise, one value of about 0 to 1 per column; `sharp` has peaks instead of hills."""
    make = (
        ridged((width, 1), (cells, 1), seed, octaves) if sharp else fractal((width, 1), (cells, 1), seed, octaves, gain)
    )
    return list(array("f", make.tobytes()))


def vignette(picture: Picture, strength: float = 0.35) -> Picture:
    """Darker towards the corners, as lenses are."""
    size = picture.size
    aspect = size[0] / size[1]
    fall = smooth(distance(size, aspect / 2, 0.5), 0.35, 0.5 * math.hypot(aspect, 1) * 1.25)
    return shade(picture, calc(lambda f: 1.0 - f * strength, fall))
