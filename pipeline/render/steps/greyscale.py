"""Colours to greys; transparency stays."""

from __future__ import annotations

from PIL import Image

from pipeline.model.steps import Greyscale


def applied(step: Greyscale, image: Image.Image, dpr: float) -> Image.Image:  # noqa: ARG001 -- every step's signature
    """`image` as `L` or `LA`."""
    return image.convert({"RGB": "L", "RGBA": "LA"}.get(image.mode, image.mode))
