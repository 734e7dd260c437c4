"""What is in a target in object storage: listed once, and kept in a temporary database that takes little memory."""

from __future__ import annotations

import sqlite3
import threading
import weakref
from collections.abc import Iterator, Sequence

from pipeline.stores.store import Entry, Fault, Store, StoreFailure, can_be_named
from pipeline.stores.walk import by_folder
from pipeline.targets.paths import RESERVED
from pipeline.targets.target import RawStat

_TABLE = "CREATE TABLE object (name TEXT PRIMARY KEY, size INTEGER NOT NULL, version INTEGER NOT NULL) WITHOUT ROWID"
_AT_ONCE = 500  # names in one question, and in one answer


class Index:
    """Size and version of the objects of a store by name. Thread-safe."""

    def __init__(self, store: Store) -> None:
        """List everything. Raises `StoreFailure`."""
        self._lock = threading.Lock()
        self._database = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        weakref.finalize(self, self._database.close)  # Python 3.13 warns of one that is left open
        self._database.execute(_TABLE)
        self._database.execute("BEGIN")
        for entries in everything(store):
            rows = ((entry.name, entry.size, entry.version) for entry in entries)
            self._database.executemany("INSERT OR REPLACE INTO object VALUES (?, ?, ?)", rows)

    def stats(self, names: Sequence[str]) -> dict[str, RawStat]:
        """Size and version of those of `names` that are there."""
        found: dict[str, RawStat] = {}
        for start in range(0, len(names), _AT_ONCE):
            some = [name for name in names[start : start + _AT_ONCE] if can_be_named(name)]
            query = f"SELECT name, size, version FROM object WHERE name IN ({', '.join('?' * len(some))})"  # noqa: S608
            with self._lock:
                rows = self._database.execute(query, some).fetchall()
            found |= {name: (size, version) for name, size, version in rows}
        return found


def everything(store: Store) -> Iterator[Sequence[Entry]]:
    """All objects of a store, but those in folders with a name that cannot be told; none, if it is not there yet.

    Raises `StoreFailure`.
    """
    try:
        yield from store.entries()
    except StoreFailure as failure:
        if failure.fault is Fault.MISSING:
            return
        if failure.fault is not Fault.BAD_NAME:
            raise
        yield from by_folder(store, _failed, lambda folder: folder.startswith(RESERVED))


def _failed(_path: str, failure: StoreFailure) -> None:
    if failure.fault is Fault.DENIED:  # what is in it would look gone
        raise failure
