"""The objects of a store, listed once and kept in order in a temporary database that takes little memory.

A store lists its keys in its own order, in which the files of one folder are not together. SQLite puts them in order in
an unlinked file of its own once they are more than some megabytes.
"""

from __future__ import annotations

import sqlite3
import threading
import weakref
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from pipeline.config.settings import SourceSettings
from pipeline.errors import ErrorKind, PictureError
from pipeline.sources import exclusion, sidecar
from pipeline.sources.globs import Globs
from pipeline.sources.magic import has_picture_name
from pipeline.sources.objects.markers import Markers
from pipeline.sources.source import Folder
from pipeline.stores.store import Entry, Store, StoreFailure
from pipeline.stores.walk import OF_ONE_FOLDER, by_folder

_TABLE = """
CREATE TABLE object (
    folder TEXT NOT NULL, name TEXT NOT NULL, size INTEGER NOT NULL, version INTEGER NOT NULL, modified REAL NOT NULL,
    PRIMARY KEY (folder, name)
) WITHOUT ROWID
"""
# Two keys may have one name: clients drop a slash at the ends of a key. The one with content is the file.
_ENTER = (
    "INSERT INTO object VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET size = excluded.size, "
    "version = excluded.version, modified = excluded.modified WHERE excluded.size > 0"
)
_AT_ONCE = 1000


class Known(NamedTuple):
    """What the store has said of an object."""

    size: int
    version: int
    modified: float


class Listing:
    """The objects of a store by folder and name, without those that are left out of every source. Thread-safe."""

    def __init__(self, store: Store, settings: SourceSettings, apart: Sequence[str]) -> None:
        """List everything but what is below the folders `apart`. Raises `StoreFailure`."""
        self._chosen = _Chosen(settings, apart)
        self._errors: dict[str, PictureError] = {}  # by folder
        self._lock = threading.Lock()
        self._database, self._markers = self._new(), Markers()
        try:
            self._enter(store.entries())
        except StoreFailure as failure:
            if failure.fault not in OF_ONE_FOLDER:
                raise
            self._database, self._markers = self._new(), Markers()
            self._by_folder(store)
        self._markers.apply(store, self._database, self._chosen.count_unmatched)
        self._errors |= {path: _unlistable(why) for path, why in self._markers.errors.items()}

    def folders(self) -> Iterator[Folder]:
        """The folders that the keys make up, each with its names."""
        chosen = self._chosen
        first = Folder("", unmatched=chosen.unmatched, example=chosen.example)
        for path in self._paths():
            if path in self._errors:
                continue
            names = self._names(path)
            sidecars = chosen.without_sidecars(path, names)
            joined = "\0".join(names).encode()
            yield Folder(
                path, joined, entries=len(names), sidecars=sidecars, unmatched=first.unmatched, example=first.example
            )
            first = Folder("")
        if first.unmatched:
            yield first
        for path, why in self._markers.left_out.items():
            yield Folder(path, left_out=why)
        for path, error in self._errors.items():
            yield Folder(path, error=error)

    def known(self, folder: str, names: Sequence[str]) -> dict[str, Known]:
        """Those of the folder's objects that are between the first and the last of `names`."""
        query = "SELECT name, size, version, modified FROM object WHERE folder = ? AND name BETWEEN ? AND ?"
        with self._lock:
            rows = self._database.execute(query, (folder, min(names), max(names))).fetchall()
        return {name: Known(size, version, modified) for name, size, version, modified in rows}

    def _new(self) -> sqlite3.Connection:
        database = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        weakref.finalize(self, database.close)  # Python 3.13 warns of one that is left open
        database.execute(_TABLE)
        database.execute("BEGIN")
        return database

    def _enter(self, pieces: Iterable[Sequence[Entry]]) -> None:
        for entries in pieces:
            self._database.executemany(_ENTER, self._chosen.rows(entries))
            self._markers.note(entries, self._chosen.leaves_out)

    def _by_folder(self, store: Store) -> None:
        """List folder by folder: one that is denied, or holds what cannot be named, fails, and the others do not."""

        def failed(path: str, failure: StoreFailure) -> None:
            self._errors[path] = _unlistable(f"the store {failure.text}")

        self._enter(by_folder(store, failed, self._chosen.leaves_out))

    def _paths(self) -> list[str]:
        with self._lock:
            rows = self._database.execute("SELECT DISTINCT folder FROM object ORDER BY folder").fetchall()
        return [path for (path,) in rows]

    def _names(self, folder: str) -> list[str]:
        with self._lock:
            rows = self._database.execute(
                "SELECT name FROM object WHERE folder = ? ORDER BY name", (folder,)
            ).fetchall()
        return [name for (name,) in rows]


class _Chosen:
    """Which objects are sources: what is left out of every folder on a disk is left out here."""

    def __init__(self, settings: SourceSettings, apart: Sequence[str]) -> None:
        self._include, self._exclude = Globs(settings.include), Globs(settings.exclude)
        self._unfinished = exclusion.unfinished(settings.include)
        self._apart = frozenset(apart)
        self._folders: dict[str, bool] = {"": False}  # whether each is left out
        self.unmatched, self.example = 0, ""

    def rows(self, entries: Iterable[Entry]) -> Iterator[tuple[str, str, int, int, float]]:
        """The values of `_ENTER` for those of `entries` that are sources, or sidecars."""
        for entry in entries:
            folder, _, name = entry.name.rpartition("/")
            if self.leaves_out(folder) or _is_hidden(name) or name.lower().endswith(self._unfinished):
                continue
            if entry.size == 0 and not has_picture_name(name):
                continue  # it stands for a folder: consoles make such objects
            if self._wants(entry.name) or sidecar.is_sidecar_name(name):
                yield folder, name, entry.size, entry.version, entry.modified
            else:
                self.count_unmatched(entry.name)

    def leaves_out(self, folder: str) -> bool:
        """Whether nothing in this folder is a source."""
        known = self._folders.get(folder)
        if known is None:
            above, _, name = folder.rpartition("/")
            known = self._folders[folder] = (
                self.leaves_out(above)
                or folder in self._apart
                or _is_hidden(name)
                or bool(self._exclude and self._exclude.covers(f"{folder}/"))
            )
        return known

    def without_sidecars(self, folder: str, names: list[str]) -> frozenset[str]:
        """Remove sidecars from `names`, and what is no sidecar and not wanted; returns the names that have one."""
        prefix = f"{folder}/" if folder else ""
        return sidecar.taken_out(
            names, lambda name: self._wants(prefix + name), lambda name: self._excludes(prefix + name)
        )

    def _wants(self, path: str) -> bool:
        included = not self._include or self._include.covers(path)
        return included and not self._excludes(path)

    def _excludes(self, path: str) -> bool:
        return self._exclude.covers(path)

    def count_unmatched(self, path: str) -> None:
        self.unmatched += 1
        self.example = min(self.example or path, path)


def _unlistable(why: str) -> PictureError:
    return PictureError(ErrorKind.UNREADABLE, f"the folder cannot be listed: {why}")


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name in exclusion.NEVER
