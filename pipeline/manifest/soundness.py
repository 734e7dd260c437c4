"""Checks that every value of a manifest is one that this program could have written: type, range and closed lists.

SQLite's own check reads pages only. A flipped bit in a value passes it, because a column takes any type. A manifest
that passes here can be read by every command. The check takes half a second for 100,000 renditions, so it is made only
when something could not be read, and of a backup before it is restored.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from pipeline.errors import ErrorKind, printable
from pipeline.manifest import schema
from pipeline.manifest.database import Damaged, Defect, Unexplained, trouble
from pipeline.manifest.schema import Column
from pipeline.manifest.values import LATEST, MOST
from pipeline.model.record import Reason, Status

_SIZES = {"size", "width", "height", "frames", "peak_memory", "sidecar_size", "upright_width", "upright_height"}
_SECONDS = {f"seconds_{stage}" for stage in ("read", "decode", "resize", "encode", "write")}
_BOXES = {f"{box}_{side}" for box in ("box", "place") for side in ("left", "top", "width", "height")}
_COUNTED = (
    _SIZES
    | _SECONDS
    | _BOXES
    | {"quality", "turn", "orientation", "pid", "started", "ended", "at", "since", "shard", "start"}
)
_LISTS = {"status": Status, "reason": Reason, "error": ErrorKind}
_JSON = {"argv": "array", "counts": "object", "settings": "object", "warnings": "array", "columns": "object"}
_OF_VALUES = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError)


def blamed(connection: sqlite3.Connection, path: Path, error: BaseException | None) -> Damaged | Defect | None:
    """The error to raise instead of `error`, which a command has met with the manifest at `path` open.

    `Damaged` where the manifest holds an unsound value, `Defect` where a statement failed on a sound one, and None
    where `error` has another cause and is raised as it is.
    """
    known = _behind(error)
    if known is not None and not isinstance(known, Unexplained):
        return known
    if known is None and not isinstance(error, _OF_VALUES):
        return None
    try:
        fault = _fault(connection, path, known)
    except (sqlite3.Error, UnicodeDecodeError) as failure:
        cause = trouble(path, failure)
        return cause if isinstance(cause, Damaged) else known
    if fault is None and known is not None:
        return Defect(f"{printable(str(path))}: the manifest is sound, but a statement failed: {known.__cause__}")
    return fault


def _behind(error: BaseException | None) -> Damaged | None:
    """The damage that `error` is or was raised from; None where there is none."""
    while error is not None and not isinstance(error, Damaged):
        error = error.__cause__
    return error


def _fault(connection: sqlite3.Connection, path: Path, known: Damaged | None) -> Damaged | None:
    """What is unsound in the manifest; None where nothing is. Raises `sqlite3.Error`.

    After a failed statement (`known`), the indexes are compared with the tables, too. Values are checked in manifests
    of today's version only.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == schema.VERSION and (column := flaw(connection)):
        return damaged(path, column)
    if known is None:
        return None
    (result,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    return None if result == "ok" else known


def damaged(path: Path, column: str) -> Damaged:
    """The error for an unsound value in `column` of the manifest at `path`."""
    return Damaged(f"{printable(str(path))}: the manifest is damaged: {column} holds what no run has written")


def flaw(connection: sqlite3.Connection) -> str:
    """The first column with an unsound value, as `source.size`; "" for none. Raises `sqlite3.Error`."""
    for table, columns in _TABLES.items():
        if _any(connection, table, " AND ".join(columns.values())):
            return next((f"{table}.{name}" for name, sound in columns.items() if _any(connection, table, sound)), table)
    return ""


def _any(connection: sqlite3.Connection, table: str, sound: str) -> bool:
    query = f"SELECT 1 FROM {table} WHERE NOT ({sound}) LIMIT 1"  # noqa: S608 - names and words from below
    return connection.execute(query).fetchone() is not None


def _sound(column: Column) -> str:
    """The condition that a sound value of a column meets; never NULL."""
    name = column.name
    sound = f"typeof({name}) = '{column.type.lower()}'"
    if name in _COUNTED:
        sound += f" AND {name} BETWEEN 0 AND {LATEST if column.type == 'REAL' else MOST}"
    elif name in _JSON:
        empty = "[]" if _JSON[name] == "array" else "{}"
        sound += f" AND ({name} = '{empty}' OR (json_valid({name}) AND json_type({name}) = '{_JSON[name]}'))"
        if name == "counts":
            sound += " AND NOT EXISTS (SELECT 1 FROM json_each(counts) WHERE type <> 'integer')"
    elif name in _LISTS and column.type == "TEXT":
        words = ", ".join(f"'{word.value}'" for word in _LISTS[name])
        sound += f" AND {name} IN ({words})"
    return f"({name} IS NULL OR ({sound}))" if column.nullable else f"({sound})"


_TABLES = {table: {column.name: _sound(column) for column in columns} for table, columns in schema.tables().items()}
"""The condition of each column of each table."""
