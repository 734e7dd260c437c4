"""Pictures that a rule matches get its renditions, and the plan knows which those are."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.config.settings import RuleSettings
from pipeline.model.job import Job
from pipeline.model.record import Reason
from pipeline.plan.recipe import recipe_id
from pipeline.plan.rules import Rules
from tests.plan.builders import LARGE, THUMB, House

FINE = replace(THUMB, quality=95)
SCANS = RuleSettings(("scans/**",), (FINE, LARGE))
ODD = RuleSettings(("*1.jpg", "*3.jpg"), (THUMB,))


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House(tmp_path, THUMB, LARGE)
    house.put("a/0.jpg", "a/1.jpg", "a/2.jpg", "scans/1.jpg", "scans/2.jpg")
    house.config_rules = (SCANS, ODD)
    return house


def asked(house: House) -> dict[str, list[str]]:
    """By source: the targets of its renditions."""
    return {
        job.source: [planned.target for planned in job.planned]
        for job in house.planner().decisions()
        if isinstance(job, Job)
    }


def test_the_first_rule_that_matches_holds_alone(house: House) -> None:
    assert {source: len(targets) for source, targets in asked(house).items()} == {
        "a/0.jpg": 2,
        "a/1.jpg": 1,
        "a/2.jpg": 2,
        "scans/1.jpg": 2,
        "scans/2.jpg": 2,
    }
    jobs = [job for job in house.planner().decisions() if isinstance(job, Job)]
    assert [job.rule for job in jobs] == [0, 2, 0, 1, 1]
    assert [job.planned[0].spec for job in jobs] == [THUMB, THUMB, THUMB, FINE, FINE]


def test_only_the_recipes_that_a_rule_changes_are_others() -> None:
    plain, scans, odd = Rules((THUMB, LARGE), (SCANS, ODD)).sets
    assert plain.recipes[0] != scans.recipes[0], "another quality"
    assert plain.recipes[1] == scans.recipes[1]
    assert odd.recipes == (recipe_id(THUMB, [THUMB]),)


def test_a_new_rule_concerns_only_what_it_matches_and_changes(house: House) -> None:
    house.config_rules = ()
    house.make("a/0.jpg", "a/1.jpg", "a/2.jpg", "scans/1.jpg", "scans/2.jpg")
    house.config_rules = (SCANS,)
    changed = {"thumb": Reason.RECIPE_CHANGED}
    assert house.plan() == {"scans/1.jpg": changed, "scans/2.jpg": changed}


def test_nothing_is_planned_where_each_picture_has_what_its_rule_asks_for(house: House) -> None:
    house.make("a/0.jpg", "a/1.jpg", "a/2.jpg", "scans/1.jpg", "scans/2.jpg")
    planner = house.planner()
    assert list(planner.decisions()) == []
    assert (planner.counts.unchanged, planner.counts.reasons[Reason.UNCHANGED], planner.orphans) == (5, 9, [])


def test_one_that_differs_among_neighbours_of_other_rules_is_found(house: House) -> None:
    house.make("a/0.jpg", "a/1.jpg", "a/2.jpg", "scans/1.jpg", "scans/2.jpg")
    os.unlink(house.target / "a/1-thumb.jpg")
    planner = house.planner()
    assert [job.source for job in planner.decisions()] == ["a/1.jpg"]
    assert planner.counts.reasons == {Reason.UNCHANGED: 8, Reason.MISSING: 1}


def test_what_a_removed_rule_made_is_an_orphan(house: House) -> None:
    house.config_rules = (replace(SCANS, specs=(THUMB, LARGE, replace(LARGE, name="zoom"))),)
    house.make("scans/1.jpg", "scans/2.jpg")
    house.config_rules = ()
    planner = house.planner()
    list(planner.decisions())
    assert [(orphan.target, orphan.why) for orphan in planner.orphans] == [
        ("scans/1-zoom.jpg", "rendition gone"),
        ("scans/2-zoom.jpg", "rendition gone"),
    ]


def test_what_a_new_rule_leaves_out_is_an_orphan(house: House) -> None:
    house.config_rules = ()
    house.make("a/1.jpg")
    house.config_rules = (ODD,)
    planner = house.planner(only=("a/1.jpg",))
    (job,) = planner.decisions()
    assert isinstance(job, Job)
    assert [(planned.target, planned.reason) for planned in job.planned] == [
        ("a/1-thumb.jpg", Reason.RECIPE_CHANGED)
    ], "no larger"
    assert [orphan.target for orphan in planner.orphans] == ["a/1-large.jpg"]


def test_a_plan_tells_of_rules_that_no_file_comes_under(house: House) -> None:
    house.config_rules = (SCANS, RuleSettings(("scans/1.jpg", "b/"), (THUMB,)), ODD)
    planner = house.planner(look=True)
    list(planner.decisions())
    (warning,) = planner.warnings
    assert warning.startswith("rule 2 (scans/1.jpg, b/) changes nothing: no file matches, or an earlier rule")
    planner = house.planner()
    list(planner.decisions())
    assert planner.warnings == [], "a run does not repeat it each night"


def test_collisions_are_told_between_pictures_of_different_rules(house: House) -> None:
    house.put("a/1.png")
    house.put("a/2.png")
    house.config_rules = (RuleSettings(("*.png",), (LARGE,)), ODD)
    refused = {source: verdict for source, verdict in house.plan().items() if isinstance(verdict, str)}
    assert refused == {"a/2.jpg": "failed: collision", "a/2.png": "failed: collision"}
