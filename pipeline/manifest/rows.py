"""Records into rows: what each status changes in the manifest, inside a transaction of the caller.

- `done`, `kept`, `failed`, `skipped`, `unsupported`: the source and the renditions in the record are written; its other
  renditions keep their rows.
- `touched`, `unchanged` (it was read again): only the source's stat and whether it is settled; the verdict stands.
- `vanished`, `deferred`, `pending`, `known failure`: nothing. Of a source or a rendition alike.

A rendition that failed keeps what is known of the file that an earlier run made at the same path: it is still there.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Sequence

from pipeline.errors import PictureError, printable
from pipeline.manifest import failures
from pipeline.manifest.claims import fold
from pipeline.manifest.values import folder_of, shown, to_bytes
from pipeline.model import Record, RenditionRecord, Stat, Status

_VERDICTS = frozenset({Status.DONE, Status.KEPT, Status.FAILED, Status.SKIPPED, Status.UNSUPPORTED})
_NO_WARNINGS = "[]"
_INT64 = 2**63 - 1  # SQLite's integers; nanoseconds reach it in the year 2262, and ext4 goes on to 2446

_SOURCE = (
    "size = ?, mtime_ns = ?, ctime_ns = ?, sha256 = ?, settled = ?, status = ?, error = ?, detail = ?, "
    "format = ?, width = ?, height = ?, frames = ?, mode = ?, seconds_read = ?, seconds_decode = ?, peak_memory = ?, "
    "warnings = ?, run = ?, at = ?, content = ?, sidecar_size = ?, sidecar_mtime_ns = ?, sidecar_ctime_ns = ?, "
    "upright_width = ?, upright_height = ?, color = ?, thumbhash = ?, alt = ?"
)
_COLUMNS = ", ".join(part.split()[0] for part in _SOURCE.split(", "))
_FIND = "SELECT id FROM source WHERE path = ?"
_UPDATE = f"UPDATE source SET {_SOURCE} WHERE id = ?"  # noqa: S608 - column names from above, no input
_INSERT = (
    f"INSERT INTO source (folder, path, shown, {_COLUMNS}) VALUES ({', '.join('?' * 31)}) ON CONFLICT (path) DO NOTHING"  # noqa: S608 - the same
)
_TOUCH = (
    "UPDATE source SET size = ?, mtime_ns = ?, ctime_ns = ?, sidecar_size = ?, sidecar_mtime_ns = ?, "
    "sidecar_ctime_ns = ?, settled = ? WHERE path = ?"
)

# The old row's values have no prefix: a rendition that failed keeps what is known of the file at its path.
_RENDITION = """
INSERT INTO rendition VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (source, name) DO UPDATE SET
    size = CASE WHEN excluded.size IS NULL AND target = excluded.target THEN size ELSE excluded.size END,
    mtime_ns = CASE WHEN excluded.size IS NULL AND target = excluded.target THEN mtime_ns ELSE excluded.mtime_ns END,
    sha256 = CASE WHEN excluded.size IS NULL AND target = excluded.target THEN sha256 ELSE excluded.sha256 END,
    format = CASE WHEN excluded.size IS NULL AND target = excluded.target THEN format ELSE excluded.format END,
    width = CASE WHEN excluded.size IS NULL AND target = excluded.target THEN width ELSE excluded.width END,
    height = CASE WHEN excluded.size IS NULL AND target = excluded.target THEN height ELSE excluded.height END,
    quality = CASE WHEN excluded.size IS NULL AND target = excluded.target THEN quality ELSE excluded.quality END,
    target = excluded.target, shown = excluded.shown, source_sha256 = excluded.source_sha256, recipe = excluded.recipe,
    status = excluded.status, reason = excluded.reason, error = excluded.error, detail = excluded.detail,
    seconds_resize = excluded.seconds_resize, seconds_encode = excluded.seconds_encode,
    seconds_write = excluded.seconds_write, warnings = excluded.warnings, library = excluded.library,
    run = excluded.run, at = excluded.at
"""
_WRITTEN = (
    "INSERT INTO claim VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (fold, path) DO UPDATE SET source = excluded.source, "
    "rendition = excluded.rendition, size = excluded.size, mtime_ns = excluded.mtime_ns, sha256 = excluded.sha256"
)


def changes(record: Record) -> bool:
    """Whether entering it changes anything."""
    return record.status in _VERDICTS or record.is_the_same


class RowWriter:
    """Writes groups of records. Not thread-safe: its caller holds the connection."""

    def __init__(self) -> None:
        self.run: int | None = None  # the number of the run that the rows are entered under
        self.failure_key: Callable[[], str] = str  # what a failure depends on beside its picture and recipe
        self._libraries: dict[str, int] = {}  # their numbers, as met so far

    def write(self, connection: sqlite3.Connection, records: Sequence[Record]) -> None:
        """Enter `records` in their order: of two for the same source the later one wins."""
        now = time.time()
        failed = failures.are_known(connection)
        for record in records:
            if record.is_the_same:
                stats = (*_stat(record.stat), *_stat(record.stat.sidecar))
                connection.execute(_TOUCH, (*stats, record.settled, to_bytes(record.source)))
            elif record.status in _VERDICTS:
                number = self._source(connection, record, now)
                for rendition in record.renditions:
                    if rendition.status in _VERDICTS:
                        self._rendition(connection, number, record, rendition, now)
                failed = failed or record.status is Status.FAILED
                if failed:  # else there is nothing to bring up to date
                    failures.enter(connection, record, self.failure_key, now)

    def _source(self, connection: sqlite3.Connection, record: Record, now: float) -> int:
        raw, header = to_bytes(record.source), record.header
        values = (
            *_stat(record.stat),
            record.sha256,
            record.settled,
            record.status.value,
            *_error(record.error),
            *(
                (None,) * 5
                if header is None
                else (header.format, header.width, header.height, header.frames, header.mode)
            ),
            record.seconds_read,
            record.seconds_decode,
            record.peak_memory,
            _warnings(record.warnings),
            self.run,
            now,
            record.content,
            *_stat(record.stat.sidecar),
            *(record.upright or (None, None)),
            record.color,
            record.thumbhash,
            None if record.alt is None else printable(record.alt),
        )
        folder = to_bytes(folder_of(record.source))
        inserted = connection.execute(_INSERT, (folder, raw, shown(record.source), *values))
        if inserted.rowcount:
            return int(inserted.lastrowid or 0)
        (number,) = connection.execute(_FIND, (raw,)).fetchone()
        connection.execute(_UPDATE, (*values, number))
        return int(number)

    def _rendition(
        self, connection: sqlite3.Connection, number: int, record: Record, rendition: RenditionRecord, now: float
    ) -> None:
        written = rendition.written
        file = (None,) * 3 if written is None else (written.size, _bounded(written.mtime_ns), written.sha256)
        target = to_bytes(rendition.target)
        libraries = record.libraries if rendition.libraries is None else rendition.libraries
        connection.execute(
            _RENDITION,
            (
                number,
                rendition.name,
                target,
                shown(rendition.target),
                record.made_from,
                rendition.recipe,
                rendition.status.value,
                rendition.reason.value,
                *_error(rendition.error),
                *file,
                rendition.format,
                rendition.width,
                rendition.height,
                rendition.seconds_resize,
                rendition.seconds_encode,
                rendition.seconds_write,
                _warnings(rendition.warnings),
                self._library(connection, libraries) if libraries else None,
                self.run,
                now,
                rendition.quality,
            ),
        )
        if written is not None:
            claim = (fold(rendition.target), target, to_bytes(record.source), rendition.name, *file)
            connection.execute(_WRITTEN, claim)

    def _library(self, connection: sqlite3.Connection, versions: str) -> int:
        """The number under which the text `versions` is kept."""
        number = self._libraries.get(versions)
        if number is None:
            connection.execute("INSERT OR IGNORE INTO library (versions) VALUES (?)", (versions,))
            row = connection.execute("SELECT id FROM library WHERE versions = ?", (versions,)).fetchone()
            number = self._libraries[versions] = int(row[0])
        return number


def _stat(stat: Stat | None) -> tuple[int | None, int | None, int | None]:
    return (None,) * 3 if stat is None else (stat.size, _bounded(stat.mtime_ns), _bounded(stat.ctime_ns))


def _bounded(nanoseconds: int) -> int:
    return max(-_INT64, min(nanoseconds, _INT64))


def _error(error: PictureError | None) -> tuple[str | None, str | None]:
    return (None, None) if error is None else (error.kind.value, error.detail)


def _warnings(warnings: tuple[str, ...]) -> str:
    return json.dumps([printable(line) for line in warnings], ensure_ascii=False) if warnings else _NO_WARNINGS
