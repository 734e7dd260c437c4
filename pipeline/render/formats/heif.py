"""HEIF pictures (the HEIC files of iPhones), through pillow-heif: Pillow itself does not read them."""

from __future__ import annotations

import base64
import functools
import importlib.util
import io
import zlib
from typing import Any

from PIL import ImageFile

from pipeline import extras
from pipeline.render.container.view import View
from pipeline.render.pixels import deep, libvips
from pipeline.render.pixels.deep import BANDS, Deep

_LIBRARY = "pillow_heif"
_SAMPLE = (  # by pillow-heif at quality 10, deflated
    "eNpjYGCQSSupLMhIzUxmAILczDRDEDs3MzGNgYGxJje1JJEBAhQzUnKKoGyGgszkEgY0oJSZkw82xMWBgREIgYBxAYQGAjUgVs7MzEsD80Ci"
    "okBOKhOUl1GWbAhi8hVkluTClfzJLCgqANJ3MguS84F0KVCZMyMzSGgCWJHcB4Y/f3/8YGDgZ04A6pBwYORh/P8fpIAZpIIZhOR2MTkkAiU1"
    "nRgZ0WQWKDSyTnu1btazB4oLDjQwMPA0gIRbkoCq2VwYDxYf7ATaIZycn1OUl5xTARTlZWADKmEQySwuSIV6zAGKNZJzEkEO44C6HUz/////"
    "BJBmgtFALFCQWZEJ0sjMwQFSI5FZkAsLY2CwsTYyMbO2ANl6uSmJoDBW0mBczyIk7PPgx8tDGfYzwzek7Gb4VHdhtfZjz/nlGyUmrfy/AAAK"
    "i19n"
)


def is_installed() -> bool:
    """Whether pillow-heif is installed. Loads nothing."""
    return importlib.util.find_spec(_LIBRARY) is not None


@functools.cache
def plugin() -> type[ImageFile.ImageFile] | None:
    """Pillow-heif's image class, not registered with Pillow; None where it is not installed.

    It turns pictures upright itself and opens the primary one.
    """
    if not is_installed():
        return None
    class_: type[ImageFile.ImageFile] = extras.load(f"{_LIBRARY}.as_plugin").HeifImageFile
    return class_


def decoded_deep(view: View, page: int) -> Deep | None:
    """Picture number `page` of a file of more than 8 bits a channel, at 16, upright; None of one whose colours are
    multiplied by their alpha. Raises whatever pillow-heif raises. Call only where `libvips.available()`.
    """
    vips: Any = libvips.module()
    file = _library().HeifFile(io.BytesIO(view[:]), convert_hdr_to_8bit=False)
    picture = file[page]
    mode = picture.mode.removesuffix(";16").replace("I", "L")
    if mode not in BANDS:
        return None
    samples, size = picture.data, picture.size
    image = vips.Image.new_from_memory(samples, *size, BANDS[mode], "ushort")
    return deep.scaled(image, picture.info["bit_depth"], mode)


def auxiliary(view: View, kind: str) -> Any | None:
    """The picture of a `kind` that goes with the primary one, not decoded: it has `size`, and `to_pillow()` decodes it
    and turns it as the file says. None where there is none. Raises whatever pillow-heif raises.
    """
    file = _library().HeifFile(io.BytesIO(view[:]))
    picture = file[file.primary_index]
    numbers = picture.info["aux"].get(kind)
    return picture.get_aux_image(numbers[0]) if numbers else None


def use_one_thread() -> None:
    """Sets the library to one decoding thread in this process, because there is a child for each CPU. Children only."""
    if is_installed():
        options: Any = extras.load(f"{_LIBRARY}.options")
        options.DECODE_THREADS = 1


def version() -> str | None:
    """The version of libheif, None where it is not installed."""
    return str(_library().libheif_version()) if is_installed() else None


def sample() -> bytes:
    """A picture of 8x8, for the warm-up. It is not encoded there: where the system is short of threads, x265 waits for
    one that it could not start, and never returns.
    """
    return zlib.decompress(base64.b64decode(_SAMPLE))


def _library() -> Any:
    return extras.load(_LIBRARY)
