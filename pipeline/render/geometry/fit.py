"""The fit: which part of a picture goes where, at what size. Pure arithmetic on sizes, without pixels.

Every fit follows one rule about enlarging: unless `enlarge` is set, no pixel is stretched. For `cover` and `fill` a
box larger than the picture is therefore shrunk, in its shape, until neither of its sides is larger.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace

from pipeline.model.spec import Fit, Spec

Size = tuple[int, int]
Point = tuple[float, float]  # fractions of width and height, from the left and the top
Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True, slots=True)
class Placement:
    """`box` of a picture is resampled to `size` and put at `offset` on a canvas of size `canvas`, all in pixels."""

    box: Box
    size: Size
    canvas: Size
    offset: Size

    @property
    def shrink(self) -> float:
        """Source pixels to a target pixel, along the side that shrinks least; below 1 the picture is enlarged."""
        left, top, right, bottom = self.box
        return min((right - left) / self.size[0], (bottom - top) / self.size[1])


@functools.lru_cache(maxsize=64)  # small pictures are often of one size: 2 us instead of 13
def place(source: Size, spec: Spec, focus: Point | None = None) -> Placement:
    """Places a picture of size `source` by the box, fit, gravity and padding of `spec`.

    Sides are rounded to the nearest pixel and are never 0. `contain` always yields the exact box; `cover` and `fill` do
    if the picture is large enough or `enlarge` is set. A side that the spec leaves open follows from the other.
    A crop keeps `focus` as near to its middle as possible. None stands for the spec's gravity, and for the centre if
    that gravity has to be measured.
    """
    return _padded(_fitted(source, spec, spec.gravity.anchor if focus is None else focus), spec)


def box_of(source: Size, spec: Spec) -> tuple[int | None, int | None]:
    """The box in device pixels. A side left open follows from `aspect`; if both are open, from `source` as well."""
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
    """The most pixels that a rendition of a picture of size `source`, or of any part of it, turned or not, can have."""
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
    """The factor that scales `source` to fit inside the box or, for `outside`, around it."""
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
    """The largest part of `source` with the shape of `target`, its middle as near to `focus` as possible.

    Edges may lie between pixels.
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
