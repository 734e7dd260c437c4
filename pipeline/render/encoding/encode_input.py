"""What is to be encoded."""

from __future__ import annotations

from dataclasses import dataclass, field

from PIL import Image

from pipeline.render.metadata.density import Density
from pipeline.render.metadata.policy import Written


@dataclass(frozen=True, slots=True)
class EncodeInput:
    """One image, or several, how long each is shown (ms) and how often all are (0: for ever); what goes along."""

    images: tuple[Image.Image, ...]
    durations: tuple[int, ...] = ()
    plays: int = 0
    icc: bytes | None = None  # the profile that the pixels are in; None: sRGB, unsaid
    written: Written = field(default_factory=Written)
    density: Density | None = None
