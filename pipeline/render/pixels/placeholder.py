"""Placeholders for a picture that is still loading: its main colour, and a ThumbHash."""

from __future__ import annotations

from collections import Counter

from PIL import Image

from pipeline.model.spec import Format, Spec
from pipeline.render.pixels.thumbhash import LARGEST, thumbhash

REDUCED = Spec("placeholder", width=LARGEST, height=LARGEST, format=Format.TIFF)
"""The rendition that placeholders are computed from; it is never encoded. TIFF, because that holds one frame."""

_WHITE = "#ffffff"


def placeholder(reduced: Image.Image) -> tuple[str, bytes]:
    """The main colour as `#rrggbb`, and the ThumbHash, of a picture rendered as `REDUCED`.

    The main colour is the average of the most frequent group of pixels that share the upper four bits of each channel,
    weighted by alpha; white for a fully transparent picture.
    """
    image = reduced.convert("RGBA")
    pixels = image.tobytes()
    return _colour(pixels), thumbhash(image.size, pixels)


def _colour(pixels: bytes) -> str:
    weights: Counter[int] = Counter()
    sums: dict[int, list[int]] = {}
    met = Counter(zip(*(pixels[channel::4] for channel in range(4)), strict=True))
    for (red, green, blue, alpha), count in met.items():
        weight = count * alpha
        if not weight:
            continue
        bucket = (red >> 4) << 8 | (green >> 4) << 4 | blue >> 4
        weights[bucket] += weight
        total = sums.setdefault(bucket, [0, 0, 0])
        for channel, value in enumerate((red, green, blue)):
            total[channel] += value * weight
    if not weights:
        return _WHITE
    most = max(weights.values())
    bucket = min(bucket for bucket, weight in weights.items() if weight == most)
    return "#" + "".join(f"{(2 * total + most) // (2 * most):02x}" for total in sums[bucket])
