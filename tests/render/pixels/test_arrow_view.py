"""Pillow's memory, read without a copy."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest
from PIL import Image

from pipeline.render.pixels.arrow_view import arrow_view
from tests.render.scenes import scene

_IN_ONE_PIECE = """
from PIL import Image
from pipeline.render.pixels.arrow_view import in_one_piece, arrow_view
assert arrow_view(Image.new("RGB", (3000, 2000))) is None
in_one_piece()
memory = arrow_view(Image.new("RGB", (3000, 2000)))
print(memory.size)
"""


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "CMYK"])
def test_it_is_the_pictures_own_pixels(mode: str) -> None:
    image = scene((41, 23)).convert(mode)
    memory = arrow_view(image)
    assert memory is not None
    raw = "RGBX" if mode == "RGB" else mode
    copy = Image.frombytes(mode, image.size, ctypes.string_at(memory.address, memory.size), "raw", raw)
    assert copy.tobytes() == image.tobytes()


@pytest.mark.parametrize("mode", ["1", "P", "LA", "I", "F", "I;16"])
def test_other_layouts_are_not_lent(mode: str) -> None:
    assert arrow_view(Image.new(mode, (9, 7))) is None


def test_neither_is_what_is_mapped_from_elsewhere() -> None:
    image = Image.frombuffer("L", (64, 64), bytes(4096), "raw", "L", 0, 1)
    assert image.readonly
    assert arrow_view(image) is None


def test_a_large_picture_is_lent_where_it_lies_in_one_piece() -> None:
    out = subprocess.run([sys.executable, "-c", _IN_ONE_PIECE], capture_output=True, text=True, check=True).stdout
    assert int(out) == 3000 * 2000 * 4
