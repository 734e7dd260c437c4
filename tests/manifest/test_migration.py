"""A manifest of an older version is migrated by the next run, after a backup, and read as it is by who only looks."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pipeline import atomic
from pipeline.errors import ManifestTrouble
from pipeline.manifest import migration, schema
from pipeline.manifest.database import Damaged, Defect
from pipeline.manifest.export import rows
from pipeline.manifest.store import Manifest
from tests.manifest.builders import opened, record, start

SCHEMA_1 = Path(__file__).with_name("schema_1.sql").read_text()


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A manifest as the first version wrote it."""
    path = tmp_path / "manifest.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(SCHEMA_1)
    return path


def _layout(path: Path) -> dict[str, object]:
    """Tables with their columns, indexes and views, however they were made."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (schema.VERSION,)
        layout: dict[str, object] = {}
        for kind, name, text in connection.execute("SELECT type, name, sql FROM sqlite_master ORDER BY name"):
            layout[name] = connection.execute(f"PRAGMA table_info({name})").fetchall() if kind == "table" else text
        return layout


def _version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        return int(version)


def test_the_next_run_migrates_an_older_manifest_and_keeps_what_it_knew(old: Path, tmp_path: Path) -> None:
    with opened(tmp_path) as manifest:
        assert manifest.warning == ""
        known = manifest.known_sources("")
        assert sorted(known["a.jpg"].renditions) == ["large", "thumb"]
        assert {made.recipe for made in known["a.jpg"].renditions.values()} == {"r1", "r2"}
        assert known["a.jpg"].made_from == known["a.jpg"].sha256
        assert known["a.jpg"].stat.sidecar is None
        assert list(manifest.known_sources("b")) == ["b/\udcff.jpg"]
        assert [run.run for run in manifest.runs()] == ["run-1"]
        manifest.begin_run(start("run-2"))
        manifest.add(record("new.jpg"))
        manifest.end_run(0, {})
    with Manifest.reader_at(old) as reader:
        assert [row["source"] for row in rows(reader)] == ["a.jpg", "a.jpg", "b/\\xff.jpg", "c.jpg", "new.jpg"]


def test_a_migrated_manifest_is_laid_out_like_a_new_one(old: Path, tmp_path: Path) -> None:
    opened(tmp_path).close()
    (tmp_path / "new").mkdir()
    opened(tmp_path / "new").close()
    assert _layout(old) == _layout(tmp_path / "new" / "manifest.sqlite")


def test_the_manifest_as_it_was_is_kept_beside_the_new_one(old: Path, tmp_path: Path) -> None:
    opened(tmp_path).close()
    kept = tmp_path / "manifest.sqlite.schema-1"
    assert _version(kept) == 1
    assert kept.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(kept)) as connection:
        assert connection.execute("SELECT COUNT(*) FROM rendition").fetchone() == (4,)


@pytest.mark.parametrize("statement", range(len(migration._SECOND)))
def test_a_migration_that_breaks_off_changes_nothing(
    old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, statement: int
) -> None:
    steps = list(migration._SECOND)
    steps[statement] = "SELECT no_such_function()"
    monkeypatch.setitem(migration._STEPS, 1, tuple(steps))
    with pytest.raises(Defect, match="the manifest is sound, but a statement failed"):
        opened(tmp_path)
    assert _version(old) == 1
    monkeypatch.undo()
    with opened(tmp_path) as manifest:
        assert len(manifest.known_sources("")) == 2


def test_without_its_backup_nothing_is_migrated(old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic, "rename", full)
    with pytest.raises(ManifestTrouble, match="cannot write the manifest's backup: No space left"):
        opened(tmp_path)
    assert _version(old) == 1


def test_who_only_looks_reads_an_older_manifest_and_leaves_it_as_it_is(old: Path) -> None:
    before = old.read_bytes()
    with Manifest.reader_at(old) as reader:
        assert sorted(reader.known_sources("")) == ["a.jpg", "c.jpg"]
        assert reader.totals().sources == {"done": 2, "failed": 1}
        assert len(list(rows(reader))) == 4
        with pytest.raises(sqlite3.OperationalError):
            reader.connection.execute("DELETE FROM source")
    assert old.read_bytes() == before


def test_a_backup_of_an_older_version_is_restored_and_then_migrated(old: Path, tmp_path: Path) -> None:
    old.rename(tmp_path / "manifest.sqlite.backup")
    with opened(tmp_path) as manifest:
        assert manifest.warning.endswith("it was restored from its backup")
        assert len(manifest.known_sources("")) == 2
    assert _version(old) == schema.VERSION


def test_a_manifest_of_the_second_version_is_migrated_and_keeps_what_it_knew(
    old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as as_it_was, closing(sqlite3.connect(old, isolation_level=None)) as connection:
        as_it_was.setattr(schema, "VERSION", 2)
        migration.migrate(connection, 1)
    assert _version(old) == 2
    with opened(tmp_path) as manifest:
        assert manifest.warning == ""
        assert sorted(manifest.known_sources("")["a.jpg"].renditions) == ["large", "thumb"]
        assert manifest.origins("") == {}


def test_a_manifest_of_the_third_version_is_migrated_and_its_renditions_have_no_boxes(
    old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as as_it_was, closing(sqlite3.connect(old, isolation_level=None)) as connection:
        as_it_was.setattr(schema, "VERSION", 3)
        migration.migrate(connection, 1)
    assert _version(old) == 3
    with opened(tmp_path) as manifest:
        assert manifest.warning == ""
        assert sorted(manifest.known_sources("")["a.jpg"].renditions) == ["large", "thumb"]
    with Manifest.reader_at(old) as reader:
        assert {row["box_left"] for row in rows(reader)} == {None}


@pytest.mark.parametrize(("version", "later"), [(1, "build"), (2, "build"), (3, "build")])
def test_a_manifest_that_says_to_be_older_than_its_tables_is_damaged(tmp_path: Path, version: int, later: str) -> None:
    opened(tmp_path).close()
    path = tmp_path / "manifest.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    with pytest.raises(Damaged, match=f"it says to be of version {version}, which had no {later}"):
        Manifest.reader_at(path)
