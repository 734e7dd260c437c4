"""Targets that keep the dates of their sources."""

from __future__ import annotations

import os

import pytest

from pipeline.model.source import Remote, Stat
from tests.world import LONG_AGO, World

pytestmark = pytest.mark.usefixtures("settled")

NEW_YEAR = 1_700_000_000


@pytest.fixture(autouse=True)
def _first_run(world: World, settled: None) -> None:
    world.configure(world.text.replace("target: out", "target: {path: out, mtime: source}"))
    world.fill(3)
    assert world.run().pictures == {"done": 3}


def dates(world: World) -> dict[str, float]:
    return {name: (world.target / name).stat().st_mtime for name in world.tree()}


def test_targets_have_the_dates_of_their_sources_and_nothing_is_to_do_then(world: World) -> None:
    assert set(dates(world).values()) == {LONG_AGO}
    assert world.run().pictures == {"unchanged": 3}
    assert world.command("verify", str(world.config_path)).returncode == 0


def test_a_touched_source_gives_its_targets_the_new_date_and_renders_nothing(world: World) -> None:
    before = world.tree()
    os.utime(world.source / "b/001.jpg", (NEW_YEAR, NEW_YEAR))
    summary = world.run()
    assert (summary.pictures, summary.reused) == ({"done": 1, "unchanged": 2}, 1)
    assert world.tree() == before
    assert dates(world) == {"a/000-thumb.jpg": LONG_AGO, "b/001-thumb.jpg": NEW_YEAR, "c/002-thumb.jpg": LONG_AGO}
    assert world.run().pictures == {"unchanged": 3}


def test_equal_pictures_of_different_dates_keep_their_own(world: World) -> None:
    copy = world.put("d/copy.jpg", (world.source / "a/000.jpg").read_bytes())
    os.utime(copy, (NEW_YEAR, NEW_YEAR))
    assert world.run().reused == 1
    assert dates(world)["d/copy-thumb.jpg"] == NEW_YEAR
    assert dates(world)["a/000-thumb.jpg"] == LONG_AGO


def test_a_damaged_target_is_made_again_with_the_date_of_its_source(world: World) -> None:
    os.utime(world.target / "a/000-thumb.jpg")
    assert world.run().pictures == {"done": 1, "unchanged": 2}
    assert set(dates(world).values()) == {LONG_AGO}


def test_a_config_that_begins_to_keep_dates_makes_nothing_again(world: World) -> None:
    text = world.text
    world.configure(text.replace(", mtime: source", ""))
    assert world.command("run", "--force", str(world.config_path)).returncode == 0
    world.configure(text)
    assert world.run().pictures == {"unchanged": 3}


@pytest.mark.parametrize(
    ("said", "expected"),
    [("Sat, 01 Jan 2000 00:00:00 GMT", 946_684_800 * 10**9), ("yesterday", None), (None, None)],
)
def test_a_picture_of_a_url_has_the_date_that_its_server_says(said: str | None, expected: int | None) -> None:
    remote = Remote("https://example.org/a.jpg", "https://example.org/a.jpg", last_modified=said)
    assert Stat(1, 2, 3, remote=remote).dated_ns == expected
