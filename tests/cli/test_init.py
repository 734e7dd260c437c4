"""The first minutes: what `init` writes and says, and commands without the name of a config."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pipeline.cli.options import parted
from pipeline.config.load import load
from pipeline.program import to_copy
from tests.pictures import encoded, quarters
from tests.world import World


def test_init_counts_what_it_finds_and_says_the_next_step(world: World) -> None:
    world.fill(3)
    world.put("d/e.png", encoded(quarters(), "PNG"))
    world.put("notes.txt", b"hello")
    world.put("lies.jpg", b"<html>")
    (world.source / "link.jpg").symlink_to("lies.jpg")
    done = world.command("init", "--source", "photos", cwd=world.root)
    assert done.returncode == 0
    first, second = done.stderr.splitlines()
    assert first == (
        "photos: 5 pictures, 2 formats (3 jpeg, 1 png), 1 of them named like a picture but without the content of one, "
        "1 skipped, 1 unsupported"
    )
    planned = world.command("plan", "--summary", cwd=world.root).stderr
    assert re.match(r"pipeline: 5 pictures to render \(.*\), 0 unchanged, 1 skipped, 1 unsupported; ", planned)
    assert second.startswith("wrote pipeline.yaml and pipeline.schema.json; look it over, then: ")
    assert second.endswith("pipeline plan")
    assert json.loads((world.root / "pipeline.schema.json").read_text())["title"] == "pipeline config"


def test_what_init_writes_into_the_source_is_not_counted(world: World) -> None:
    world.fill(1)
    done = world.command("init", "--source", ".", cwd=world.source)
    assert done.stderr.startswith(".: 1 picture, 1 format (1 jpeg)\n")


@pytest.mark.parametrize("purpose", ["web", "archive", "dataset", "thumbs"])
def test_a_config_for_each_purpose_can_be_planned_at_once(world: World, purpose: str) -> None:
    world.fill(2)
    assert world.command("init", "--for", purpose, cwd=world.root).returncode == 0
    planned = world.command("plan", cwd=world.root)
    assert "pipeline: 2 pictures to render" in planned.stderr
    assert planned.returncode == 0


def test_nothing_that_is_there_is_written_over(world: World) -> None:
    (world.root / "pipeline.schema.json").write_text("mine")
    world.command("init", cwd=world.root)
    again = world.command("init", cwd=world.root)
    assert (again.returncode, again.stderr) == (2, "pipeline: pipeline.yaml is there already; name another file\n")
    assert (world.root / "pipeline.schema.json").read_text() == "mine"


def test_a_folder_in_the_place_of_the_config_is_taken_for_the_pictures(world: World) -> None:
    done = world.command("init", "photos/", cwd=world.root)
    assert done.returncode == 2
    assert "photos is a folder, and a config is a file." in done.stderr
    assert done.stderr.endswith(" init --source photos\n")


def test_a_source_that_is_not_there_yet_is_told_and_no_obstacle(tmp_path: Path) -> None:
    world = World(tmp_path)
    done = world.command("init", "it.yaml", "--source", "holiday", cwd=tmp_path)
    assert done.stderr.startswith("there is no folder holiday yet: ")
    assert done.stderr.endswith("pipeline plan it.yaml\n")


def test_every_command_takes_pipeline_yaml_where_none_is_named(world: World) -> None:
    world.fill(1)
    world.config_path.rename(world.root / "pipeline.yaml")
    for line in (
        "plan",
        "run",
        "status",
        "verify",
        "failures",
        "failures retry",
        "failures retry *.jpg",
        "prune",
        "manifest export",
        "manifest query",
        "manifest query status=done",
        "schedule",
        "doctor",
    ):
        done = world.command(*line.split(), cwd=world.root)
        assert done.returncode == 0, (line, done.stderr)
    assert "pictures" in world.command("doctor", cwd=world.root).stdout, "it has looked at the source"


def test_a_command_that_finds_no_config_says_how_to_begin(world: World) -> None:
    done = world.command("status", cwd=world.source)
    init = to_copy("init", anywhere=True)
    assert done.stderr == f"pipeline.yaml: there is no such file; `{init}` writes a config to start from\n"


def test_a_word_is_the_config_by_its_ending_or_if_it_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    Path("conf").touch()
    assert parted(()) == (Path("pipeline.yaml"), ())
    assert parted(("it.yml", "a")) == (Path("it.yml"), ("a",))
    assert parted(("conf", "a")) == (Path("conf"), ("a",))
    assert parted(("photos", "a")) == (Path("pipeline.yaml"), ("photos", "a"))


def test_the_schema_is_printed(world: World) -> None:
    root = Path(__file__).parent.parent.parent
    assert world.command("schema").stdout == (root / "configs" / "pipeline.schema.json").read_text()


@pytest.mark.parametrize("target", ["site/public/img", "www", "docs/img"])
def test_the_manifest_of_a_target_in_a_web_root_is_beside_the_config(world: World, target: str) -> None:
    (world.root / "docs").mkdir()
    (world.root / "docs/index.html").touch()
    done = world.command("init", "holiday.yaml", "--target", target, cwd=world.root)
    assert "published" not in done.stderr
    assert load(world.root / "holiday.yaml").manifest == world.root / "holiday.manifest.sqlite"


def test_a_config_in_a_web_root_has_no_place_beside_it_for_the_manifest_and_init_says_so(world: World) -> None:
    (world.root / "index.html").touch()
    done = world.command("init", "holiday.yaml", "--target", "img", cwd=world.root)
    assert f"{world.root} looks published, with this config in it: name a place outside as `manifest:`" in done.stderr
    assert load(world.root / "holiday.yaml").manifest == world.root / "img/.pipeline/manifest.sqlite"
