"""Which module carries out which step. They are imported here, at once: a confined child can import nothing later."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PIL import Image

from pipeline.model.steps import Blur, Greyscale, Sharpen, Step, Watermark
from pipeline.render.steps import blur, greyscale, sharpen, watermark

# A step gets its own value, the picture (sRGB, upright, of its final size; `L`, `LA`, `RGB` or `RGBA`) and how many
# device pixels a pixel of the config is. It returns a picture of the same size, its own or a new one, and is a pure
# function of these: any thread, any machine, no file.
_STEPS: dict[type[Step], Callable[[Any, Image.Image, float], Image.Image]] = {
    Blur: blur.applied,
    Greyscale: greyscale.applied,
    Sharpen: sharpen.applied,
    Watermark: watermark.applied,
}


def through(steps: tuple[Step, ...], image: Image.Image, dpr: float) -> Image.Image:
    """`image` after all `steps`, in their order. Raises PictureError where one cannot be carried out."""
    for step in steps:
        image = _STEPS[type(step)](step, image, dpr)
    return image
