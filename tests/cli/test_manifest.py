"""What the manifest command takes and gives; what is in the rows is tested beside `manifest/`."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli.main import status_of
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


@pytest.mark.parametrize("form", ["--json", "--csv"])
def test_rows_for_programs_have_everything_with_all_and_without(made: World, form: str) -> None:
    made.put("b.jpg")
    made.run()
    ask = ("manifest", "query", str(made.config_path), form)
    every = made.command(*ask, "--all")
    assert (every.returncode, every.stderr) == (0, "")
    assert every.stdout == made.command(*ask).stdout
    assert len(every.stdout.splitlines()) == 2 + (form == "--csv")


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


def test_pages_are_told_where_the_target_is_published(made: World) -> None:
    made.configure(made.text + "  hero: {widths: [8, 16], formats: [webp, jpeg]}\n")
    made.run()
    export = ("manifest", "export", str(made.config_path))
    for base in ("/img", "/img/"):
        done = made.command(*export, "--format", "html", "--base-url", base, "--sizes", "(width < 9em) 100vw, 9em")
        assert (done.returncode, done.stderr) == (0, "")
        assert (
            'srcset="/img/a-hero-8.webp 8w, /img/a-hero-16.webp 16w" sizes="(width &lt; 9em) 100vw, 9em"' in done.stdout
        )
        assert "<title>out</title>" in done.stdout
    done = made.command(*export, "--format", "srcset", "--base-url", "https://example.org/i")
    assert json.loads(done.stdout)["a.jpg"]["families"]["hero"]["src"] == "https://example.org/i/a-hero-16.jpg"


def test_a_page_of_pictures_is_written_over_and_no_other_file(made: World) -> None:
    made.configure(made.text + "  hero: {widths: [8, 16]}\n")
    made.run()
    export = ("manifest", "export", str(made.config_path), "--format", "html", "--output")
    page = made.root / "index.html"
    page.write_text("<!doctype html>\n<title>Mine</title>\n")
    done = made.command(*export, str(page))
    assert (done.returncode, page.read_text()) == (2, "<!doctype html>\n<title>Mine</title>\n")
    assert f"{page}: is there and is no page of pictures" in done.stderr
    page.unlink()
    assert [made.command(*export, str(page)).returncode for _ in range(2)] == [0, 0]
    assert made.command(*export, str(made.target / "index.html")).returncode == 2


@pytest.mark.parametrize(
    "options",
    [
        ("--format", "html", "--base-url", "/a b/"),
        ("--format", "html", "--base-url", '"><script>'),
        ("--format", "html", "--base-url", "/img, x"),
        ("--format", "html", "--measured"),
        ("--format", "srcset", "--sizes", "9px"),
        ("--format", "csv", "--base-url", "/img/"),
    ],
)
def test_options_of_an_export_that_its_format_has_no_use_for_are_refused(made: World, options: tuple[str, ...]) -> None:
    made.configure(made.text + "  hero: {widths: [8, 16]}\n")
    done = made.command("manifest", "export", str(made.config_path), *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert options[2] in done.stderr


def test_a_page_of_pictures_comes_with_the_way_to_see_it_on_a_terminal_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path, "source: photos\ntarget: img\nrenditions: {hero: {widths: [8]}}\n")
    world.put("a.jpg")
    world.run()
    monkeypatch.chdir(tmp_path)
    words = ["manifest", "export", "thumbs.yaml", "--format", "html", "--base-url", "/img", "--output", "i.html"]
    assert status_of(words) == 0
    assert capsys.readouterr() == ("", "")  # cron would mail it each night
    monkeypatch.setattr("pipeline.cli.manifest.on_terminal", lambda: True)
    assert status_of(words) == 0
    out, err = capsys.readouterr()
    assert (out, err.split("; ")[1]) == (
        "",
        "to see it: python3 -m http.server -b 127.0.0.1 -d . 8000, then http://127.0.0.1:8000/i.html\n",
    )
