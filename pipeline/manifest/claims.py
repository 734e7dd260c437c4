"""Claims: the target paths that belong to this config. A path is claimed, durably, before the first rename onto it.

A claim outlives its rendition (after a new name template or a removed source): it distinguishes files that this program
has made from all others, and holds what was last written under the path. The fold key is equal for names that a file
system of macOS or Windows takes for one. It is not unique: on Linux `A.jpg` and `a.jpg` are two files, and both may be
claimed, one of them from before a rename. So code that removes files asks for `lookalikes` first.
"""

from __future__ import annotations

import sqlite3
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple

from pipeline.manifest.values import size, to_bytes, to_name, word

_ROWS = 1000  # of a page
_CURRENT = (
    "EXISTS (SELECT 1 FROM source s JOIN rendition r ON r.source = s.id"
    " WHERE s.path = c.source AND r.name = c.rendition AND r.target = c.path)"
)
_INSERT = (
    f"INSERT INTO claim AS c (fold, path, source, rendition) VALUES (?, ?, ?, ?) ON CONFLICT (fold, path) "  # noqa: S608
    f"DO UPDATE SET source = excluded.source, rendition = excluded.rendition WHERE NOT {_CURRENT}"
)
_WRITTEN = (
    "INSERT INTO claim VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (fold, path) DO UPDATE SET source = excluded.source, "
    "rendition = excluded.rendition, size = excluded.size, mtime_ns = excluded.mtime_ns, sha256 = excluded.sha256"
)
FILES = (
    f"SELECT c.path, c.source, c.rendition, c.size, c.mtime_ns, c.sha256, {_CURRENT} AS current, c.fold FROM claim c"  # noqa: S608
)
"""A query for all claims, whose rows `claimed_file` reads; its users append conditions and order."""

_PAGE = f"{FILES} WHERE (c.fold, c.path) > (?, ?) ORDER BY c.fold, c.path LIMIT ?"


class ClaimRow(NamedTuple):
    """One row of the table `claim`, in the order of its columns; the last three are None until a file was written."""

    fold: bytes
    path: bytes
    source: bytes
    rendition: str
    size: int | None = None
    mtime_ns: int | None = None
    sha256: bytes | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """The path `target` is for `rendition` of `source`; both paths are relative to their roots."""

    target: str
    source: str
    rendition: str


@dataclass(frozen=True, slots=True)
class ClaimedFile:
    """What the manifest remembers of one claimed path.

    `size`, `mtime_ns` and `sha256` are those of the file that was last written there; None where none was, or a kill
    came between the rename and the commit. `current`: a rendition of a remembered source still has this path as its
    target.
    """

    target: str
    source: str
    rendition: str
    size: int | None
    mtime_ns: int | None
    sha256: bytes | None
    current: bool


def fold(target: str) -> bytes:
    """A key that is equal for paths that some file system takes for one: Unicode's canonical caseless match, then NFC.

    Undecodable bytes stay as they are. ASCII, nearly all there is, takes a short way.
    """
    if target.isascii():
        return target.lower().encode("ascii")
    folded = unicodedata.normalize("NFD", target).casefold()
    return unicodedata.normalize("NFC", folded).encode("utf-8", "surrogateescape")


def folds(targets: Sequence[str]) -> Iterable[bytes]:
    """`fold` of each of `targets`, quick where there are many. None of them may contain NUL."""
    together = "\0".join(targets)
    if targets and together.isascii():
        return together.lower().encode("ascii").split(b"\0")
    return map(fold, targets)


def claimed(connection: sqlite3.Connection, targets: Sequence[str]) -> set[str]:
    """Those of `targets` that are claimed, by their exact bytes. Raises `sqlite3.Error`."""
    query = "SELECT 1 FROM claim WHERE fold = ? AND path = ?"
    execute = connection.execute
    return {target for target in targets if execute(query, (fold(target), to_bytes(target))).fetchone()}


def lookalikes(connection: sqlite3.Connection, target: str) -> list[str]:
    """Other claimed paths with the fold key of `target`, which are the same file on some file systems."""
    rows = connection.execute(
        "SELECT path FROM claim WHERE fold = ? AND path <> ? ORDER BY path", (fold(target), to_bytes(target))
    )
    return [to_name(path) for (path,) in rows]


def insert(connection: sqlite3.Connection, claims: Iterable[Claim]) -> None:
    """Claim paths, inside a transaction of the caller.

    A path that is claimed already moves to its new source and rendition, unless a remembered rendition has it: a run
    may try `a.jxl`, which cannot be decoded, after `a.jpg` has made the same target.
    """
    connection.executemany(
        _INSERT,
        ((fold(c.target), to_bytes(c.target), to_bytes(c.source), c.rendition) for c in claims),
    )


def enter(connection: sqlite3.Connection, rows: Iterable[ClaimRow]) -> None:
    """Enter the files that were written under claimed paths, inside a transaction of the caller."""
    connection.executemany(_WRITTEN, rows)


def release(connection: sqlite3.Connection, targets: Iterable[str]) -> None:
    """Give up claims, after their files were removed, inside a transaction of the caller."""
    connection.executemany(
        "DELETE FROM claim WHERE fold = ? AND path = ?", ((fold(target), to_bytes(target)) for target in targets)
    )


def pages(reading: Callable[[], AbstractContextManager[sqlite3.Connection]]) -> Iterator[ClaimedFile]:
    """Every claimed file, by fold key and path. `reading` is entered for each page, which lets other threads in."""
    after = (b"", b"")
    while True:
        with reading() as connection:
            rows = connection.execute(_PAGE, (*after, _ROWS)).fetchall()
        if not rows:
            return
        yield from map(claimed_file, rows)
        after = rows[-1][-1], rows[-1][0]


def claimed_file(row: tuple[Any, ...]) -> ClaimedFile:
    """A row of `FILES` as a value. Raises `ValueError` for one that no run has written."""
    path, source, rendition, length, mtime_ns, sha256, current, _ = row
    return ClaimedFile(
        to_name(path), to_name(source), word(rendition), size(length), mtime_ns, sha256, current=bool(current)
    )
