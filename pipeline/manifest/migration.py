"""Migrates the layout of an older version of this program to today's, one step for each version.

All steps run in one transaction together with the new version's number, so that a kill leaves the old layout or the new
one. A copy of the old database is kept beside it, for going back to the older program.
"""

from __future__ import annotations

import contextlib
import functools
import re
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
_FOURTH = (
    "ALTER TABLE source ADD COLUMN orientation INTEGER",
    "ALTER TABLE rendition ADD COLUMN box_left REAL",
    "ALTER TABLE rendition ADD COLUMN box_top REAL",
    "ALTER TABLE rendition ADD COLUMN box_width REAL",
    "ALTER TABLE rendition ADD COLUMN box_height REAL",
    "ALTER TABLE rendition ADD COLUMN turn INTEGER",
    "ALTER TABLE rendition ADD COLUMN place_left INTEGER",
    "ALTER TABLE rendition ADD COLUMN place_top INTEGER",
    "ALTER TABLE rendition ADD COLUMN place_width INTEGER",
    "ALTER TABLE rendition ADD COLUMN place_height INTEGER",
    "ALTER TABLE rendition ADD COLUMN score REAL",
    *schema.statements(schema.TABLES_4),
)
_STEPS = {1: _SECOND, 2: schema.statements(schema.TABLES_3), 3: _FOURTH}
"""By version: the statements that lead to the tables of the next one. Views are made anew at the end."""

_NAMES = {1: schema.NAMES_1, 2: schema.NAMES_2, 3: schema.NAMES_3, schema.VERSION: schema.NAMES}


def fault_of(connection: sqlite3.Connection, version: int) -> str:
    """What is wrong with the layout of a manifest of `version`; "" where nothing is. Called before its tables are read.

    A view in the place of a table could compute without end, and a trigger could change what is written. Of older
    layouts, only names and types are checked.
    """
    layout = _layout(connection)
    whole = {key: sql for key, sql in _whole().items() if key[1] in _NAMES[version]}
    if missing := whole.keys() - layout.keys():
        return f"{', '.join(f'{kind} {name}' for kind, name in sorted(missing))} missing from it"
    if later := sorted((schema.NAMES - _NAMES[version]) & {name for _kind, name in layout}):
        return f"it says to be of version {version}, which had no {later[0]}"
    if any(kind == "trigger" for kind, _name in layout):
        return "there are triggers in it"
    changed = [f"{kind} {name}" for (kind, name), sql in sorted(whole.items()) if layout[kind, name] != sql]
    return f"{', '.join(changed)} changed" if changed and version == schema.VERSION else ""


@functools.cache
def _whole() -> dict[tuple[str, str], str]:
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        schema.create(connection, {})
        return _layout(connection)


def _layout(connection: sqlite3.Connection) -> dict[tuple[str, str], str]:
    """The statements of tables, indexes and views, by type and name, without spaces that migrations change."""
    query = "SELECT CAST(type AS BLOB), CAST(name AS BLOB), CAST(COALESCE(sql, '') AS BLOB) FROM sqlite_master"
    rows = [[raw.decode(errors="replace") for raw in row] for row in connection.execute(query)]
    return {(kind, name): re.sub(r"\s*([(),])\s*", r"\1", " ".join(sql.split())) for kind, name, sql in rows}


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Migrate a manifest of `version` to `schema.VERSION`. Raises `sqlite3.Error`; nothing is changed then."""
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
