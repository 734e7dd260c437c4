"""What `.nomedia` and `.pipelineignore` leave out of a listing: keys like others, which may come after what they are
about. So they are noted while the listing streams, and applied to the listed rows when it is whole.

A `.nomedia` costs no request, a `.pipelineignore` with content one. Memory is that of the folders that hold one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator

from pipeline.sources import exclusion, sidecar
from pipeline.sources.globs import Globs
from pipeline.stores.store import Entry, Fault, Store, StoreFailure

_NAMES = (exclusion.NO_MEDIA, exclusion.IGNORE)
_AT_ONCE = 1000
_BELOW = "(folder = ?1 OR (folder > ?1 || '/' AND folder < ?1 || '0'))"  # 0 comes right after the slash


class Markers:
    """Those of one listing."""

    def __init__(self) -> None:
        self._noted: dict[str, dict[str, int]] = {}  # by folder: names, with their bytes
        self.left_out: dict[str, str] = {}  # folders, and why
        self.errors: dict[str, str] = {}  # folders whose `.pipelineignore` cannot be used, and why

    def note(self, entries: Iterable[Entry], leaves_out: Callable[[str], bool]) -> None:
        """Remember those among `entries` that are not in a folder that is left out anyway."""
        for entry in entries:
            if entry.name.endswith(_NAMES):
                folder, _, name = entry.name.rpartition("/")
                if name in _NAMES and not leaves_out(folder):
                    self._noted.setdefault(folder, {})[name] = entry.size

    def apply(self, store: Store, database: sqlite3.Connection, unmatched: Callable[[str], None]) -> None:
        """Remove the rows of what they leave out; `unmatched` is called for each picture that a pattern did.

        Raises `StoreFailure`.
        """
        for folder in sorted(self._noted, key=lambda path: (path.count("/"), path)):  # a parent before its children
            if any(above in self.left_out or above in self.errors for above in _above(folder)):
                continue
            try:
                why, globs = self._read(store, folder)
            except exclusion.IgnoreError as error:
                self.errors[folder] = str(error)
                _remove_all(database, folder)
                continue
            if why:
                self.left_out[folder] = why
                _remove_all(database, folder)
            elif globs:
                _remove_matches(database, folder, globs, unmatched)

    def _read(self, store: Store, folder: str) -> tuple[str, Globs]:
        """Why all of the folder is left out ("": it is not), and what is left out in it. As `exclusion.left_out`, the
        source's own root is never left out. Raises `IgnoreError` and `StoreFailure`.
        """
        noted = self._noted[folder]
        if exclusion.NO_MEDIA in noted and folder:
            return f"it holds {exclusion.NO_MEDIA}", Globs(())
        if exclusion.IGNORE not in noted:
            return "", Globs(())
        text = _text(store, f"{folder}/{exclusion.IGNORE}" if folder else exclusion.IGNORE)
        if text is None:
            return "", Globs(())
        if not text.strip() and folder:
            return f"it holds an empty {exclusion.IGNORE}", Globs(())
        return "", exclusion.patterns(text)


def _text(store: Store, name: str) -> str | None:
    """None where it is gone since it was listed."""
    try:
        body = store.get(name)
        if body.entry.size > exclusion.LIMIT:
            return exclusion.text_of(bytes(exclusion.LIMIT + 1))  # which raises
        return exclusion.text_of(b"".join(body.pieces))
    except StoreFailure as failure:
        if failure.fault is Fault.MISSING:
            return None
        if failure.fault in (Fault.DENIED, Fault.OTHER):
            raise exclusion.IgnoreError(f"{exclusion.IGNORE}: the store {failure.text}") from None
        raise


def _above(folder: str) -> Iterator[str]:
    while folder:
        folder = folder.rpartition("/")[0]
        yield folder


def _remove_all(database: sqlite3.Connection, folder: str) -> None:
    database.execute(f"DELETE FROM object{_where(folder)}", (folder,))  # noqa: S608 - a constant


def _remove_matches(database: sqlite3.Connection, folder: str, globs: Globs, unmatched: Callable[[str], None]) -> None:
    """Remove what `globs` match in the folder and below, paths being relative to it; a picture with its sidecar."""
    start = len(folder) + 1 if folder else 0
    last = ("", "")
    query = f"SELECT folder, name FROM object{_where(folder)} AND (folder, name) > (?2, ?3) "  # noqa: S608 - a constant
    while rows := database.execute(f"{query} ORDER BY folder, name LIMIT {_AT_ONCE}", (folder, *last)).fetchall():
        gone = []
        for path, name in rows:
            inside = f"{path}/{name}"[start:] if path else name
            if globs.covers(inside) or globs.covers(inside.removesuffix(sidecar.SUFFIX)):
                gone.append((path, name))
                if not sidecar.is_sidecar_name(name):
                    unmatched(f"{path}/{name}" if path else name)
        database.executemany("DELETE FROM object WHERE folder = ? AND name = ?", gone)
        last = rows[-1]


def _where(folder: str) -> str:
    """Of all rows in the folder and below; it takes the folder as the first parameter."""
    return f" WHERE {_BELOW}" if folder else " WHERE ?1 = ''"
