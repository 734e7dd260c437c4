"""From the layout of an older version of this program to today's, one step a version.

A step runs in one transaction together with the mark that it was done: a kill leaves the old layout or the new one. The
database as it was is kept beside the new one before anything is changed, so that the older program can be gone back to.
"""

from __future__ import annotations

import sqlite3

from pipeline.manifest import schema

_VIEWS = ("pictures", "renditions", "runs")
_SECOND = (
    "ALTER TABLE source ADD COLUMN content BLOB",
    "ALTER TABLE source ADD COLUMN sidecar_size INTEGER",
    "ALTER TABLE source ADD COLUMN sidecar_mtime_ns INTEGER",
    "ALTER TABLE source ADD COLUMN sidecar_ctime_ns INTEGER",
    "ALTER TABLE source ADD COLUMN upright_width INTEGER",
    "ALTER TABLE source ADD COLUMN upright_height INTEGER",
    "ALTER TABLE source ADD COLUMN color TEXT",
    "ALTER TABLE source ADD COLUMN thumbhash BLOB",
    "ALTER TABLE source ADD COLUMN alt TEXT",
    "ALTER TABLE rendition ADD COLUMN quality INTEGER",
    "CREATE INDEX source_by_content ON source (COALESCE(content, sha256))",
    *schema.statements(schema.TABLES_2),
)
_STEPS = {1: _SECOND}
"""By version: what leads from its tables to those of the next. Views are made anew in the end."""

_NAMES = {1: schema.NAMES_1, schema.VERSION: schema.NAMES}


def names_of(version: int) -> frozenset[str]:
    """The tables, indexes and views that a whole manifest of `version` has."""
    return _NAMES[version]


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Bring a manifest of `version`, which is whole, to `schema.VERSION`. Raises `sqlite3.Error`, nothing changed."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for view in _VIEWS:
            connection.execute(f"DROP VIEW {view}")
        for step in range(version, schema.VERSION):
            for statement in _STEPS[step]:
                connection.execute(statement)
        for statement in schema.statements(schema.VIEWS):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {schema.VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
