"""Opening, creating and checking the database file. What is wrong with it ends in one clear line, in no overwrite."""

from __future__ import annotations

import contextlib
import datetime
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline import atomic
from pipeline.errors import ManifestTrouble, UsageError, printable
from pipeline.manifest import migration, schema, soundness
from pipeline.manifest.database import Damaged, connect, in_memory, trouble
from pipeline.manifest.place import beside, check_folder, ensure_folder, file_mode, is_there
from pipeline.manifest.values import to_bytes, to_name

BACKUP = ".backup"
_NEW = ".new"
_FOUND = ".found-damaged"  # holds the line that says how
_LOGS = ("-wal", "-shm", "-journal")  # what SQLite keeps beside a database
CHECKED_BYTES = 256 * 2**20  # read through at each opening up to this size: 0.3 s for 400,000 renditions (measured)


def open_for_run(path: Path, owner: str, *, adopt: bool, former: Sequence[Path] = ()) -> tuple[sqlite3.Connection, str]:
    """The manifest at `path` for reading and writing, created or restored if need be; the caller holds the run's lock.

    Where there is none, that of `former` which belongs to `owner` moves to `path`. Also gives a warning for the user,
    "" if there is none. Raises `ManifestTrouble`, or `UsageError` if the manifest belongs to a config other than
    `owner` (its real path) and is not to be adopted.
    """
    ensure_folder(path.parent)
    try:
        connection, warning = _open_or_make(path, owner, former, adopt=adopt)
        with _closed_where_it_fails(connection, path):
            if not adopt:
                check_owner(connection, path, owner)
            connection.execute("UPDATE about SET value = ?1 WHERE key = 'owner' AND value <> ?1", (to_bytes(owner),))
    except sqlite3.Error as error:
        raise trouble(path, error) from error
    except OSError as error:
        raise ManifestTrouble(f"{printable(str(path))}: {error.strerror}") from error
    return connection, warning


def open_read_only(path: Path, owner: str | None = None) -> sqlite3.Connection:
    """The manifest at `path` for a command that looks, whoever is writing.

    Raises `ManifestTrouble`, and `UsageError` where it belongs to another config than `owner` (None: to whichever).
    """
    if not is_there(path):
        raise ManifestTrouble(f"{printable(str(path))}: there is no manifest yet; the first run makes it")
    try:
        connection = connect(path, "ro")
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise trouble(path, error) from error
    with _closed_where_it_fails(connection, path):
        version = _check_identity(connection, path)
        if owner is not None:
            check_owner(connection, path, owner)
        return _migrated_copy(connection, version) if version < schema.VERSION else connection


@contextlib.contextmanager
def _closed_where_it_fails(connection: sqlite3.Connection, path: Path) -> Iterator[None]:
    """Close it where the block fails; SQLite's errors come out as what `soundness.blamed` takes them for."""
    with contextlib.ExitStack() as stack:
        stack.callback(connection.close)
        try:
            yield
        except (sqlite3.Error, UnicodeDecodeError) as error:
            found = trouble(path, error)
            found.__cause__ = error
            raise soundness.blamed(connection, path, found) or found from error
        stack.pop_all()


def _migrated_copy(connection: sqlite3.Connection, version: int) -> sqlite3.Connection:
    """A manifest of an older version as today's, in memory: who only looks must not change it. The next run does."""
    copy = in_memory()
    try:
        connection.backup(copy)
        migration.migrate(copy, version)
        copy.execute("PRAGMA query_only = ON")
    except BaseException:
        copy.close()
        raise
    connection.close()
    return copy


def back_up(connection: sqlite3.Connection, path: Path, suffix: str = BACKUP) -> None:
    """Copy the live database to the backup beside it, atomically. Raises `ManifestTrouble`."""
    check_folder(path)
    new, backup = beside(path, suffix + _NEW), beside(path, suffix)
    try:
        _empty_file(new)
        with contextlib.closing(connect(new, "rw")) as copy:
            copy.execute("PRAGMA synchronous = OFF")  # synced as a whole below
            connection.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # so that the copy is one file
        _put_in_place(new, backup)
    except sqlite3.Error as error:
        found = trouble(new, error)
        if isinstance(found, Damaged):  # a disk that cannot be read back damages the copy, and not the manifest
            _check_pages(connection, path)
            found = ManifestTrouble(f"{printable(str(backup))}: cannot write the manifest's backup: {error}")
        raise found from error
    except OSError as error:
        raise ManifestTrouble(
            f"{printable(str(backup))}: cannot write the manifest's backup: {error.strerror}"
        ) from error


def is_restored(connection: sqlite3.Connection) -> bool:
    """Whether it may know less than what was made: `mark_restored` was called last with True."""
    return connection.execute("SELECT 1 FROM about WHERE key = 'restored'").fetchone() is not None


def mark_restored(connection: sqlite3.Connection, *, restored: bool) -> None:
    """Remember that this manifest may know less than what was made."""
    if restored:
        connection.execute("INSERT OR REPLACE INTO about VALUES ('restored', x'31')")
    else:
        connection.execute("DELETE FROM about WHERE key = 'restored'")


def _create(path: Path, owner: str) -> None:
    """A new manifest, complete before it has its name: a kill never leaves half of one."""
    new = beside(path, _NEW)
    _empty_file(new)
    with contextlib.closing(connect(new, "rw")) as connection:
        schema.create(connection, {"owner": to_bytes(owner)})
        mark_restored(connection, restored=True)  # what stands in the target may be ours from before
    _put_in_place(new, path)


def _open_checked(path: Path) -> sqlite3.Connection:
    """Open for writing; raises `Damaged` if the content is, `ManifestTrouble` or `sqlite3.Error` for all else."""
    if path.stat().st_size == 0:
        raise Damaged(f"{printable(str(path))}: the manifest is damaged: it is empty")
    with contextlib.suppress(OSError):
        raise Damaged(beside(path, _FOUND).read_text(encoding="utf-8", errors="replace"))
    try:
        connection = connect(path, "rw")
        with _closed_where_it_fails(connection, path):
            version = _check_identity(connection, path)
            owner_of(connection, path)
            if path.stat().st_size <= CHECKED_BYTES or version < schema.VERSION or _last_run_died(connection):
                _check_pages(connection, path)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA journal_size_limit = 67108864")
            connection.execute("BEGIN IMMEDIATE")  # finds a read-only file now, not after an hour's work
            connection.execute("ROLLBACK")
            if version < schema.VERSION:
                back_up(connection, path, f".schema-{version}")
                migration.migrate(connection, version)
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise trouble(path, error) from error
    return connection


def mark_damaged(path: Path, damage: Damaged) -> None:
    """Remember that the manifest at `path` was found to be damaged while it was read: the next run deals with it.

    Only where it is damaged still when it is opened anew: a disk that could not be read for a moment looks the same.
    """
    if _is_sound(path):
        return
    with contextlib.suppress(OSError):  # of another user, say
        atomic.write_text(beside(path, _FOUND), printable(str(damage)), file_mode(path.parent))


def _is_sound(path: Path) -> bool:
    try:
        with contextlib.closing(connect(path, "ro")) as connection:
            version = _check_identity(connection, path)
            (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            return verdict == "ok" and not (version == schema.VERSION and soundness.flaw(connection))
    except (sqlite3.Error, UnicodeDecodeError, ManifestTrouble):
        return False


def _check_identity(connection: sqlite3.Connection, path: Path) -> int:
    """The version of its layout. Raises `ManifestTrouble` for what is no manifest that this program can read."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    where = printable(str(path))
    if application != schema.APPLICATION_ID:
        if version == schema.VERSION and not migration.fault_of(connection, version):
            raise Damaged(f"{where}: the manifest is damaged: its header does not say that it is one")
        raise ManifestTrouble(f"{where}: this is another program's database, not a manifest; it was left as it is")
    if version > schema.VERSION:
        raise ManifestTrouble(
            f"{where}: the manifest was written by a newer version of this program (schema {version}, this one knows "
            f"{schema.VERSION}); update the program"
        )
    if version < 1:
        raise Damaged(f"{where}: the manifest is damaged: it does not say its version")
    if fault := migration.fault_of(connection, version):
        raise Damaged(f"{where}: the manifest is damaged: {printable(fault)}")
    return int(version)


def _last_run_died(connection: sqlite3.Connection) -> bool:
    row = connection.execute("SELECT ended FROM run ORDER BY id DESC LIMIT 1").fetchone()
    return row is not None and row[0] is None


def _check_pages(connection: sqlite3.Connection, path: Path) -> None:
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise Damaged(f"{printable(str(path))}: the manifest is damaged ({printable(str(verdict))[:100]})")


def owner_of(connection: sqlite3.Connection, path: Path) -> str:
    """The real path of the config that the manifest at `path` belongs to. Raises `Damaged` where it does not say."""
    row = connection.execute("SELECT value FROM about WHERE key = 'owner'").fetchone()
    if row is None or not isinstance(row[0], bytes):
        raise soundness.damaged(path, "about.value")
    return to_name(row[0])


def check_owner(connection: sqlite3.Connection, path: Path, owner: str) -> None:
    """Raise `UsageError` where the manifest at `path` belongs to another config than `owner`.

    One target belongs to one config: two would overwrite, prune and claim against each other.
    """
    whose = owner_of(connection, path)
    if whose != owner:
        raise UsageError(
            f"{printable(str(path))} belongs to the config {printable(whose)}, not to {printable(owner)}: give each "
            "config a target of its own, or, if the config was moved or renamed, run once with --adopt (the records "
            "are taken over, and what this config asks for in another way is made anew)"
        )


def _open_or_make(path: Path, owner: str, former: Sequence[Path], *, adopt: bool) -> tuple[sqlite3.Connection, str]:
    """Open what is there; else restore it from its backup; else create it, over a damaged one only to `adopt`."""
    problem = f"{printable(str(path))}: the manifest is missing"
    damaged = is_there(path)
    if damaged:
        try:
            return _open_checked(path), ""
        except Damaged as damage:
            problem = str(damage)
    if _restore(path):
        return _open_checked(path), f"{problem}; it was restored from its backup"
    if damaged and not adopt:
        raise ManifestTrouble(
            f"{problem}; there is no good backup. Run once with --adopt to begin a new one: "
            "pictures are rendered again and equal files kept"
        )
    _move_aside(path)
    if not damaged and (old := next((one for one in former if _moved(one, path, owner)), None)):
        return _open_checked(path), f"{printable(str(path))}: the records were moved here from {printable(str(old))}"
    _create(path, owner)
    return _open_checked(path), f"{problem}; a new one was begun" if damaged else ""


def _moved(old: Path, path: Path, owner: str) -> bool:
    """Move the manifest at `old` to `path`; False where it cannot be used or is not `owner`'s."""
    try:
        with contextlib.closing(connect(old, "ro")) as there:
            _check_identity(there, old)
            _check_pages(there, old)
            if owner_of(there, old) != owner:
                return False
            _copied(there, beside(path, _NEW))
    except (sqlite3.DatabaseError, UnicodeDecodeError, ManifestTrouble):
        return False
    _put_in_place(beside(path, _NEW), path)
    for one in (*(beside(old, suffix) for suffix in ("", *_LOGS)), beside(old, BACKUP)):
        one.unlink(missing_ok=True)
    return True


def _copied(connection: sqlite3.Connection, new: Path, *, restored: bool = False) -> None:
    """A copy of an open manifest, in a file of its own at `new`."""
    _empty_file(new)
    with contextlib.closing(connect(new, "rw")) as copy:
        connection.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")  # so that the copy is one file
        if restored:
            mark_restored(copy, restored=True)


def _restore(path: Path) -> bool:
    """Put the backup in the place of the manifest, which is moved aside; False if there is no good one."""
    backup, new = beside(path, BACKUP), beside(path, _NEW)
    if not backup.is_file():
        return False
    try:
        with contextlib.closing(connect(backup, "ro")) as copy:
            version = _check_identity(copy, backup)
            _check_pages(copy, backup)
            if version == schema.VERSION and soundness.flaw(copy):
                return False
            _copied(copy, new, restored=True)
    except (sqlite3.DatabaseError, UnicodeDecodeError, Damaged):
        return False
    _move_aside(path)
    _put_in_place(new, path)
    return True


def _move_aside(path: Path) -> None:
    """Give a database that cannot be used a dated name, its logs first: SQLite would replay them into the next one."""
    aside = beside(path, datetime.datetime.now().astimezone().strftime(".damaged-%Y%m%dT%H%M%S"))
    beside(path, _FOUND).unlink(missing_ok=True)
    for suffix in (*_LOGS, ""):
        with contextlib.suppress(FileNotFoundError):
            os.rename(beside(path, suffix), beside(aside, suffix))


def _empty_file(path: Path) -> None:
    """An empty file at `path` (SQLite's logs take its mode), instead of one left by a kill."""
    for suffix in ("", *_LOGS):
        beside(path, suffix).unlink(missing_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, file_mode(path.parent)))


def _put_in_place(new: Path, path: Path) -> None:
    """Give a closed database its name, durably."""
    descriptor = os.open(new, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    atomic.rename(new, path)
