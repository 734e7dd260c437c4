"""A manifest whose pages are whole and whose values are not: said by every command, mended by a run, never a defect."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import sys
from pathlib import Path

import pytest

from pipeline.cli.main import _status_of
from pipeline.errors import ExitStatus
from pipeline.manifest import schema
from tests.world import World

pytestmark = pytest.mark.usefixtures("settled")

TEXT = (
    "source: photos\ntarget: out\nrenditions:\n  thumb: {width: 32, height: 32}\n"
    "  page: {widths: [8, 16], formats: [jpeg]}\nworkers: {processes: 0, threads: 1}\n"
)
COMMANDS = (
    "plan CONFIG",
    "status CONFIG",
    "status CONFIG --profile",
    "verify CONFIG",
    "failures CONFIG",
    "failures retry CONFIG",
    "prune CONFIG",
    "prune CONFIG --delete --force",
    "manifest export CONFIG --measured",
    "manifest export CONFIG --format csv",
    "manifest export CONFIG --format srcset",
    "manifest query CONFIG status=done",
    "run CONFIG",
    "run CONFIG --adopt",
)
DAMAGE = (  # table, column, an SQL value
    ("about", "value", "'junk'"),
    ("source", "status", "'dome'"),
    ("source", "size", "'large'"),
    ("source", "mtime_ns", "x'ff00'"),
    ("source", "warnings", "'[\"'"),
    ("source", "path", "17"),
    ("rendition", "status", "x'ff'"),
    ("rendition", "size", "'small'"),
    ("rendition", "target", "1e308"),
    ("rendition", "seconds_encode", "1e308"),
    ("run", "started", "'today'"),
    ("run", "ended", "1e308"),
    ("run", "counts", '\'{"done": "all"}\''),
    ("run", "argv", "CAST(x'ff22' AS TEXT)"),
    ("claim", "size", "'none'"),
    ("claim", "sha256", "'none'"),
    ("failure", "error", "'not a pickture'"),
    ("failure", "since", "'today'"),
)


@pytest.fixture
def whole(world: World) -> World:
    """A target with a failure and an orphan, and its copy in `whole`."""
    world.configure(TEXT)
    world.fill(3)
    world.put("bad.jpg", b"\xff\xd8\xff\xe0 nothing")
    world.put("gone.jpg")
    world.settle()
    world.run()
    (world.source / "gone.jpg").unlink()
    world.run()
    shutil.copytree(world.target, world.root / "whole")
    return world


def afresh(world: World) -> Path:
    """The manifest of a target as it was, without a backup."""
    shutil.rmtree(world.target)
    shutil.copytree(world.root / "whole", world.target)
    manifest = world.config.manifest
    manifest.with_name("manifest.sqlite.backup").unlink()
    return manifest


def spoil(manifest: Path, table: str, column: str, value: str) -> None:
    with sqlite3.connect(manifest) as connection:
        connection.execute(f"UPDATE OR IGNORE {table} SET {column} = {value}")
    connection.close()


def check(world: World, what: str, capsys: pytest.CaptureFixture[str]) -> None:
    """No command takes it for a defect, and each ends with a status that says what it came to."""
    for words in COMMANDS:
        status = _status_of([str(world.config_path) if word == "CONFIG" else word for word in words.split()])
        said = capsys.readouterr().err
        assert "Traceback" not in said, (what, words, said)
        assert "a defect" not in said, (what, words, said)
        assert status in (ExitStatus.OK, ExitStatus.FAILED, ExitStatus.USAGE, ExitStatus.UNFINISHED), (what, words)


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: ".".join(damage[:2]))
def test_a_value_that_cannot_be_is_no_defect_to_any_command(
    whole: World, damage: tuple[str, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(afresh(whole), *damage)
    check(whole, str(damage), capsys)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_no_value_of_any_column_is_a_defect_to_any_command(whole: World, capsys: pytest.CaptureFixture[str]) -> None:
    with sqlite3.connect(whole.config.manifest) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        columns = [(table, row[1]) for table in tables for row in connection.execute(f"PRAGMA table_info({table})")]
    connection.close()
    for table, column in columns:
        for value in ("'junk'", "x'ff00'", "-1", "1e308"):
            manifest = afresh(whole)
            try:
                spoil(manifest, table, column, value)
            except sqlite3.Error:
                continue  # a type or a constraint that SQLite itself keeps
            check(whole, f"{table}.{column} = {value}", capsys)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_five_hundred_flipped_bits_are_no_defect_to_any_command(
    whole: World, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(1)
    for number in range(500):
        manifest = afresh(whole)
        raw = bytearray(manifest.read_bytes())
        at = chance.randrange(len(raw) if number % 2 else 4096 * 2)  # half of them where the schema's text is
        raw[at] ^= 1 << chance.randrange(8)
        manifest.write_bytes(raw)
        check(whole, f"byte {at} of {len(raw)}", capsys)


@pytest.mark.parametrize("backup", [True, False])
def test_what_a_command_could_not_read_is_mended_by_the_next_run(
    whole: World, backup: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = whole.config.manifest.with_name("manifest.sqlite.backup").read_bytes()
    manifest = afresh(whole)
    if backup:
        manifest.with_name("manifest.sqlite.backup").write_bytes(kept)
    spoil(manifest, "run", "started", "'today'")
    config = str(whole.config_path)
    assert _status_of(["status", config]) == ExitStatus.UNFINISHED
    assert "the manifest is damaged: run.started holds what no run has written" in capsys.readouterr().err
    assert _status_of(["run", config]) == (ExitStatus.OK if backup else ExitStatus.UNFINISHED)
    said = capsys.readouterr().err
    assert ("restored from its backup" if backup else "Run once with --adopt") in said
    if not backup:
        assert _status_of(["run", "--adopt", config]) == ExitStatus.FAILED  # a new one tells its failures again
    assert _status_of(["status", config]) == ExitStatus.OK


def test_a_backup_with_a_value_that_cannot_be_is_not_restored(whole: World, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = whole.config.manifest
    spoil(manifest.with_name("manifest.sqlite.backup"), "source", "status", "'dome'")
    manifest.write_bytes(b"")
    assert _status_of(["run", str(whole.config_path)]) == ExitStatus.UNFINISHED
    assert "there is no good backup" in capsys.readouterr().err


def test_a_defect_of_ours_is_not_blamed_on_a_sound_manifest(whole: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.manifest import runs

    def wrong(*_: object) -> None:
        raise TypeError("ours")

    monkeypatch.setattr(runs, "latest", wrong)
    with pytest.raises(TypeError, match="ours"):
        whole.run()
    assert not whole.config.manifest.with_name("manifest.sqlite.found-damaged").exists()


def test_every_table_is_looked_at() -> None:
    from pipeline.manifest import soundness

    assert set(soundness._TABLES) == {"about", "run", "library", "source", "rendition", "claim"} | {
        name for name in schema.NAMES - schema.NAMES_1 if not name.endswith("content")
    }


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
@pytest.mark.parametrize("words", ["status", "plan", "verify", "failures", "run", "doctor"])
def test_a_manifest_of_another_user_ends_in_one_line(whole: World, words: str) -> None:
    """Of a folder that may be looked at and a `.pipeline` that may not."""
    for folder in (whole.root, *whole.root.parents):
        if folder.stat().st_mode & 0o005 != 0o005:
            pytest.skip("needs a folder for tests that everybody can enter")
    code = (
        "import os, sys; os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "from pipeline.cli.main import main\n"
        f"sys.argv = ['pipeline', {words!r}, {str(whole.config_path)!r}]\nmain()\n"
    )
    import subprocess

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=100)
    assert "Traceback" not in done.stderr
    assert done.returncode in (1, 2, 3), done.stderr
