"""The input of the encoders."""

from __future__ import annotations

from dataclasses import dataclass, field

from PIL import Image

from pipeline.render.metadata.density import Density
from pipeline.render.metadata.policy import Written


@dataclass(frozen=True, slots=True)
class EncodeInput:
    """The frames, the milliseconds that each is shown, how often all are played (0: for ever), and the metadata."""

    images: tuple[Image.Image, ...]
    durations: tuple[int, ...] = ()
    plays: int = 0
    icc: bytes | None = None  # the profile of the pixels; None: sRGB, no profile is written
    written: Written = field(default_factory=Written)
    density: Density | None = None
