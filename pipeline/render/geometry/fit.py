"""Size arithmetic: which part of a picture goes where, in what size. Pure; knows nothing of pixels' values.

One rule about enlarging holds for every fit: unless `enlarge` is set, no pixel is stretched. For `cover` and `fill`,
whose shape is the box's, a box larger than the picture is shrunk (keeping its shape) until neither of its sides is
larger.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace

from pipeline.model.spec import Fit, Spec

Size = tuple[int, int]
Point = tuple[float, float]  # from left and top, 0..1
Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True, slots=True)
class Placement:
    """`box` of a picture, resampled to `size`, is put at `offset` on a canvas of `canvas` pixels."""

    box: Box
    size: Size
    canvas: Size
    offset: Size

    @property
    def shrink(self) -> float:
        """How many source pixels one target pixel stands for, along the side that shrinks least; below 1: enlarged."""
        left, top, right, bottom = self.box
        return min((right - left) / self.size[0], (bottom - top) / self.size[1])


@functools.lru_cache(maxsize=64)  # small pictures are often of one size: 2 us instead of 13
def place(source: Size, spec: Spec, focus: Point | None = None) -> Placement:
    """Where the pixels of a picture of `source` pixels go under `spec`'s box, fit, gravity and padding.

    Sides are rounded to the nearest pixel and never 0; `contain` always yields the exact box, `cover` and `fill` do
    where the picture is large enough or `enlarge` is set. A side that the spec leaves open follows from the other.
    `focus` is what a crop keeps as near to its middle as it can; None: as the spec's gravity says, the centre where
    that would have to be measured.
    """
    return _padded(_fitted(source, spec, spec.gravity.anchor if focus is None else focus), spec)


def box_of(source: Size, spec: Spec) -> tuple[int | None, int | None]:
    """The box in device pixels. A side that was left open follows from `aspect`; where both were, from `source`."""
    width, height = (None if side is None else side * spec.dpr for side in (spec.width, spec.height))
    if spec.aspect is not None:
        across, down = spec.aspect
        if width is None and height is None:
            scales = source[0] / across, source[1] / down
            scale = max(scales) if spec.fit is Fit.CONTAIN else min(scales)  # around the picture, or inside of it
            width, height = across * scale, down * scale
        elif height is None and width is not None:
            height = width * down / across
        elif width is None and height is not None:
            width = height * across / down
    return None if width is None else _whole(width), None if height is None else _whole(height)


def most_pixels(source: Size, spec: Spec) -> int:
    """At most so many pixels has a rendition of a picture of `source` pixels or of any part of it, however turned."""
    longest = max(source)
    across, down = box_of((longest, longest), spec)
    if across is not None and down is not None and spec.fit is not Fit.OUTSIDE:
        sides, pixels = (across, down), across * down
    elif not spec.enlarge or (across is None and down is None):
        sides, pixels = (longest, longest), source[0] * source[1]
    else:  # the other side follows from the shape of the part, which may be one pixel wide
        side = max(across or 1, down or 1)
        sides, pixels = (side, side * longest), side * side * longest
    if spec.pad is None:
        return pixels
    top, right, bottom, left = (length.of(min(sides), spec.dpr) for length in spec.pad)
    return pixels + max(sides) * (top + right + bottom + left) + (left + right) * (top + bottom)


def _fitted(source: Size, spec: Spec, focus: Point) -> Placement:
    width, height = box_of(source, spec)
    everything = (0.0, 0.0, float(source[0]), float(source[1]))
    if width is None or height is None or spec.fit in (Fit.INSIDE, Fit.OUTSIDE):
        size = _scaled(source, _scale(source, (width, height), spec))
        return Placement(everything, size, size, (0, 0))
    box = (width, height)
    if spec.fit is Fit.CONTAIN:
        size = _scaled(source, _scale(source, box, spec))
        across, down = spec.gravity.anchor
        offset = math.floor((width - size[0]) * across), math.floor((height - size[1]) * down)
        return Placement(everything, size, box, offset)
    target = box if spec.enlarge else _scaled(box, min(1.0, source[0] / box[0], source[1] / box[1]))
    if spec.fit is Fit.COVER:
        return Placement(_crop(source, target, focus), target, target, (0, 0))
    return Placement(everything, target, target, (0, 0))


def _scale(source: Size, box: tuple[int | None, int | None], spec: Spec) -> float:
    """The factor for both sides that brings `source` inside (or, for `outside`, around) the box."""
    factors = [wanted / length for wanted, length in zip(box, source, strict=True) if wanted is not None]
    if not factors:
        return 1.0
    factor = max(factors) if spec.fit is Fit.OUTSIDE else min(factors)
    return factor if spec.enlarge else min(1.0, factor)


def _scaled(size: Size, factor: float) -> Size:
    return _whole(size[0] * factor), _whole(size[1] * factor)


def _whole(length: float) -> int:
    """The nearest whole number of pixels, half upwards, at least one."""
    return max(1, math.floor(length + 0.5))


def _crop(source: Size, target: Size, focus: Point) -> Box:
    """The largest part of `source` that has the shape of `target`, with its middle as near to `focus` as can be.

    Its edges may lie between pixels.
    """
    factor = min(source[0] / target[0], source[1] / target[1])
    width, height = min(float(source[0]), target[0] * factor), min(float(source[1]), target[1] * factor)
    left = min(max(0.0, focus[0] * source[0] - width / 2), source[0] - width)
    top = min(max(0.0, focus[1] * source[1] - height / 2), source[1] - height)
    return left, top, left + width, top + height


def _padded(placement: Placement, spec: Spec) -> Placement:
    if spec.pad is None:
        return placement
    shorter = min(placement.canvas)
    top, right, bottom, left = (length.of(shorter, spec.dpr) for length in spec.pad)
    return replace(
        placement,
        canvas=(placement.canvas[0] + left + right, placement.canvas[1] + top + bottom),
        offset=(placement.offset[0] + left, placement.offset[1] + top),
    )
