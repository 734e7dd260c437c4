"""Gaussian blur. Alpha is premultiplied meanwhile, so that hidden colours do not bleed."""

from __future__ import annotations

from PIL import Image, ImageFilter

from pipeline.model.steps import Blur

PREMULTIPLIED = {"LA": "La", "RGBA": "RGBa"}


def applied(step: Blur, image: Image.Image, dpr: float) -> Image.Image:
    """Blurs `image` by `step.radius` pixels of the config times `dpr`."""
    mode = PREMULTIPLIED.get(image.mode, image.mode)
    return image.convert(mode).filter(ImageFilter.GaussianBlur(step.radius * dpr)).convert(image.mode)
