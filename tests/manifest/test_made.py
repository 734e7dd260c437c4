"""What was made of some content before is found at once, and a first run asks only for contents that there may be."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from pathlib import Path

import pytest

from pipeline.errors import ManifestTrouble
from pipeline.manifest import made, store
from pipeline.manifest.database import connect
from pipeline.manifest.made import Seen
from pipeline.model.record import Record
from tests.manifest.builders import opened, record


def test_equal_pictures_are_not_all_read_to_find_one(tmp_path: Path) -> None:
    with opened(tmp_path) as manifest:
        for number in range(100):
            manifest.add(record(f"{number:02d}.jpg"))
    asked: list[str] = []
    with contextlib.closing(connect(tmp_path / "manifest.sqlite", "ro")) as connection:
        connection.set_trace_callback(asked.append)
        records = made.of_content(connection, hashlib.sha256(b"content").digest(), ["r1"])
        connection.set_trace_callback(None)
        plan = connection.execute(f"EXPLAIN QUERY PLAN {asked[0]}").fetchall()
    assert [entry.source for entry in records] == [f"{number:02d}.jpg" for number in range(64)]
    assert not [step for *_, step in plan if "TEMP B-TREE" in step]  # a sort would go through all of them


def sha(number: int) -> bytes:
    return hashlib.sha256(b"%d" % number).digest()


def test_what_has_come_is_found_in_the_run_that_made_it_and_in_the_next(tmp_path: Path) -> None:
    for number in range(2):
        with opened(tmp_path) as manifest:
            if not number:
                manifest.add(record("a.jpg"))
                manifest.flush()
            (entry,) = manifest.made(hashlib.sha256(b"content").digest(), ["r1"])
            assert entry.source == "a.jpg"


def test_what_has_not_come_is_not_asked_for_in_a_first_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []
    really = made.of_content

    def of_content(at: sqlite3.Connection, content: bytes, of: list[str]) -> list[Record]:
        asked.append(content)
        return really(at, content, of)

    monkeypatch.setattr(made, "of_content", of_content)
    with opened(tmp_path) as manifest:
        manifest.add(record("a.jpg"))
        for number in range(100):
            assert manifest.made(sha(number), ["r1"]) == []
        assert asked == []
    with opened(tmp_path) as manifest:  # what it knew before it was opened is not gone through
        assert manifest.made(sha(0), ["r1"]) == []
    assert asked == [sha(0)]


def test_it_never_says_no_to_what_has_come_and_seldom_yes_to_anything_else(tmp_path: Path) -> None:
    with opened(tmp_path), contextlib.closing(connect(tmp_path / "manifest.sqlite", "ro")) as connection:
        seen = Seen(connection)
    for number in range(100_000):
        seen.add(sha(number))
    assert all(sha(number) in seen for number in range(100_000))
    assert sum(sha(-number) in seen for number in range(1, 10_001)) < 20


def test_a_table_that_cannot_be_read_is_trouble_of_the_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large manifest is not checked as a whole when it is opened."""
    with opened(tmp_path):
        pass

    def damaged(connection: sqlite3.Connection) -> Seen:
        raise sqlite3.DatabaseError("database disk image is malformed")

    monkeypatch.setattr(store, "Seen", damaged)
    with pytest.raises(ManifestTrouble, match="malformed"):
        opened(tmp_path)
