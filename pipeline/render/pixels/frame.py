"""The decoded frame: the value that passes from decoding to everything that works on pixels."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from pipeline.model.spec import Format
from pipeline.render.colour.srgb import keeping, kept, to_space, to_srgb
from pipeline.render.pixels.deep import Deep

Pixels = Image.Image | Deep


def in_srgb(image: Pixels, icc: bytes | None) -> tuple[Pixels, tuple[str, ...]]:
    """`image` as sRGB, of 16 bits a channel or 8 as it is; and warnings. See `colour.srgb.to_srgb`."""
    return image.in_srgb(icc) if isinstance(image, Deep) else to_srgb(image, icc)


def in_space(image: Pixels, icc: bytes | None, space: bytes) -> tuple[Pixels, bytes | None, tuple[str, ...]]:
    """`image` in the colours of the profile `space`, the profile to write, and warnings. See `colour.srgb.to_space`."""
    return image.in_space(icc, space) if isinstance(image, Deep) else to_space(image, icc, space)


def kept_colours(image: Pixels, icc: bytes | None, target: Format, *, plain: bool) -> tuple[Pixels, bytes | None]:
    """`image` in its own colours, where `target` can hold them, and the profile. See `colour.srgb.kept`."""
    if not isinstance(image, Deep):
        return kept(image, icc, target, plain=plain)
    keeps, profile = keeping(image.mode, icc, target, plain=plain)
    return (image, profile) if keeps else (image.in_srgb(icc)[0], None)


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame, as stored (not turned), in a working mode. `duration` in milliseconds, 0 for a still picture."""

    image: Pixels
    shrink: int  # the factor by which the decoder made it smaller
    duration: int = 0

    @property
    def eight_bits(self) -> Image.Image:
        """The image as Pillow holds it, for what only looks at it."""
        return self.image.rounded() if isinstance(self.image, Deep) else self.image
