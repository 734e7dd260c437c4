"""The database's layout. Tables are singular and for this program; the plural views are for people and stay stable.

Paths are BLOBs with the exact bytes; `shown` is their printable form where it differs from the bytes read as UTF-8.
Times of files are integer nanoseconds, other times are seconds since 1970. Written for SQLite 3.24 and later.

`source.content` is the hash of a picture and its sidecar together, NULL where there is no sidecar. `source_sha256` of a
rendition is the hash of what it was made from: that one, or else the picture's own. New columns come last, where ALTER
TABLE puts them, so that a migrated manifest and a new one have the same layout.
"""

from __future__ import annotations

import re
import sqlite3
from typing import NamedTuple

APPLICATION_ID = 0x70697065  # "pipe", in the file's header: marks the database as one of this program
VERSION = 4  # raised with every change of the tables below, together with a step of `migration`

TABLES = """
CREATE TABLE about (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE run (
    id INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL UNIQUE, config TEXT NOT NULL, argv TEXT NOT NULL,
    pid INTEGER NOT NULL, host TEXT NOT NULL, started REAL NOT NULL, ended REAL, status INTEGER,
    counts TEXT NOT NULL DEFAULT '{}', settings TEXT NOT NULL, libraries TEXT NOT NULL
);
CREATE TABLE library (id INTEGER PRIMARY KEY, versions TEXT NOT NULL UNIQUE);
CREATE TABLE source (
    id INTEGER PRIMARY KEY, folder BLOB NOT NULL, path BLOB NOT NULL UNIQUE, shown TEXT,
    size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, ctime_ns INTEGER NOT NULL,
    sha256 BLOB, settled INTEGER NOT NULL, status TEXT NOT NULL, error TEXT, detail TEXT,
    format TEXT, width INTEGER, height INTEGER, frames INTEGER, mode TEXT,
    seconds_read REAL NOT NULL, seconds_decode REAL NOT NULL, peak_memory INTEGER, warnings TEXT NOT NULL,
    run INTEGER, at REAL NOT NULL,
    content BLOB, sidecar_size INTEGER, sidecar_mtime_ns INTEGER, sidecar_ctime_ns INTEGER,
    upright_width INTEGER, upright_height INTEGER, color TEXT, thumbhash BLOB, alt TEXT,
    orientation INTEGER
);
CREATE INDEX source_in_folder ON source (folder, path);
CREATE INDEX source_by_content ON source (COALESCE(content, sha256));
CREATE TABLE rendition (
    source INTEGER NOT NULL, name TEXT NOT NULL, target BLOB NOT NULL, shown TEXT,
    source_sha256 BLOB, recipe TEXT NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL, error TEXT, detail TEXT,
    size INTEGER, mtime_ns INTEGER, sha256 BLOB, format TEXT, width INTEGER, height INTEGER,
    seconds_resize REAL NOT NULL, seconds_encode REAL NOT NULL, seconds_write REAL NOT NULL,
    warnings TEXT NOT NULL, library INTEGER, run INTEGER, at REAL NOT NULL, quality INTEGER,
    box_left REAL, box_top REAL, box_width REAL, box_height REAL, turn INTEGER,
    place_left INTEGER, place_top INTEGER, place_width INTEGER, place_height INTEGER, score REAL,
    PRIMARY KEY (source, name)
) WITHOUT ROWID;
CREATE TABLE claim (
    fold BLOB NOT NULL, path BLOB NOT NULL, source BLOB NOT NULL, rendition TEXT NOT NULL,
    size INTEGER, mtime_ns INTEGER, sha256 BLOB,
    PRIMARY KEY (fold, path)
) WITHOUT ROWID;
"""

TABLES_2 = """
CREATE TABLE failure (
    source BLOB NOT NULL, rendition TEXT NOT NULL, error TEXT NOT NULL, detail TEXT NOT NULL,
    content BLOB NOT NULL, recipe TEXT NOT NULL, key TEXT NOT NULL, since REAL NOT NULL, reported INTEGER,
    PRIMARY KEY (source, rendition)
) WITHOUT ROWID;
CREATE TABLE orphan (path BLOB PRIMARY KEY, run INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE folder (path BLOB PRIMARY KEY) WITHOUT ROWID;
"""

TABLES_3 = """
CREATE TABLE origin (
    source INTEGER PRIMARY KEY, url TEXT NOT NULL, etag TEXT, last_modified TEXT, columns TEXT NOT NULL
);
"""

TABLES_4 = """
CREATE TABLE sample (source BLOB PRIMARY KEY, shard INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX sample_of_shard ON sample (shard);
CREATE TABLE build (
    id INTEGER PRIMARY KEY, shard INTEGER NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    sha256 BLOB NOT NULL, content BLOB NOT NULL, placed INTEGER NOT NULL
);
CREATE TABLE member (
    target BLOB NOT NULL, build INTEGER NOT NULL, start INTEGER NOT NULL, size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL, sha256 BLOB NOT NULL,
    PRIMARY KEY (target, build)
) WITHOUT ROWID;
CREATE INDEX member_of_build ON member (build);
CREATE TABLE due (shard INTEGER PRIMARY KEY);
"""

VIEWS = """
CREATE VIEW pictures AS SELECT
    COALESCE(s.shown, CAST(s.path AS TEXT)) AS source, s.status, s.error, s.detail,
    s.format, s.width, s.height, s.frames, s.mode, s.size AS bytes, NULLIF(LOWER(HEX(s.sha256)), '') AS sha256,
    (SELECT COUNT(*) FROM rendition r WHERE r.source = s.id) AS renditions,
    s.warnings, s.seconds_read, s.seconds_decode, s.peak_memory, s.run, DATETIME(s.at, 'unixepoch') AS at,
    s.color, s.alt
FROM source s;
CREATE VIEW renditions AS SELECT
    COALESCE(s.shown, CAST(s.path AS TEXT)) AS source, r.name AS rendition,
    COALESCE(r.shown, CAST(r.target AS TEXT)) AS target, r.status, r.reason, r.error, r.detail,
    r.format, r.width, r.height, r.size AS bytes, NULLIF(LOWER(HEX(r.sha256)), '') AS sha256, r.recipe,
    s.format AS source_format, s.width AS source_width, s.height AS source_height, s.size AS source_bytes,
    NULLIF(LOWER(HEX(CASE WHEN r.source_sha256 = s.content THEN s.sha256 ELSE r.source_sha256 END)), '')
        AS source_sha256, l.versions AS libraries, r.warnings,
    s.seconds_read, s.seconds_decode, r.seconds_resize, r.seconds_encode, r.seconds_write, s.peak_memory,
    r.run, DATETIME(r.at, 'unixepoch') AS at, r.quality,
    s.upright_width AS source_upright_width, s.upright_height AS source_upright_height,
    s.orientation AS source_orientation, r.box_left, r.box_top, r.box_width, r.box_height, r.turn,
    r.place_left, r.place_top, r.place_width, r.place_height, r.score
FROM rendition r JOIN source s ON s.id = r.source LEFT JOIN library l ON l.id = r.library;
CREATE VIEW runs AS SELECT
    id, run, config, argv, pid, host, DATETIME(started, 'unixepoch') AS started, DATETIME(ended, 'unixepoch') AS ended,
    ended - started AS seconds, status, counts, settings, libraries
FROM run;
"""

NAMES_1 = frozenset(
    {"about", "run", "library", "source", "source_in_folder", "rendition", "claim", "pictures", "renditions", "runs"}
)
NAMES_2 = NAMES_1 | {"source_by_content", "failure", "orphan", "folder"}
NAMES_3 = NAMES_2 | {"origin"}
NAMES = NAMES_3 | {"sample", "sample_of_shard", "build", "member", "member_of_build", "due"}


_TABLE = re.compile(r"CREATE TABLE (\w+) \((.*)\)", re.DOTALL)
_COLUMN = re.compile(r"(\w+) (INTEGER|REAL|TEXT|BLOB)( PRIMARY KEY| NOT NULL)?")


class Column(NamedTuple):
    """One column of a table: its name, its type in SQLite's words, and whether it may be NULL."""

    name: str
    type: str
    nullable: bool


def tables() -> dict[str, tuple[Column, ...]]:
    """The columns of each table, in their order."""
    columns_of = {}
    for statement in statements(TABLES + TABLES_2 + TABLES_3 + TABLES_4):
        if table := _TABLE.search(statement):
            columns = _COLUMN.findall(table[2])
            columns_of[table[1]] = tuple(Column(name, kind, nullable=not bound) for name, kind, bound in columns)
    return columns_of


def statements(text: str) -> list[str]:
    """The single statements of `TABLES` or `VIEWS`."""
    return [statement for statement in text.split(";\n") if statement.strip()]


def create(connection: sqlite3.Connection, about: dict[str, bytes]) -> None:
    """Create the tables and views in an empty database and mark it as a manifest, in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    for statement in statements(TABLES + TABLES_2 + TABLES_3 + TABLES_4 + VIEWS):
        connection.execute(statement)
    connection.executemany("INSERT INTO about VALUES (?, ?)", sorted(about.items()))
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")
