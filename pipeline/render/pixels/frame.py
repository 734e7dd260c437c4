"""One decoded frame."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame, as stored (not turned), in a working mode. `duration` in milliseconds, 0 for a still picture."""

    image: Image.Image
    shrink: int  # by how much the decoder made it smaller
    duration: int = 0
