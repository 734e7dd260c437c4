from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from PIL import Image

from pipeline.model.rendering import NotRendered, Rendered, RenderTask
from pipeline.model.shape import Extract, Gravity, Length
from pipeline.model.spec import Fit, Format, Limits, Spec
from pipeline.render.geometry.framing import SHRINK_MARGIN, framing, max_shrink
from pipeline.render.geometry.orientation import rotated, turned
from tests.pictures import BLUE, GREEN, RED, WHITE, as_stored, corners, encoded, exif, near, quarters
from tests.render.drawing import answer_to, rendition

PNG = Spec("a", format=Format.PNG)
QUARTERS = [RED, GREEN, BLUE, WHITE]  # top left, top right, bottom left, bottom right
PARTS = {  # each quarter of the upright picture, in per cent and in pixels of 320 x 240
    RED: (Extract(*(Length(value, percent=True) for value in (0, 0, 50, 50))), Extract(*map(Length, (0, 0, 160, 120)))),
    GREEN: (
        Extract(*(Length(value, percent=True) for value in (50, 0, 50, 50))),
        Extract(*map(Length, (160, 0, 160, 120))),
    ),
    BLUE: (
        Extract(*(Length(value, percent=True) for value in (0, 50, 50, 50))),
        Extract(*map(Length, (0, 120, 160, 120))),
    ),
    WHITE: (
        Extract(*(Length(value, percent=True) for value in (50, 50, 50, 50))),
        Extract(*map(Length, (160, 120, 900, 900))),  # what lies beyond the edges is not missed
    ),
}


def stored(orientation: int) -> bytes:
    return encoded(as_stored(quarters(), orientation), "PNG", exif=exif({0x0112: orientation}))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("turn", [6, 3, 8])
def test_two_turns_are_one(orientation: int, turn: int) -> None:
    image = quarters((4, 2))
    assert turned(turned(image, orientation), turn).tobytes() == turned(image, rotated(orientation, turn)).tobytes()


@pytest.mark.parametrize(
    ("rotate", "wanted"),
    [(0, [0, 1, 2, 3]), (90, [2, 0, 3, 1]), (180, [3, 2, 1, 0]), (270, [1, 3, 0, 2])],
)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_rotate_turns_the_upright_picture_clockwise(orientation: int, rotate: int, wanted: list[int]) -> None:
    image = rendition(stored(orientation), replace(PNG, width=120, height=120, rotate=rotate))
    assert image.size == ((90, 120) if rotate in (90, 270) else (120, 90))
    assert [near(got, QUARTERS[quarter], 3) for got, quarter in zip(corners(image), wanted, strict=True)] == [True] * 4


@pytest.mark.parametrize(("orientation", "rotate"), list(itertools.product(range(1, 9), (0, 90, 180, 270))))
@pytest.mark.parametrize("colour", PARTS)
def test_extract_takes_its_part_of_the_upright_picture_however_it_is_stored_and_rotated(
    orientation: int, rotate: int, colour: tuple[int, int, int]
) -> None:
    for part in PARTS[colour]:
        image = rendition(stored(orientation), replace(PNG, extract=part, rotate=rotate))
        assert image.size == ((120, 160) if rotate in (90, 270) else (160, 120))
        assert image.convert("RGB").getcolors() == [(160 * 120, colour)]


@pytest.mark.parametrize(("orientation", "rotate"), list(itertools.product((1, 3, 5, 6), (0, 90, 180, 270))))
@pytest.mark.parametrize(("focal", "colour"), [((0.1, 0.1), RED), ((0.9, 0.2), GREEN), ((0, 1), BLUE), ((1, 1), WHITE)])
def test_the_focal_point_is_one_of_the_upright_picture(
    orientation: int, rotate: int, focal: tuple[float, float], colour: tuple[int, int, int]
) -> None:
    # Two crops, each free along one side, leave the quarter that holds the point.
    for box in ((20, 60), (60, 20)):
        cropped = replace(PNG, width=box[0], height=box[1], fit=Fit.COVER, focal_point=focal, rotate=rotate)
        assert any(near(got, colour, 3) for got in corners(rendition(stored(orientation), cropped)))


def test_what_the_picture_says_of_itself_goes_before_what_the_rendition_says() -> None:
    task = RenderTask((), Limits(), focal_point=(0.0, 0.0), crop=(0.5, 0.0, 0.5, 1.0))
    framed = framing((400, 300), 1, replace(PNG, focal_point=(1.0, 1.0)), task)
    assert framed.region == (200, 0, 400, 300)
    assert framed.focus == (0.0, 0.0)  # outside of what is left: the nearest point
    part = Extract(Length(0), Length(0), Length(50, percent=True), Length(100, percent=True))
    assert framing((400, 300), 1, replace(PNG, extract=part), task).region == (200, 0, 300, 300)


def test_a_crop_is_never_less_than_a_pixel() -> None:
    task = RenderTask((), Limits(), crop=(0.999, 0.999, 0.0001, 0.0001))
    assert framing((40, 30), 1, PNG, task).region == (39, 29, 40, 30)


def test_an_extract_outside_of_the_picture_is_the_failure_of_its_rendition() -> None:
    far = Extract(Length(1000), Length(0), Length(10), Length(10))
    answer, files = answer_to(encoded(quarters(), "JPEG"), replace(PNG, extract=far), Spec("b", 20))
    failed, made = answer.renditions
    assert isinstance(failed, NotRendered)
    assert failed.error.detail == "extract lies outside of the picture, 320 x 240"
    assert isinstance(made, Rendered)
    assert list(files) == ["b"]


@pytest.mark.parametrize(
    ("changes", "most"),
    [
        ({}, 10 / SHRINK_MARGIN),
        ({"width": 200, "height": 200}, 5 / SHRINK_MARGIN),
        ({"extract": Extract(Length(0), Length(0), Length(500), Length(500))}, 2.5 / SHRINK_MARGIN),
        ({"dpr": 2.0}, 5 / SHRINK_MARGIN),
        ({"trim": 10}, 1),
        ({"linear": True}, 1),
        ({"shrink_on_load": False}, 1),
    ],
)
def test_the_decoder_leaves_enough_pixels_for_what_is_shown(changes: dict[str, object], most: float) -> None:
    cropped = replace(Spec("a", 200, 200), **({"width": 100, "height": 100} | changes))  # type: ignore[arg-type]
    if "extract" in changes:
        cropped = replace(cropped, width=200, height=200)
    assert max_shrink((1000, 1000), 1, cropped, RenderTask((cropped,), Limits())) == pytest.approx(most)


def test_measured_gravity_sees_enough_pixels_of_a_large_picture_for_a_tiny_rendition() -> None:
    cropped = Spec("a", 10, 20, Fit.COVER, gravity=Gravity.ATTENTION)
    assert max_shrink((4000, 3000), 1, cropped, RenderTask((cropped,), Limits())) == pytest.approx(4000 / 192)


def test_padding_has_the_background_and_the_picture_is_where_it_should_be() -> None:
    pad = (Length(1), Length(2), Length(3), Length(4))
    image = rendition(encoded(Image.new("RGB", (20, 10), RED), "PNG"), replace(PNG, pad=pad, background="#0000ff"))
    assert image.size == (26, 14)
    assert image.crop((4, 1, 24, 11)).getcolors() == [(200, RED)]
    assert {colour: count for count, colour in image.getcolors() or ()} == {RED: 200, (0, 0, 255): 26 * 14 - 200}
