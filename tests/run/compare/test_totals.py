"""Totals for a folder, from what was rendered of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.model.rendering import Traits
from pipeline.run.compare.comparing import Case, Comparison
from pipeline.run.compare.recipes import of_configs
from pipeline.run.compare.rendering import Made
from pipeline.run.compare.strata import Picked, Sample
from pipeline.run.compare.totals import totals
from tests.world import World

PLAIN = Traits(10, 10, animated=False, transparent=False, cmyk=False, rotated=False)


def compared(world: World, *pictures: tuple[str, float, list[int]]) -> Comparison:
    """Of pictures: stratum, how many each stands for, and its bytes by each of two recipes."""
    cases = []
    for number, (stratum, stands_for, sizes) in enumerate(pictures):
        picked = Picked(f"{number}.jpg", stratum, 1, stands_for, PLAIN)
        made = tuple(
            Made("jpeg", 10, 10, size, seconds_decode=2, seconds=1, file=Path("x"), score=size / 100)
            if size
            else Made(error="truncated")
            for size in sizes
        )
        cases.append(Case(picked, "thumb", (None, None), made))
    recipes = of_configs([world.config], []) * 2
    return Comparison(tuple(recipes), Sample((), (), 100, 100, ()), tuple(cases), ())


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_each_stratum_counts_as_often_as_it_is_in_the_folder(world: World) -> None:
    estimated = totals(compared(world, ("other", 40, [10, 20]), ("other", 40, [30, 20]), ("CMYK", 20, [50, 100])))
    assert [estimate.value for estimate in estimated.bytes] == [80 * 20 + 20 * 50, 80 * 20 + 20 * 100]
    assert [estimate.value for estimate in estimated.seconds] == [300, 300]
    assert estimated.renditions[0].worst == (0.1, "0.jpg")
    assert estimated.renditions[0].score == pytest.approx((40 * 0.1 + 40 * 0.3 + 20 * 0.5) / 100)


def test_doubt_comes_from_the_pictures_that_were_not_rendered(world: World) -> None:
    assert totals(compared(world, ("other", 1, [10, 20]), ("other", 1, [30, 20]))).bytes[0].doubt == 0
    spread, even = totals(compared(world, ("other", 40, [10, 20]), ("other", 40, [30, 20]))).bytes
    assert spread.doubt > 100
    assert even.doubt == 0


def test_each_format_has_a_total_of_its_own(world: World) -> None:
    comparison = compared(world, ("other", 1, [10, 20]), ("other", 1, [30, 20]))
    other = [
        replace(case, made=tuple(replace(made, format="webp", bytes=5) for made in case.made if made))
        for case in comparison.cases
    ]
    estimated = totals(replace(comparison, cases=(*comparison.cases, *other)))
    values = {name: [one.value for one in some] for name, some in estimated.formats.items()}
    assert values == {"jpeg": [40, 40], "webp": [10, 10]}
    assert [one.value for one in estimated.bytes] == [50, 50]


def test_failures_are_counted_and_their_pictures_are_not(world: World) -> None:
    estimated = totals(compared(world, ("other", 1, [10, 0]), ("other", 1, [30, 20])))
    assert [estimate.value for estimate in estimated.bytes] == [30 * 1, 20 * 1]
    assert [total.failed for total in estimated.renditions] == [0, 1]
