"""What stands for a picture while it loads: known colours in known places, whatever the picture is stored as."""

from __future__ import annotations

import os

import pytest
from PIL import Image

from pipeline.model.rendering import RenderAnswer, RenderTask
from pipeline.model.source import Header
from pipeline.model.spec import Limits, Spec
from pipeline.render.line import render
from pipeline.render.pixels.placeholder import placeholder
from pipeline.workers.exchange import whole
from tests.pictures import BLUE, RED, as_stored, descriptor_of, encoded, exif, noise, quarters


def _answer(content: bytes, *, wanted: bool = True, width: int = 20, more: tuple[Spec, ...] = ()) -> RenderAnswer:
    descriptor = descriptor_of(content)
    try:
        steps = render(whole(descriptor), RenderTask((Spec("thumb", width), *more), Limits(), placeholder=wanted))
        assert isinstance(next(steps).payload, Header)
        reply = next(steps)
        for made in reply.descriptors:
            os.close(made)
    finally:
        os.close(descriptor)
    assert isinstance(reply.payload, RenderAnswer)
    return reply.payload


def _mostly(colour: tuple[int, int, int], size: tuple[int, int] = (300, 200)) -> Image.Image:
    image = quarters(size)
    image.paste(colour, (0, 0, size[0] * 3 // 4, size[1]))
    return image


def _near(text: str | None, colour: tuple[int, int, int], tolerance: int = 6) -> bool:
    assert text is not None
    channels = bytes.fromhex(text.removeprefix("#"))
    return all(abs(channel - other) <= tolerance for channel, other in zip(channels, colour, strict=True))


@pytest.mark.parametrize("colour", [RED, BLUE, (255, 255, 255), (0, 0, 0)])
@pytest.mark.parametrize("stored", ["JPEG", "PNG", "WEBP"])
def test_the_main_colour_is_the_one_that_covers_most(colour: tuple[int, int, int], stored: str) -> None:
    answer = _answer(encoded(_mostly(colour), stored))
    assert _near(answer.color, colour)
    assert answer.thumbhash is not None
    assert 5 < len(answer.thumbhash) <= 25


def test_it_costs_nothing_where_it_is_not_wanted() -> None:
    answer = _answer(encoded(_mostly(RED), "PNG"), wanted=False)
    assert (answer.color, answer.thumbhash) == (None, None)
    assert len(answer.renditions) == 1


def test_it_is_no_rendition() -> None:
    assert [rendition.name for rendition in _answer(encoded(_mostly(RED), "PNG")).renditions] == ["thumb"]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_upright_size_and_hash_are_told_for_every_orientation(orientation: int) -> None:
    plain = _answer(encoded(quarters(), "PNG"))
    turned = _answer(encoded(as_stored(quarters(), orientation), "PNG", exif=exif({0x0112: orientation})))
    assert turned.upright == plain.upright == (320, 240)
    assert turned.thumbhash is not None
    assert plain.thumbhash is not None
    assert turned.thumbhash[:5] == plain.thumbhash[:5]  # the rest may round otherwise: columns are resampled first


def test_shrinking_on_load_hardly_matters() -> None:
    content = encoded(_mostly(BLUE, (1600, 1200)), "JPEG", quality=95)
    small, large = _answer(content, width=10), _answer(content, width=1500)
    assert _near(small.color, BLUE)
    assert _near(large.color, BLUE)


def test_what_does_not_show_does_not_count() -> None:
    image = Image.new("RGBA", (40, 40), (250, 0, 0, 0))
    image.paste((0, 0, 250, 255), (0, 0, 40, 5))
    assert placeholder(image)[0] == "#0000fa"
    assert placeholder(Image.new("RGBA", (4, 4)))[0] == "#ffffff"


def test_it_is_the_same_every_time() -> None:
    image = Image.effect_mandelbrot((100, 75), (-2, -1.5, 1, 1.5), 60).convert("RGB")
    assert placeholder(image) == placeholder(image.copy())


def test_it_is_made_of_the_larger_rendition_whether_that_is_one_of_several_or_alone() -> None:
    """The decoded picture and a rendition of it differ a little, so that it matters which."""
    content = encoded(noise((900, 700), 90).convert("RGB"), "PNG")
    alone = _answer(content, width=640)
    several = _answer(content, width=640, more=(Spec("other", 640),))
    assert (alone.color, alone.thumbhash) == (several.color, several.thumbhash)


def test_the_part_that_a_sidecar_leaves_is_what_it_stands_for() -> None:
    descriptor = descriptor_of(encoded(quarters(), "PNG"))
    try:
        task = RenderTask((Spec("thumb", 20),), Limits(), crop=(0.0, 0.5, 0.5, 0.5), placeholder=True)
        steps = render(whole(descriptor), task)
        next(steps)
        reply = next(steps)
        for made in reply.descriptors:
            os.close(made)
    finally:
        os.close(descriptor)
    assert isinstance(reply.payload, RenderAnswer)
    assert _near(reply.payload.color, BLUE)
    assert reply.payload.upright == (320, 240)
