"""Failures and what is known of them: a failure that a run has reported is neither tried again nor told again.

It stays known while the picture, the recipe of the rendition, and the key (limits and versions) are the same. Some are
judged anew by every run, because what caused them lies outside of the picture; these stay known while the error is the
same. `reported` is the number of the run that told of it and ended; NULL until then, so that a run that was killed
before it could say anything leaves no failure behind that nobody has heard of.
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
    }
)
_KINDS = {kind.value: kind for kind in ErrorKind}
_COLUMNS = ", ".join(column.name for column in schema.tables()["failure"])


@dataclass(frozen=True, slots=True)
class KnownFailure:
    """One failed source (`rendition` is "") or rendition; `since` in seconds since 1970."""

    source: str
    rendition: str
    kind: ErrorKind
    detail: str
    content: bytes  # hash of what it was made from, or what stands for it where nothing could be read
    recipe: str
    key: str
    since: float
    reported: int | None = None  # the number of the run

    @property
    def error(self) -> PictureError:
        """The error as it was met."""
        return PictureError(self.kind, self.detail)

    def stands(self, recipe: str, key: str) -> bool:
        """Whether the next try would come to the same, while the picture stays the same."""
        return self.reported is not None and self.kind not in JUDGED_ANEW and (self.recipe, self.key) == (recipe, key)

    def repeats(self, earlier: KnownFailure) -> bool:
        """Whether this is nothing new after `earlier`, of the same source and rendition."""
        if self.kind is not earlier.kind:
            return False
        alike = (self.content, self.recipe, self.key) == (earlier.content, earlier.recipe, earlier.key)
        return alike or self.kind in JUDGED_ANEW


def of_record(record: Record, key: Callable[[], str], now: float) -> list[KnownFailure]:
    """What failed in `record` and was tried."""
    if record.status is not Status.FAILED:
        return []
    failed = [("", "", record.error)] if record.error else []
    failed += [
        (one.name, one.recipe, one.error)
        for one in record.renditions
        if one.error and one.reason is not Reason.KNOWN_FAILURE
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
    made = [one.name for one in record.renditions if one.written]
    if record.error is None and record.header is not None:
        made.append("")  # the source itself is fine
    connection.executemany("DELETE FROM failure WHERE source = ? AND rendition = ?", ((source, name) for name in made))
    before = _of_source(connection, record.source)
    for one in of_record(record, key, now):
        earlier = before.get(one.rendition)
        since, reported = one.since, None
        if earlier is not None and one.repeats(earlier):
            since, reported = earlier.since, earlier.reported
        connection.execute(
            "INSERT OR REPLACE INTO failure VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (source, one.rendition, one.kind.value, one.detail, one.content, one.recipe, one.key, since, reported),
        )


def are_known(connection: sqlite3.Connection) -> bool:
    """Whether there is any."""
    return connection.execute("SELECT 1 FROM failure LIMIT 1").fetchone() is not None


def report(connection: sqlite3.Connection, run: int) -> None:
    """Run `run` has told of everything that had not been told."""
    connection.execute("UPDATE failure SET reported = ? WHERE reported IS NULL", (run,))


def _of_source(connection: sqlite3.Connection, source: str) -> Mapping[str, KnownFailure]:
    rows = connection.execute(f"SELECT {_COLUMNS} FROM failure WHERE source = ?", (to_bytes(source),))  # noqa: S608
    return {one.rendition: one for one in map(_failure, rows)}


class Failures(Part):
    """The failures in a manifest."""

    def of(self, source: str) -> Mapping[str, KnownFailure]:
        """What is known to have failed of `source`, by rendition; "" is the source itself."""
        with self._reading() as connection:
            return _of_source(connection, source)

    def everything(self) -> list[KnownFailure]:
        """All of them, by the bytes of the source and then by rendition."""
        with self._reading() as connection:
            rows = connection.execute(f"SELECT {_COLUMNS} FROM failure ORDER BY source, rendition")  # noqa: S608
            return [_failure(row) for row in rows]

    def forget(self, sources: Iterable[str]) -> None:
        """Forget all failures of `sources`, durably: they are tried, and told, again."""
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
    """Stands for the content of what was not read to its end: its sizes, and what the error says of its beginning.

    Not its times: a file that is only touched fails for the same reason, and was told of.
    """
    sizes = [one.size for one in (stat, stat.sidecar) if one is not None]
    return f"{sizes} {error.detail}".encode()
