from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.model.shape import Gravity, Length
from pipeline.model.spec import Fit, Spec
from pipeline.render.geometry.fit import place

SIDES = st.integers(1, 30_000)
SIZES = st.tuples(SIDES, SIDES)
BOXES = st.tuples(st.none() | st.integers(1, 8_000), st.none() | st.integers(1, 8_000))


def spec(box: tuple[int | None, int | None], fit: Fit, *, enlarge: bool = False) -> Spec:
    return Spec("a", box[0], box[1], fit, enlarge)


@pytest.mark.parametrize(
    ("source", "box", "fit", "enlarge", "size", "canvas"),
    [
        ((4000, 3000), (300, 300), Fit.INSIDE, False, (300, 225), (300, 225)),
        ((3000, 4000), (300, 300), Fit.INSIDE, False, (225, 300), (225, 300)),
        ((4000, 3000), (300, None), Fit.INSIDE, False, (300, 225), (300, 225)),
        ((4000, 3000), (None, 300), Fit.COVER, False, (400, 300), (400, 300)),
        ((4000, 3000), (300, 300), Fit.OUTSIDE, False, (400, 300), (400, 300)),
        ((4000, 3000), (None, None), Fit.INSIDE, False, (4000, 3000), (4000, 3000)),
        ((200, 100), (300, 300), Fit.INSIDE, False, (200, 100), (200, 100)),
        ((200, 100), (300, 300), Fit.INSIDE, True, (300, 150), (300, 150)),
        ((200, 100), (300, 300), Fit.OUTSIDE, False, (200, 100), (200, 100)),
        ((200, 100), (300, 300), Fit.OUTSIDE, True, (600, 300), (600, 300)),
        ((4000, 3000), (300, 300), Fit.COVER, False, (300, 300), (300, 300)),
        ((200, 100), (300, 300), Fit.COVER, False, (100, 100), (100, 100)),
        ((200, 100), (300, 300), Fit.COVER, True, (300, 300), (300, 300)),
        ((4000, 3000), (300, 300), Fit.CONTAIN, False, (300, 225), (300, 300)),
        ((200, 100), (300, 300), Fit.CONTAIN, False, (200, 100), (300, 300)),
        ((200, 100), (300, 300), Fit.CONTAIN, True, (300, 150), (300, 300)),
        ((4000, 3000), (300, 300), Fit.FILL, False, (300, 300), (300, 300)),
        ((200, 100), (300, 300), Fit.FILL, False, (100, 100), (100, 100)),
        ((10_000, 1), (300, 300), Fit.INSIDE, False, (300, 1), (300, 1)),
    ],
)
def test_each_fit_has_the_size_that_its_word_says(
    source: tuple[int, int],
    box: tuple[int | None, int | None],
    fit: Fit,
    enlarge: bool,
    size: tuple[int, int],
    canvas: tuple[int, int],
) -> None:
    placement = place(source, spec(box, fit, enlarge=enlarge))
    assert (placement.size, placement.canvas) == (size, canvas)


def test_cover_takes_the_middle() -> None:
    assert place((400, 300), spec((100, 100), Fit.COVER)).box == (50.0, 0.0, 350.0, 300.0)
    assert place((300, 401), spec((100, 100), Fit.COVER)).box == (0.0, 50.5, 300.0, 350.5)


@given(source=SIZES, box=BOXES, fit=st.sampled_from(Fit), enlarge=st.booleans())
def test_no_side_is_ever_nothing_and_nothing_is_enlarged_unasked(
    source: tuple[int, int], box: tuple[int | None, int | None], fit: Fit, enlarge: bool
) -> None:
    placement = place(source, spec(box, fit, enlarge=enlarge))
    left, top, right, bottom = placement.box
    assert min(placement.size) >= 1
    assert min(placement.canvas) >= 1
    assert 0 <= left < right <= source[0]
    assert 0 <= top < bottom <= source[1]
    assert all(0 <= placement.offset[i] <= placement.canvas[i] - placement.size[i] for i in (0, 1))
    if not enlarge:
        assert placement.size[0] <= source[0]
        assert placement.size[1] <= source[1]


@given(source=SIZES, box=BOXES, fit=st.sampled_from([Fit.INSIDE, Fit.OUTSIDE]), enlarge=st.booleans())
def test_shape_is_kept_within_half_a_pixel(
    source: tuple[int, int], box: tuple[int | None, int | None], fit: Fit, enlarge: bool
) -> None:
    size = place(source, spec(box, fit, enlarge=enlarge)).size
    factors = [wanted / length for wanted, length in zip(box, source, strict=True) if wanted is not None] or [1.0]
    factor = max(factors) if fit is Fit.OUTSIDE else min(factors)
    if not enlarge:
        factor = min(1.0, factor)
    for length, got in zip(source, size, strict=True):
        assert abs(got - length * factor) <= 0.5 + 1e-6 or (got == 1 and length * factor < 1)


@given(source=SIZES, box=st.tuples(st.integers(1, 8_000), st.integers(1, 8_000)), fit=st.sampled_from(Fit))
def test_cover_contain_and_fill_hit_the_box_exactly_when_enlarging_is_allowed(
    source: tuple[int, int], box: tuple[int, int], fit: Fit
) -> None:
    placement = place(source, spec(box, fit, enlarge=True))
    if fit in (Fit.COVER, Fit.CONTAIN, Fit.FILL):
        assert placement.canvas == box
    if fit is Fit.INSIDE:
        assert placement.canvas[0] <= box[0]
        assert placement.canvas[1] <= box[1]
        assert placement.canvas[0] == box[0] or placement.canvas[1] == box[1]


@given(source=SIZES, box=st.tuples(st.integers(1, 8_000), st.integers(1, 8_000)))
def test_cover_keeps_the_shape_of_the_box_even_where_the_picture_is_too_small(
    source: tuple[int, int], box: tuple[int, int]
) -> None:
    placement = place(source, spec(box, Fit.COVER))
    factor = min(1.0, source[0] / box[0], source[1] / box[1])
    assert placement.canvas == tuple(max(1, math.floor(side * factor + 0.5)) for side in box)
    left, top, right, bottom = placement.box
    assert math.isclose(
        (right - left) * placement.size[1], (bottom - top) * placement.size[0], rel_tol=1e-9
    )  # not distorted


@pytest.mark.parametrize(
    ("gravity", "box"),
    [
        (Gravity.CENTRE, (100, 0, 400, 300)),
        (Gravity.WEST, (0, 0, 300, 300)),
        (Gravity.NORTH_WEST, (0, 0, 300, 300)),
        (Gravity.SOUTH_EAST, (200, 0, 500, 300)),
        (Gravity.EAST, (200, 0, 500, 300)),
        (Gravity.NORTH, (100, 0, 400, 300)),
        (Gravity.ATTENTION, (100, 0, 400, 300)),  # the middle, until it is measured
    ],
)
def test_gravity_says_which_part_a_crop_keeps(gravity: Gravity, box: tuple[int, ...]) -> None:
    assert place((500, 300), replace(spec((100, 100), Fit.COVER), gravity=gravity)).box == box


@pytest.mark.parametrize(
    ("gravity", "offset"),
    [
        (Gravity.CENTRE, (0, 25)),
        (Gravity.NORTH, (0, 0)),
        (Gravity.SOUTH, (0, 50)),
        (Gravity.SOUTH_EAST, (0, 50)),
        (Gravity.WEST, (0, 25)),
        (Gravity.ENTROPY, (0, 25)),
    ],
)
def test_gravity_says_where_a_picture_stands_on_its_canvas(gravity: Gravity, offset: tuple[int, int]) -> None:
    assert place((400, 200), replace(spec((100, 100), Fit.CONTAIN), gravity=gravity)).offset == offset


@pytest.mark.parametrize(
    ("focus", "left"), [((0.0, 0.5), 0), ((0.4, 0.1), 100), ((0.5, 0.5), 150), ((0.61, 0.5), 205), ((1.0, 1.0), 300)]
)
def test_a_crop_has_its_focus_in_the_middle_or_as_near_as_the_picture_allows(
    focus: tuple[float, float], left: float
) -> None:
    box = place((500, 200), spec((100, 100), Fit.COVER), focus).box
    assert box == pytest.approx((left, 0, left + 200, 200))


@pytest.mark.parametrize(
    ("box", "aspect", "fit", "dpr", "canvas"),
    [
        ((320, None), (16, 9), Fit.COVER, 1.0, (320, 180)),
        ((320, None), (16, 9), Fit.COVER, 2.0, (640, 360)),
        ((None, 90), (16, 9), Fit.CONTAIN, 1.0, (160, 90)),
        ((None, None), (1, 1), Fit.COVER, 1.0, (3000, 3000)),
        ((None, None), (1, 1), Fit.CONTAIN, 1.0, (4000, 4000)),
        ((None, None), (2, 1), Fit.FILL, 1.0, (4000, 2000)),
        ((321, None), (3, 2), Fit.COVER, 1.5, (482, 321)),
        ((100, 100), None, Fit.COVER, 3.0, (300, 300)),
        ((100, None), None, Fit.INSIDE, 2.0, (200, 150)),
    ],
)
def test_aspect_gives_the_free_side_and_dpr_multiplies_both(
    box: tuple[int | None, int | None],
    aspect: tuple[int, int] | None,
    fit: Fit,
    dpr: float,
    canvas: tuple[int, int],
) -> None:
    assert place((4000, 3000), replace(spec(box, fit), aspect=aspect, dpr=dpr)).canvas == canvas


@given(
    source=SIZES,
    side=st.integers(1, 8_000),
    aspect=st.tuples(st.integers(1, 100), st.integers(1, 100)),
    dpr=st.floats(0.1, 8),
    down=st.booleans(),
)
def test_a_side_that_follows_from_the_aspect_is_off_by_half_a_pixel_at_most(
    source: tuple[int, int], side: int, aspect: tuple[int, int], dpr: float, down: bool
) -> None:
    cover = Spec("a", None if down else side, side if down else None, Fit.COVER, enlarge=True, aspect=aspect, dpr=dpr)
    width, height = place(source, cover).canvas
    exact = (
        (side * dpr * aspect[0] / aspect[1], side * dpr) if down else (side * dpr, side * dpr * aspect[1] / aspect[0])
    )
    for got, wanted in zip((width, height), exact, strict=True):
        assert abs(got - wanted) <= 0.5 + 1e-6 or (got == 1 and wanted < 1)


@pytest.mark.parametrize(
    ("pad", "dpr", "canvas", "offset"),
    [
        ((10, 10, 10, 10), 1.0, (120, 70), (10, 10)),
        ((1, 2, 3, 4), 1.0, (106, 54), (4, 1)),
        ((1, 2, 3, 4), 2.0, (212, 108), (8, 2)),
    ],
)
def test_padding_goes_around_the_box(
    pad: tuple[int, int, int, int], dpr: float, canvas: tuple[int, int], offset: tuple[int, int]
) -> None:
    top, right, bottom, left = map(Length, pad)
    padded = replace(spec((100, 50), Fit.COVER), pad=(top, right, bottom, left), dpr=dpr)
    placement = place((400, 200), padded)
    assert (placement.canvas, placement.offset) == (canvas, offset)


def test_padding_in_per_cent_is_of_the_shorter_side() -> None:
    tenth = Length(10, percent=True)
    assert place((400, 200), replace(spec((100, 50), Fit.COVER), pad=(tenth, tenth, tenth, tenth))).canvas == (110, 60)


@given(
    source=SIZES,
    box=st.tuples(st.integers(1, 8_000), st.integers(1, 8_000)),
    focus=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    enlarge=st.booleans(),
)
def test_a_crop_stays_inside_of_the_picture_wherever_its_focus_is(
    source: tuple[int, int], box: tuple[int, int], focus: tuple[float, float], enlarge: bool
) -> None:
    left, top, right, bottom = place(source, spec(box, Fit.COVER, enlarge=enlarge), focus).box
    assert 0 <= left < right <= source[0] + 1e-6
    assert 0 <= top < bottom <= source[1] + 1e-6
    assert math.isclose(right - left, source[0]) or math.isclose(bottom - top, source[1])  # as much as there is
