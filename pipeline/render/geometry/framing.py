"""Framing: which part of a picture a rendition shows, and how it is turned; everything before the fit.

The order is fixed, whatever the order in the config: upright (EXIF), the crop of the picture's sidecar, `extract`,
`rotate`, `trim`, then the fit with its gravity or focal point. Boxes are in whole pixels of the turned picture, before
any shrink on load.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from pipeline.errors import ErrorKind, PictureError
from pipeline.model.record import Shown
from pipeline.model.rendering import RenderTask
from pipeline.model.shape import Gravity
from pipeline.model.spec import Spec
from pipeline.render.geometry.fit import Box, Placement, Point, Size, place
from pipeline.render.geometry.orientation import rotated, stored_box, upright_size

# A JPEG is decoded at 1/2, 1/4 or 1/8 only if that leaves at least this many times the largest rendition's pixels
# along each side. Measured on 24 camera photographs, see docs/decisions/rendering.md: 1.0 is visibly softer, 1.5
# takes 3 to 9 % more time for a mean SSIM that is 0.0002 (1200 px) to 0.0015 (300 px) higher.
SHRINK_MARGIN = 1.2

LOOKED_AT = (
    96  # pixels of the longer side of the reduction that gravity is measured on; at least twice as many are decoded
)

SEEN = 640  # the same for faces, of which the detector finds those of about 10 pixels

_TURN = {0: 1, 90: 6, 180: 3, 270: 8}  # degrees clockwise -> the EXIF orientation with that effect
_BACK = {1: 1, 6: 8, 3: 3, 8: 6}


@dataclass(frozen=True, slots=True)
class Framing:
    """The region that is shown. `orientation` combines EXIF's and `rotate`; `turned` is the picture's size after it."""

    orientation: int
    turned: Size
    region: tuple[int, int, int, int]  # left, top, right, bottom
    focus: Point | None = None  # within the region; None: as the gravity of the spec says

    @property
    def size(self) -> Size:
        """The size of the region."""
        left, top, right, bottom = self.region
        return right - left, bottom - top

    def place(self, spec: Spec) -> Placement:
        """Places the region's pixels. The box of the placement is in coordinates of the whole turned picture."""
        placement = place(self.size, spec, self.focus)
        x, y = self.region[:2]
        if not x and not y:
            return placement
        left, top, right, bottom = placement.box
        return replace(placement, box=(left + x, top + y, right + x, bottom + y))


def framing(upright: Size, orientation: int, spec: Spec, task: RenderTask) -> Framing:
    """The framing of a picture of size `upright`, stored under `orientation`, before `trim` and gravity are measured.

    Raises PictureError if `extract` lies outside of the picture.
    """
    region = _whole_pixels((0, 0, *upright), task.crop) if task.crop else (0, 0, *upright)
    region = _extracted(region, spec)
    focal = task.focal_point or spec.focal_point
    turn = _TURN[spec.rotate]
    turned = upright_size(upright, turn)
    left, top, right, bottom = map(round, stored_box(region, upright, _BACK[turn]))
    framed = Framing(rotated(orientation, turn), turned, (left, top, right, bottom))
    return framed if focal is None else replace(framed, focus=_within(framed, focal, upright, _BACK[turn]))


def shown(placement: Placement, framed: Framing, spec: Spec) -> Shown:
    """What a rendition placed so shows, in coordinates of the upright picture."""
    turn = _TURN[spec.rotate]
    left, top, right, bottom = stored_box(placement.box, framed.turned, turn)
    return Shown((left, top, right - left, bottom - top), spec.rotate, (*placement.offset, *placement.size))


def max_shrink(upright: Size, orientation: int, spec: Spec, task: RenderTask) -> float:
    """The largest factor by which `spec` allows the decoder to shrink the picture.

    1 (not at all) for `trim`, which compares single pixels, and for linear light, in which decoders do not average.
    Infinity if the rendition cannot be made.
    """
    if spec.trim is not None or spec.linear or not spec.shrink_on_load:
        return 1.0
    try:
        framed = framing(upright, orientation, spec, task)
    except PictureError:
        return math.inf  # reported when the rendition is made
    most = framed.place(spec).shrink / SHRINK_MARGIN
    if not spec.gravity.measured:
        return most
    return min(most, max(framed.size) / (SEEN if spec.gravity is Gravity.FACES else 2 * LOOKED_AT))


def _extracted(region: tuple[int, int, int, int], spec: Spec) -> tuple[int, int, int, int]:
    if spec.extract is None:
        return region
    left, top, right, bottom = region
    width, height = right - left, bottom - top
    extract = spec.extract
    x, y = left + extract.left.of(width), top + extract.top.of(height)
    extracted = (
        x,
        y,
        min(right, x + max(1, extract.width.of(width))),
        min(bottom, y + max(1, extract.height.of(height))),
    )
    if extracted[0] >= extracted[2] or extracted[1] >= extracted[3]:
        raise PictureError(ErrorKind.NOT_ENCODABLE, f"extract lies outside of the picture, {width} x {height}")
    return extracted


def _whole_pixels(region: tuple[int, int, int, int], crop: Box) -> tuple[int, int, int, int]:
    """The part of `region` that `crop` selects (left, top, width, height, as fractions); at least one pixel."""
    left, top, right, bottom = region
    width, height = right - left, bottom - top
    x = min(width - 1, math.floor(crop[0] * width + 0.5))
    y = min(height - 1, math.floor(crop[1] * height + 0.5))
    return (
        left + x,
        top + y,
        left + min(width, max(x + 1, math.floor((crop[0] + crop[2]) * width + 0.5))),
        top + min(height, max(y + 1, math.floor((crop[1] + crop[3]) * height + 0.5))),
    )


def _within(framed: Framing, focal: Point, upright: Size, back: int) -> Point:
    """The point `focal` of the whole upright picture as a point of the region, moved to its edge if it lies outside."""
    x, y = focal[0] * upright[0], focal[1] * upright[1]
    across, down, _right, _bottom = stored_box((x, y, x, y), upright, back)
    left, top, right, bottom = framed.region
    return (
        min(1.0, max(0.0, (across - left) / (right - left))),
        min(1.0, max(0.0, (down - top) / (bottom - top))),
    )
