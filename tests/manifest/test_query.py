"""Queries read what a run wrote, and can do nothing else."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from pipeline.errors import ExitStatus, UsageError, printable
from pipeline.manifest import query
from pipeline.manifest.reader import Reader
from pipeline.manifest.store import Manifest
from tests.manifest.builders import not_made, opened, record, rendition, start
from tests.manifest.test_store import HOSTILE


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    with opened(tmp_path) as manifest:
        manifest.begin_run(start())
        manifest.add(record("a.jpg", rendition("a.jpg", made=b"x" * 2000), not_made("a.jpg", "web")))
        manifest.add(record("b's.jpg", rendition("b's.jpg", made=b"x" * 10000)))
        manifest.end_run(1, {"done": 2})
    with Manifest.reader_at(tmp_path / "manifest.sqlite") as reader:
        yield reader


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM source",
        "UPDATE source SET status = 'done'",
        "INSERT INTO about VALUES ('x', 'y')",
        "DROP TABLE source",
        "CREATE TABLE x (y)",
        "CREATE TEMP TABLE x (y)",
        "PRAGMA query_only = OFF",
        "PRAGMA writable_schema = ON",
        "ATTACH '/tmp/elsewhere.sqlite' AS other",
        "VACUUM INTO '/tmp/elsewhere.sqlite'",
        "VACUUM",
        "BEGIN IMMEDIATE",
        "REINDEX",
        "SELECT 1; DELETE FROM source",
        "SELECT load_extension('x')",
        "",
        "-- nothing",
        "SELEC",
        "SELECT * FROM nowhere",
        "SELECT ?",
        "SELECT zeroblob(1000000000)",
    ],
)
def test_a_query_can_only_read(reader: Reader, tmp_path: Path, sql: str) -> None:
    before = (tmp_path / "manifest.sqlite").read_bytes()
    with pytest.raises(UsageError) as caught:
        list(query.ask(reader, sql).rows)
    assert caught.value.status is ExitStatus.USAGE
    assert "\n" not in str(caught.value)
    assert len(list(query.ask(reader, "SELECT * FROM pictures").rows)) == 2
    assert (tmp_path / "manifest.sqlite").read_bytes() == before


@pytest.mark.parametrize("sql", ["ATTACH '{}' AS x", "VACUUM INTO '{}'", "PRAGMA query_only = OFF", "DETACH main"])
def test_a_query_reaches_no_other_file_and_no_setting(reader: Reader, tmp_path: Path, sql: str) -> None:
    elsewhere = tmp_path / "elsewhere.sqlite"
    with pytest.raises(UsageError, match="the manifest can only be read"):
        query.ask(reader, sql.format(elsewhere))
    assert not elsewhere.exists()


def test_json_columns_can_be_taken_apart(reader: Reader) -> None:
    sql = "SELECT j.key, j.value FROM runs, json_each(runs.counts) j"
    assert query.ask(reader, sql).columns == ("key", "value")
    assert list(query.ask(reader, "SELECT value FROM json_tree('[1]') WHERE type = 'integer'").rows) == [(1,)]


def test_the_reader_is_as_it_was_after_a_query(reader: Reader) -> None:
    longest = reader.connection.getlimit(sqlite3.SQLITE_LIMIT_LENGTH)
    for sql in ("SELECT * FROM pictures", "SELECT 1", "DELETE FROM source"):
        with suppress(UsageError):
            list(query.ask(reader, sql).rows)
        assert reader.connection.execute("PRAGMA user_version").fetchone() is not None
        assert reader.connection.getlimit(sqlite3.SQLITE_LIMIT_LENGTH) == longest


def test_names_in_the_views_are_printable(tmp_path: Path) -> None:
    with opened(tmp_path) as manifest:
        for name in HOSTILE:
            manifest.add(record(name))
    with Manifest.reader_at(tmp_path / "manifest.sqlite") as reader:
        rows = list(query.ask(reader, "SELECT source, target FROM renditions ORDER BY source").rows)
        assert rows == sorted((printable(name), printable(f"{name}-thumb.jpg")) for name in HOSTILE)
        assert len(list(query.select(reader, [f"source={printable(HOSTILE[2])}"]).rows)) == 1


def test_an_endless_query_is_stopped(reader: Reader) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n"
    with pytest.raises(UsageError, match="stopped after 0 seconds"):
        list(query.ask(reader, endless, seconds=0.01).rows)


def test_a_table_that_is_none_is_answered_by_those_that_are(reader: Reader) -> None:
    with pytest.raises(UsageError, match="no such table: renditon; there are pictures, renditions, runs"):
        query.ask(reader, "SELECT * FROM renditon")


def test_sql_on_the_views(reader: Reader) -> None:
    answer = query.ask(reader, "SELECT source, SUM(bytes) AS total FROM renditions GROUP BY source ORDER BY source")
    assert answer.columns == ("source", "total")
    assert list(answer.rows) == [("a.jpg", 2000), ("b's.jpg", 10000)]
    assert list(query.ask(reader, "SELECT run, status, seconds > 0 FROM runs").rows) == [("run-1", 1, 1)]
    assert list(query.ask(reader, "SELECT source, renditions FROM pictures WHERE status = ?", ["failed"]).rows) == [
        ("a.jpg", 2)
    ]


@pytest.mark.parametrize(
    ("filters", "values"),
    [
        ([], ["a.jpg-thumb.jpg", "a.jpg-web.jpg", "b's.jpg-thumb.jpg"]),
        (["status=failed"], ["a.jpg-web.jpg"]),
        (["status==failed"], ["a.jpg-web.jpg"]),
        (["status!=failed", "bytes>2000"], ["b's.jpg-thumb.jpg"]),
        (["bytes>=2000"], ["a.jpg-thumb.jpg", "b's.jpg-thumb.jpg"]),
        (["bytes<10000"], ["a.jpg-thumb.jpg"]),
        (["bytes="], ["a.jpg-web.jpg"]),
        (["error=truncated"], ["a.jpg-web.jpg"]),
        (["error!="], ["a.jpg-web.jpg"]),
        (["source=b's.jpg"], ["b's.jpg-thumb.jpg"]),
        (["target~'"], ["b's.jpg-thumb.jpg"]),
        (["source=' OR 1=1 --"], []),
        (["rendition = web"], ["a.jpg-web.jpg"]),
        (["seconds_encode<0.5", "width=32"], ["a.jpg-thumb.jpg", "b's.jpg-thumb.jpg"]),
    ],
)
def test_filters(reader: Reader, filters: list[str], values: list[str]) -> None:
    answer = query.select(reader, filters)
    column = answer.columns.index("target")
    assert sorted(str(row[column]) for row in answer.rows) == values


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("statsu=failed", "statsu=failed: the renditions have no statsu; did you mean status?"),
        ("bytes>100k", "bytes>100k: bytes is a number"),
        ("bytes>" + "9" * 5000 + "x", "bytes>999"),
        ("failed", "failed: a filter is COLUMN=VALUE, or with != < > <= >= or ~ (contains)"),
        ("1=1; DROP TABLE x", "1=1; DROP TABLE x: the renditions have no 1; there are source, rendition, target, "),
    ],
)
def test_a_filter_that_cannot_be_is_explained(reader: Reader, text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        query.select(reader, [text])
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("number", ["9" * 19, "9" * 5000])
def test_a_number_of_a_filter_may_be_larger_than_any_of_the_manifest(reader: Reader, number: str) -> None:
    assert list(query.select(reader, [f"bytes>{number}"]).rows) == []


def test_runs_and_pictures_can_be_filtered_too(reader: Reader) -> None:
    assert len(list(query.select(reader, ["status=1", "run=run-1", "seconds>1"], view="runs").rows)) == 1
    assert len(list(query.select(reader, ["status=done", "renditions=1"], view="pictures").rows)) == 1
    with pytest.raises(UsageError, match="there is no view sources; there are pictures, renditions, runs"):
        query.select(reader, [], view="sources")
