"""Reading the manifest: the queries of the plan, and `Reader` for commands that read while a run may be writing."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import ErrorKind
from pipeline.manifest import claims, opening, runs, soundness
from pipeline.manifest.database import Damaged, translated
from pipeline.manifest.failures import Failures
from pipeline.manifest.orphans import GONE, Orphans
from pipeline.manifest.runs import Experience, Stages
from pipeline.manifest.shards import Shards
from pipeline.manifest.values import size, to_bytes, to_name
from pipeline.model.only import Only
from pipeline.model.record import MADE, KnownRendition, KnownSource, Status
from pipeline.model.source import Header, Remote, Stat

_STATUS: Mapping[str | None, Status] = {status.value: status for status in Status}
_ERROR: Mapping[str | None, ErrorKind | None] = {None: None} | {kind.value: kind for kind in ErrorKind}

# A rendition that was made from other content than the source has now is read without its recipe: its spec was not in
# the config when the source changed, so no run has redone it, and its stat does not show that.
_KNOWN = (
    "SELECT s.path, s.size, s.mtime_ns, s.ctime_ns, s.sha256, s.settled, s.status, s.error, "
    "s.content, s.sidecar_size, s.sidecar_mtime_ns, s.sidecar_ctime_ns, s.format, s.width, s.height, s.frames, s.mode, "
    "s.upright_width, s.upright_height, CASE WHEN s.status = 'filtered' THEN s.warnings END, r.name, r.target, "
    "CASE WHEN s.sha256 IS NULL OR r.source_sha256 IS COALESCE(s.content, s.sha256) THEN r.recipe ELSE '' END, "
    "r.status, r.error, r.size, r.mtime_ns, r.sha256 "
    "FROM source s LEFT JOIN rendition r ON r.source = s.id WHERE s.folder = ?"
)
_OF_THE_SOURCE = 20  # columns of `_KNOWN`; those of the rendition follow


Row = tuple[bytes, int, int, int, str, bytes, str, int, int, int]
"""One rendition with its source, as it is stored.

Path, size, mtime_ns and ctime_ns of the source; name, target, recipe, size and mtime_ns of the rendition; and 1 where
nothing else has to be compared: both were made, from the content that the source has now, which has settled and has no
sidecar. A source without renditions has one row with None.
"""

_ROWS = (
    "SELECT s.path, s.size, s.mtime_ns, s.ctime_ns, r.name, r.target, r.recipe, r.size, r.mtime_ns, "
    "s.settled AND s.status IN ('done', 'kept') AND r.status IN ('done', 'kept') AND s.sidecar_size IS NULL "
    "AND (s.sha256 IS NULL OR r.source_sha256 IS COALESCE(s.content, s.sha256)) "
    "FROM source s LEFT JOIN rendition r ON r.source = s.id WHERE s.folder = ?"
)


_ORIGINS = (
    "SELECT s.path, s.size, s.mtime_ns, s.ctime_ns, o.url, o.etag, o.last_modified, o.columns "
    "FROM source s JOIN origin o ON o.source = s.id WHERE s.folder = ?"
)


@dataclass(frozen=True, slots=True)
class Totals:
    """Numbers of remembered sources and renditions by status, and their bytes; without orphans, and sources that are
    gone.
    """

    sources: Mapping[str, int]
    renditions: Mapping[str, int]
    source_bytes: int
    target_bytes: int
    orphans: int

    @property
    def made(self) -> int:
        """Renditions that were in the target when the last run checked them."""
        return sum(self.renditions.get(status, 0) for status in MADE)


def known_sources(
    connection: sqlite3.Connection, folder: str, after: str | None, through: str | None
) -> dict[str, KnownSource]:
    """See `Manifest.known_sources`. Raises `sqlite3.Error`, and `ValueError` for values that no run has written."""
    sources: dict[str, KnownSource] = {}
    renditions: dict[str, KnownRendition] = {}
    last = None
    for row in _within(connection, _KNOWN, folder, after, through):
        if row[0] != last:
            last, renditions = row[0], {}
            source = _known_source(row[:_OF_THE_SOURCE], renditions)
            sources[source.source] = source
        name, target, recipe, status, error, length, mtime_ns, sha256 = row[_OF_THE_SOURCE:]
        if name is not None:
            renditions[name] = KnownRendition(
                to_name(target), recipe, _STATUS[status], _ERROR[error], size(length), mtime_ns, sha256
            )
    return sources


def _known_source(values: Sequence[Any], renditions: dict[str, KnownRendition]) -> KnownSource:
    path, length, mtime_ns, ctime_ns, sha256, settled, status, error, content = values[:9]
    sidecar = None if values[9] is None else Stat(*values[9:12])
    form, width, height, frames, mode, upright_width, upright_height, warnings = values[12:]
    return KnownSource(
        to_name(path),
        Stat(length, mtime_ns, ctime_ns, sidecar=sidecar),
        sha256,
        settled != 0,
        _STATUS[status],
        _ERROR[error],
        renditions,
        content,
        header=None if form is None else Header(form, width, height, frames, mode, 0),
        upright=None if upright_width is None else (upright_width, upright_height),
        filtered="" if warnings is None else "".join(json.loads(warnings)),
    )


def rows(connection: sqlite3.Connection, folder: str, after: str | None, through: str | None) -> list[Row]:
    """The same sources as rows, in the order of path and rendition, in a tenth of the time. Raises `sqlite3.Error`."""
    return _within(connection, _ROWS, folder, after, through).fetchall()


def _within(
    connection: sqlite3.Connection, query: str, folder: str, after: str | None, through: str | None
) -> sqlite3.Cursor:
    prefix = to_bytes(folder) + b"/" if folder else b""
    values = [to_bytes(folder)]
    if after is not None:
        query, values = query + " AND s.path > ?", [*values, prefix + to_bytes(after)]
    if through is not None:
        query, values = query + " AND s.path <= ?", [*values, prefix + to_bytes(through)]
    return connection.execute(query + " ORDER BY s.path", values)  # renditions come by their key; sorting costs 40 %


def origins(connection: sqlite3.Connection, folder: str, after: str | None, through: str | None) -> dict[str, Stat]:
    """See `Manifest.origins`. Raises `sqlite3.Error`, and `ValueError` for values that no run has written."""
    stats = {}
    for path, length, mtime_ns, ctime_ns, *said in _within(connection, _ORIGINS, folder, after, through):
        url, etag, last_modified, columns = said
        remote = Remote("", url, columns, etag=etag, last_modified=last_modified)
        stats[to_name(path)] = Stat(length, mtime_ns, ctime_ns, remote=remote)
    return stats


_LARGEST = 2**31  # pixels of a side, or a ratio of sides, that no picture has
_OUTSIDE = (
    "SELECT path FROM (SELECT path, format, COALESCE(upright_width, width) AS w, COALESCE(upright_height, height) AS h "
    "FROM source WHERE status IN ('done', 'kept', 'done with damage', 'failed') "
    "AND width > 0 AND path >= ? AND path < ?) "
    "WHERE NOT (w BETWEEN ? AND ? AND h BETWEEN ? AND ? AND MAX(w, h) <= ? * MIN(w, h)"
)


def outside(connection: sqlite3.Connection, only: Only, prefix: str) -> list[str]:
    """See `Manifest.outside`. Raises `sqlite3.Error`."""
    raw = to_bytes(prefix)
    within = (raw + b"/", raw + b"0") if prefix else (b"", b"\xff" * 8)  # 0 follows / in ASCII
    width = (only.min_width or 0, only.max_width or _LARGEST)
    height = (only.min_height or 0, only.max_height or _LARGEST)
    values = (*within, *width, *height, only.max_aspect or _LARGEST)
    formats = (*only.formats, *(["mpo"] if "jpeg" in only.formats else []))
    of_format = f" AND format IN ({', '.join('?' * len(formats))})" if formats else ""
    return [to_name(path) for (path,) in connection.execute(f"{_OUTSIDE}{of_format})", (*values, *formats))]


def folders(connection: sqlite3.Connection) -> list[str]:
    """All folders with remembered sources, sorted by their bytes; "" is the root. Raises `sqlite3.Error`."""
    return [to_name(raw) for (raw,) in connection.execute("SELECT DISTINCT folder FROM source ORDER BY folder")]


class Reader:
    """Reads a manifest, also while a run writes it, and cannot change it. For one thread.

    All methods raise `ManifestTrouble` where SQLite fails.
    """

    def __init__(self, path: Path, owner: str | None = None) -> None:
        """Open the manifest at `path`.

        Raises `ManifestTrouble` where there is none or it cannot be read, and `UsageError` where it belongs to another
        config than `owner` (the real path of a config; None: of any).
        """
        self.path = path
        self.connection = opening.open_read_only(path, owner)
        self.failures = Failures(self._reading)
        self.orphans = Orphans(self._reading)
        self.shards = Shards(self._reading)

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None
    ) -> None:
        try:
            if cause := soundness.blamed(self.connection, self.path, error):
                if isinstance(cause, Damaged):
                    opening.mark_damaged(self.path, cause)
                if cause is not error:
                    raise cause
        finally:
            self.close()

    def close(self) -> None:
        """Close the database."""
        self.connection.close()

    def owner(self) -> str:
        """The real path of the config that the manifest belongs to."""
        with translated(self.path):
            return opening.owner_of(self.connection, self.path)

    @property
    def restored(self) -> bool:
        """As `Manifest.restored`."""
        with translated(self.path):
            return opening.is_restored(self.connection)

    def known_sources(
        self, folder: str, after: str | None = None, through: str | None = None
    ) -> dict[str, KnownSource]:
        """See `Manifest.known_sources`."""
        with translated(self.path):
            return known_sources(self.connection, folder, after, through)

    def rows(self, folder: str, after: str | None = None, through: str | None = None) -> list[Row]:
        """See `Manifest.rows`."""
        with translated(self.path):
            return rows(self.connection, folder, after, through)

    def origins(self, folder: str, after: str | None = None, through: str | None = None) -> dict[str, Stat]:
        """See `Manifest.origins`."""
        with translated(self.path):
            return origins(self.connection, folder, after, through)

    def outside(self, only: Only, prefix: str) -> list[str]:
        """See `Manifest.outside`."""
        with translated(self.path):
            return outside(self.connection, only, prefix)

    def folders(self) -> Iterator[str]:
        """See `Manifest.folders`."""
        with translated(self.path):
            return iter(folders(self.connection))

    def claimed(self, targets: list[str]) -> set[str]:
        """Those of `targets` that are claimed."""
        with translated(self.path):
            return claims.claimed(self.connection, targets)

    def lookalikes(self, target: str) -> list[str]:
        """See `Manifest.lookalikes`."""
        with translated(self.path):
            return claims.lookalikes(self.connection, target)

    def claimed_files(self) -> Iterator[claims.ClaimedFile]:
        """Every claimed file, in the order of the fold keys; read in pages."""
        return claims.pages(self._reading)

    def claimed_bytes(self) -> int:
        """The sizes of all files that were made, added up; also of orphans."""
        ((total,),) = self._rows("SELECT TOTAL(size) FROM claim WHERE sha256 IS NOT NULL")
        return int(total)

    def runs(self, limit: int = 10) -> tuple[runs.RunSummary, ...]:
        """The last `limit` runs, newest first."""
        with translated(self.path):
            return runs.latest(self.connection, limit)

    def stages(self) -> dict[int, Stages]:
        """Where the time of each run went, by its number. Reads every row once."""
        with translated(self.path):
            return runs.stages(self.connection)

    def experience(self) -> Experience:
        """What all remembered pictures have taken. Reads every row twice."""
        with translated(self.path):
            return runs.experience(self.connection)

    def totals(self) -> Totals:
        """Numbers of what the last complete run found, and what was made since. Reads every row twice."""
        sources = self._rows(
            f"SELECT status, COUNT(*), TOTAL(size) FROM source WHERE id NOT IN {GONE} "  # noqa: S608
            "GROUP BY status ORDER BY status"
        )
        renditions = self._rows(
            f"SELECT status, COUNT(*), TOTAL(size) FROM rendition WHERE source NOT IN {GONE} "  # noqa: S608
            "AND target NOT IN (SELECT path FROM orphan) GROUP BY status ORDER BY status"
        )
        return Totals(
            {row[0]: row[1] for row in sources},
            {row[0]: row[1] for row in renditions},
            int(sum(row[2] for row in sources)),  # TOTAL is a float: the sum may be too large for SQLite's integers
            int(sum(row[2] for row in renditions)),
            self.orphans.noted(),
        )

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with translated(self.path):
            yield self.connection

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        with translated(self.path):
            return self.connection.execute(query).fetchall()
