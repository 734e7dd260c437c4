"""The cascade: which renditions are made from the pixels of a larger one instead of from the decoded picture.

A rendition takes the pixels, before encoding, of the smallest sufficient one, which shows the whole content at `FROM`
times the size or more. Six sizes of a photograph then cost little more than the largest. Mean SSIM against a full
decode and Lanczos (24 photographs): 640 px from 1280 px .9679, from the decoded picture .9679; 320 px from 640 px
.9671, from the decoded picture .9668.

Bytes must not depend on which renditions happen to be stale, so all specs of the config count, made now or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from pipeline.errors import PictureError
from pipeline.model.rendering import RenderTask
from pipeline.model.shape import Resampler
from pipeline.model.spec import Profile, Spec
from pipeline.render.geometry.fit import Box, Placement, Size
from pipeline.render.geometry.framing import framing

FROM = 2.0  # times the size, along both sides

Kind = tuple[int | None, Resampler, int, Size]
"""Page, resampler, orientation and size turned: only renditions that share all of them share pixels."""
Others = Mapping[Kind, tuple[Placement, ...]]


@dataclass(frozen=True, slots=True)
class Larger:
    """A larger rendition, and the box within it that a smaller one is made from."""

    placement: Placement
    box: Box  # in the pixels of `placement.size`


def placements(task: RenderTask, size: Size, orientation: int) -> Others:
    """The placements of all specs of the config that can share pixels, by kind, from the smallest up."""
    by_kind: dict[Kind, set[Placement]] = {}
    for spec in (*task.specs, *task.beside):
        if is_plain(spec):
            with suppress(PictureError):  # reported when the rendition is made
                shown = framing(size, orientation, spec, task)
                by_kind.setdefault((spec.page, spec.resampler, shown.orientation, shown.turned), set()).add(
                    shown.place(spec)
                )
    return {
        kind: tuple(sorted(those, key=lambda placement: (placement.size, placement.box)))
        for kind, those in by_kind.items()
    }


def larger(placement: Placement, others: Iterable[Placement]) -> Larger | None:
    """The smallest of `others` (from the smallest up) with enough pixels for `placement`, None if there is none."""
    for other in others:
        left, top, right, bottom = other.box
        x, y = other.size[0] / (right - left), other.size[1] / (bottom - top)
        box = (
            (placement.box[0] - left) * x,
            (placement.box[1] - top) * y,
            (placement.box[2] - left) * x,
            (placement.box[3] - top) * y,
        )
        inside = min(box[:2]) >= 0 and box[2] <= other.size[0] and box[3] <= other.size[1]
        enough = box[2] - box[0] >= FROM * placement.size[0] and box[3] - box[1] >= FROM * placement.size[1]
        if inside and enough and other.shrink >= 1:
            return Larger(other, box)
    return None


def is_plain(spec: Spec) -> bool:
    """Whether the pixels of `spec` are the resampled picture in sRGB, placed without measuring."""
    return spec.profile is Profile.SRGB and not spec.linear and spec.trim is None and not spec.gravity.measured
