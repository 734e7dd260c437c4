"""A user's queries of the manifest: SQL that can only read, or filters such as `status=failed bytes>100000`.

They read the views `pictures`, `renditions` and `runs`. Four things keep a query from changing the manifest or reaching
anything else: the database is opened read-only, `query_only` is set, an authorizer allows reading and functions alone
(no ATTACH, no PRAGMA), and a query that takes too long or makes too large a value is interrupted.
"""

from __future__ import annotations

import difflib
import re
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pipeline.errors import UsageError, printable
from pipeline.manifest.reader import Reader

SECONDS = 60.0  # a query that takes longer is a mistake (a join without its condition)
_LARGEST = 64 * 2**20  # bytes of one value
_STEPS = 10_000  # of SQLite's virtual machine between two checks of the clock, well under a millisecond

_ALLOWED = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE})
_FILTER = re.compile(r"\s*(?P<column>\w+)\s*(?P<sign><=|>=|!=|==?|<|>|~)\s*(?P<value>.*)", re.DOTALL)
_SELECT = re.compile(r"\s*(?:select|with)\s", re.IGNORECASE)
_SQL = {"=": "IS", "!=": "IS NOT", "<": "<", ">": ">", "<=": "<=", ">=": ">="}
_SECONDS = {f"seconds_{stage}" for stage in ("read", "decode", "resize", "encode", "write")}
_SIZES = {"width", "height", "bytes", "frames", "peak_memory", "run"}
_DIGITS = 18  # a longer number may not fit into SQLite's integers; nor does Python read more than 4,300
_SHOWN = 100  # characters of a filter in a message
_NUMBERS = {  # of each view, so that `bytes>100k` is refused and not compared as text
    "pictures": _SIZES | _SECONDS | {"renditions"},
    "renditions": _SIZES | _SECONDS | {"source_width", "source_height", "source_bytes"},
    "runs": {"id", "pid", "status", "seconds"},
}


@dataclass(frozen=True, slots=True)
class Answer:
    """The names of the columns, and the rows as they are read; reading on may raise `UsageError`."""

    columns: tuple[str, ...]
    rows: Iterator[tuple[object, ...]]


def is_sql(question: Sequence[str]) -> bool:
    """Whether a question is one SELECT, with or without WITH before it, instead of filters."""
    return len(question) == 1 and _SELECT.match(question[0]) is not None


def ask(reader: Reader, sql: str, values: Sequence[object] = (), *, seconds: float = SECONDS) -> Answer:
    """Run one SELECT. Raises `UsageError`, with SQLite's words, for a query that is wrong, writes, or does not end.

    Once all rows are read, the reader is as it was.
    """
    answer = _answered(reader.connection, sql, values, seconds)
    return Answer(next(answer), answer)


def select(reader: Reader, filters: Sequence[str], *, view: str = "renditions") -> Answer:
    """Rows of `view` that match all `filters`: `column=value`, `!=`, `<`, `>`, `<=`, `>=`, or `~` for "contains".

    An empty value with `=` means NULL. Raises `UsageError` for a filter that is none.
    """
    if view not in _NUMBERS:
        raise UsageError(f"there is no view {printable(view)}; there are {', '.join(_NUMBERS)}")
    columns = ask(reader, f"SELECT * FROM {view} LIMIT 0").columns  # noqa: S608 - one of three words
    conditions, values = ["1"], []
    for text in filters:
        condition, value = _condition(text, columns, view)
        conditions.append(condition)
        values.append(value)
    return ask(reader, f"SELECT * FROM {view} WHERE {' AND '.join(conditions)}", values)  # noqa: S608 - checked names


def _condition(text: str, columns: Sequence[str], view: str) -> tuple[str, object]:
    """One filter as SQL, with its value for the placeholder. Raises `UsageError`."""
    match = _FILTER.fullmatch(text)
    if match is None:
        signs = "or with != < > <= >= or ~ (contains)"
        raise UsageError(f"{printable(text)}: a filter is COLUMN=VALUE, {signs}, as one word: 'status=failed'")
    column, sign, word = match["column"], match["sign"].replace("==", "="), match["value"]
    if column not in columns:
        near = difflib.get_close_matches(column, columns, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(columns)}"
        raise UsageError(f"{printable(text)}: the {view} have no {printable(column)}; {hint}")
    if sign == "~":
        return f"INSTR({column}, ?) > 0", word
    if word == "" and sign in ("=", "!="):
        return f"{column} {_SQL[sign]} ?", None
    if column in _NUMBERS[view]:
        try:
            return f"{column} {_SQL[sign]} ?", int(word) if len(word) <= _DIGITS and "." not in word else float(word)
        except ValueError:
            raise UsageError(f"{printable(text[:_SHOWN])}: {column} is a number") from None
    return f"{column} {_SQL[sign]} ?", word


def _answered(
    connection: sqlite3.Connection, sql: str, values: Sequence[object], seconds: float
) -> Iterator[tuple[Any, ...]]:
    """The names of the columns, then the rows. The limits hold until the last one."""
    with suppress(sqlite3.Error):  # the first use of these tables would look like a write to the authorizer
        connection.execute("SELECT 1 FROM json_each('[]'), json_tree('[]')").close()
    deadline = time.monotonic() + seconds
    longest = connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LARGEST)
    connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
    connection.set_authorizer(_authorize)  # is asked when the query is compiled
    try:
        cursor = connection.execute(sql, values)
        if cursor.description is None:
            raise UsageError("a query must be a SELECT")
        yield tuple(column[0] for column in cursor.description)
        yield from cursor
    except (sqlite3.Error, sqlite3.Warning) as error:
        raise _refusal(error, seconds) from error
    finally:
        connection.set_authorizer(None)
        connection.set_progress_handler(None, 0)
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, longest)


def _authorize(action: int, *_rest: str | None) -> int:
    return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY


def _refusal(error: Exception, seconds: float) -> UsageError:
    code = getattr(error, "sqlite_errorcode", None)
    if code == sqlite3.SQLITE_INTERRUPT:
        return UsageError(f"the query was stopped after {seconds:.0f} seconds")
    if code == sqlite3.SQLITE_AUTH:
        return UsageError("the manifest can only be read: a query must be a SELECT on pictures, renditions or runs")
    views = f"; there are {', '.join(_NUMBERS)}" if "no such table" in str(error) else ""
    return UsageError(f"the query cannot be run: {printable(str(error))}{views}")
