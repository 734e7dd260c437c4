"""The names and versions of everything that touches pixels: recorded with each rendition, never a reason to redo it."""

from __future__ import annotations

import functools
import platform

from PIL import features


@functools.cache
def libraries() -> str:
    """Names and versions in canonical order: `pillow=13.0.0 avif=1.4.2 libjpeg_turbo=3.2.0 ...`; computed once."""
    names = ["avif", "freetype2", "libjpeg_turbo", "libtiff", "littlecms2", "webp", "zlib", "zlib_ng"]
    versions = [f"{name}={features.version(name)}" for name in names if features.check(name)]
    return " ".join([f"pillow={features.version('pil')}", *versions, f"machine={platform.machine()}"])
