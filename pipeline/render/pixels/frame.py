"""The decoded frame: the value that passes from decoding to everything that works on pixels."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame, as stored (not turned), in a working mode. `duration` in milliseconds, 0 for a still picture."""

    image: Image.Image
    shrink: int  # the factor by which the decoder made it smaller
    duration: int = 0
