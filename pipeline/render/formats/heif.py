"""HEIF pictures (the HEIC files of iPhones), through the extra `heif`: Pillow itself does not read them."""

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
    """Whether the extra `heif` is installed. Loads nothing."""
    return importlib.util.find_spec(_LIBRARY) is not None


@functools.cache
def plugin() -> type[ImageFile.ImageFile] | None:
    """Pillow-heif's image class, not registered with Pillow; None where the extra is not installed.

    It turns pictures upright itself and opens the primary one.
    """
    if not is_installed():
        return None
    found: type[ImageFile.ImageFile] = importlib.import_module(f"{_LIBRARY}.as_plugin").HeifImageFile
    return found


def use_one_thread() -> None:
    """Sets the library to one decoding thread in this process, because there is a child for each CPU. Children only."""
    if is_installed():
        options: Any = importlib.import_module(f"{_LIBRARY}.options")
        options.DECODE_THREADS = 1


def version() -> str | None:
    """The version of libheif, None where it is not installed."""
    return str(_library().libheif_version()) if is_installed() else None


def sample(picture: Image.Image) -> int | None:
    """Encodes `picture` as HEIF into a new descriptor, which the caller closes; None where there is no encoder."""
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
