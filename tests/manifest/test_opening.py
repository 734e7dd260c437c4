"""A manifest that cannot be used ends in one clear line or is restored; it is never overwritten silently."""

from __future__ import annotations

import contextlib
import os
import resource
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import ExitStatus, ManifestTrouble
from pipeline.manifest import database, opening, schema
from pipeline.manifest.database import Damaged, connect
from pipeline.manifest.store import Manifest
from tests.manifest.builders import OWNER, opened, record, start


def _filled(folder: Path, *, backup: bool = False) -> Path:
    with opened(folder) as manifest:
        manifest.begin_run(start())
        for number in range(300):
            manifest.add(record(f"{number:04d}.jpg"))
        manifest.end_run(0, {"done": 300})
        if backup:
            manifest.backup()
    return folder / "manifest.sqlite"


def _truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2 // 4096 * 4096)


def _empty(path: Path) -> None:
    os.truncate(path, 0)


def _zero(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def _flip_header(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[3] ^= 1
    path.write_bytes(raw)


def _flip_pages(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    for page in range(4096, len(raw), 4096):
        raw[page] ^= 0x40  # the type of every page but the first
    path.write_bytes(raw)


def _text(path: Path) -> None:
    path.write_text("my notes\n" * 1000)


def _drop_a_table(path: Path) -> None:
    _changed(path, "DROP TABLE claim")


def _changed(path: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


_ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)"


def _a_view_for_a_table(path: Path) -> None:
    _changed(path, "DROP TABLE about", f"CREATE VIEW about AS {_ENDLESS} SELECT 'owner' AS key, x AS value FROM n")


def _another_view(path: Path) -> None:
    _changed(path, "DROP VIEW runs", f"CREATE VIEW runs AS {_ENDLESS} SELECT x AS id FROM n")


def _a_trigger(path: Path) -> None:
    _changed(path, "CREATE TRIGGER more AFTER INSERT ON run BEGIN DELETE FROM claim; END")


def _a_flipped_bit_in_the_schema(path: Path) -> None:
    raw = path.read_bytes()
    path.write_bytes(raw.replace(b"thumbhash BLOB", b"thumbh\xe1sh BLOB"))


def _foreign(path: Path) -> None:
    path.unlink()
    _changed(path, "CREATE TABLE source (path)")


def _newer(path: Path) -> None:
    _changed(path, f"PRAGMA user_version = {schema.VERSION + 1}")


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


DAMAGE = [_truncate, _empty, _zero, _flip_header, _flip_pages, _text, _drop_a_table]
DAMAGE += [_a_view_for_a_table, _another_view, _a_trigger, _a_flipped_bit_in_the_schema]
OTHER = [
    (_foreign, "this is another program's database, not a manifest; it was left as it is"),
    (
        _newer,
        f"a newer version of this program (schema {schema.VERSION + 1}, this one knows {schema.VERSION}); update the",
    ),
    (_folder, "a folder stands where the manifest should be"),
    (_pipe, "this is no regular file, so it cannot be the manifest"),
]


def _fingerprint(path: Path) -> object:
    return path.read_bytes() if path.is_file() else (path.is_dir(), path.is_fifo())


@pytest.mark.parametrize("spoil", DAMAGE)
def test_a_damaged_manifest_without_a_backup_ends_in_one_clear_line(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    path = _filled(tmp_path)
    spoil(path)
    before = _fingerprint(path)
    with pytest.raises(ManifestTrouble, match=r"damaged.*Run once with --adopt") as caught:
        opened(tmp_path)
    assert caught.value.status is ExitStatus.UNFINISHED
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert _fingerprint(path) == before


@pytest.mark.parametrize("spoil", DAMAGE)
def test_a_damaged_manifest_is_moved_aside_and_restored_from_its_backup(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    path = _filled(tmp_path, backup=True)
    spoil(path)
    before = path.read_bytes()
    with opened(tmp_path) as manifest:
        assert manifest.warning.endswith("it was restored from its backup")
        assert len(manifest.known_sources("")) == 300
        (aside,) = tmp_path.glob("manifest.sqlite.damaged-*[0-9]")
        assert aside.read_bytes() == before
    with opened(tmp_path) as manifest:
        assert manifest.warning == ""


@pytest.mark.parametrize("spoil", DAMAGE)
def test_to_adopt_a_damaged_manifest_is_moved_aside_and_a_new_one_begun(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    spoil(_filled(tmp_path))
    with opened(tmp_path, adopt=True) as manifest:
        assert manifest.warning.endswith("a new one was begun")
        assert manifest.known_sources("") == {}
    assert len(list(tmp_path.glob("manifest.sqlite.damaged-*[0-9]"))) == 1


@pytest.mark.parametrize("backup", [False, True])
@pytest.mark.parametrize(("spoil", "text"), OTHER)
@pytest.mark.parametrize("adopt", [False, True])
def test_what_is_not_ours_to_mend_is_left_as_it_is(
    tmp_path: Path, spoil: Callable[[Path], None], text: str, backup: bool, adopt: bool
) -> None:
    path = _filled(tmp_path, backup=backup)
    spoil(path)
    before = _fingerprint(path)
    with pytest.raises(ManifestTrouble) as caught:
        opened(tmp_path, adopt=adopt)
    assert text in str(caught.value)
    assert _fingerprint(path) == before


@pytest.mark.parametrize("spoil", [*DAMAGE, *(spoil for spoil, _ in OTHER)])
def test_a_command_that_only_looks_gets_one_clear_line_too(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    path = _filled(tmp_path, backup=True)
    spoil(path)
    before = _fingerprint(path)
    with pytest.raises(ManifestTrouble), Manifest.reader_at(path) as reader:
        reader.known_sources("")
        list(reader.claimed_files())
    assert _fingerprint(path) == before


def test_a_statement_that_would_never_end_is_stopped_whoever_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_MOST_CALLS", 3)
    with contextlib.closing(connect(_filled(tmp_path), "ro")) as connection:
        for _ in range(2):  # each is counted anew
            with pytest.raises(sqlite3.OperationalError, match="interrupted") as caught:
                connection.execute(f"{_ENDLESS} SELECT MAX(x) FROM n").fetchall()
            assert connection.execute("SELECT COUNT(*) FROM source").fetchone() == (300,)
    assert str(database.trouble(tmp_path, caught.value)).startswith(f"{tmp_path}: it is damaged: reading it comes to")


def test_there_is_no_manifest_before_the_first_run(tmp_path: Path) -> None:
    with pytest.raises(ManifestTrouble, match="there is no manifest yet; the first run makes it"):
        Manifest.reader_at(tmp_path / "manifest.sqlite")
    assert list(tmp_path.iterdir()) == []


def test_a_lost_manifest_is_restored_from_its_backup(tmp_path: Path) -> None:
    _filled(tmp_path, backup=True).unlink()
    with opened(tmp_path) as manifest:
        assert manifest.warning.endswith("the manifest is missing; it was restored from its backup")
        assert len(manifest.known_sources("")) == 300


def test_the_log_of_a_lost_manifest_is_not_replayed_into_a_new_one(tmp_path: Path) -> None:
    with opened(tmp_path) as manifest:
        manifest.add(record("old.jpg"))
        manifest.flush()
        log = (tmp_path / "manifest.sqlite-wal").read_bytes()
    (tmp_path / "manifest.sqlite").unlink()
    (tmp_path / "manifest.sqlite-wal").write_bytes(log)
    with opened(tmp_path) as manifest:
        assert manifest.known_sources("") == {}
        manifest.add(record("new.jpg"))
        manifest.flush()
        assert list(manifest.known_sources("")) == ["new.jpg"]


def test_what_a_kill_leaves_of_a_creation_does_not_stop_the_next(tmp_path: Path) -> None:
    (tmp_path / "manifest.sqlite.new").write_bytes(b"half")
    (tmp_path / "manifest.sqlite.new-journal").write_bytes(b"half")
    opened(tmp_path).close()
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.sqlite"]


def test_a_backup_that_is_damaged_itself_restores_nothing(tmp_path: Path) -> None:
    path = _filled(tmp_path, backup=True)
    _flip_pages(path)
    _flip_pages(tmp_path / "manifest.sqlite.backup")
    with pytest.raises(ManifestTrouble, match="no good backup"):
        opened(tmp_path)


def test_a_large_manifest_that_turns_out_damaged_is_closed_and_restored_at_the_next_opening(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is too large to be read through each time is asked what it holds when it is opened."""
    path = _filled(tmp_path, backup=True)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'rendition'").fetchone()
    raw = bytearray(path.read_bytes())
    raw[(root - 1) * 4096] ^= 0x40
    path.write_bytes(raw)
    monkeypatch.setattr(opening, "CHECKED_BYTES", 0)
    with pytest.raises(Damaged, match="malformed"):
        opened(tmp_path)
    assert str(path) not in [os.path.realpath(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")]
    with opened(tmp_path) as manifest:
        assert manifest.warning.endswith("it was restored from its backup")
        assert len(manifest.known_sources("")) == 300


def test_a_backup_is_made_only_when_there_is_something_new(tmp_path: Path) -> None:
    path = _filled(tmp_path, backup=True)
    before = (tmp_path / "manifest.sqlite.backup").stat().st_ino
    with opened(tmp_path) as manifest:
        manifest.backup()
        assert (tmp_path / "manifest.sqlite.backup").stat().st_ino == before
        manifest.add(record("new.jpg"))
        manifest.flush()
        manifest.backup()
    with Manifest.reader_at(tmp_path / "manifest.sqlite.backup") as reader:
        assert "new.jpg" in reader.known_sources("")
    assert path.exists()


@pytest.mark.parametrize("parent", ["a file", "nothing"])
def test_a_folder_that_cannot_be_made_ends_in_one_clear_line(tmp_path: Path, parent: str) -> None:
    if parent == "a file":
        (tmp_path / "target").write_text("")
    else:
        (tmp_path / "target").symlink_to("nowhere")
    with pytest.raises(ManifestTrouble, match="cannot make the manifest's folder"):
        Manifest.open(tmp_path / "target" / ".pipeline" / "manifest.sqlite", owner=OWNER)


def test_a_file_size_limit_is_named_where_the_manifest_cannot_grow(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10 * 1024, limits[1]))
    try:
        with pytest.raises(ManifestTrouble, match="`ulimit -f`"):
            opened(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_read_only_database_is_found_at_opening(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _filled(tmp_path)
    monkeypatch.setattr("pipeline.manifest.opening.connect", lambda path, mode: connect(path, "ro"))
    with pytest.raises(ManifestTrouble, match="it is read-only"):
        Manifest.open(path, owner=OWNER)


def test_names_that_mean_something_in_an_address_are_only_names(tmp_path: Path) -> None:
    for name in ("a?mode=ro", "b#c", "d%41", os.fsdecode(b"\xff e")):
        with Manifest.open(tmp_path / name / "manifest.sqlite", owner=OWNER) as manifest:
            manifest.add(record("a.jpg"))
        assert (tmp_path / name / "manifest.sqlite").stat().st_size > 4096


def test_a_backup_that_comes_out_damaged_is_no_damage_of_the_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Unreadable(sqlite3.Connection):
        def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
            if sql.startswith("PRAGMA journal_mode"):
                error = sqlite3.DatabaseError("database disk image is malformed")
                error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
                raise error
            return super().execute(sql, parameters)

    with opened(tmp_path) as manifest:
        manifest.begin_run(start())
        manifest.add(record("a.jpg"))
        manifest.flush()
        monkeypatch.setattr(
            "pipeline.manifest.opening.connect", lambda path, mode: sqlite3.connect(path, factory=Unreadable)
        )
        with pytest.raises(ManifestTrouble, match="cannot write the manifest's backup") as caught:
            manifest.backup()
        assert not isinstance(caught.value, Damaged)
        monkeypatch.undo()
    with opened(tmp_path) as again:
        assert again.warning == ""
        assert list(again.known_sources("")) == ["a.jpg"]


def test_a_manifest_that_is_sound_when_it_is_opened_anew_is_not_marked_as_damaged(tmp_path: Path) -> None:
    with opened(tmp_path) as manifest:
        manifest.begin_run(start())
        manifest.add(record("a.jpg"))
    opening.mark_damaged(tmp_path / "manifest.sqlite", Damaged("a read that failed for a moment"))
    with opened(tmp_path) as again:
        assert again.warning == ""
        assert list(again.known_sources("")) == ["a.jpg"]
