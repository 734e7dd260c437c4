"""Parts of a manifest, each written by the run of one shard, and how they come together again.

A part lies beside the manifest and begins as a copy of it, less what is not of its shard; so it knows what was made.
Only the claims are all of them: a file that another shard's picture has made is ours, and may become one of this shard.
Merging puts a part's rows in the place of those that the manifest has of the same pictures.
"""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.config.settings import Config
from pipeline.errors import ManifestTrouble, printable
from pipeline.manifest import opening, others
from pipeline.manifest.claims import ClaimRow
from pipeline.manifest.database import trouble, uri
from pipeline.manifest.lock import RunLock
from pipeline.manifest.place import BACKUP, LOCK, beside, is_there
from pipeline.manifest.reader import Reader
from pipeline.manifest.rows import RenditionRow, SourceRow
from pipeline.manifest.runs import KEEP, RunSummary
from pipeline.program import to_copy

_NAME = ".shard-{number}-of-{count}"
_FOUND = re.compile(r"\.shard-([0-9]+)-of-([0-9]+)$")
_KEPT_BESIDE = ("", "-wal", "-shm", BACKUP, LOCK)  # the lock goes last
_RUN = ("run", "config", "argv", "pid", "host", "started", "ended", "status", "counts", "settings", "libraries")


def part_of(manifest: Path, number: int, count: int) -> Path:
    """Where the part of shard `number` of `count` is."""
    return beside(manifest, _NAME.format(number=number, count=count))


def parts(manifest: Path) -> list[Path]:
    """The parts that wait to be merged, by name."""
    try:
        names = os.listdir(manifest.parent)
    except OSError:
        return []
    ours = [name for name in names if name.startswith(f"{manifest.name}.shard-") and _FOUND.search(name)]
    return [manifest.parent / name for name in sorted(ours)]


class State(NamedTuple):
    """How far a shard is. `run` is the last that only its part knows; None where it has none, or cannot be read."""

    shard: str
    at_work: bool
    run: RunSummary | None


def states(manifest: Path) -> list[State]:
    """The shards whose parts wait to be merged, by number."""
    found: list[State] = []
    if not (waiting := sorted(parts(manifest), key=number_and_count)):
        return found
    known = _known_runs(manifest)
    for part in waiting:
        at_work = RunLock(part).holder() is not None
        latest: tuple[RunSummary, ...] = ()
        with contextlib.suppress(ManifestTrouble), Reader(part) as reader:
            latest = tuple(run for run in reader.runs(1) if run.run not in known)
        number, count = number_and_count(part)
        found.append(State(f"{number}/{count}", at_work, latest[0] if latest else None))
    return found


def _known_runs(manifest: Path) -> set[str]:
    """The runs of the manifest: a part begins with them."""
    if is_there(manifest):
        with contextlib.suppress(ManifestTrouble), Reader(manifest) as reader:
            return {run.run for run in reader.runs(KEEP)}
    return set()


def check_merged(config: Config) -> None:
    """Raise `ManifestTrouble` where parts wait to be merged, which would undo what is written to the manifest now: its
    own, and the config's parts beside a former one after `manifest:` was changed. Nothing is checked for a part.
    """
    if number_and_count(config.manifest)[1]:
        return
    mine = os.path.realpath(config.path)
    for manifest in (config.manifest, *others.places(config)):
        waiting = parts(manifest)
        former = manifest != config.manifest
        if not waiting or (former and not _is_of(waiting[0], mine)):
            continue
        more = f" and {len(waiting) - 1:,} more" if len(waiting) > 1 else ""
        back = f", with `manifest: {printable(str(manifest))}` in the config," if former else ""
        raise ManifestTrouble(
            f"{printable(str(waiting[0]))}{more}: what shards have written is not in the manifest yet: bring it in "
            f"with `{to_copy('manifest', 'merge', str(config.path))}`{back} first"
        )


def _is_of(part: Path, owner: str) -> bool:
    with contextlib.suppress(ManifestTrouble), Reader(part) as reader:
        return reader.owner() == owner
    return False


def check(config: Config, part: Path, known: Path | None, owner: str | None) -> None:
    """Raise `ManifestTrouble` where parts of another number of shards wait to be merged, and `UsageError` where `part`
    is to be made of a manifest, `known`, that is not of the config `owner` (None: it may be of any).
    """
    _, count = number_and_count(part)
    if other := next((path for path in parts(config.manifest) if number_and_count(path)[1] != count), None):
        raise ManifestTrouble(
            f"{printable(str(other))} is of another number of shards: bring it in with "
            f"`{to_copy('manifest', 'merge', str(config.path))}` first"
        )
    if known is not None and not is_there(part):
        Reader(known, owner).close()


def begin(config: Config, part: Path, known: Path | None, owner: str | None, mine: Callable[[bytes], bool]) -> None:
    """Make `part` of the config's manifest from `known`, where that is (None: nothing is known), if it is not there.
    The caller holds the part's lock. `known` is the manifest, or a former one after `manifest:` was changed.

    `mine` tells whether a picture is of this shard. Raises `ManifestTrouble` and `UsageError`; see `check`.
    """
    check(config, part, known, owner)
    if is_there(part) or known is None:
        return
    new = ".beginning"
    with Reader(known, owner) as reader:
        opening.back_up(reader.connection, part, new)
    beginning = beside(part, new)
    try:
        with contextlib.closing(sqlite3.connect(beginning, isolation_level=None)) as connection:
            _narrow(connection, mine)
        opening.put_in_place(beginning, part)
    except sqlite3.Error as error:
        raise trouble(beginning, error) from error
    except OSError as error:
        raise ManifestTrouble(f"{printable(str(part))}: {error.strerror}") from error


def merge(
    manifest: Path,
    part: Path,
    owner: str,
    mine: Callable[[bytes], bool],
    note: Callable[[sqlite3.Connection], None],
    former: Sequence[Path] = (),
    *,
    adopt: bool,
) -> int:
    """Bring `part` into `manifest`, which is made if it is missing, and remove it. Returns the number of its pictures.

    `note` may write to the manifest in the same transaction.
    `former`: manifests that may be moved to `manifest` where that is missing. `adopt`: take over another config's. The
    caller holds the locks of both. A kill leaves the part, which can be merged again. Raises `ManifestTrouble` and
    `UsageError`.
    """
    whole, _ = opening.open_for_run(part, owner, adopt=False)  # checks it, and brings it up to date
    whole.close()
    connection, _ = opening.open_for_run(manifest, owner, adopt=adopt, former=former)
    with contextlib.closing(connection):
        try:
            connection.create_function("mine", 1, mine, deterministic=True)
            connection.execute("ATTACH ? AS part", (uri(part, "ro"),))
            connection.execute("BEGIN IMMEDIATE")
            for statement in _MERGE:
                connection.execute(statement)
            note(connection)
            (pictures,) = connection.execute("SELECT COUNT(*) FROM part.source").fetchone()
            connection.execute("COMMIT")
            connection.execute("DETACH part")
        except sqlite3.Error as error:
            raise trouble(manifest, error) from error
        opening.back_up(connection, manifest)
    for suffix in _KEPT_BESIDE:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(beside(part, suffix))
    return int(pictures)


def number_and_count(part: Path) -> tuple[int, int]:
    """Of which shard a part is, as its name says."""
    found = _FOUND.search(part.name)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _narrow(connection: sqlite3.Connection, mine: Callable[[bytes], bool]) -> None:
    """Leave only what is of one shard, and all claims."""
    connection.create_function("mine", 1, mine, deterministic=True)
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("DELETE FROM source WHERE NOT mine(path)")
    for table in ("rendition", "origin"):
        connection.execute(f"DELETE FROM {table} WHERE source NOT IN (SELECT id FROM source)")
    connection.execute("DELETE FROM failure WHERE NOT mine(source)")
    connection.execute("DELETE FROM orphan")
    connection.execute("COMMIT")


def _runs(number: str) -> str:
    """The number here of the run that has `number` in the part."""
    return f"(SELECT a.id FROM main.run a JOIN part.run b ON b.run = a.run WHERE b.id = {number})"


# ruff: noqa: S608 - statements are made of names of columns, and of literals here
def _made_at(schema: str, claim: str) -> str:
    """When the rendition was made that has a claimed path as its target, by the rows of `schema`; 0 where none has."""
    return (
        f"COALESCE((SELECT r.at FROM {schema}.rendition r JOIN {schema}.source s ON s.id = r.source "
        f"WHERE s.path = {claim}.source AND r.name = {claim}.rendition AND r.target = {claim}.path), 0)"
    )


_SOURCE = [column for column in SourceRow._fields if column != "run"]
_RENDITION = [column for column in RenditionRow._fields if column not in ("run", "library")]
_MERGE = (
    "INSERT OR IGNORE INTO main.library (versions) SELECT versions FROM part.library",
    f"INSERT OR IGNORE INTO main.run ({', '.join(_RUN)}) SELECT {', '.join(_RUN)} FROM part.run ORDER BY id",
    (
        f"INSERT INTO main.source ({', '.join(_SOURCE)}, run) "
        f"SELECT {', '.join(f's.{column}' for column in _SOURCE)}, {_runs('s.run')} FROM part.source s WHERE 1 "
        f"ON CONFLICT (path) DO UPDATE SET {', '.join(f'{column} = excluded.{column}' for column in (*_SOURCE, 'run'))}"
    ),
    "DELETE FROM main.rendition WHERE source IN (SELECT m.id FROM main.source m JOIN part.source s ON s.path = m.path)",
    (
        f"INSERT INTO main.rendition (source, {', '.join(_RENDITION)}, library, run) "
        f"SELECT m.id, {', '.join(f'r.{column}' for column in _RENDITION)}, "
        "(SELECT a.id FROM main.library a JOIN part.library b ON b.versions = a.versions WHERE b.id = r.library), "
        f"{_runs('r.run')} FROM part.rendition r JOIN part.source s ON s.id = r.source JOIN main.source m "
        "ON m.path = s.path"
    ),
    (
        "INSERT OR REPLACE INTO main.origin SELECT m.id, o.url, o.etag, o.last_modified, o.columns "
        "FROM part.origin o JOIN part.source s ON s.id = o.source JOIN main.source m ON m.path = s.path"
    ),
    (  # a path that went from a picture of one shard to one of another: the part of either may be merged first
        "INSERT INTO main.claim AS c SELECT * FROM part.claim WHERE mine(source) "
        "ON CONFLICT (fold, path) DO UPDATE SET "
        + ", ".join(f"{column} = excluded.{column}" for column in ClaimRow._fields[2:])
        + f" WHERE {_made_at('part', 'excluded')} >= {_made_at('main', 'c')}"
    ),
    "DELETE FROM main.failure WHERE source IN (SELECT path FROM part.source)",
    (
        "INSERT OR REPLACE INTO main.failure SELECT source, rendition, error, detail, content, recipe, key, since, "
        f"COALESCE({_runs('reported')}, reported) FROM part.failure"  # that of a run too old to be listed
    ),
    "INSERT OR IGNORE INTO main.folder SELECT path FROM part.folder",
    "INSERT OR IGNORE INTO main.about SELECT * FROM part.about WHERE key = 'restored'",
)
