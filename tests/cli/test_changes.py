"""`run --changes` and `plan --check`: what others do with the files after a run, and before one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.errors import ExitStatus
from pipeline.manifest.lock import RunLock
from tests.world import World, jpeg


def changed(world: World, *more: str) -> list[dict[str, str]]:
    file = world.root / "changes.jsonl"
    done = world.command("run", "--changes", str(file), *more, str(world.config_path))
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_what_is_made_replaced_and_removed_is_listed(world: World) -> None:
    world.put("a.jpg")
    world.put("b.jpg")
    assert sorted((change["change"], change["target"]) for change in changed(world)) == [
        ("made", "a-thumb.jpg"),
        ("made", "b-thumb.jpg"),
    ]
    assert changed(world) == [], "a run that changes nothing empties the list"
    world.put("a.jpg", world.put("c.jpg").read_bytes())
    (world.source / "b.jpg").unlink()
    listed = changed(world)
    assert {"change": "replaced", "target": "a-thumb.jpg", "source": "a.jpg", "rendition": "thumb"} in listed
    assert sorted(change["change"] for change in listed) == ["made", "replaced"]
    assert [(change["change"], change["target"]) for change in changed(world, "--prune")] == [
        ("removed", "b-thumb.jpg")
    ]


def test_names_are_separated_by_nul_bytes(world: World) -> None:
    world.put("a\nb.jpg")
    names, lines = world.root / "names", world.root / "it.jsonl"
    done = world.command("run", "--changes", str(names), "--changes", str(lines), str(world.config_path))
    assert done.returncode == 0
    assert names.read_bytes() == b"a\nb-thumb.jpg\0"
    assert len(lines.read_text().splitlines()) == 1


def test_addresses_are_listed_for_the_cache_of_a_cdn(world: World) -> None:
    world.put("a b.jpg")
    names, lines = world.root / "names", world.root / "it.jsonl"
    more = ("--changes-base-url", "https://cdn.example.org/img", str(world.config_path))
    assert world.command("run", "--changes", str(names), "--changes", str(lines), *more).returncode == 0
    assert names.read_bytes() == b"https://cdn.example.org/img/a%20b-thumb.jpg\0"
    assert json.loads(lines.read_text())["url"] == "https://cdn.example.org/img/a%20b-thumb.jpg"
    alone = world.command("run", *more)
    assert (alone.returncode, "name that, too" in alone.stderr) == (ExitStatus.USAGE, True)


@pytest.mark.parametrize("name", ["out/list.jsonl", "out/.pipeline/list", "link"])
def test_a_list_in_the_target_is_refused(world: World, name: str) -> None:
    world.fill(1)
    world.run()
    (world.root / "link").symlink_to(world.target / "list")
    done = world.command("run", "--changes", str(world.root / name), str(world.config_path))
    assert done.returncode == ExitStatus.USAGE
    assert "is in the target" in done.stderr
    assert not any(path.name.startswith("list") for path in world.target.rglob("*"))


def test_a_list_that_cannot_be_written_is_refused_before_anything_is_made(world: World) -> None:
    world.fill(1)
    done = world.command("run", "--changes", str(world.root / "no" / "list"), str(world.config_path))
    assert done.returncode == ExitStatus.USAGE
    assert not world.target.exists()


@pytest.mark.parametrize("name", ["mine", "mine.jsonl"])
def test_a_file_that_is_no_list_is_left_as_it_is(world: World, name: str) -> None:
    world.fill(1)
    file = world.root / name
    for content in (b"source: photos\n", jpeg(), b'{"my": "own"}'):
        file.write_bytes(content)
        done = world.command("run", "--changes", str(file), str(world.config_path))
        assert (done.returncode, done.stderr.count("\n")) == (ExitStatus.USAGE, 1)
        assert "no run has written what is there; name another file for --changes" in done.stderr
        assert file.read_bytes() == content
    assert not world.target.exists()


def test_a_run_that_gives_way_to_another_leaves_the_list_alone(world: World) -> None:
    world.fill(1)
    world.run()
    file = world.root / "names"
    file.write_bytes(b"earlier.jpg\0")
    with RunLock(world.config.manifest):
        done = world.command("run", "--if-locked", "skip", "--changes", str(file), str(world.config_path))
    assert done.returncode == 0
    assert file.read_bytes() == b"earlier.jpg\0"


def test_a_check_has_status_1_if_a_run_would_make_something(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.fill(1)
    assert world.command("plan", "--check", "--summary", str(world.config_path)).returncode == ExitStatus.FAILED
    assert world.command("plan", str(world.config_path)).returncode == ExitStatus.OK
    world.run()
    assert world.command("plan", "--check", str(world.config_path)).returncode == ExitStatus.OK
