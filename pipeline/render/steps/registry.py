"""Maps each step to its module. All are imported at once, because a confined child cannot import anything later."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PIL import Image

from pipeline.model.steps import Blur, Greyscale, Sharpen, Step, Watermark
from pipeline.render.steps import blur, greyscale, sharpen, watermark

# A step takes its value of the config, the picture (sRGB, upright, of its final size; `L`, `LA`, `RGB` or `RGBA`), and
# the device pixels to a pixel of the config. It returns a picture of the same size, the same object or a new one, and
# is a pure function of its arguments: any thread, any machine, no file.
_STEPS: dict[type[Step], Callable[[Any, Image.Image, float], Image.Image]] = {
    Blur: blur.applied,
    Greyscale: greyscale.applied,
    Sharpen: sharpen.applied,
    Watermark: watermark.applied,
}


def through(steps: tuple[Step, ...], image: Image.Image, dpr: float) -> Image.Image:
    """Applies `steps` to `image` in order. Raises PictureError if one fails."""
    for step in steps:
        image = _STEPS[type(step)](step, image, dpr)
    return image
