"""Unsharp masking of the colours; transparency stays as it is."""

from __future__ import annotations

from PIL import Image, ImageFilter

from pipeline.model.steps import Sharpen
from pipeline.render.steps.blur import PREMULTIPLIED


def applied(step: Sharpen, image: Image.Image, dpr: float) -> Image.Image:
    """Sharpens `image`; the radius is in pixels of the config, times `dpr`."""
    radius = step.radius * dpr
    mask = ImageFilter.UnsharpMask(radius, step.amount, step.threshold)
    if image.mode not in PREMULTIPLIED:
        return image.filter(mask)
    # Hidden colours would count as edges: they are replaced by the blurred colours around them.
    alpha, mode = image.getchannel("A"), "L" if image.mode == "LA" else "RGB"
    around = image.convert(PREMULTIPLIED[image.mode]).filter(ImageFilter.GaussianBlur(radius)).convert(image.mode)
    crisp = Image.composite(image.convert(mode), around.convert(mode), alpha).filter(mask)
    crisp.putalpha(alpha)
    return crisp
