"""ThumbHash: about 25 bytes from which a browser draws a blurred picture while the real one loads.

Evan Wallace published the format (https://evanw.github.io/thumbhash/). Brightness, two colour differences and alpha are
transformed into cosines; the coarsest are kept at 4 bits each, with one scale for each channel.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from operator import mul

LARGEST = 100  # pixels a side that the format allows
_NOTHING = 1e-9  # sums of cosines up to this count as 0

_Channel = list[list[float]]  # rows of values


def thumbhash(size: tuple[int, int], pixels: bytes) -> bytes:
    """The hash of a picture of `size`, no side above `LARGEST`. `pixels` are rows of RGBA, not premultiplied.

    Takes about 5 ms at 100 x 75 pixels, in pure Python.
    """
    width, height = size
    if not (0 < width <= LARGEST and 0 < height <= LARGEST and len(pixels) == 4 * width * height):
        raise ValueError(f"{width} x {height} pixels, {len(pixels)} bytes")
    alpha = list(pixels[3::4])
    opaque = min(alpha) == 255
    red, green, blue = _over_their_average([pixels[channel::4] for channel in range(3)], alpha)
    most = 7 if opaque else 5
    across, down = (max(1, _whole(most * side / max(size))) for side in size)

    brightness = _rows(((r + g + b) / 765 for r, g, b in zip(red, green, blue, strict=True)), width)
    yellow = _rows(((r + g - 2 * b) / 510 for r, g, b in zip(red, green, blue, strict=True)), width)
    reddish = _rows(((r - g) / 255 for r, g in zip(red, green, strict=True)), width)
    waves = _Waves(width, height)
    light, light_scale, light_terms = waves.of(brightness, max(3, across), max(3, down))
    p, p_scale, p_terms = waves.of(yellow, 3, 3)
    q, q_scale, q_terms = waves.of(reddish, 3, 3)

    landscape = width > height
    head = _whole(63 * light) | _whole(31.5 + 31.5 * p) << 6 | _whole(31.5 + 31.5 * q) << 12
    head |= _whole(31 * light_scale) << 18 | (not opaque) << 23
    tail = (down if landscape else across) | _whole(63 * p_scale) << 3 | _whole(63 * q_scale) << 9 | landscape << 15
    hashed = head.to_bytes(3, "little") + tail.to_bytes(2, "little")
    terms = [*light_terms, *p_terms, *q_terms]
    if not opaque:
        a, a_scale, a_terms = waves.of(_rows((value / 255 for value in alpha), width), 5, 5)
        hashed += bytes([_whole(15 * a) | _whole(15 * a_scale) << 4])
        terms += a_terms
    nibbles = [_whole(15 * term) for term in terms]
    return hashed + bytes(low | high << 4 for low, high in zip(nibbles[::2], [*nibbles[1::2], 0], strict=False))


class _Waves:
    """The cosines over the rows and columns of a picture, computed once for all channels."""

    def __init__(self, width: int, height: int) -> None:
        self._across = [[math.cos(math.pi / width * n * (x + 0.5)) for x in range(width)] for n in range(7)]
        self._down = [[math.cos(math.pi / height * n * (y + 0.5)) for y in range(height)] for n in range(7)]

    def of(self, channel: _Channel, across: int, down: int) -> tuple[float, float, list[float]]:
        """The channel's average, the largest amplitude of its waves, and all amplitudes scaled to 0..1 (0.5: none).

        The waves are the triangle of the coarsest `across` x `down`, by rows.
        """
        count = len(channel) * len(channel[0])
        by_row = [[sum(map(mul, row, wave)) for row in channel] for wave in self._across[:across]]
        waves = [
            sum(map(mul, by_row[x], self._down[y])) / count
            for y in range(down)
            for x in range(across)
            if x * down < across * (down - y)
        ]
        average, strengths = waves[0], waves[1:]
        scale = max(map(abs, strengths), default=0.0)
        if scale < _NOTHING:
            return average, 0.0, [0.0] * len(strengths)
        return average, scale, [0.5 + 0.5 / scale * strength for strength in strengths]


def _over_their_average(channels: Iterable[bytes], alpha: Sequence[int]) -> list[list[float]]:
    """The channels of the picture blended over its own average colour."""
    total = sum(alpha)
    if total == 255 * len(alpha):
        return [list(map(float, channel)) for channel in channels]
    shown = []
    for channel in channels:
        average = sum(map(mul, channel, alpha)) / total if total else 0.0
        shown.append([average + (value - average) * a / 255 for value, a in zip(channel, alpha, strict=True)])
    return shown


def _rows(values: Iterable[float], width: int) -> _Channel:
    flat = list(values)
    return [flat[start : start + width] for start in range(0, len(flat), width)]


def _whole(value: float) -> int:
    """The nearest integer, half upwards, independent of a machine's last digit."""
    return math.floor(value + 0.5 + _NOTHING)
