from __future__ import annotations

import errno
import io
import os
import random

import pytest
from PIL import Image, JpegImagePlugin

from pipeline.model.rendering import NotRendered
from pipeline.model.spec import Fit, Format, Spec
from tests.pictures import RED, WRITTEN, encoded, near, pixel, quarters
from tests.render.drawing import answer_to, rendition


@pytest.mark.parametrize(("quality", "sampling"), [(82, 2), (89, 2), (90, 0), (None, 2)])
def test_chroma_is_kept_whole_from_quality_ninety(quality: int | None, sampling: int) -> None:
    image = rendition(encoded(quarters(), "PNG"), Spec("a", 96, quality=quality))
    assert JpegImagePlugin.get_sampling(image) == sampling


@pytest.mark.parametrize(("side", "progressive"), [(300, False), (600, True)])
def test_larger_jpegs_are_progressive(side: int, progressive: bool) -> None:
    image = rendition(encoded(quarters((600, 600)), "PNG"), Spec("a", side))
    assert ("progressive" in image.info) == progressive


def test_each_format_has_its_default_quality() -> None:
    noise = encoded(Image.effect_noise((64, 64), 60).convert("RGB"), "PNG")
    for target, quality in ((Format.JPEG, 82), (Format.WEBP, 84), (Format.AVIF, 63)):
        _, files = answer_to(noise, Spec("a", format=target), Spec("b", format=target, quality=quality))
        assert files["a"] == files["b"]


@pytest.mark.parametrize("quality", [82, 94, 100])
@pytest.mark.parametrize("side", [300, 600])
def test_noise_too_fits_into_the_encoders_buffer(quality: int, side: int, capfd: pytest.CaptureFixture[str]) -> None:
    noise = Image.frombytes("RGB", (side, side), random.Random(1).randbytes(side * side * 3))
    assert rendition(encoded(noise, "PNG"), Spec("a", quality=quality)).size == (side, side)
    capfd.readouterr()  # libjpeg says on stderr that its first attempt did not fit


def test_a_write_that_fails_is_not_tried_again_with_other_options(monkeypatch: pytest.MonkeyPatch) -> None:
    source = encoded(quarters((64, 48)), "PNG")
    asked: list[object] = []

    def save(*arguments: object, **options: object) -> None:
        asked.append(options)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(Image.Image, "save", save)
    answer, files = answer_to(source, Spec("a"))
    made = answer.renditions[0]
    assert isinstance(made, NotRendered)
    assert str(made.error) == "unreadable: Input/output error"
    assert (len(asked), files) == (1, {})


@pytest.mark.parametrize("target", WRITTEN)
def test_nothing_of_the_source_is_copied_along(target: Format) -> None:
    marks = {"dpi": (72, 72), "comment": b"secret comment"}
    content = encoded(quarters(), "JPEG", **marks)
    _, files = answer_to(content, Spec("a", 96, format=target))
    assert b"secret" not in files["a"]
    assert "dpi" not in Image.open(io.BytesIO(files["a"])).info or target is Format.TIFF


def test_alpha_meets_the_background_where_the_format_has_none() -> None:
    clear = encoded(Image.new("RGBA", (40, 40), (0, 0, 0, 0)), "PNG")
    half = encoded(Image.new("RGBA", (40, 40), (0, 0, 0, 128)), "PNG")
    assert near(pixel(rendition(clear, Spec("a")), (20, 20)), (255, 255, 255), 1)
    assert near(pixel(rendition(clear, Spec("a", background="#dc1e1e")), (20, 20)), RED, 3)
    assert near(pixel(rendition(half, Spec("a")), (20, 20)), (127, 127, 127), 2)


def test_grey_stays_grey_and_gets_colour_only_with_a_coloured_background() -> None:
    grey = encoded(Image.new("L", (40, 20), 99), "PNG")
    assert rendition(grey, Spec("a")).mode == "L"
    assert rendition(grey, Spec("a", 40, 40, Fit.CONTAIN)).mode == "L"
    coloured = rendition(grey, Spec("a", 40, 40, Fit.CONTAIN, background="#dc1e1e"))
    assert near(pixel(coloured, (20, 2)), RED, 9)
    assert near(pixel(coloured, (20, 20)), (99, 99, 99), 4)


@pytest.mark.parametrize("target", [Format.PNG, Format.WEBP, Format.AVIF, Format.TIFF, Format.JPEG])
def test_contain_pads_around_the_middle(target: Format) -> None:
    image = rendition(encoded(Image.new("RGB", (80, 40), RED), "PNG"), Spec("a", 80, 80, Fit.CONTAIN, format=target))
    colours = image.convert("RGB")
    assert [
        near(pixel(colours, (40, y)), RED if 22 <= y < 58 else (255, 255, 255), 8) for y in (5, 30, 40, 50, 75)
    ] == [True] * 5


def test_a_gif_of_many_colours_keeps_its_transparency() -> None:
    image = Image.effect_noise((64, 64), 80).convert("RGBA")
    image.paste((0, 0, 0, 0), (0, 0, 32, 64))
    got = rendition(encoded(image, "PNG"), Spec("a", format=Format.GIF)).convert("RGBA")
    assert pixel(got, (10, 10))[3] == 0
    assert pixel(got, (50, 10))[3] == 255


def test_a_small_picture_is_enlarged_only_when_told() -> None:
    content = encoded(quarters((40, 30)), "PNG")
    assert rendition(content, Spec("a", 80, format=Format.PNG)).size == (40, 30)
    assert rendition(content, Spec("a", 80, enlarge=True, format=Format.PNG)).size == (80, 60)
