"""A target or a manifest in trouble: one clear line, nothing is left behind, and the next run does the rest."""

from __future__ import annotations

import io
import os
import random
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from PIL import Image

from pipeline.errors import ExitStatus
from pipeline.plan.options import PlanOptions
from pipeline.run.verify import verify
from tests.world import World

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount a small disk")


def noise(number: int) -> bytes:
    """A picture whose rendition is large: 20 kB at 200 x 150 pixels."""
    picture = Image.frombytes("RGB", (200, 150), random.Random(number).randbytes(200 * 150 * 3))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=60)
    return out.getvalue()


@pytest.fixture
def disk(world: World) -> Iterator[World]:
    """A world whose target is a small disk of its own."""
    world.configure(
        "source: photos\ntarget: out\nrenditions:\n  large: {width: 200}\nworkers: {threads: 2, processes: 1}\n"
    )
    for number in range(30):
        world.put(f"{number:02}.jpg", noise(number))
    world.target.mkdir()
    mount(world, "size=400k")
    yield world
    subprocess.run(["umount", "--lazy", str(world.target)], check=True)


def mount(world: World, options: str, *, again: bool = False) -> None:
    words = ["mount", "-o", f"remount,{options}" if again else options]
    words += [] if again else ["-t", "tmpfs", "tmpfs"]
    subprocess.run([*words, str(world.target)], check=True)


def refused(world: World, status: int, *words: str) -> str:
    """The one line that a run ends with."""
    done = world.command("run", str(world.config_path))
    assert done.returncode == status, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    for word in words:
        assert word in done.stderr
    return done.stderr


def all_is_well(world: World, pictures: int) -> None:
    summary = world.run()
    assert (summary.status, summary.warnings) == (ExitStatus.OK, ())
    assert len(world.tree()) == pictures
    assert world.leftovers() == []
    assert verify(world.config, lambda read: None).problems == ()


@needs_root
@pytest.mark.parametrize(
    "what",
    ["size=400k", "size=100k", "size=40m,nr_inodes=16"],
    ids=["bytes", "no room for the manifest's log", "inodes"],
)
def test_a_full_disk_is_one_line_and_the_next_run_does_the_rest(disk: World, what: str) -> None:
    mount(disk, what, again=True)
    refused(disk, ExitStatus.UNFINISHED, "no space left")
    made = disk.tree()
    assert len(made) < 30
    assert disk.leftovers() == []
    refused(disk, ExitStatus.UNFINISHED, "no space left")
    mount(disk, "size=40m,nr_inodes=1000", again=True)
    all_is_well(disk, 30)
    assert made.items() <= disk.tree().items()


@needs_root
def test_a_disk_that_is_read_only_is_told_before_anything_is_read(disk: World) -> None:
    mount(disk, "ro", again=True)
    refused(disk, ExitStatus.UNFINISHED, "read-only")
    mount(disk, "rw,size=40m", again=True)
    all_is_well(disk, 30)


@needs_root
def test_a_manifest_on_a_read_only_disk_is_one_line(world: World) -> None:
    world.fill(2)
    (world.root / "records").mkdir()
    options = "ro,size=4m,mode=700"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(world.root / "records")], check=True)
    try:
        world.configure(world.text + "manifest: records/manifest.sqlite\n")
        refused(world, ExitStatus.UNFINISHED, "ead-only")
        assert world.tree() == {}
    finally:
        subprocess.run(["umount", str(world.root / "records")], check=True)
    all_is_well(world, 2)


def _target_is_a_file(world: World) -> Path:
    world.target.write_text("mine")
    return world.target


def _target_is_a_broken_link(world: World) -> Path:
    world.target.symlink_to(world.root / "nowhere")
    return world.target


def _ours_is_a_file(world: World) -> Path:
    world.target.mkdir()
    (world.target / ".pipeline").write_text("mine")
    return world.target / ".pipeline"


def _manifest_is_a_folder(world: World) -> Path:
    (world.target / ".pipeline/manifest.sqlite").mkdir(parents=True)
    return world.target / ".pipeline"


def _manifest_is_foreign(world: World) -> Path:
    (world.target / ".pipeline").mkdir(parents=True)
    with closing(sqlite3.connect(world.target / ".pipeline/manifest.sqlite")) as connection:
        connection.execute("CREATE TABLE mine (x)")
    return world.target / ".pipeline"


def _manifest_is_newer(world: World) -> Path:
    shutil.rmtree(world.target, ignore_errors=True)
    world.run()
    with closing(sqlite3.connect(world.config.manifest)) as connection:
        connection.execute("PRAGMA user_version = 99")
    return world.target


@pytest.mark.parametrize(
    "trouble",
    [
        _target_is_a_file,
        _target_is_a_broken_link,
        _ours_is_a_file,
        _manifest_is_a_folder,
        _manifest_is_foreign,
        _manifest_is_newer,
    ],
)
def test_something_else_in_the_place_is_one_line_and_is_left_as_it_is(
    world: World, trouble: Callable[[World], Path]
) -> None:
    world.fill(2)
    place = trouble(world)
    before = sorted(world.root.rglob("*"))
    refused(world, ExitStatus.UNFINISHED)
    new = [path for path in sorted(world.root.rglob("*")) if path not in before]
    assert [path for path in new if not path.name.endswith((".lock", "-wal", "-shm"))] == []
    if place.is_dir():
        shutil.rmtree(place)
        shutil.rmtree(world.target, ignore_errors=True)
    else:
        place.unlink()
    all_is_well(world, 2)


def _truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _zero(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("damage", [_truncate, _zero, Path.unlink])
def test_what_was_mended_at_the_opening_is_told_once(world: World, damage: Callable[[Path], None]) -> None:
    world.fill(3)
    world.run()
    damage(world.config.manifest)
    done = world.command("run", str(world.config_path))
    assert done.returncode == 0
    assert done.stderr.startswith("pipeline: ")
    assert "restored from its backup" in done.stderr
    assert done.stderr.count("\n") == 1
    assert world.command("run", str(world.config_path)).stderr == ""


@pytest.mark.usefixtures("settled")
def test_a_damaged_manifest_without_a_backup_names_the_way_out(world: World) -> None:
    world.fill(3)
    world.run()
    before = world.tree()
    world.config.manifest.with_name("manifest.sqlite.backup").unlink()
    _zero(world.config.manifest)
    refused(world, ExitStatus.UNFINISHED, "un once with --adopt")
    done = world.command("run", "--adopt", str(world.config_path))
    assert (done.returncode, "a new one was begun" in done.stderr) == (0, True)
    assert world.tree() == before


@pytest.fixture
def restored(world: World, settled: None) -> World:
    """Three pictures were made and backed up, three more made, then the manifest was lost: the old one comes back."""
    world.fill(3)
    world.run()
    backup = world.config.manifest.with_name("manifest.sqlite.backup")
    kept = backup.read_bytes()
    world.fill(6)
    world.run()
    assert len(world.tree()) == 6
    backup.write_bytes(kept)
    _zero(world.config.manifest)
    return world


def test_what_was_made_after_the_backup_is_taken_over_again_where_it_is_equal(restored: World) -> None:
    before = {path: (restored.target / path).stat().st_mtime_ns for path in restored.tree()}
    summary = restored.run()
    assert (summary.failed, summary.status) == (0, ExitStatus.OK)
    assert {path: (restored.target / path).stat().st_mtime_ns for path in restored.tree()} == before
    assert restored.run().pictures == {"unchanged": 6}
    assert verify(restored.config, lambda read: None).problems == ()


def test_a_file_of_somebody_else_is_not_taken_over(restored: World) -> None:
    (restored.target / "a/003-thumb.jpg").write_bytes(b"mine")
    summary = restored.run()
    assert [(failure.source, failure.error.split(":")[0]) for failure in summary.failures] == [
        ("a/003.jpg", "not ours")
    ]
    assert (restored.target / "a/003-thumb.jpg").read_bytes() == b"mine"
    (restored.target / "b/004-thumb.jpg").unlink()
    with closing(sqlite3.connect(restored.config.manifest)) as connection:
        assert connection.execute("SELECT 1 FROM about WHERE key = 'restored'").fetchone() is None


def test_a_restore_that_was_cut_short_is_gone_on_with(restored: World) -> None:
    assert restored.run(plan=PlanOptions(limit=1)).failed == 0
    assert restored.run().failed == 0
    assert restored.run().pictures == {"unchanged": 6}
