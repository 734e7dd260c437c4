"""A manifest whose pages are whole and whose values are not: said by every command, mended by a run, never a defect."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from pipeline.cli.main import status_of
from pipeline.errors import ExitStatus
from pipeline.manifest import opening, runs, schema, soundness
from pipeline.manifest.database import Defect
from pipeline.manifest.rows import RowWriter
from tests.world import World

pytestmark = pytest.mark.usefixtures("settled")

TEXT = (
    "source: photos\ntarget: out\nrenditions:\n  thumb: {width: 32, height: 32}\n"
    "  page: {widths: [8, 16], formats: [jpeg]}\nworkers: {processes: 0, threads: 1}\n"
)
COMMANDS = (
    "plan CONFIG",
    "plan CONFIG --json",
    "status CONFIG",
    "status CONFIG --json",
    "status CONFIG --profile",
    "verify CONFIG",
    "failures CONFIG",
    "failures CONFIG --json",
    "failures retry CONFIG",
    "prune CONFIG",
    "prune CONFIG --json",
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
    ("failure", "detail", "x'ff00'"),
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
    with contextlib.closing(sqlite3.connect(manifest, isolation_level=None)) as connection:
        connection.execute(f"UPDATE OR IGNORE {table} SET {column} = {value}")


def check(world: World, what: str, capsys: pytest.CaptureFixture[str], commands: Sequence[str] = COMMANDS) -> None:
    """No command takes it for a defect, and each ends with a status that says what it came to."""
    for words in commands:
        status = status_of([str(world.config_path) if word == "CONFIG" else word for word in words.split()])
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
@pytest.mark.parametrize("values", [("'junk'", "x'ff00'"), ("-1", "1e308")], ids=["texts", "numbers"])
@pytest.mark.parametrize("table", soundness._TABLES)
def test_no_value_of_any_column_is_a_defect_to_any_command(
    whole: World, table: str, values: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for column, value in zip(soundness._TABLES[table], itertools.cycle(values), strict=False):
        manifest = afresh(whole)
        try:
            spoil(manifest, table, column, value)
        except sqlite3.Error:
            continue  # a type or a constraint that SQLite itself keeps
        check(whole, f"{table}.{column} = {value}", capsys)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
def test_five_hundred_flipped_bits_are_no_defect_to_any_command(
    whole: World, part: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each flip to every run, and in turn to a third of the other commands: all would take three times as long."""
    chance = random.Random(part)
    for number in range(50):
        manifest = afresh(whole)
        raw = bytearray(manifest.read_bytes())
        at = chance.randrange(len(raw) if number % 2 else 4096 * 2)  # half of them where the schema's text is
        bit = chance.randrange(8)
        raw[at] ^= 1 << bit
        manifest.write_bytes(raw)
        check(whole, f"bit {bit} of byte {at} of {len(raw)}", capsys, [*COMMANDS[number % 3 : -2 : 3], *COMMANDS[-2:]])


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
    assert status_of(["status", config]) == ExitStatus.UNFINISHED
    assert "the manifest is damaged: run.started holds what no run has written" in capsys.readouterr().err
    assert status_of(["run", config]) == (ExitStatus.OK if backup else ExitStatus.UNFINISHED)
    said = capsys.readouterr().err
    assert ("restored from its backup" if backup else "Run once with --adopt") in said
    if not backup:
        assert status_of(["run", "--adopt", config]) == ExitStatus.FAILED  # a new one tells its failures again
    assert status_of(["status", config]) == ExitStatus.OK


def test_a_backup_with_a_value_that_cannot_be_is_not_restored(whole: World, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = whole.config.manifest
    spoil(manifest.with_name("manifest.sqlite.backup"), "source", "status", "'dome'")
    manifest.write_bytes(b"")
    assert status_of(["run", str(whole.config_path)]) == ExitStatus.UNFINISHED
    assert "there is no good backup" in capsys.readouterr().err


def test_a_defect_of_ours_is_not_blamed_on_a_sound_manifest(whole: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*_: object) -> None:
        raise TypeError("ours")

    monkeypatch.setattr(runs, "latest", wrong)
    with pytest.raises(TypeError, match="ours"):
        whole.run()
    assert not whole.config.manifest.with_name("manifest.sqlite.found-damaged").exists()


def wrong_statement(connection: sqlite3.Connection, *_: object) -> None:
    connection.execute("SELECT no_such_column FROM run")


@pytest.mark.parametrize("words", ["status CONFIG", "run CONFIG"])
def test_a_wrong_statement_of_ours_is_not_blamed_on_a_sound_manifest(
    whole: World, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = whole.config.manifest
    with monkeypatch.context() as patched:
        patched.setattr(runs, "latest", wrong_statement)
        status = status_of([str(whole.config_path) if word == "CONFIG" else word for word in words.split()])
        said = capsys.readouterr().err
        assert status == ExitStatus.UNFINISHED
        assert "OperationalError: no such column: no_such_column" in said
        assert "the manifest is sound, but a statement failed: no such column: no_such_column" in said
        assert said.endswith("this is a defect of pipeline; please report it with the lines above\n")
    assert not manifest.with_name("manifest.sqlite.found-damaged").exists()
    assert whole.run().warnings == ()
    assert not list(manifest.parent.glob("*.damaged-*"))
    spoil(manifest, "run", "pid", "'junk'")
    monkeypatch.setattr(runs, "latest", wrong_statement)
    assert status_of(["status", str(whole.config_path)]) == ExitStatus.UNFINISHED
    assert "the manifest is damaged: run.pid holds what no run has written\n" in capsys.readouterr().err


@pytest.mark.parametrize("words", ["status CONFIG", "run CONFIG"])
def test_a_wrong_statement_while_it_is_opened_moves_no_sound_manifest_aside(
    whole: World, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(opening, "owner_of", wrong_statement)
    assert status_of([str(whole.config_path) if word == "CONFIG" else word for word in words.split()]) == 3
    assert "the manifest is sound, but a statement failed" in capsys.readouterr().err
    monkeypatch.undo()
    assert not list(whole.config.manifest.parent.glob("*.damaged-*"))
    assert status_of(["status", str(whole.config_path)]) == ExitStatus.OK


def test_a_record_that_cannot_be_written_is_a_defect_where_the_manifest_is_sound(
    whole: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where later records are refused because of it."""
    monkeypatch.setattr(RowWriter, "write", lambda self, connection, records: wrong_statement(connection))
    whole.put("new.jpg")
    with pytest.raises(Defect, match="no such column"):
        whole.run()
    assert not whole.config.manifest.with_name("manifest.sqlite.found-damaged").exists()


def test_every_table_is_looked_at() -> None:
    """Of the newer names, those with `content` at their end or `_of_` in the middle are indexes."""
    assert set(soundness._TABLES) == {"about", "run", "library", "source", "rendition", "claim"} | {
        name for name in schema.NAMES - schema.NAMES_1 if not name.endswith("content") and "_of_" not in name
    }


@pytest.fixture
def open_world() -> Iterator[World]:
    """In a folder that everybody can enter, as pytest's is not."""
    root = Path(tempfile.mkdtemp(prefix="pipeline-test-"))
    root.chmod(0o755)
    yield World(root)
    shutil.rmtree(root)


AS_NOBODY = """
import os, sys
from pipeline.cli.main import status_of, main
status_of(sys.argv[1:])  # what is imported on the way may be in a folder of root's
print("---", file=sys.stderr)
os.setgroups([]); os.setgid(65534); os.setuid(65534)
main()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
@pytest.mark.parametrize("words", ["status", "plan", "verify", "failures", "prune", "manifest export", "run", "doctor"])
def test_a_manifest_of_another_user_ends_in_one_line(open_world: World, words: str) -> None:
    """Of a folder that may be looked at and a `.pipeline` that may not."""
    world = open_world
    world.configure(TEXT)
    world.fill(2)
    world.run()
    done = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, *words.split(), str(world.config_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    said = (done.stdout + done.stderr) if words == "doctor" else done.stderr.split("---\n")[1]
    assert "Traceback" not in said
    assert "ermission denied" in said, said
    assert str(world.target) in said
    if words != "doctor":
        assert done.returncode == ExitStatus.UNFINISHED
        assert said.count("\n") == 1, said
