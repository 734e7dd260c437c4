"""HEIF pictures (iPhones' HEIC), through the extra `heif`: Pillow itself does not read them."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
from typing import Any

from PIL import Image, ImageFile

from pipeline.render import memory

_LIBRARY = "pillow_heif"


def is_installed() -> bool:
    """Whether the extra `heif` is there. Loads nothing."""
    return importlib.util.find_spec(_LIBRARY) is not None


@functools.cache
def plugin() -> type[ImageFile.ImageFile] | None:
    """The class that opens them, which is not registered with Pillow; None where the extra is not installed.

    It turns pictures itself, and shows the one that the file calls its main one.
    """
    if not is_installed():
        return None
    found: type[ImageFile.ImageFile] = importlib.import_module(f"{_LIBRARY}.as_plugin").HeifImageFile
    return found


def use_one_thread() -> None:
    """A switch of the library for this process: to be called in a child only. Ours are as many as there are CPUs."""
    if is_installed():
        options: Any = importlib.import_module(f"{_LIBRARY}.options")
        options.DECODE_THREADS = 1


def version() -> str | None:
    """That of libheif, where it is installed."""
    return str(_library().libheif_version()) if is_installed() else None


def sample(picture: Image.Image) -> int | None:
    """`picture` as HEIF in a new descriptor, the caller's to close; None where the library cannot encode."""
    descriptor = memory.create()
    try:
        with open(descriptor, "wb", closefd=False) as file:
            _library().from_pillow(picture).save(file, quality=50)
    except (OSError, RuntimeError, ValueError):
        os.close(descriptor)
        return None
    return descriptor


def _library() -> Any:
    return importlib.import_module(_LIBRARY)
