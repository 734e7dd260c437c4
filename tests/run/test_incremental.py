"""What a second run does, and what it leaves alone."""

from __future__ import annotations

import os

import pytest

from pipeline.errors import ExitStatus
from pipeline.sources.local import LocalSource
from tests.world import World, jpeg

pytestmark = pytest.mark.usefixtures("settled")


@pytest.fixture(autouse=True)
def _first_run(world: World, settled: None) -> None:
    world.fill(6)
    summary = world.run()
    assert summary.pictures == {"done": 6}
    assert summary.status == ExitStatus.OK
    assert len(world.tree()) == 6


def test_a_second_run_makes_nothing_and_opens_no_source(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a source was opened")

    monkeypatch.setattr(LocalSource, "read", refuse)
    assert world.run().pictures == {"unchanged": 6}


def test_a_run_that_changes_nothing_makes_no_backup(world: World) -> None:
    backup = world.target / ".pipeline/manifest.sqlite.backup"
    before = backup.stat()
    assert world.run().pictures == {"unchanged": 6}
    assert backup.stat().st_ino == before.st_ino
    world.put("new.jpg")
    assert world.run().pictures == {"done": 1, "unchanged": 6}
    assert backup.stat().st_ino != before.st_ino


def test_a_touched_source_is_read_and_not_rendered_and_then_trusted_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path: (world.target / path).stat().st_mtime_ns for path in world.tree()}
    os.utime(world.source / "a/000.jpg")
    assert world.run().pictures == {"touched": 1, "unchanged": 5}
    assert {path: (world.target / path).stat().st_mtime_ns for path in world.tree()} == before
    assert world.run().pictures == {"unchanged": 6}


def test_a_changed_source_is_rendered_alone(world: World) -> None:
    world.put("a/000.jpg", jpeg((1, 2, 3)))
    assert world.run().pictures == {"done": 1, "unchanged": 5}


def test_a_deleted_target_is_made_again(world: World) -> None:
    before = world.tree()
    (world.target / "b/001-thumb.jpg").unlink()
    assert world.run().pictures == {"done": 1, "unchanged": 5}
    assert world.tree() == before


def test_a_target_of_another_size_or_time_is_made_again(world: World) -> None:
    before = world.tree()
    with open(world.target / "b/001-thumb.jpg", "ab") as file:
        file.write(b"x")
    os.utime(world.target / "c/002-thumb.jpg")
    assert world.run().pictures == {"done": 2, "unchanged": 4}
    assert world.tree() == before


def test_another_quality_makes_everything_again(world: World) -> None:
    world.configure(world.text.replace("height: 32", "height: 32, quality: 50"))
    assert world.run().pictures == {"done": 6}


@pytest.mark.parametrize(
    "text",
    [
        "# a comment\nsource: photos\ntarget: out\nrenditions:\n  thumb: {width: 32, height: 32}\n",
        "target: out\nrenditions:\n  thumb: {height: 32, width: 32, quality: 82}\nsource: {path: photos}\n",
        "source: photos\ntarget: out\nrenditions:\n  thumb: {width: 32, height: 32}\nworkers: {queue: 3}\n",
    ],
    ids=["comment", "order and defaults", "workers"],
)
def test_what_cannot_change_bytes_makes_nothing_again(world: World, text: str) -> None:
    world.configure(text)
    assert world.run().pictures == {"unchanged": 6}


def test_a_smaller_rendition_is_made_and_the_others_are_left_alone(world: World) -> None:
    world.configure(world.text + "  small: {width: 8, height: 8}\n")
    summary = world.run()
    assert summary.renditions == {"done": 6}
    assert len(world.tree()) == 12


def test_a_larger_rendition_makes_the_smaller_ones_anew(world: World) -> None:
    """They are made from its pixels then."""
    world.configure(world.text + "  large: {width: 64}\n")
    assert world.run().renditions == {"done": 12}
    assert world.run().pictures == {"unchanged": 6}


def test_force_makes_everything_again_with_the_same_bytes(world: World) -> None:
    from pipeline.plan.options import PlanOptions

    before = world.tree()
    assert world.run(plan=PlanOptions(force=True)).pictures == {"done": 6}
    assert world.tree() == before


def test_a_removed_source_is_counted_as_an_orphan_and_its_target_stays(world: World) -> None:
    (world.source / "a/000.jpg").unlink()
    summary = world.run()
    assert summary.orphans == 1
    assert "a/000-thumb.jpg" in world.tree()


def test_a_source_replaced_by_another_format_keeps_its_target(world: World) -> None:
    (world.source / "a/000.jpg").rename(world.source / "a/000.jpeg")
    summary = world.run()
    assert (summary.pictures, summary.orphans) == ({"done": 1, "unchanged": 5}, 0)


def test_only_and_limit_narrow_the_run(world: World) -> None:
    from pipeline.plan.options import PlanOptions

    world.configure(world.text.replace("height: 32", "height: 30"))
    assert world.run(plan=PlanOptions(only=("a/**",))).pictures["done"] == 2
    assert world.run(plan=PlanOptions(limit=1)).pictures["done"] == 1
    assert world.run().pictures["done"] == 3
