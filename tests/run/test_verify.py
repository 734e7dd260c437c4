from __future__ import annotations

import json
import os
import sqlite3

import pytest

from pipeline.errors import ExitStatus
from tests.world import World

pytestmark = pytest.mark.usefixtures("settled")


def rot(world: World, source: str) -> None:
    """Let the record of `source` be that of other bytes: a test cannot write to a file without changing its ctime."""
    with sqlite3.connect(world.config.manifest) as manifest:
        manifest.execute("UPDATE source SET sha256 = x'00' WHERE path = ?", (os.fsencode(source),))
    manifest.close()


def verified(world: World, *options: str) -> tuple[int, str]:
    done = world.command("verify", "thumbs.yaml", *options, cwd=world.root)
    return done.returncode, done.stderr


def test_an_original_with_other_content_under_the_same_size_and_times_is_told_and_nothing_is_changed(
    world: World,
) -> None:
    world.fill(3)
    world.run()
    assert verified(world, "--sources", "-v")[1].startswith("thumbs: 3 files read (")
    rot(world, "a/000.jpg")
    assert verified(world) == (ExitStatus.OK, "")
    status, said = verified(world, "--sources")
    assert status == ExitStatus.FAILED
    assert said.splitlines()[0] == "a/000.jpg: source damaged (same size and times, other content)"
    assert "put them back from a backup" in said.splitlines()[1]
    assert ", 3 sources read (" in said.splitlines()[-1]
    told = world.command("verify", "thumbs.yaml", "--sources", "--json", cwd=world.root)
    finding, totals = map(json.loads, told.stdout.splitlines())
    assert finding["source"] == "a/000.jpg"
    assert (totals["problems"], totals["files"], totals["sources"], totals["sources_changed"]) == (1, 3, 3, 0)


def test_the_last_line_of_json_says_what_was_read_also_when_all_is_well(world: World) -> None:
    world.fill(3)
    world.run()
    told = world.command("verify", "thumbs.yaml", "--json", cwd=world.root)
    read = sum(content.stat().st_size for content in world.target.rglob("*.jpg"))
    assert (json.loads(told.stdout), told.stderr) == ({"problems": 0, "files": 3, "bytes": read}, "")


def test_originals_that_were_changed_or_are_gone_are_left_to_the_next_run(world: World) -> None:
    world.fill(3)
    world.run()
    world.put("a/000.jpg", b"something else")
    (world.source / "b/001.jpg").unlink()
    status, said = verified(world, "--sources", "-v")
    assert status == ExitStatus.OK
    assert ", 1 source read (" in said
    assert ", 2 changed or gone since the last run, all as written" in said


def test_an_original_that_was_read_too_soon_to_be_trusted_is_left_to_the_next_run(world: World) -> None:
    world.fill(1)
    world.run()
    rot(world, "a/000.jpg")
    with sqlite3.connect(world.config.manifest) as manifest:
        manifest.execute("UPDATE source SET settled = 0")
    manifest.close()
    assert verified(world, "--sources") == (ExitStatus.OK, "")


def test_each_finding_names_what_mends_it(world: World) -> None:
    world.fill(3)
    world.run()
    missing, damaged, hidden = (world.target / name for name in sorted(world.tree()))
    missing.unlink()
    damaged.write_bytes(b"short")
    before = hidden.stat()
    hidden.write_bytes(bytes(before.st_size))
    os.utime(hidden, ns=(before.st_atime_ns, before.st_mtime_ns))
    (world.target / "mine.txt").write_text("mine")
    status, said = verified(world)
    assert status == ExitStatus.FAILED
    remedies = said.splitlines()[4:7]
    assert remedies[0].startswith("missing and damaged files are made again by: ")
    assert remedies[0].endswith(" run thumbs.yaml")
    assert "1 damaged file has its recorded size and date" in remedies[1]
    assert remedies[2].startswith("foreign files")
    hidden.unlink()
    (world.target / "mine.txt").unlink()
    world.run()
    assert verified(world) == (ExitStatus.OK, "")
