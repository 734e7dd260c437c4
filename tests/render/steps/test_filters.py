from __future__ import annotations

from PIL import Image, ImageStat

from pipeline.model.spec import Fit, Format, Spec
from pipeline.model.steps import Blur, Greyscale, Sharpen
from pipeline.render.steps.registry import through
from tests.pictures import RED, WHITE, encoded, near, pixel, quarters
from tests.render.drawing import rendition


def edge(mode: str = "L") -> Image.Image:
    image = Image.new("L", (40, 10), 80)
    image.paste(160, (20, 0, 40, 10))
    return image.convert(mode)


def test_blur_spreads_an_edge_and_keeps_what_is_flat() -> None:
    soft = through((Blur(2.0),), edge(), 1.0)
    assert near(pixel(soft, (19, 5)), (115,), 6)
    assert near(pixel(soft, (20, 5)), (125,), 6)
    assert pixel(soft, (5, 5)) == (80,)
    assert pixel(through((Blur(2.0),), edge(), 3.0), (14, 5)) > (82,)  # three times as wide on a finer screen


def test_sharpen_makes_an_edge_steeper_and_keeps_what_is_flat() -> None:
    crisp = through((Sharpen(radius=2, amount=100),), edge(), 1.0)
    assert pixel(crisp, (19, 5)) < (70,)
    assert pixel(crisp, (20, 5)) > (170,)
    assert pixel(crisp, (5, 5)) == (80,)


def test_sharpen_leaves_differences_below_its_threshold_alone() -> None:
    image = Image.new("L", (40, 10), 80)
    image.paste(84, (20, 0, 40, 10))
    assert through((Sharpen(amount=400, threshold=10),), image, 1.0).tobytes() == image.tobytes()


def test_greyscale_is_luma_and_keeps_alpha() -> None:
    image = Image.new("RGBA", (4, 4), (*RED, 100))
    got = through((Greyscale(),), image, 1.0)
    assert got.mode == "LA"
    assert near(pixel(got, (0, 0)), (round(0.299 * RED[0] + 0.587 * RED[1] + 0.114 * RED[2]), 100), 1)


def test_hidden_colours_bleed_into_neither() -> None:
    image = Image.new("RGBA", (40, 10), (0, 255, 0, 0))
    image.paste((*RED, 255), (20, 0, 40, 10))
    for step in (Blur(2.0), Sharpen(radius=2, amount=200)):
        got = through((step,), image, 1.0)
        seen = [pixel(got, (x, 5)) for x in range(40)]
        assert all(near(colour[:3], RED, 6) for colour in seen if colour[3] > 40), seen


def test_steps_come_after_resizing_and_before_padding() -> None:
    image = rendition(
        encoded(quarters((300, 300)), "PNG"),
        Spec(
            "a",
            60,
            100,
            fit=Fit.CONTAIN,
            format=Format.PNG,
            steps=(Blur(20),),
            background="#00ff00",
        ),
    )
    assert image.size == (60, 100)
    assert pixel(image, (30, 19)) == (0, 255, 0)  # the background next to the picture is not blurred into it
    assert pixel(image, (30, 80)) == (0, 255, 0)
    inside = image.crop((0, 20, 60, 80))
    assert max(ImageStat.Stat(inside).stddev) < 60  # the quarters have run into each other
    assert not near(pixel(inside, (59, 59)), WHITE, 20)
