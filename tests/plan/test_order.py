from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.config.settings import Order
from pipeline.errors import ErrorKind
from pipeline.model.job import Job
from pipeline.model.record import Reason, Status
from pipeline.plan import order

from .builders import JPEG, LARGE, THUMB, House


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path, THUMB)


def changed_config(house: House) -> None:
    """A picture in need of each kind of work, beside one that only the changed config asks for."""
    house.put("a.jpg", "b/missing.jpg", "b/damaged.jpg", "b/failed.jpg", "c.jpg", "d.jpg")
    house.make("a.jpg", "b/missing.jpg", "b/damaged.jpg", "b/failed.jpg", "c.jpg", "d.jpg")
    (house.target / "b/missing-thumb.jpg").unlink()
    (house.target / "b/damaged-thumb.jpg").write_bytes(b"not as made")
    failed = house.memory.sources["b/failed.jpg"]
    house.memory.sources["b/failed.jpg"] = replace(failed, status=Status.FAILED, error=ErrorKind.TRUNCATED)
    house.put("b/new.jpg", "z.jpg")
    os.utime(house.source / "c.jpg", ns=(0, 1))


def test_what_only_a_changed_recipe_asks_for_comes_last(house: House) -> None:
    changed_config(house)
    house.specs = (replace(THUMB, quality=50), LARGE)
    planner = house.planner()
    sources = [decision.source for decision in planner.decisions()]
    assert sources == [
        *("c.jpg", "z.jpg", "b/damaged.jpg", "b/failed.jpg", "b/missing.jpg", "b/new.jpg"),
        *("a.jpg", "d.jpg"),
    ]


def test_what_a_new_rendition_asks_for_comes_after_what_has_gone_or_changed(house: House) -> None:
    changed_config(house)
    house.specs = (THUMB, LARGE)
    planner = house.planner()
    decisions = list(planner.decisions())
    sources = [decision.source for decision in decisions]
    assert sources == [
        *("c.jpg", "z.jpg", "b/damaged.jpg", "b/failed.jpg", "b/missing.jpg", "b/new.jpg"),
        *("a.jpg", "d.jpg"),
    ]
    jobs = [job for job in decisions if isinstance(job, Job)]
    assert planner.counts.seen == planner.counts.sources == 8
    assert sum(planner.counts.reasons.values()) == 2 * 8
    assert sum(len(job.planned) for job in jobs) == 2 * 8 - planner.counts.reasons[Reason.UNCHANGED]


def test_a_limit_takes_new_pictures_first_and_force_keeps_that_order(house: House) -> None:
    house.put("a.jpg", "b.jpg")
    house.make("a.jpg", "b.jpg")
    house.put("c.jpg")
    assert list(house.plan(force=True)) == ["c.jpg", "a.jpg", "b.jpg"]
    assert list(house.plan(force=True, limit=2)) == ["c.jpg", "a.jpg"]


def test_what_is_set_aside_makes_the_same_orphans_and_counts(house: House) -> None:
    house.specs = (THUMB, LARGE)
    house.put("a.jpg", "b.jpg")
    house.make("a.jpg", "b.jpg")
    house.specs = (replace(THUMB, quality=50),)
    planner = house.planner()
    assert [decision.source for decision in planner.decisions()] == ["a.jpg", "b.jpg"]
    assert sorted(orphan.target for orphan in planner.orphans) == ["a-large.jpg", "b-large.jpg"]
    assert (planner.counts.orphans, planner.complete) == (2, True)


def test_what_has_gone_until_its_turn_comes_has_vanished(house: House) -> None:
    house.put("a.jpg", "b.jpg")
    house.make("a.jpg")
    house.specs = (replace(THUMB, quality=50),)
    decisions = house.planner().decisions()
    assert next(decisions).source == "b.jpg"
    (house.source / "a.jpg").unlink()
    (late,) = decisions
    assert (late.source, late.status) == ("a.jpg", Status.VANISHED)  # type: ignore[union-attr]


@pytest.mark.parametrize("at_once", [1, 1000])
@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (Order.PATH, ["b.jpg", "c.jpg", "a/d.jpg", "a/e.jpg"]),
        (Order.SMALLEST, ["c.jpg", "a/e.jpg", "b.jpg", "a/d.jpg"]),
        (Order.NEWEST, ["a/d.jpg", "b.jpg", "a/e.jpg", "c.jpg"]),
    ],
)
def test_another_order_goes_before_the_reasons(
    house: House, monkeypatch: pytest.MonkeyPatch, chosen: Order, expected: list[str], at_once: int
) -> None:
    monkeypatch.setattr(order, "AT_ONCE", at_once)
    last = 0
    for name, size in (("c.jpg", 1), ("a/e.jpg", 1), ("b.jpg", 20), ("a/d.jpg", 300)):
        while True:  # until the clock of the file system has moved on
            house.put(name, content=JPEG + bytes(size))
            if (now := os.stat(house.source / name).st_ctime_ns) > last:
                last = now
                break
    house.make("b.jpg")
    house.specs = (replace(THUMB, quality=50),)
    house.order = chosen
    assert list(house.plan()) == expected
