"""Unsharp masking. Alpha is sharpened along with what it is multiplied with, so that colours stay what they are."""

from __future__ import annotations

from PIL import Image, ImageFilter

from pipeline.render.steps.blur import PREMULTIPLIED
from pipeline.steps import Sharpen


def applied(step: Sharpen, image: Image.Image, dpr: float) -> Image.Image:
    """`image`, crisper."""
    mode = PREMULTIPLIED.get(image.mode, image.mode)
    mask = ImageFilter.UnsharpMask(step.radius * dpr, step.amount, step.threshold)
    return image.convert(mode).filter(mask).convert(image.mode)
