"""The decoded frame: the value that passes from decoding to everything that works on pixels."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from pipeline.model.spec import Spec
from pipeline.model.steps import Asset
from pipeline.render.colour.srgb import keeping, kept, to_space, to_srgb
from pipeline.render.pixels import libvips
from pipeline.render.pixels.deep import Deep

Pixels = Image.Image | Deep


def in_srgb(image: Pixels, icc: bytes | None, inks: Asset | None = None) -> tuple[Pixels, tuple[str, ...]]:
    """`image` as sRGB, of 16 bits a channel or 8 as it is; and warnings. See `colour.srgb.to_srgb`.

    `inks`: the profile of CMYK that has none. Without it that is taken as libvips' own profile says, with a warning.
    """
    if isinstance(image, Deep):
        return image.in_srgb(icc)
    return to_srgb(image, _own(image, icc, inks), _assumed(image, inks))


def in_space(
    image: Pixels, icc: bytes | None, space: bytes, inks: Asset | None
) -> tuple[Pixels, bytes | None, tuple[str, ...]]:
    """`image` in the colours of the profile `space`, the profile to write, and warnings. See `colour.srgb.to_space`."""
    if isinstance(image, Deep):
        return image.in_space(icc, space)
    return to_space(image, _own(image, icc, inks), space, _assumed(image, inks))


def kept_colours(
    image: Pixels, icc: bytes | None, spec: Spec, *, plain: bool
) -> tuple[Pixels, bytes | None, tuple[str, ...]]:
    """`image` in its own colours, where the format can hold them, the profile, and warnings. See `colour.srgb.kept`."""
    if not isinstance(image, Deep):
        return kept(image, icc, spec.format, plain=plain, cmyk=_assumed(image, spec.cmyk_profile))
    keeps, profile = keeping(image.mode, icc, spec.format, plain=plain)
    if keeps:
        return image, profile, ()
    converted, told = image.in_srgb(icc)
    return converted, None, told


def _own(image: Image.Image, icc: bytes | None, inks: Asset | None) -> bytes | None:
    return inks.content if icc is None and inks is not None and image.mode == "CMYK" else icc


def _assumed(image: Image.Image, inks: Asset | None) -> bytes | None:
    if image.mode != "CMYK":
        return None
    return libvips.cmyk_profile() if inks is None else inks.content


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
