"""What the manifest command takes and gives; what is in the rows is tested beside `manifest/`."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from tests.world import World


@pytest.fixture
def made(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.put("a.jpg")
    world.run()
    return world


def query(world: World, *arguments: str) -> list[dict[str, Any]]:
    done = world.command("manifest", "query", str(world.config_path), "--json", *arguments)
    assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_what_was_measured_is_exported_in_every_format_of_rows(made: World, form: str) -> None:
    done = made.command("manifest", "export", str(made.config_path), "--format", form, "--measured")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    rows: list[dict[str, Any]] = list(csv.DictReader(lines)) if form == "csv" else list(map(json.loads, lines))
    assert [(row["target"], row["reason"]) for row in rows] == [("a-thumb.jpg", "new")]


def test_without_a_question_all_rows_of_the_view_are_shown(made: World) -> None:
    assert [row["source"] for row in query(made)] == ["a.jpg"]
    assert [row["status"] for row in query(made, "--view", "runs")] == [0]


@pytest.mark.parametrize(
    "sql", ["WITH pairs AS (SELECT 1 AS one) SELECT one FROM pairs", "with\nx(one) AS (SELECT 1) SELECT one FROM x"]
)
def test_a_question_that_begins_with_any_with_is_sql(made: World, sql: str) -> None:
    assert query(made, sql) == [{"one": 1}]


@pytest.mark.parametrize("options", [("--json", "--csv"), ("--view", "runs", "SELECT 1")])
def test_options_of_a_query_that_contradict_each_other_are_refused(made: World, options: tuple[str, ...]) -> None:
    done = made.command("manifest", "query", str(made.config_path), *options)
    assert (done.returncode, done.stdout) == (2, "")


def test_pages_are_told_nothing_that_was_measured(made: World) -> None:
    made.configure(made.text + "  hero: {widths: [8, 16]}\n")
    done = made.command("manifest", "export", str(made.config_path), "--format", "srcset", "--measured")
    assert (done.returncode, "--measured" in done.stderr) == (2, True)
