"""Records into rows: what each status changes in the manifest, inside a transaction of the caller.

- `done`, `kept`, `failed`, `skipped`, `filtered`, `unsupported`: the source and the renditions in the record are
  written; its other renditions keep their rows.
- `touched`, `unchanged` (it was read again): only the source's stat and whether it is settled are written.
- `vanished`, `deferred`, `pending`, `known failure`: nothing is written. This holds for both sources and renditions.

A rendition that failed keeps what is known of the file that an earlier run made at the same path: it is still there.
"""

from __future__ import annotations

import itertools
import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from pipeline.errors import PictureError, printable
from pipeline.manifest import claims, failures
from pipeline.manifest.claims import ClaimRow, fold
from pipeline.manifest.values import folder_of, shown, to_bytes
from pipeline.model.record import MADE, Record, RenditionRecord, Status
from pipeline.model.source import Stat

_FINAL = frozenset({*MADE, Status.FAILED, Status.SKIPPED, Status.FILTERED, Status.UNSUPPORTED})
_NO_WARNINGS = "[]"
_NONE = (None,) * 4
_INT64 = 2**63 - 1  # SQLite's integers; nanoseconds reach it in the year 2262, and ext4 goes on to 2446


class SourceRow(NamedTuple):
    """One row of the table `source`: its columns after `id`, in their order. NULL is None."""

    folder: bytes
    path: bytes
    shown: str | None
    size: int
    mtime_ns: int
    ctime_ns: int
    sha256: bytes | None
    settled: bool
    status: str
    error: str | None
    detail: str | None
    format: str | None
    width: int | None
    height: int | None
    frames: int | None
    mode: str | None
    seconds_read: float
    seconds_decode: float
    peak_memory: int | None
    warnings: str  # a JSON array
    run: int | None
    at: float
    content: bytes | None
    sidecar_size: int | None
    sidecar_mtime_ns: int | None
    sidecar_ctime_ns: int | None
    upright_width: int | None
    upright_height: int | None
    color: str | None
    thumbhash: bytes | None
    alt: str | None
    orientation: int | None


class RenditionRow(NamedTuple):
    """One row of the table `rendition`: its columns after `source`, in their order."""

    name: str
    target: bytes
    shown: str | None
    source_sha256: bytes | None
    recipe: str
    status: str
    reason: str
    error: str | None
    detail: str | None
    size: int | None
    mtime_ns: int | None
    sha256: bytes | None
    format: str | None
    width: int | None
    height: int | None
    seconds_resize: float
    seconds_encode: float
    seconds_write: float
    warnings: str  # a JSON array
    library: int | None
    run: int | None
    at: float
    quality: int | None
    box_left: float | None
    box_top: float | None
    box_width: float | None
    box_height: float | None
    turn: int | None
    place_left: int | None
    place_top: int | None
    place_width: int | None
    place_height: int | None
    score: float | None


def listed(row: type[NamedTuple], table: str = "") -> str:
    """The columns of a row for a query, each of `table` (its alias there)."""
    return ", ".join(f"{table}.{name}" if table else name for name in row._fields)


def _updates(row: type[NamedTuple], key: Sequence[str], kept: Sequence[str] = ()) -> str:
    """What ON CONFLICT sets: every column but those of `key`; those `kept` stay where the new row has no file."""
    return ", ".join(
        f"{name} = CASE WHEN excluded.size IS NULL AND target = excluded.target THEN {name} ELSE excluded.{name} END"
        if name in kept
        else f"{name} = excluded.{name}"
        for name in row._fields
        if name not in key
    )


# ruff: noqa: S608 - statements are made of the names of columns above
_SOURCE = (
    f"INSERT INTO source ({listed(SourceRow)}) VALUES ({', '.join('?' * len(SourceRow._fields))}) "
    f"ON CONFLICT (path) DO UPDATE SET {_updates(SourceRow, ('folder', 'path', 'shown'))}"
)
_TOUCH = (
    "UPDATE source SET size = ?, mtime_ns = ?, ctime_ns = ?, sidecar_size = ?, sidecar_mtime_ns = ?, "
    "sidecar_ctime_ns = ?, settled = ? WHERE path = ?"
)
_ORIGIN = "INSERT OR REPLACE INTO origin VALUES ((SELECT id FROM source WHERE path = ?), ?, ?, ?, ?)"
_BOX = ("box_left", "box_top", "box_width", "box_height")
_PLACE = ("place_left", "place_top", "place_width", "place_height")
_OF_THE_FILE = ("size", "mtime_ns", "sha256", "format", "width", "height", "quality", *_BOX, "turn", *_PLACE, "score")
_RENDITION = (
    f"INSERT INTO rendition (source, {listed(RenditionRow)}) "
    f"VALUES ((SELECT id FROM source WHERE path = ?), {', '.join('?' * len(RenditionRow._fields))}) "
    f"ON CONFLICT (source, name) DO UPDATE SET {_updates(RenditionRow, ('name',), _OF_THE_FILE)}"
)


def changes(record: Record) -> bool:
    """Whether entering `record` changes the manifest."""
    return record.status in _FINAL or record.is_the_same


class RowWriter:
    """Writes groups of records. Not thread-safe: its caller holds the connection."""

    def __init__(self) -> None:
        self.run: int | None = None  # the number of the run, for the column of that name
        self.failure_key: Callable[[], str] = str  # what a failure depends on, beside its picture and recipe
        self._libraries: dict[str, int] = {}  # by versions: their rows in `library`, as far as they were needed

    def write(self, connection: sqlite3.Connection, records: Sequence[Record]) -> None:
        """Enter `records` in their order: of two for the same source the later one wins."""
        now = time.time()
        for are_the_same, group in itertools.groupby(filter(changes, records), key=lambda record: record.is_the_same):
            of_one_kind = list(group)
            if are_the_same:
                connection.executemany(_TOUCH, map(_touched, of_one_kind))
            else:
                self._enter(connection, of_one_kind, now)
            connection.executemany(_ORIGIN, _origins(of_one_kind))

    def _enter(self, connection: sqlite3.Connection, records: Sequence[Record], now: float) -> None:
        """Write the rows of sources, their renditions and the files of these, one statement for each kind of row."""
        connection.executemany(_SOURCE, [self._source(record, now) for record in records])
        made = [(record, each) for record in records for each in record.renditions if each.status in _FINAL]
        rows = [(to_bytes(record.source), *self._rendition(connection, record, each, now)) for record, each in made]
        connection.executemany(_RENDITION, rows)
        claims.enter(connection, _claims(made))
        failed = failures.are_known(connection)
        for record in records:
            failed = failed or record.status is Status.FAILED
            if failed:  # else there is nothing to bring up to date
                failures.enter(connection, record, self.failure_key, now)

    def _source(self, record: Record, now: float) -> SourceRow:
        header, sidecar, upright = record.header, record.stat.sidecar, record.upright
        error, detail = _error(record.error)
        size, mtime_ns, ctime_ns = _stat(record.stat)
        sidecar_size, sidecar_mtime_ns, sidecar_ctime_ns = (None, None, None) if sidecar is None else _stat(sidecar)
        return SourceRow(
            folder=to_bytes(folder_of(record.source)),
            path=to_bytes(record.source),
            shown=shown(record.source),
            size=size,
            mtime_ns=mtime_ns,
            ctime_ns=ctime_ns,
            sha256=record.sha256,
            settled=record.settled,
            status=record.status.value,
            error=error,
            detail=detail,
            format=header.format if header else None,
            width=header.width if header else None,
            height=header.height if header else None,
            frames=header.frames if header else None,
            mode=header.mode if header else None,
            seconds_read=record.seconds_read,
            seconds_decode=record.seconds_decode,
            peak_memory=record.peak_memory,
            warnings=_warnings(record.warnings),
            run=self.run,
            at=now,
            content=record.content,
            sidecar_size=sidecar_size,
            sidecar_mtime_ns=sidecar_mtime_ns,
            sidecar_ctime_ns=sidecar_ctime_ns,
            upright_width=upright[0] if upright else None,
            upright_height=upright[1] if upright else None,
            color=record.color,
            thumbhash=record.thumbhash,
            alt=None if record.alt is None else printable(record.alt),
            orientation=record.orientation,
        )

    def _rendition(
        self, connection: sqlite3.Connection, record: Record, rendition: RenditionRecord, now: float
    ) -> RenditionRow:
        written, part = rendition.written, rendition.shown
        box, place = (part.box, part.place) if part else (_NONE, _NONE)
        error, detail = _error(rendition.error)
        libraries = record.libraries if rendition.libraries is None else rendition.libraries
        return RenditionRow(
            name=rendition.name,
            target=to_bytes(rendition.target),
            shown=shown(rendition.target),
            source_sha256=record.made_from,
            recipe=rendition.recipe,
            status=rendition.status.value,
            reason=rendition.reason.value,
            error=error,
            detail=detail,
            size=written.size if written else None,
            mtime_ns=_bounded(written.mtime_ns) if written else None,
            sha256=written.sha256 if written else None,
            format=rendition.format,
            width=rendition.width,
            height=rendition.height,
            seconds_resize=rendition.seconds_resize,
            seconds_encode=rendition.seconds_encode,
            seconds_write=rendition.seconds_write,
            warnings=_warnings(rendition.warnings),
            library=self._library(connection, libraries) if libraries else None,
            run=self.run,
            at=now,
            quality=rendition.quality,
            box_left=box[0],
            box_top=box[1],
            box_width=box[2],
            box_height=box[3],
            turn=part.turn if part else None,
            place_left=place[0],
            place_top=place[1],
            place_width=place[2],
            place_height=place[3],
            score=rendition.score,
        )

    def _library(self, connection: sqlite3.Connection, versions: str) -> int:
        """The row of the table `library` that holds the text `versions`; it is made if missing."""
        number = self._libraries.get(versions)
        if number is None:
            connection.execute("INSERT OR IGNORE INTO library (versions) VALUES (?)", (versions,))
            row = connection.execute("SELECT id FROM library WHERE versions = ?", (versions,)).fetchone()
            number = self._libraries[versions] = int(row[0])
        return number


def _touched(record: Record) -> tuple[object, ...]:
    """The values of `_TOUCH`."""
    sidecar = (None,) * 3 if record.stat.sidecar is None else _stat(record.stat.sidecar)
    return (*_stat(record.stat), *sidecar, record.settled, to_bytes(record.source))


def _origins(records: Iterable[Record]) -> Iterator[tuple[object, ...]]:
    """The values of `_ORIGIN` for the records of URLs."""
    for record in records:
        if (remote := record.stat.remote) is not None:
            yield to_bytes(record.source), remote.shown, remote.etag, remote.last_modified, remote.columns


def _claims(made: Iterable[tuple[Record, RenditionRecord]]) -> Iterator[ClaimRow]:
    """The rows of claimed paths that hold a file now."""
    for record, rendition in made:
        if written := rendition.written:
            target, source = to_bytes(rendition.target), to_bytes(record.source)
            file = (written.size, _bounded(written.mtime_ns), written.sha256)
            yield ClaimRow(fold(rendition.target), target, source, rendition.name, *file)


def _stat(stat: Stat) -> tuple[int, int, int]:
    return stat.size, _bounded(stat.mtime_ns), _bounded(stat.ctime_ns)


def _bounded(nanoseconds: int) -> int:
    return max(-_INT64, min(nanoseconds, _INT64))


def _error(error: PictureError | None) -> tuple[str | None, str | None]:
    return (None, None) if error is None else (error.kind.value, error.detail)


def _warnings(warnings: tuple[str, ...]) -> str:
    return json.dumps([printable(line) for line in warnings], ensure_ascii=False) if warnings else _NO_WARNINGS
