from __future__ import annotations

import typing

import pytest
from PIL import Image

from pipeline.model.steps import Blur, Greyscale, Sharpen, Step, Watermark
from pipeline.render.steps.registry import _STEPS, through
from tests.pictures import quarters

EVERY: tuple[Step, ...] = (Sharpen(), Blur(), Greyscale(), Watermark(text="ours"))


def test_every_step_has_its_module() -> None:
    assert set(_STEPS) == set(typing.get_args(Step)) == {type(step) for step in EVERY}


@pytest.mark.parametrize("step", EVERY)
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("size", [(64, 48), (1, 1), (3, 200)])
def test_every_step_keeps_size_and_transparency_of_every_mode(step: Step, mode: str, size: tuple[int, int]) -> None:
    image = quarters(size).convert(mode)
    before = image.tobytes()
    after = through((step,), image, 1.0)
    assert after.size == size
    assert after.mode in ("L", "LA", "RGB", "RGBA")
    assert after.has_transparency_data == image.has_transparency_data
    assert image.tobytes() == before or after is image


def test_steps_are_taken_in_the_order_of_the_list() -> None:
    image = quarters((64, 48))
    mark = Watermark(text="ours", color="#ff0000", scale=0.9)
    grey_then_mark, mark_then_grey = through((Greyscale(), mark), image, 1), through((mark, Greyscale()), image, 1)
    assert grey_then_mark.mode == "RGB"  # the mark brings its colour
    assert mark_then_grey.mode == "L"


def test_no_step_changes_nothing() -> None:
    image = Image.new("RGB", (4, 4))
    assert through((), image, 1.0) is image
