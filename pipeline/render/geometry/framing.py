"""Which part of a picture a rendition shows, and how that is turned: all that comes before the fit.

The order, whatever the order in the config: upright (EXIF), the crop of the picture's own sidecar, `extract`, `rotate`,
`trim`; then the fit with its gravity or focal point. Boxes here are whole pixels of the turned picture, not shrunk.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from pipeline.errors import ErrorKind, PictureError
from pipeline.model.rendering import RenderTask
from pipeline.model.spec import Spec
from pipeline.render.geometry.fit import Box, Placement, Point, Size, place
from pipeline.render.geometry.orientation import rotated, stored_box, upright_size

# A JPEG is decoded at 1/2, 1/4 or 1/8 only while that leaves this many times the pixels (along each side) of the
# largest rendition. Measured on 24 camera photographs, see docs/decisions/rendering.md: 1.0 is visibly softer, 1.5
# takes 3 to 9 % more time for a mean SSIM that is 0.0002 (1200 px) to 0.0015 (300 px) higher.
SHRINK_MARGIN = 1.2

LOOKED_AT = 96  # pixels of the longer side of what measured gravity looks at; twice that many are decoded

_TURN = {0: 1, 90: 6, 180: 3, 270: 8}  # degrees clockwise -> the EXIF orientation that asks for it
_BACK = {1: 1, 6: 8, 3: 3, 8: 6}


@dataclass(frozen=True, slots=True)
class Framing:
    """`region` of a picture that is `turned` large once it was turned as `orientation` says (EXIF's and `rotate`'s)."""

    orientation: int
    turned: Size
    region: tuple[int, int, int, int]  # left, top, right, bottom
    focus: Point | None = None  # of the region; None: as the spec's gravity says

    @property
    def size(self) -> Size:
        """Of the region."""
        left, top, right, bottom = self.region
        return right - left, bottom - top

    def place(self, spec: Spec) -> Placement:
        """Where the region's pixels go; the placement's box is one of the whole turned picture."""
        placement = place(self.size, spec, self.focus)
        x, y = self.region[:2]
        if not x and not y:
            return placement
        left, top, right, bottom = placement.box
        return replace(placement, box=(left + x, top + y, right + x, bottom + y))


def framing(upright: Size, orientation: int, spec: Spec, task: RenderTask) -> Framing:
    """What `spec` shows of a picture of `upright` pixels that is stored under `orientation`; nothing is measured yet.

    Raises PictureError where nothing is left of it.
    """
    region = _whole_pixels((0, 0, *upright), task.crop) if task.crop else (0, 0, *upright)
    region = _extracted(region, spec)
    focal = task.focal_point or spec.focal_point
    turn = _TURN[spec.rotate]
    turned = upright_size(upright, turn)
    left, top, right, bottom = map(round, stored_box(region, upright, _BACK[turn]))
    found = Framing(rotated(orientation, turn), turned, (left, top, right, bottom))
    return found if focal is None else replace(found, focus=_within(found, focal, upright, _BACK[turn]))


def max_shrink(upright: Size, orientation: int, spec: Spec, task: RenderTask) -> float:
    """By how much `spec` lets the decoder shrink the picture.

    1 (not at all) where pixels are looked at one by one, or where linear light is asked for: decoders do not average in
    that. Infinity where the rendition cannot be made.
    """
    if spec.trim is not None or spec.linear or not spec.shrink_on_load:
        return 1.0
    try:
        found = framing(upright, orientation, spec, task)
    except PictureError:
        return math.inf  # its own failure, in its own time
    most = found.place(spec).shrink / SHRINK_MARGIN
    return min(most, max(found.size) / (2 * LOOKED_AT)) if spec.gravity.measured else most


def _extracted(region: tuple[int, int, int, int], spec: Spec) -> tuple[int, int, int, int]:
    if spec.extract is None:
        return region
    left, top, right, bottom = region
    width, height = right - left, bottom - top
    one = spec.extract
    x, y = left + one.left.of(width), top + one.top.of(height)
    found = (x, y, min(right, x + max(1, one.width.of(width))), min(bottom, y + max(1, one.height.of(height))))
    if found[0] >= found[2] or found[1] >= found[3]:
        raise PictureError(ErrorKind.NOT_ENCODABLE, f"extract lies outside of the picture, {width} x {height}")
    return found


def _whole_pixels(region: tuple[int, int, int, int], crop: Box) -> tuple[int, int, int, int]:
    """The part of `region` that `crop` (left, top, width, height; fractions) takes: one pixel at least."""
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


def _within(found: Framing, focal: Point, upright: Size, back: int) -> Point:
    """`focal` of the whole upright picture as a point of the region, the nearest one where it lies outside."""
    x, y = focal[0] * upright[0], focal[1] * upright[1]
    across, down, _right, _bottom = stored_box((x, y, x, y), upright, back)
    left, top, right, bottom = found.region
    return (
        min(1.0, max(0.0, (across - left) / (right - left))),
        min(1.0, max(0.0, (down - top) / (bottom - top))),
    )
