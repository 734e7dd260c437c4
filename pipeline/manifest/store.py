"""The manifest of one target as a run uses it: one object, safe in every thread, which alone writes the database."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
import types
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from pipeline.config.settings import Config
from pipeline.errors import ManifestTrouble, printable
from pipeline.folder import opened_folder
from pipeline.manifest import (
    claims,
    failures,
    made,
    opening,
    orphans,
    others,
    parts,
    reader,
    runs,
    shards,
    soundness,
    trust,
)
from pipeline.manifest.claims import Claim
from pipeline.manifest.database import Damaged, Database, Defect
from pipeline.manifest.group_commit import GroupCommit
from pipeline.manifest.made import Seen
from pipeline.manifest.place import BACKUP, beside, check_folder
from pipeline.manifest.reader import Reader, Row
from pipeline.manifest.rows import RowWriter, changes
from pipeline.manifest.values import to_bytes
from pipeline.model.only import Only
from pipeline.model.record import KnownSource, Record
from pipeline.model.source import Stat


class Manifest:
    """The store of records of one target. Any thread may call any method; all raise `ManifestTrouble` if SQLite fails.

    After a failed commit, `add` and `claim` raise at once, with the text of the first error.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, warning: str = "") -> None:
        """Take over an open `connection`. `warning` is for the user: what opening the manifest has repaired, "" if
        nothing.
        """
        self.path = path
        self.warning = warning
        self._database = Database(path, connection)
        self._folder = opened_folder(path.parent)
        self.failures = failures.Failures(self._database.reading, self._database.transaction)
        self.orphans = orphans.Orphans(self._database.reading, self._database.transaction)
        self.shards = shards.Shards(self._database.reading, self._changing_shards)
        self._rows = RowWriter()
        self._records = GroupCommit(self._write_records)
        self._claims = GroupCommit(self._write_claims)  # a group of its own, so that a claim never waits for records
        self._changed = False  # since the last backup; the record of a run alone is not worth one
        with contextlib.ExitStack() as stack:
            stack.push(self)  # where the first query finds damage, the database is closed and marked
            with self._database.reading() as open_connection:
                self._seen = Seen(open_connection)
            stack.pop_all()

    @classmethod
    def for_config(cls, config: Config, *, adopt: bool = False) -> Manifest:
        """Open the manifest of `config` as `open` does; a manifest that the config had elsewhere is moved there.

        Also raises `ManifestTrouble` where parts of shards wait to be merged into it.
        """
        trust.check(config.manifest, shared=config.shared)
        parts.check_merged(config)
        owner, former = os.path.realpath(config.path), others.of_target(config)
        connection, warning = opening.open_for_run(config.manifest, owner, adopt=adopt, former=former)
        return cls(config.manifest, connection, warning)

    @classmethod
    def open(cls, path: Path, *, owner: str, adopt: bool = False) -> Manifest:
        """Open the manifest at `path`, or create it, for the config whose real path is `owner`.

        The caller holds the run's lock. A damaged or lost manifest is restored from its backup; `warning` says so.
        Raises `UsageError` for another config's manifest, unless `adopt`, and `ManifestTrouble` for a damaged one
        without a good backup; with `adopt`, that one is moved aside and a new one begun.
        """
        connection, warning = opening.open_for_run(path, owner, adopt=adopt)
        return cls(path, connection, warning)

    def __enter__(self) -> Manifest:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None
    ) -> None:
        cause = self._blamed(error)
        if cause is None:
            self.close()
            return
        with contextlib.suppress(ManifestTrouble):
            self.close()
        if isinstance(cause, Damaged):
            opening.mark_damaged(self.path, cause)
        if cause is not error:
            raise cause

    def _blamed(self, error: BaseException | None) -> Damaged | Defect | None:
        """The damage or defect that caused `error`; None where neither did."""
        if error is None:
            return None
        with self._database.reading() as connection:
            return soundness.blamed(connection, self.path, error)

    @staticmethod
    def reader(config: Config) -> Reader:
        """Open the records of `config` for reading, also while a run writes them.

        Where `manifest:` was changed, they are in the former manifest until the next run moves them. Raises
        `UsageError` where the manifest belongs to another config, `ManifestTrouble` where other users could have
        written it.
        """
        trust.check(config.manifest, shared=config.shared)
        return Reader(others.at_hand(config) or config.manifest, owner=os.path.realpath(config.path))

    @staticmethod
    def reader_at(path: Path, *, shared: bool = False) -> Reader:
        """As `reader`, for the manifest of any config. `shared`: also where other users could have written it."""
        trust.check(path, shared=shared)
        return Reader(path)

    @property
    def changed(self) -> bool:
        """Whether records or claims have changed since the manifest was opened or backed up."""
        return self._changed

    @property
    def restored(self) -> bool:
        """Whether the manifest is new or came from its backup, and no run has completed since.

        Then the target may hold files that this config has made and that are not claimed.
        """
        with self._database.reading() as connection:
            return opening.is_restored(connection)

    # -- the run

    def begin_run(self, run: runs.RunStart, failure_key: Callable[[], str] = str) -> int:
        """Enter a run and return its number, which the records that follow carry.

        `failure_key` returns the limits and versions of this run as one short text; it is called in any thread.
        """
        self._rows.failure_key = failure_key
        with self._database.transaction() as connection:
            number = runs.begin(connection, run)
        self._rows.run = number
        return number

    def amend_run(self, settings: Mapping[str, object]) -> None:
        """Add to the settings of the run that has begun."""
        with self._database.transaction() as connection:
            runs.amend(connection, self._rows.run or 0, settings)

    def end_run(
        self,
        status: int,
        counts: Mapping[str, int],
        ended: float | None = None,
        *,
        reported: bool = True,
        why: str = "",
    ) -> None:
        """Make all records durable and enter how the run ended (`ended` in seconds since 1970; None: now).

        `reported`: the user hears of the run's failures, so they are known failures from now on. `why`: what kept it
        from its end.
        """
        self.flush()
        with self._database.transaction() as connection:
            if reported:
                failures.report(connection, self._rows.run or 0)
            if why:
                runs.amend(connection, self._rows.run or 0, {"why": printable(why)})
            runs.end(connection, self._rows.run or 0, status, counts, time.time() if ended is None else ended)

    def first_time(self, what: str) -> bool:
        """Whether this is the first call with `what` on this manifest: some warnings are given once."""
        with self._database.transaction() as connection:
            row = (f"said: {what}",)
            return connection.execute("INSERT OR IGNORE INTO about VALUES (?, x'31')", row).rowcount > 0

    def mark_complete(self) -> None:
        """Note that a run has gone through everything: all that was made before a restore is claimed again."""
        with self._database.transaction() as connection:
            opening.mark_restored(connection, restored=False)

    def backup(self) -> None:
        """Copy the database to its backup if records or claims have changed. Called after a run that has ended well."""
        if self._changed or not beside(self.path, BACKUP).exists():
            check_folder(self.path.parent, self._folder)
            with self._database.reading() as connection:
                opening.back_up(connection, self.path)
            self._changed = False

    # -- for the plan

    def known_sources(
        self, folder: str, after: str | None = None, through: str | None = None
    ) -> dict[str, KnownSource]:
        """What is remembered of sources directly in `folder`, by path and in the order of their bytes.

        Only names with `after` < name <= `through` by bytes (None: no bound). A rendition whose `recipe` is empty was
        made from other content than the source has now. Stats have no device and inode.
        """
        with self._database.reading() as connection:
            return reader.known_sources(connection, folder, after, through)

    def rows(self, folder: str, after: str | None = None, through: str | None = None) -> list[Row]:
        """The same sources as plain rows; see `reader.Row`."""
        with self._database.reading() as connection:
            return reader.rows(connection, folder, after, through)

    def outside(self, only: Only, prefix: str) -> list[str]:
        """The pictures of the source with this prefix that were taken, and that `only` leaves out by their headers."""
        with self._database.reading() as connection:
            return reader.outside(connection, only, prefix)

    def origins(self, folder: str, after: str | None = None, through: str | None = None) -> dict[str, Stat]:
        """Of the same sources those that are URLs, with all but the URL itself."""
        with self._database.reading() as connection:
            return reader.origins(connection, folder, after, through)

    def folders(self) -> Iterator[str]:
        """All folders with remembered sources, sorted by their bytes; "" is the root."""
        with self._database.reading() as connection:
            return iter(reader.folders(connection))

    def made(self, content: bytes, recipes: Collection[str]) -> list[Record]:
        """What was made by these recipes of any source with this content; see `made.of_content`."""
        if content not in self._seen:
            return []
        with self._database.reading() as connection:
            return made.of_content(connection, content, recipes)

    def runs(self, limit: int = 10) -> tuple[runs.RunSummary, ...]:
        """The last `limit` runs, newest first."""
        with self._database.reading() as connection:
            return runs.latest(connection, limit)

    def pace(self) -> float | None:
        """Seconds that a byte of source took lately, reading and writing included; None where none was rendered."""
        with self._database.reading() as connection:
            return runs.pace(connection)

    # -- claims

    def claimed(self, targets: Sequence[str]) -> set[str]:
        """Those of the target paths that are claimed."""
        with self._database.reading() as connection:
            return claims.claimed(connection, targets)

    def lookalikes(self, target: str) -> list[str]:
        """Other claimed paths that some file systems take for the same name as `target`."""
        with self._database.reading() as connection:
            return claims.lookalikes(connection, target)

    def claim(self, wanted: Sequence[Claim]) -> None:
        """Claim target paths, durably, before any file is renamed onto them. Claiming again changes nothing.

        Threads that claim at the same time share one commit.
        """
        self._claims.put(wanted)
        self._claims.flush()

    def release(self, targets: Iterable[str]) -> None:
        """Give up claims, after their files were removed."""
        with self._changing() as connection:
            claims.release(connection, targets)

    def claimed_files(self) -> Iterator[claims.ClaimedFile]:
        """Every claimed file, in the order of the fold keys; read in pages."""
        return claims.pages(self._database.reading)

    # -- records

    def add(self, *records: Record) -> None:
        """Take records whose files are on the disk. They are durable with their group: 50 records or half a second."""
        for record in records:
            self._seen.add(record.made_from)
        self._records.add(records)

    def tick(self) -> None:
        """Commit an incomplete group that has waited for half a second. Called a few times a second.

        Raises `ManifestTrouble` where the manifest's folder is gone, too.
        """
        check_folder(self.path.parent, self._folder)
        self._records.tick()

    def flush(self, wait: float = -1.0) -> bool:
        """Make all records durable that were added before.

        False if another thread's commit took longer than `wait` seconds (-1: no limit).
        """
        return self._records.flush(wait)

    def forget(self, sources: Iterable[str]) -> None:
        """Remove the rows of sources and their renditions. Claims stay, because their files are still there."""
        gone = list(sources)
        if not gone:
            return  # no commit to sync and no reason for a backup
        with self._changing() as connection:
            failures.forget(connection, gone)
            for raw in map(to_bytes, gone):
                shards.forget(connection, raw)
                connection.execute("DELETE FROM origin WHERE source = (SELECT id FROM source WHERE path = ?)", (raw,))
                connection.execute(
                    "DELETE FROM rendition WHERE source = (SELECT id FROM source WHERE path = ?)", (raw,)
                )
                connection.execute("DELETE FROM source WHERE path = ?", (raw,))

    def forget_renditions(self, renditions: Iterable[tuple[str, str]]) -> None:
        """Remove single renditions, given as (source, name): those that the config no longer has, say."""
        gone = list(renditions)
        with self._changing() as connection:
            shards.changed(connection, (to_bytes(source) for source, _name in gone))
            connection.executemany(
                "DELETE FROM rendition WHERE source = (SELECT id FROM source WHERE path = ?) AND name = ?",
                ((to_bytes(source), name) for source, name in gone),
            )

    def close(self) -> None:
        """Make all records durable, unless a commit has failed before, and close the database."""
        try:
            if not self._records.broken:
                self.flush()
        finally:
            self._database.close()

    def _write_records(self, records: Sequence[Record]) -> None:
        if not any(map(changes, records)):  # known failures above all, which each run meets again
            return
        with self._changing() as connection:
            self._rows.write(connection, records)
            shards.changed(connection, (to_bytes(record.source) for record in records))

    def _write_claims(self, wanted: Sequence[Claim]) -> None:
        with self._changing() as connection:
            claims.insert(connection, wanted)

    @contextlib.contextmanager
    def _changing_shards(self) -> Iterator[sqlite3.Connection]:
        with self._database.transaction() as connection:
            yield connection
        self._changed = True

    @contextlib.contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that changes claims or records."""
        with self._database.transaction() as connection:
            orphans.changing(connection)
            yield connection
        self._changed = True
