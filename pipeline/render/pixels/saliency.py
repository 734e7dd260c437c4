"""Crops placed by measurement: the gravities `attention`, `entropy` and `faces`.

The first two, and the last where no face is found, measure a reduction of the region to at most `LOOKED_AT` pixels
along its longer side, averaged by Pillow, so that neither shrink on load nor the resampler moves a crop by more than
one step of that reduction. A crop can move along one
side only, and every position on it is scored. Of equal scores the one nearest to the middle wins.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence

from PIL import Image, ImageChops, ImageFilter, ImageStat

from pipeline.model.shape import Gravity
from pipeline.model.spec import Fit, Spec
from pipeline.render.colour.srgb import to_srgb
from pipeline.render.geometry.fit import Point
from pipeline.render.geometry.framing import LOOKED_AT, SEEN, Framing
from pipeline.render.geometry.orientation import stored_box, turned, upright_size
from pipeline.render.pixels import faces
from pipeline.render.pixels.frame import Frame

# Weights of the cues for attention. Edges decide; skin and strong colours decide between equally busy positions.
_EDGES, _SKIN, _COLOUR = 1.0, 0.5, 0.25
_CENTRED = 0.5  # how much less the edge of the window counts than its middle
# The range of skin in YCbCr, whatever its tone (Chai and Ngan, 1999: Cb 77..127, Cr 133..173), with soft edges.
_CB = [max(0, min(255, 51 * (min(level - 72, 132 - level)))) for level in range(256)]
_CR = [max(0, min(255, 51 * (min(level - 128, 178 - level)))) for level in range(256)]


def focus(frame: Frame, whole: Framing, spec: Spec, icc: bytes | None) -> Point | None:
    """The point of the region that a crop under `spec` should centre on; None if nothing is cropped."""
    if spec.fit is not Fit.COVER:
        return None
    left, top, right, bottom = whole.place(spec).box
    across, down = (right - left) / whole.size[0], (bottom - top) / whole.size[1]
    if min(across, down) > 1 - 1e-9:
        return None
    if spec.gravity is Gravity.FACES and (found := faces.heads(_reduced(frame, whole, icc, SEEN))):
        return faces.middle_of(found, across, down)
    small = _reduced(frame, whole, icc, LOOKED_AT)
    if spec.gravity is Gravity.ENTROPY:
        return _busiest(small, across, down)
    profile, part = (_profile(small, 0), across) if across < down else (_profile(small, 1), down)
    middle = _best(len(profile), part, lambda start, length: _drawn(profile, start, length))
    return (middle, 0.5) if across < down else (0.5, middle)


def _reduced(frame: Frame, whole: Framing, icc: bytes | None, most: int) -> Image.Image:
    """The region, upright, reduced to `most` pixels along its longer side, in sRGB: `RGB`, or `RGBA` with hidden parts
    in the mean colour of the rest.
    """
    image = frame.eight_bits
    left, top, right, bottom = (
        edge / frame.shrink for edge in stored_box(whole.region, whole.turned, whole.orientation)
    )
    box = (left, top, min(right, image.width), min(bottom, image.height))
    scale = min(1.0, most / max(whole.size))
    size = upright_size((max(1, round(whole.size[0] * scale)), max(1, round(whole.size[1] * scale))), whole.orientation)
    gap = None if image.mode.startswith("I;16") else 2.0
    small = image.resize(size, Image.Resampling.BOX, box=box, reducing_gap=gap)
    srgb, _warnings = to_srgb(turned(small, whole.orientation), icc)
    if srgb.mode not in ("LA", "RGBA"):
        return srgb.convert("RGB")
    opaque, alpha = srgb.convert("RGB"), srgb.getchannel("A")
    if alpha.getextrema()[1]:
        mean = tuple(round(level) for level in ImageStat.Stat(opaque, alpha).mean)
        opaque = Image.composite(opaque, Image.new("RGB", opaque.size, mean), alpha)
    opaque.putalpha(alpha)
    return opaque


def _profile(small: Image.Image, side: int) -> Sequence[float]:
    """The attention score of each column (`side` 0) or row (1)."""
    opaque = small.convert("RGB")
    grey, (_y, cb, cr) = opaque.convert("L"), opaque.convert("YCbCr").split()
    _hue, saturation, value = opaque.convert("HSV").split()
    maps = (
        (_EDGES, _detail(grey).point([min(255, level * 6) for level in range(256)])),
        (_SKIN, ImageChops.multiply(cb.point(_CB), cr.point(_CR))),
        (_COLOUR, ImageChops.multiply(saturation, value)),
    )
    total = [0.0] * small.size[side]
    for weight, seen in maps:
        shown = ImageChops.multiply(seen, small.getchannel("A")) if small.mode == "RGBA" else seen
        levels = _means(shown, side)
        # A cue that is nearly everywhere tells nothing: a wooden table has the colour of skin.
        rare = (1 - sum(levels) / len(levels) / 255) ** 2
        for index, level in enumerate(levels):
            total[index] += weight * rare * level
    return total


def _means(seen: Image.Image, side: int) -> Sequence[float]:
    line = (seen.width, 1) if side == 0 else (1, seen.height)
    return array("f", seen.convert("F").resize(line, Image.Resampling.BOX).tobytes())


def _drawn(profile: Sequence[float], start: int, length: int) -> float:
    middle, half = start + (length - 1) / 2, length / 2
    return sum(
        profile[index] * (1 - _CENTRED * ((index - middle) / half) ** 2) for index in range(start, start + length)
    )


def _busiest(small: Image.Image, across: float, down: float) -> Point:
    """The window whose detail has the most entropy. The entropy of the greys would choose a soft gradient."""
    seen = _detail(small.convert("L"))
    if small.mode == "RGBA":
        seen = ImageChops.multiply(seen, small.getchannel("A"))
    if across < down:
        return _best(seen.width, across, lambda x, size: seen.crop((x, 0, x + size, seen.height)).entropy()), 0.5
    return 0.5, _best(seen.height, down, lambda y, size: seen.crop((0, y, seen.width, y + size)).entropy())


def _detail(grey: Image.Image) -> Image.Image:
    """The detail finer than about two pixels."""
    return ImageChops.difference(grey, grey.filter(ImageFilter.GaussianBlur(1.5)))


def _best(length: int, part: float, score: Callable[[int, int], float]) -> float:
    """The middle, 0..1, of the best-scoring window, which is `part` of `length`."""
    size = min(length, max(1, round(length * part)))
    free = length - size
    best = max(range(free + 1), key=lambda start: (round(score(start, size), 3), -abs(2 * start - free), -start))
    return (best + size / 2) / length
