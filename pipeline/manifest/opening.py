"""Opens, creates, checks, backs up and restores the database file; no damaged file is ever overwritten."""

from __future__ import annotations

import contextlib
import datetime
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline import atomic
from pipeline.config.settings import manifest_in
from pipeline.errors import ManifestTrouble, UsageError, printable
from pipeline.manifest import migration, schema, soundness
from pipeline.manifest.database import Damaged, connect, in_memory, trouble
from pipeline.manifest.place import BACKUP, LOCK, LOGS, beside, ensure_folder, file_mode, is_there
from pipeline.manifest.values import to_bytes, to_name

_NEW = ".new"
_FOUND = ".found-damaged"  # a file with the line that says what is damaged
CHECKED_BYTES = 256 * 2**20  # read through at each opening up to this size: 0.3 s for 400,000 renditions (measured)


def open_for_run(path: Path, owner: str, *, adopt: bool, former: Sequence[Path] = ()) -> tuple[sqlite3.Connection, str]:
    """Open the manifest at `path` for reading and writing, or create or restore it. The caller holds the run's lock.

    Where there is none, the one among `former` that belongs to `owner` is moved to `path`. Also returns a warning for
    the user, "" for none. Raises `ManifestTrouble`, and `UsageError` where the manifest belongs to another config than
    `owner` (a real path), unless `adopt`.
    """
    ensure_folder(path.parent)
    try:
        connection, warning = _open_or_make(path, owner, former, adopt=adopt)
        with _closed_where_it_fails(connection, path):
            if not adopt:
                check_owner(connection, path, owner)
            name = to_bytes(owner)
            connection.execute("UPDATE about SET value = ? WHERE key = 'owner' AND value <> ?", (name, name))
    except sqlite3.Error as error:
        raise trouble(path, error) from error
    except OSError as error:
        raise ManifestTrouble(f"{printable(str(path))}: {error.strerror}") from error
    return connection, warning


def open_read_only(path: Path, owner: str | None = None) -> sqlite3.Connection:
    """Open the manifest at `path` for reading, also while a run writes it.

    Raises `ManifestTrouble`, and `UsageError` where it belongs to another config than `owner` (None: of any).
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
    """Close `connection` where the block fails. SQLite's errors are raised as what `soundness.blamed` makes of them."""
    with contextlib.ExitStack() as stack:
        stack.callback(connection.close)
        try:
            yield
        except (sqlite3.Error, UnicodeDecodeError) as error:
            cause = trouble(path, error)
            cause.__cause__ = error
            raise soundness.blamed(connection, path, cause) or cause from error
        stack.pop_all()


def _migrated_copy(connection: sqlite3.Connection, version: int) -> sqlite3.Connection:
    """A copy in memory, migrated to today's version: reading must not change the file, which the next run migrates."""
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
    """Copy the open database to a backup beside it, atomically. Raises `ManifestTrouble`."""
    new, backup = beside(path, suffix + _NEW), beside(path, suffix)
    try:
        _empty_file(new)
        with contextlib.closing(connect(new, "rw")) as copy:
            copy.execute("PRAGMA synchronous = OFF")  # synced as a whole below
            connection.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # so that the copy is one file
        put_in_place(new, backup)
    except sqlite3.Error as error:
        cause = trouble(new, error)
        if isinstance(cause, Damaged):  # a disk that cannot be read back damages the copy, and not the manifest
            _check_pages(connection, path)
            cause = ManifestTrouble(f"{printable(str(backup))}: cannot write the manifest's backup: {error}")
        raise cause from error
    except OSError as error:
        raise ManifestTrouble(
            f"{printable(str(backup))}: cannot write the manifest's backup: {error.strerror}"
        ) from error


def is_restored(connection: sqlite3.Connection) -> bool:
    """Whether the manifest may lack records of files that were made; see `mark_restored`."""
    return connection.execute("SELECT 1 FROM about WHERE key = 'restored'").fetchone() is not None


def mark_restored(connection: sqlite3.Connection, *, restored: bool) -> None:
    """Remember whether this manifest may lack records of files that were made, because it is new or restored."""
    if restored:
        connection.execute("INSERT OR REPLACE INTO about VALUES ('restored', x'31')")
    else:
        connection.execute("DELETE FROM about WHERE key = 'restored'")


def _create(path: Path, owner: str) -> None:
    """Make a new manifest under another name and rename it, so that a kill never leaves half of one."""
    new = beside(path, _NEW)
    _empty_file(new)
    with contextlib.closing(connect(new, "rw")) as connection:
        schema.create(connection, {"owner": to_bytes(owner)})
        mark_restored(connection, restored=True)  # the target may hold files of a manifest that was lost
    put_in_place(new, path)


def _open_checked(path: Path) -> sqlite3.Connection:
    """Open for reading and writing. Raises `Damaged`, and `ManifestTrouble` for all else."""
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
            connection.execute("BEGIN IMMEDIATE")  # finds a read-only file now, and not after an hour of work
            connection.execute("ROLLBACK")
            if version < schema.VERSION:
                back_up(connection, path, f".schema-{version}")
                migration.migrate(connection, version)
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise trouble(path, error) from error
    return connection


def mark_damaged(path: Path, damage: Damaged) -> None:
    """Leave a file beside the manifest at `path` that says how it is damaged, so that the next run restores it.

    The manifest is opened anew and checked first, because a disk that cannot be read for a moment looks like damage.
    """
    if _is_sound(path):
        return
    with contextlib.suppress(OSError):  # the folder belongs to another user, say
        atomic.write_text(beside(path, _FOUND), printable(str(damage)), file_mode(path.parent))


def _is_sound(path: Path) -> bool:
    try:
        with contextlib.closing(connect(path, "ro")) as connection:
            version = _check_identity(connection, path)
            (result,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            return result == "ok" and not (version == schema.VERSION and soundness.flaw(connection))
    except (sqlite3.Error, UnicodeDecodeError, ManifestTrouble):
        return False


def _check_identity(connection: sqlite3.Connection, path: Path) -> int:
    """The version of the layout. Raises `ManifestTrouble` for a file that is no manifest or that is too new."""
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
    (result,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if result != "ok":
        raise Damaged(f"{printable(str(path))}: the manifest is damaged ({printable(str(result))[:100]})")


def owner_of(connection: sqlite3.Connection, path: Path) -> str:
    """The real path of the config that the manifest at `path` belongs to. Raises `Damaged` where there is none."""
    row = connection.execute("SELECT value FROM about WHERE key = 'owner'").fetchone()
    if row is None or not isinstance(row[0], bytes):
        raise soundness.damaged(path, "about.value")
    return to_name(row[0])


def check_owner(connection: sqlite3.Connection, path: Path, owner: str) -> None:
    """Raise `UsageError` where the manifest at `path` belongs to another config than `owner` (a real path).

    One target belongs to one config, because two would overwrite and prune each other's files.
    """
    whose = owner_of(connection, path)
    if whose != owner:
        raise UsageError(
            f"{printable(str(path))} belongs to the config {printable(whose)}, not to {printable(owner)}: give each "
            "config a target of its own, or, if the config was moved or renamed, run once with --adopt (the records "
            "are taken over, and what this config asks for in another way is made anew)"
        )


def _open_or_make(path: Path, owner: str, former: Sequence[Path], *, adopt: bool) -> tuple[sqlite3.Connection, str]:
    """Open the manifest that is there; or else restore it from its backup; or else move a former one, or create it.

    A damaged manifest without a good backup is given up only with `adopt`.
    """
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
    if not damaged and (old := next((other for other in former if _moved(other, path, owner)), None)):
        return _open_checked(path), f"{printable(str(path))}: the records were moved here from {printable(str(old))}"
    _create(path, owner)
    return _open_checked(path), f"{problem}; a new one was begun" if damaged else ""


def _moved(old: Path, path: Path, owner: str) -> bool:
    """Move the manifest at `old` to `path`; False where it cannot be used or does not belong to `owner`."""
    try:
        with contextlib.closing(connect(old, "ro")) as there:
            _check_identity(there, old)
            _check_pages(there, old)
            if owner_of(there, old) != owner:
                return False
            _copied(there, beside(path, _NEW))
    except (sqlite3.DatabaseError, UnicodeDecodeError, ManifestTrouble):
        return False
    put_in_place(beside(path, _NEW), path)
    # Its lock is free: the caller holds the target's, which a run with the former config needs, too. That one stays.
    its_lock = () if str(old) == manifest_in(str(old.parent.parent)) else (LOCK,)
    for suffix in ("", *LOGS, BACKUP, *its_lock):
        beside(old, suffix).unlink(missing_ok=True)
    return True


def _copied(connection: sqlite3.Connection, new: Path, *, restored: bool = False) -> None:
    """Copy an open manifest to a new file at `new`."""
    _empty_file(new)
    with contextlib.closing(connect(new, "rw")) as copy:
        connection.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")  # so that the copy is one file
        if restored:
            mark_restored(copy, restored=True)


def _restore(path: Path) -> bool:
    """Move the manifest aside and put its backup in its place; False where there is no good backup."""
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
    put_in_place(new, path)
    return True


def _move_aside(path: Path) -> None:
    """Move a database that cannot be used aside, its logs first: SQLite would replay them into a new one."""
    aside = beside(path, datetime.datetime.now().astimezone().strftime(".damaged-%Y%m%dT%H%M%S"))
    beside(path, _FOUND).unlink(missing_ok=True)
    for suffix in (*LOGS, ""):
        with contextlib.suppress(FileNotFoundError):
            os.rename(beside(path, suffix), beside(aside, suffix))


def _empty_file(path: Path) -> None:
    """Make an empty file at `path`, whose mode SQLite's logs take, in the place of one that a kill has left."""
    for suffix in ("", *LOGS):
        beside(path, suffix).unlink(missing_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, file_mode(path.parent)))


def put_in_place(new: Path, path: Path) -> None:
    """Sync a closed database and rename it from `new` to `path`, durably."""
    descriptor = os.open(new, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    atomic.rename(new, path)
