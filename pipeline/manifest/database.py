"""One SQLite connection behind one lock, and SQLite's errors in words for users.

The database file is opened by SQLite alone: closing any other descriptor of it would release the locks that SQLite
holds for this process (https://www.sqlite.org/howtocorrupt.html, section 2.2).
"""

from __future__ import annotations

import contextlib
import os
import resource
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes

from pipeline.errors import ManifestTrouble, printable

_STEPS = 1_000_000  # of SQLite's virtual machine between two calls of the progress handler: 0.05 s
_MOST_CALLS = 2_000  # after which a statement is stopped; reading every column of ten million renditions takes half
_LITTLE = 2**20  # bytes free: where SQLite wanted more than there was, the rest of a request may be left
BUSY_SECONDS = 30.0  # that a command waits while another program (a sqlite3 shell, a backup) holds the database

_WORDS = {
    sqlite3.SQLITE_FULL: "no space left on its disk",
    sqlite3.SQLITE_IOERR: "its disk reports an error",
    sqlite3.SQLITE_READONLY: "it is read-only",
    sqlite3.SQLITE_PERM: "permission denied",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened",
    sqlite3.SQLITE_BUSY: f"another program has held it for {BUSY_SECONDS:.0f} seconds",
    sqlite3.SQLITE_LOCKED: "another program holds it",
    sqlite3.SQLITE_CORRUPT: "it is damaged",
    sqlite3.SQLITE_NOTADB: "it is damaged, or no manifest at all",
    sqlite3.SQLITE_INTERRUPT: "it is damaged: reading it comes to no end",
}
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_INTERRUPT}
_UNEXPLAINED = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_FORMAT}


class Damaged(ManifestTrouble):
    """The content of the database is not what a run has written; it may be restored from its backup."""


class Unexplained(Damaged):
    """A statement of this program failed: the layout or a value is damaged, or the statement is wrong.

    `soundness.blamed` finds out which of these.
    """


class Defect(Exception):
    """A statement of this program failed on a sound manifest, so the statement is wrong."""


def trouble(path: Path, error: sqlite3.Error | UnicodeDecodeError) -> ManifestTrouble:
    """`error` as one line about the manifest at `path`. A text that is not UTF-8 counts as damage."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # without the extension of the primary code
    damaged = code in _DAMAGE or isinstance(error, UnicodeDecodeError) or "decode to UTF-8" in str(error)
    kind = Damaged if damaged else Unexplained if code in _UNEXPLAINED else ManifestTrouble
    words = _WORDS.get(code, "the manifest cannot be used" if kind is ManifestTrouble else "the manifest is damaged")
    if code == sqlite3.SQLITE_IOERR:
        words = _cause_of_io_error(path) or words
    return kind(f"{printable(str(path))}: {words} ({printable(str(error))[:200]})")


def _cause_of_io_error(path: Path) -> str:
    """What SQLite calls an I/O error where a log, a backup or the shared memory cannot grow; "" for all else."""
    if resource.getrlimit(resource.RLIMIT_FSIZE)[0] != resource.RLIM_INFINITY:
        return "it cannot grow beyond this process's file-size limit (`ulimit -f`), or its disk reports an error"
    with contextlib.suppress(OSError):
        there = os.statvfs(path.parent)
        if there.f_bavail * there.f_frsize < _LITTLE:
            return _WORDS[sqlite3.SQLITE_FULL]
    return ""


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """Raise SQLite's errors in the block as `ManifestTrouble`."""
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise trouble(path, error) from error


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """Open the existing file at `path`. `mode` is SQLite's: `rw`, or `ro` for reading only.

    Reading works while a run writes. On a read-only medium SQLite cannot make the shared-memory file of a WAL database;
    no program can be writing there either, so the file is read as immutable then. Raises `sqlite3.Error`.
    """
    connection = _connect(uri(path, mode))
    try:
        connection.execute("PRAGMA trusted_schema = OFF")  # a manipulated schema can call no function with side effects
        connection.execute("PRAGMA cell_size_check = ON")  # finds damaged pages early, costs nothing measurable
        if mode == "ro":
            connection.execute("PRAGMA query_only = ON")
            try:
                connection.execute("SELECT COUNT(*) FROM sqlite_master")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
                    raise
                if (wal := path.with_name(path.name + "-wal")).exists() and wal.stat().st_size:
                    raise  # an immutable connection would not see the commits in it
                connection.close()
                connection = _connect(uri(path, mode) + "&immutable=1")
    except BaseException:
        connection.close()
        raise
    return connection


def uri(path: Path, mode: str) -> str:
    """What SQLite calls the file at `path`, whatever bytes its name has. `mode` as in `connect`."""
    return f"file:{quote_from_bytes(os.fsencode(path.absolute()))}?mode={mode}"


def in_memory() -> sqlite3.Connection:
    """An empty database that is in no file."""
    return _connect("file::memory:")


def _connect(uri: str) -> sqlite3.Connection:
    return sqlite3.connect(
        uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, factory=_Bounded
    )


class _Bounded(sqlite3.Connection):
    """A connection whose statements end, whatever is in the database: an endless one raises SQLITE_INTERRUPT.

    The limit is in steps and not in seconds, so a busy machine, or code that is slow with each row, stops no statement.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._begin = _bound(self)

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        self._begin()
        return super().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Any, /) -> sqlite3.Cursor:
        self._begin()
        return super().executemany(sql, parameters)


def _bound(connection: sqlite3.Connection) -> Callable[[], None]:
    """Limit the steps of each statement; the returned function starts the count. Makes no cycle of references."""
    calls = 0

    def begin() -> None:
        nonlocal calls
        calls = 0

    def is_enough() -> bool:
        nonlocal calls
        calls += 1
        return calls > _MOST_CALLS

    connection.set_progress_handler(is_enough, _STEPS)
    return begin


Opening = Callable[[], contextlib.AbstractContextManager[sqlite3.Connection]]


class Part:
    """The base of classes for some tables of a manifest, which read them and, with `writing`, change them.

    Any thread may call any method if `reading` and `writing` allow that.
    """

    def __init__(self, reading: Opening, writing: Opening | None = None) -> None:
        """`writing` opens a transaction; None: the tables are only read."""
        self._reading = reading
        self._writing = writing or reading
        self._may_write = writing is not None


class Database:
    """A connection that any thread may use, one at a time. SQLite's errors come out as `ManifestTrouble`."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Hold the connection for some queries."""
        with self._lock, translated(self.path):
            yield self._connection

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Hold the connection for one transaction: durable when the block is left, undone if it raises."""
        with self._lock, translated(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):  # SQLite has undone it by itself after a full disk
                    self._connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close the connection; later use raises `ManifestTrouble`."""
        with self._lock:
            self._connection.close()
