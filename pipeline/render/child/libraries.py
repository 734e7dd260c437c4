"""The names and versions of everything that touches pixels: recorded with each rendition, never a reason to redo it."""

from __future__ import annotations

import functools
import platform

from PIL import features

from pipeline.render.formats import heif
from pipeline.render.pixels import libvips


@functools.cache
def libraries(*, by_libvips: bool = False) -> str:
    """Names and versions in canonical order: `pillow=13.0.0 avif=1.4.2 libjpeg_turbo=3.2.0 ...`; computed once.

    `by_libvips`: whether libvips decoded the picture, or the config lets it resample; where it is installed
    `vips=8.18.7` is there then. What it resamples follows from the pictures' sizes and is not asked here, so that this
    is the same for all pictures of a run that one library decodes.
    """
    names = ["avif", "freetype2", "libjpeg_turbo", "libtiff", "littlecms2", "webp", "zlib", "zlib_ng"]
    versions = [f"{name}={features.version(name)}" for name in names if features.check(name)]
    vips = [f"vips={libvips.version()}"] if by_libvips and libvips.available() else []
    vips += [f"heif={heif.version()}"] if heif.is_installed() else []
    return " ".join([f"pillow={features.version('pil')}", *versions, *vips, f"machine={platform.machine()}"])
