"""Where a point of a source lies in a rendition, by the formula of docs/datasets.md."""

from __future__ import annotations

import dataclasses
import io
import itertools
from array import array
from collections.abc import Sequence

import pytest
from PIL import Image

from pipeline.model.record import Shown
from pipeline.model.rendering import Rendered
from pipeline.model.shape import Extract, Gravity, Length
from pipeline.model.spec import Fit, Format, Spec
from tests.pictures import as_stored, encoded, exif
from tests.render.drawing import answer_to

SIZE = (200, 120)
MARK = (124, 60, 136, 72)  # yellow, on blue
MIDDLE = (130, 66)

EVERYTHING = Length(100.0, percent=True)
SHAPES = {
    "as it is": Spec("", None),
    "inside": Spec("", 90, 90),
    "cover": Spec("", 60, 70, fit=Fit.COVER),
    "cover, to the west": Spec("", 100, 90, fit=Fit.COVER, gravity=Gravity.WEST),
    "cover, around a point": Spec("", 40, 70, fit=Fit.COVER, focal_point=(0.7, 0.5)),
    "contain": Spec("", 90, 90, fit=Fit.CONTAIN),
    "contain, in a corner": Spec("", 100, 90, fit=Fit.CONTAIN, gravity=Gravity.SOUTH_EAST),
    "fill": Spec("", 70, 100, fit=Fit.FILL),
    "outside": Spec("", 80, 80, fit=Fit.OUTSIDE),
    "enlarged": Spec("", 333, enlarge=True),
    "extracted": Spec("", 70, extract=Extract(Length(51), Length(31), Length(109), Length(50.0, percent=True))),
    "trimmed": Spec("", 80, trim=10),
    "attention": Spec("", 50, 80, fit=Fit.COVER, gravity=Gravity.ATTENTION),
    "padded": Spec("", 90, 60, fit=Fit.COVER, pad=(Length(3), Length(5), Length(7), Length(11))),
}


def carried(x: float, y: float, shown: Shown) -> tuple[float, float]:
    """The point (x, y) of the upright source in a rendition."""
    left, top, width, height = shown.box
    u, v = (x - left) / width, (y - top) / height
    u, v = {0: (u, v), 90: (1 - v, u), 180: (1 - u, 1 - v), 270: (v, 1 - u)}[shown.turn]
    place_left, place_top, place_width, place_height = shown.place
    return place_left + u * place_width, place_top + v * place_height


def found(image: Image.Image) -> tuple[float, float]:
    """The middle of what is yellow."""
    red = image.convert("RGB").getchannel("R").convert("F")
    lines = (red.resize(size, Image.Resampling.BOX).tobytes() for size in ((red.width, 1), (1, red.height)))
    x, y = (_middle(array("f", line)) for line in lines)
    return x, y


def _middle(weights: Sequence[float]) -> float:
    return sum(weight * (at + 0.5) for at, weight in enumerate(weights)) / sum(weights)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_mark_lies_where_the_formula_says_for_every_fit_and_turn(orientation: int) -> None:
    upright = Image.new("RGB", SIZE, (0, 0, 200))
    upright.paste((255, 255, 0), MARK)
    content = encoded(as_stored(upright, orientation), "PNG", exif=exif({0x0112: orientation}))
    turns = (0, 90, 180, 270) if orientation in (1, 6) else (90,)
    specs = [
        dataclasses.replace(spec, name=f"{name}, {turn}", rotate=turn, format=Format.PNG, background="#000000")
        for (name, spec), turn in itertools.product(SHAPES.items(), turns)
    ]
    answer, files = answer_to(content, *specs)
    assert (answer.orientation, answer.upright) == (orientation, SIZE)
    compared = 0
    for made in answer.renditions:
        assert isinstance(made, Rendered), made
        assert made.shown is not None
        left, top, width, height = made.shown.box
        if left > MARK[0] or top > MARK[1] or left + width < MARK[2] or top + height < MARK[3]:
            continue  # a part of the mark is cut off
        compared += 1
        with Image.open(io.BytesIO(files[made.name])) as image:
            assert found(image) == pytest.approx(carried(*MIDDLE, made.shown), abs=0.25), made.name
    assert compared >= len(specs) - 6


@pytest.mark.parametrize("format_", ["JPEG", "TIFF"])
def test_the_box_counts_pixels_of_the_source_also_where_the_decoder_shrinks_or_turns(format_: str) -> None:
    upright = Image.new("RGB", (801, 403), "black")
    content = encoded(as_stored(upright, 6), format_, exif=exif({0x0112: 6}))
    answer, _files = answer_to(content, Spec("a", 50, 50, fit=Fit.COVER))
    (made,) = answer.renditions
    assert isinstance(made, Rendered)
    assert (answer.orientation, answer.upright) == (6, (801, 403))
    assert made.shown == Shown((199.0, 0.0, 403.0, 403.0), 0, (0, 0, 50, 50))
