"""The resampled pixels of one frame, shared by the renditions: a size in three formats is resampled once, and a small
size is made from the pixels of a larger one (see `geometry.cascade`).
"""

from __future__ import annotations

from dataclasses import replace

from pipeline.model.rendering import RenderTask
from pipeline.model.shape import Resampler
from pipeline.model.spec import Spec
from pipeline.model.steps import Asset
from pipeline.render.geometry.cascade import Larger, Others, is_plain, larger, placements
from pipeline.render.geometry.fit import Box, Placement, Size
from pipeline.render.geometry.framing import Framing
from pipeline.render.pixels.frame import Frame, Pixels, in_srgb
from pipeline.render.pixels.resize import resample

Coloured = tuple[Pixels, tuple[str, ...]]  # in sRGB and shared, so not to be changed; with warnings about colours


class SharedPixels:
    """Used by one thread. `still`: not an animation; of one, renditions may want different numbers of frames."""

    def __init__(
        self, frame: Frame, size: Size, orientation: int, icc: bytes | None, task: RenderTask, *, still: bool
    ) -> None:
        self.frame = frame
        self._size, self._orientation, self._icc = size, orientation, icc
        self._task = task
        self._made: dict[tuple[Box, Size, Size, int, tuple[Resampler, Asset | None], Larger | None], Coloured] = {}
        alone = len(task.specs) + len(task.beside) + task.placeholder < 2  # a placeholder is one more rendition
        self._others: Others | None = None if still and not alone else {}  # computed on first use

    def of(self, spec: Spec, shown: Framing, placement: Placement) -> Coloured:
        """The pixels of `placement`, resampled and in sRGB. Raises whatever resampling or colour conversion raises."""
        others: tuple[Placement, ...] = ()
        if is_plain(spec):
            if self._others is None:
                self._others = placements(self._task, self._size, self._orientation)
            others = self._others.get((spec.page, spec.resampler, shown.orientation, shown.turned), ())
        return self._resampled(spec, shown, placement, others)

    def _resampled(self, spec: Spec, shown: Framing, placement: Placement, others: tuple[Placement, ...]) -> Coloured:
        source = larger(placement, others)
        # The source is part of the key: a trimmed or measured crop may have the same box but no larger source.
        look = (spec.resampler, spec.cmyk_profile)
        key = (placement.box, placement.size, shown.turned, shown.orientation, look, source)
        if key not in self._made:
            if source is None:
                image = resample(self.frame, placement, shown.turned, shown.orientation, spec)
                self._made[key] = in_srgb(image, self._icc, spec.cmyk_profile)
            else:
                image, told = self._resampled(spec, shown, source.placement, others)
                part = replace(placement, box=source.box)
                image = resample(Frame(image, 1), part, image.size, 1, spec)
                self._made[key] = (image, told)
        return self._made[key]
