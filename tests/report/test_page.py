"""What is written where; what the page says is tested beside `numbers`, what it does in `test_in_a_browser`."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.cli.summary import sentence
from pipeline.errors import UsageError
from pipeline.manifest.store import Manifest
from pipeline.plan.options import PlanOptions
from pipeline.report.document import script_safe
from pipeline.report.gallery import looks
from pipeline.report.page import place, write
from tests.world import World, jpeg


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.put("a.jpg")
    return world


def payload(text: str) -> dict[str, object]:
    """What the page's script reads."""
    match = re.search(r'<script type="application/json" id="renditions">(.*?)</script>', text)
    assert match
    values: dict[str, object] = json.loads(match[1])
    return values


def test_a_report_is_written_beside_the_config_unless_told_otherwise(world: World) -> None:
    assert place(world.config) == world.root / "thumbs-report.html"
    assert place(replace(world.config, report=world.root / "said.html")) == world.root / "said.html"
    assert place(world.config, world.root / "x.html") == world.root / "x.html"


def test_renditions_of_one_look_are_told_from_the_others(world: World) -> None:
    world.configure(
        "source: photos\ntarget: out\nrenditions:\n  hero: {widths: [8, 16], formats: [webp, jpeg], quality: 70}\n"
        "  thumb: {width: 5}\n  square: {width: 5, height: 5, fit: cover}\n  grey: {width: 5, steps: [greyscale]}\n"
        "rules: [{match: 'x/**', renditions: {thumb: {gravity: north}}}]\n"
    )
    assert looks(world.config) == [0, 0, 0, 0, 1, 2, 3]


def test_what_takes_more_than_its_source_is_not_said_to_be_saved(world: World) -> None:
    world.configure("source: photos\ntarget: out\nrenditions: {all: {width: 900, enlarge: true}}\n")
    world.run()
    path = place(world.config)
    write(world.config, path)
    text = path.read_text()
    (size,) = (len(content) for content in world.tree().values())
    grown = size / (world.source / "a.jpg").stat().st_size - 1
    assert f"<dt>larger</dt><dd>{grown:,.0%}</dd>" in text
    assert f"<td>{grown:+,.0%}</td>" in text
    assert not re.search(r"saved|-\d+%", text.partition("<main>")[2].partition('<section id="gallery">')[0])


def test_sources_are_looked_up_in_the_folder_of_their_prefix(world: World) -> None:
    world.configure(world.text.replace("source: photos", "sources: [{path: photos, prefix: my photos}]"))
    world.put("bad.jpg", b"\xff\xd8\xff\xe0")
    world.run()
    path = place(world.config)
    write(world.config, path)
    text = path.read_text()
    assert payload(text)["places"] == [["my photos/", "./photos/"]]
    assert '<img src="./photos/bad.jpg"' in text


def test_a_file_that_is_no_report_is_never_written_over(world: World) -> None:
    path = world.root / "index.html"
    path.write_text("<!doctype html><title>mine</title>")
    with pytest.raises(UsageError, match="is no report"):
        place(world.config, path)
    path.unlink()
    path.symlink_to("elsewhere")
    with pytest.raises(UsageError, match="is no file"):
        place(world.config, path)


def test_a_report_takes_the_place_of_an_earlier_one(world: World) -> None:
    world.run()
    path = place(world.config)
    write(world.config, path)
    world.put("b.jpg")
    world.run()
    assert place(world.config) == path
    write(world.config, path)
    assert len(payload(path.read_text())["renditions"]) == 2  # type: ignore[arg-type]
    assert sorted(path.name for path in world.root.iterdir()) == ["out", "photos", "thumbs-report.html", "thumbs.yaml"]


def test_pictures_that_the_last_run_has_left_count_on_the_page_and_in_status(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = place(world.config)

    def said() -> str:
        write(world.config, path)
        match = re.search("<h1>(.*?)</h1>", path.read_text())
        assert match
        return re.sub("<.*?>", "", match[1])

    world.put("bad.jpg", jpeg()[:300])
    world.put("notes.txt", b"no picture")
    world.run()
    world.fill(3)
    monkeypatch.setattr(Manifest, "pace", lambda self: 1.0)  # seconds a byte: no picture fits
    world.run(max_runtime=10)
    assert said() == "1 of 5 pictures has every rendition; 1 failed, 3 not yet made."
    assert "<dt>not yet made</dt><dd>3</dd>" in path.read_text()
    status = world.command("status", str(world.config_path))
    assert ", 1 known failure, 3 pictures not yet made\n" in status.stdout
    status = world.command("status", str(world.config_path), "--json", "--runs", "1")
    assert json.loads(status.stdout)["totals"]["not_yet_made"] == 3
    world.run()
    assert said() == "4 of 5 pictures have every rendition; 1 failed."
    world.run(plan=PlanOptions(force=True), max_runtime=10)  # to be made again: they are there
    assert said() == "4 of 5 pictures have every rendition; 1 failed."


def test_below_one_picture_a_second_the_seconds_of_one_are_shown(world: World) -> None:
    summary = world.run()
    slow = replace(summary, seconds=20.0)
    assert sentence(world.config_path, slow).endswith(" in 20 s, 20 s a picture")
    with closing(sqlite3.connect(world.config.manifest)) as manifest, manifest:
        manifest.execute("UPDATE run SET ended = started + 20")
    path = place(world.config)
    write(world.config, path)
    assert "<dt>a picture</dt><dd>20 s</dd>" in path.read_text()


def test_a_report_is_not_written_among_the_targets(world: World) -> None:
    with pytest.raises(UsageError, match="must not be in the target"):
        place(world.config, world.target / "report.html")


def test_the_policy_names_the_page_s_own_style_and_script_and_nothing_else(world: World) -> None:
    world.run()
    path = place(world.config)
    write(world.config, path)
    text = path.read_text()
    match = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert match
    policy = match[1].replace("&#39;", "'")
    assert re.fullmatch(
        r"default-src 'none'; img-src 'self' file:; style-src 'sha256-[\w+/]{43}='; script-src 'sha256-[\w+/]{43}='; "
        r"base-uri 'none'; form-action 'none'",
        policy,
    )
    assert "http:" not in text.replace(policy, "")
    assert re.findall(r"""\s(?:src|href|style|on[a-z]+)=["'][^"']*""", text) == []


def test_no_name_ends_the_script_that_it_stands_in() -> None:
    hostile = ["</script><script>alert(1)</script>", "<!--<script>", "]]>", "\u2028", "&lt;"]
    text = script_safe(hostile)
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == hostile


def test_the_command_writes_the_page(world: World) -> None:
    before = world.command("report", str(world.config_path))
    assert (before.returncode, "has not run yet" in before.stderr) == (2, True)
    world.run()
    done = world.command("report", str(world.config_path), "--output", str(world.root / "x.html"))
    assert (done.returncode, done.stdout) == (0, "")
    assert payload((world.root / "x.html").read_text())["names"] == ["thumb"]


def test_a_run_writes_the_report_that_its_config_asks_for(world: World) -> None:
    world.configure(world.text + "report: r.html\n")
    done = world.command("run", str(world.config_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert "The one picture has every rendition" in (world.root / "r.html").read_text()


def test_the_report_of_shards_is_written_when_they_are_merged(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.configure(world.text + "report: r.html\n")
    done = world.command("run", str(world.config_path), "--shard", "1/1")
    assert (done.returncode, done.stderr) == (0, "")
    monkeypatch.setattr("pipeline.cli.run.on_terminal", lambda: True)
    done = world.command("run", str(world.config_path), "--shard", "1/1", "--no-progress")
    assert done.stderr.endswith(f"manifest merge {world.config_path}\n")
    assert not (world.root / "r.html").exists()
    merged = world.command("manifest", "merge", str(world.config_path))
    assert (merged.returncode, merged.stderr) == (0, "")
    assert "The one picture has every rendition" in (world.root / "r.html").read_text()


def test_a_report_that_cannot_be_written_is_said_and_changes_no_status(world: World) -> None:
    (world.root / "r.html").write_text("mine")
    world.configure(world.text + "report: r.html\n")
    done = world.command("run", str(world.config_path))
    assert done.returncode == 0
    assert done.stderr == (
        f"pipeline: report: {world.root}/r.html: is there and is no report; "
        "name another place for the report (--output)\n"
    )
    assert (world.root / "r.html").read_text() == "mine"
