"""The input of the encoders."""

from __future__ import annotations

from dataclasses import dataclass, field

from PIL import Image

from pipeline.render.metadata.density import Density
from pipeline.render.metadata.policy import Written
from pipeline.render.pixels.frame import Pixels


@dataclass(frozen=True, slots=True)
class EncodeInput:
    """The frames, the milliseconds that each is shown, how often all are played (0: for ever), and the metadata."""

    images: tuple[Pixels, ...]  # those of 16 bits a channel are one
    durations: tuple[int, ...] = ()
    plays: int = 0
    icc: bytes | None = None  # the profile of the pixels; None: sRGB, no profile is written
    written: Written = field(default_factory=Written)
    density: Density | None = None
    gain: bytes | None = None  # of a JPEG: its gain map, encoded

    @property
    def of_pillow(self) -> tuple[Image.Image, ...]:
        """The images of 8 bits a channel: all or none."""
        return tuple(image for image in self.images if isinstance(image, Image.Image))
