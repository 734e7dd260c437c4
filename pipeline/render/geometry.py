"""Size arithmetic: which part of an upright picture goes where, in what size. Pure; knows nothing of pixels' values.

One rule about enlarging holds for every fit: unless `enlarge` is set, no pixel is stretched. For `cover` and `fill`,
whose shape is the box's, a box larger than the picture is shrunk (keeping its shape) until neither of its sides is
larger.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from pipeline.model import Fit, Spec

Size = tuple[int, int]
Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True, slots=True)
class Placement:
    """`box` of the upright source, resampled to `size`, is put at `offset` on a canvas of `canvas` pixels."""

    box: Box
    size: Size
    canvas: Size
    offset: Size

    @property
    def shrink(self) -> float:
        """How many source pixels one target pixel stands for, along the side that shrinks least; below 1: enlarged."""
        left, top, right, bottom = self.box
        return min((right - left) / self.size[0], (bottom - top) / self.size[1])


def place(source: Size, spec: Spec) -> Placement:
    """Where the pixels of an upright picture of `source` pixels go under `spec`.

    Sides are rounded to the nearest pixel and never 0; `contain` always yields the exact box, `cover` and `fill` do
    where the picture is large enough or `enlarge` is set. A side that the spec leaves open follows from the other.
    """
    if spec.width is None or spec.height is None or spec.fit in (Fit.INSIDE, Fit.OUTSIDE):
        size = _scaled(source, _scale(source, spec))
        return Placement((0.0, 0.0, float(source[0]), float(source[1])), size, size, (0, 0))
    box = (spec.width, spec.height)
    if spec.fit is Fit.CONTAIN:
        return _contain(source, box, spec)
    target = box if spec.enlarge else _scaled(box, min(1.0, source[0] / box[0], source[1] / box[1]))
    if spec.fit is Fit.COVER:
        return Placement(_centre_crop(source, target), target, target, (0, 0))
    return Placement((0.0, 0.0, float(source[0]), float(source[1])), target, target, (0, 0))


def _scale(source: Size, spec: Spec) -> float:
    """The factor for both sides that brings `source` inside (or, for `outside`, around) the spec's box."""
    factors = [
        wanted / length for wanted, length in zip((spec.width, spec.height), source, strict=True) if wanted is not None
    ]
    if not factors:
        return 1.0
    factor = max(factors) if spec.fit is Fit.OUTSIDE else min(factors)
    return factor if spec.enlarge else min(1.0, factor)


def _scaled(size: Size, factor: float) -> Size:
    return _whole(size[0] * factor), _whole(size[1] * factor)


def _whole(length: float) -> int:
    """The nearest whole number of pixels, half upwards, at least one."""
    return max(1, math.floor(length + 0.5))


def _contain(source: Size, box: Size, spec: Spec) -> Placement:
    size = _scaled(source, _scale(source, spec))
    offset = ((box[0] - size[0]) // 2, (box[1] - size[1]) // 2)
    return Placement((0.0, 0.0, float(source[0]), float(source[1])), size, box, offset)


def _centre_crop(source: Size, target: Size) -> Box:
    """The largest centred part of `source` that has the shape of `target`; its edges may lie between pixels."""
    factor = min(source[0] / target[0], source[1] / target[1])
    width, height = min(float(source[0]), target[0] * factor), min(float(source[1]), target[1] * factor)
    left, top = (source[0] - width) / 2, (source[1] - height) / 2
    return left, top, left + width, top + height
