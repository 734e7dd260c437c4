"""A round of shards: which of them have ended, before and after their parts are merged."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from pipeline.errors import ExitStatus
from pipeline.manifest import parts, rounds
from pipeline.plan.options import PlanOptions
from pipeline.plan.shard import Shard
from pipeline.run.merging import merge
from tests.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def run(world: World, *numbers: int, count: int = 4) -> None:
    for number in numbers:
        world.run(plan=PlanOptions(shard=Shard(number, count)))


def unfinished(world: World) -> dict[int, str]:
    """Of the round now, which is one."""
    current = rounds.now(world.config.manifest)
    assert current is not None
    return current.unfinished()


def test_a_shard_that_has_not_run_is_missed_until_it_has(world: World) -> None:
    world.fill(2)
    assert rounds.now(world.config.manifest) is None
    run(world, 1, 3, 4)
    assert unfinished(world) == {2: "has not run"}
    merge(world.config)
    assert unfinished(world) == {2: "has not run"}
    run(world, 2)
    assert unfinished(world) == {}
    merge(world.config)
    assert unfinished(world) == {}


def test_a_shard_that_died_or_did_not_finish_is_missed_after_its_part_was_merged(world: World) -> None:
    world.fill(2)
    world.run()
    run(world, 1, 2, count=2)
    for number, values in ((1, (None, None)), (2, (1.0, 3))):
        with contextlib.closing(sqlite3.connect(parts.part_of(world.config.manifest, number, 2))) as part, part:
            part.execute("UPDATE run SET ended = ?, status = ? WHERE id = (SELECT MAX(id) FROM run)", values)
    expected = {1: "died", 2: "did not finish (status 3)"}
    assert unfinished(world) == expected
    merge(world.config)
    assert unfinished(world) == expected
    run(world, 1, 2, count=2)
    merge(world.config)
    assert unfinished(world) == {}


def test_a_shard_that_died_before_its_run_was_entered_has_not_the_status_of_an_earlier_run(world: World) -> None:
    world.fill(2)
    world.run()
    run(world, 1, 2, count=2)
    with contextlib.closing(sqlite3.connect(parts.part_of(world.config.manifest, 2, 2))) as part, part:
        part.execute("DELETE FROM run WHERE id = (SELECT MAX(id) FROM run)")
    assert unfinished(world) == {2: "died"}
    merge(world.config)
    assert unfinished(world) == {2: "died"}


def test_a_shard_that_runs_again_begins_a_round_and_a_run_of_all_ends_one(world: World) -> None:
    world.fill(2)
    run(world, 1, 3, count=3)
    merge(world.config)
    run(world, 1, 2, count=3)  # the next night, in which 3 is missing
    assert unfinished(world) == {3: "has not run"}
    merge(world.config)
    assert unfinished(world) == {3: "has not run"}
    assert world.run().status == ExitStatus.OK
    assert rounds.now(world.config.manifest) is None


def test_a_part_whose_merge_was_killed_late_says_nothing_new(world: World) -> None:
    world.fill(2)
    run(world, 1, count=1)
    part = parts.part_of(world.config.manifest, 1, 1)
    content = part.read_bytes()
    merge(world.config)
    part.write_bytes(content)
    assert unfinished(world) == {}
    merge(world.config)
    assert unfinished(world) == {}
