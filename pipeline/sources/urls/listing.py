"""A list of URLs, read once and kept in order in a temporary database that takes little memory.

SQLite keeps it in an unlinked file of its own once it is larger than some megabytes: a million URLs take no more memory
than a thousand.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import weakref
from collections.abc import Iterator, Sequence
from itertools import groupby, islice
from pathlib import Path
from typing import NamedTuple

from pipeline.config.settings import Naming, SourceSettings, UrlSettings
from pipeline.errors import ErrorKind, PictureError
from pipeline.sources.globs import Globs
from pipeline.sources.source import Folder
from pipeline.sources.urls import names
from pipeline.sources.urls.rows import Row, rows

_TABLE = """
CREATE TABLE entry (
    folder TEXT NOT NULL, name TEXT NOT NULL, url TEXT NOT NULL, shown TEXT NOT NULL, columns TEXT NOT NULL,
    line INTEGER NOT NULL, error TEXT, detail TEXT,
    PRIMARY KEY (folder, name)
) WITHOUT ROWID
"""
_ENTER = """
INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET error = ?, detail =
    'lines ' || line || ' and ' || excluded.line || ' of the list have this name for different URLs'
WHERE url <> excluded.url AND error IS NULL
"""
_AT_ONCE = 1000
_SEPARATOR = "\0"


class Entry(NamedTuple):
    """A picture of the list."""

    name: str
    url: str
    shown: str  # without its secrets
    columns: str  # JSON, in the order of the config
    error: PictureError | None  # why it cannot be asked for


_TYPES = {bool: "boolean", int: "integer", float: "real"}


class Listing:
    """The entries of a list by folder and name. Thread-safe."""

    def __init__(self, settings: SourceSettings, urls: UrlSettings) -> None:
        """Read the list. Raises `SourceTrouble`."""
        self._urls = urls
        self._include, self._exclude = Globs(settings.include), Globs(settings.exclude)
        self._unmatched, self._example = 0, ""
        self.types: dict[str, set[str]] = {name: set() for name in urls.columns}  # of the values of columns
        self._lock = threading.Lock()
        self._database = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        weakref.finalize(self, self._database.close)  # Python 3.13 warns of one that is left open
        self._database.execute(_TABLE)
        self._database.execute("BEGIN")
        entries = self._entries(settings.local)
        while some := list(islice(entries, _AT_ONCE)):
            self._database.executemany(_ENTER, some)

    def folders(self) -> Iterator[Folder]:
        """The folders that the names make up, each with its names."""
        first = Folder("", unmatched=self._unmatched, example=self._example)
        for path, pairs in groupby(self._names(), key=lambda pair: pair[0]):
            listed = [name for _, name in pairs]
            joined = _SEPARATOR.join(listed).encode()
            yield Folder(path, joined, entries=len(listed), unmatched=first.unmatched, example=first.example)
            first = Folder("")
        if first.unmatched:
            yield first

    def entries(self, folder: str, wanted: Sequence[str]) -> dict[str, Entry]:
        """Those of the folder's names that are between the first and the last of `wanted`."""
        query = "SELECT name, url, shown, columns, error, detail FROM entry WHERE folder = ? AND name BETWEEN ? AND ?"
        with self._lock:
            rows = self._database.execute(query, (folder, min(wanted), max(wanted))).fetchall()
        return {
            name: Entry(name, url, shown, columns, PictureError(ErrorKind(error), detail) if error else None)
            for name, url, shown, columns, error, detail in rows
        }

    def _names(self) -> Iterator[tuple[str, str]]:
        """Folder and name of each entry, in order. The lock is free while the caller works on them."""
        with self._lock:
            rows = self._database.execute("SELECT folder, name FROM entry ORDER BY folder, name")
        while True:
            with self._lock:
                some = rows.fetchmany(_AT_ONCE)
            if not some:
                return
            yield from some

    def _entries(self, path: Path) -> Iterator[tuple[object, ...]]:
        """The values of `_ENTER` for every row that the patterns of the config leave."""
        for row in rows(path, self._urls):
            error = detail = None
            shown = ""
            try:
                at = names.place(row.url)
                name, shown = self._name(row, at), at.shown
            except ValueError as wrong:
                error, detail = ErrorKind.BAD_NAME.value, f"line {row.line} of the list {wrong}"
                name = f"line {row.line}"
            if not error and not self._is_wanted(name):
                self._unmatched += 1
                self._example = min(self._example or name, name)
                continue
            folder, _, last = name.rpartition("/")
            for column, value in row.columns.items():
                if value is not None:
                    self.types[column].add(_TYPES.get(type(value), "text"))
            columns = json.dumps(row.columns, ensure_ascii=False, default=str) if row.columns else "{}"
            texts = last, names.encodable(row.url), shown, names.encodable(columns)
            yield folder, *texts, row.line, error, detail, ErrorKind.COLLISION.value

    def _is_wanted(self, name: str) -> bool:
        included = not self._include or self._include.covers(name)
        return included and not (self._exclude and self._exclude.covers(name))

    def _name(self, row: Row, at: names.Place) -> str:
        """Raises `ValueError`."""
        if row.name is not None:
            return names.safe(row.name)
        return names.from_hash(row.url, at) if self._urls.naming is Naming.HASH else names.from_path(at)
