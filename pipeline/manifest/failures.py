"""Failures: one that a run has reported is known, and is neither tried nor reported again.

It stays known while the picture, the recipe of the rendition, and the key (limits and versions) are the same. Failures
of the kinds in `JUDGED_ANEW` are tried by every run, because their cause lies outside of the picture; these stay known
while the error is the same. `reported` is the number of the run that reported the failure and ended. Until then it is
NULL, so that a run that is killed before its summary leaves no failure that no user has seen.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from pipeline.errors import ErrorKind, PictureError
from pipeline.manifest import schema
from pipeline.manifest.database import Part
from pipeline.manifest.values import moment, to_bytes, to_name, word
from pipeline.model.record import Reason, Record, Status
from pipeline.model.source import Stat

JUDGED_ANEW = frozenset(
    {
        ErrorKind.COLLISION,
        ErrorKind.NOT_OURS,
        ErrorKind.BAD_NAME,
        ErrorKind.UNREADABLE,
        ErrorKind.READ_TIMED_OUT,
        ErrorKind.CHANGED,
        ErrorKind.NOT_FETCHED,
        ErrorKind.ADDRESS_REFUSED,
    }
)
_KINDS = {kind.value: kind for kind in ErrorKind}
_COLUMNS = ", ".join(column.name for column in schema.tables()["failure"])


@dataclass(frozen=True, slots=True)
class KnownFailure:
    """A failed rendition, or a failed source (`rendition` is ""); `since` in seconds since 1970."""

    source: str
    rendition: str
    kind: ErrorKind
    detail: str
    content: bytes  # hash of what it was made from; where that was not read, its sizes and the error
    recipe: str
    key: str
    since: float
    reported: int | None = None  # the number of the run that reported it

    @property
    def error(self) -> PictureError:
        """The error as it was recorded."""
        return PictureError(self.kind, self.detail)

    def stands(self, recipe: str, key: str) -> bool:
        """Whether a further try is pointless while the picture stays the same: reported, with this recipe and key."""
        return self.reported is not None and self.kind not in JUDGED_ANEW and (self.recipe, self.key) == (recipe, key)

    def repeats(self, earlier: KnownFailure) -> bool:
        """Whether this is the same failure as `earlier`, of the same source and rendition, met again."""
        if self.kind is not earlier.kind:
            return False
        same = (self.content, self.recipe, self.key) == (earlier.content, earlier.recipe, earlier.key)
        return same or self.kind in JUDGED_ANEW


def of_record(record: Record, key: Callable[[], str], now: float) -> list[KnownFailure]:
    """The failures in `record`, without known failures that were not tried. `now` in seconds since 1970."""
    if record.status is not Status.FAILED:
        return []
    failed = [("", "", record.error)] if record.error else []
    failed += [
        (rendition.name, rendition.recipe, rendition.error)
        for rendition in record.renditions
        if rendition.error and rendition.reason is not Reason.KNOWN_FAILURE
    ]
    return [
        KnownFailure(
            record.source,
            name,
            error.kind,
            error.detail,
            record.made_from or _fingerprint(record.stat, error),
            recipe,
            key(),
            now,
        )
        for name, recipe, error in failed
        if error is not None
    ]


def enter(connection: sqlite3.Connection, record: Record, key: Callable[[], str], now: float) -> None:
    """Bring the failures of the record's source up to date, inside a transaction of the caller."""
    source = to_bytes(record.source)
    if record.status is not Status.FAILED:
        connection.execute("DELETE FROM failure WHERE source = ?", (source,))
        return
    made = [rendition.name for rendition in record.renditions if rendition.written]
    if record.error is None and record.header is not None:
        made.append("")  # the source itself is fine
    connection.executemany("DELETE FROM failure WHERE source = ? AND rendition = ?", ((source, name) for name in made))
    before = _of_source(connection, record.source)
    for failure in of_record(record, key, now):
        earlier = before.get(failure.rendition)
        since, reported = failure.since, None
        if earlier is not None and failure.repeats(earlier):
            since, reported = earlier.since, earlier.reported
        connection.execute(
            "INSERT OR REPLACE INTO failure VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(source, failure.rendition, failure.kind.value, failure.detail),
                *(failure.content, failure.recipe, failure.key, since, reported),
            ),
        )


def are_known(connection: sqlite3.Connection) -> bool:
    """Whether there are any failures, known or not."""
    return connection.execute("SELECT 1 FROM failure LIMIT 1").fetchone() is not None


def report(connection: sqlite3.Connection, run: int) -> None:
    """Mark all failures as reported by run number `run`, inside a transaction of the caller."""
    connection.execute("UPDATE failure SET reported = ? WHERE reported IS NULL", (run,))


def _of_source(connection: sqlite3.Connection, source: str) -> Mapping[str, KnownFailure]:
    rows = connection.execute(f"SELECT {_COLUMNS} FROM failure WHERE source = ?", (to_bytes(source),))  # noqa: S608
    return {failure.rendition: failure for failure in map(_failure, rows)}


class Failures(Part):
    """The failures in a manifest."""

    def of(self, source: str) -> Mapping[str, KnownFailure]:
        """The failures of `source`, by rendition; "" is the source itself."""
        with self._reading() as connection:
            return _of_source(connection, source)

    def everything(self) -> list[KnownFailure]:
        """All failures, by the bytes of the source and then by rendition."""
        with self._reading() as connection:
            rows = connection.execute(f"SELECT {_COLUMNS} FROM failure ORDER BY source, rendition")  # noqa: S608
            return [_failure(row) for row in rows]

    def forget(self, sources: Iterable[str]) -> None:
        """Forget all failures of `sources`, durably: they are tried, and reported, again."""
        if forgotten := list(sources):
            with self._writing() as connection:
                forget(connection, forgotten)


def forget(connection: sqlite3.Connection, sources: Iterable[str]) -> None:
    """As `Failures.forget`, inside a transaction of the caller."""
    connection.executemany("DELETE FROM failure WHERE source = ?", ((to_bytes(source),) for source in sources))


def _failure(row: tuple[bytes, str, str, str, bytes, str, str, float, int | None]) -> KnownFailure:
    source, rendition, error, detail, content, recipe, key, since, reported = row
    return KnownFailure(
        to_name(source), word(rendition), _KINDS[error], word(detail), content, recipe, key, moment(since), reported
    )


def _fingerprint(stat: Stat, error: PictureError) -> bytes:
    """Stands for the content of a source that was not read to its end: its sizes, and the detail of the error.

    The times are left out: a file that is only touched fails for the same reason as before.
    """
    sizes = [part.size for part in (stat, stat.sidecar) if part is not None]
    return f"{sizes} {error.detail}".encode()
