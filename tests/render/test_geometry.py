from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.model import Fit, Spec
from pipeline.render.geometry import place

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
