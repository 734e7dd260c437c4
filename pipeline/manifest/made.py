"""Renditions that were made from some content before, under any name, so that the same picture is rendered once."""

from __future__ import annotations

import itertools
import json
import sqlite3
import threading
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from pipeline.manifest import opening
from pipeline.manifest.database import Database
from pipeline.manifest.rows import RenditionRow, SourceRow, listed
from pipeline.manifest.values import to_name
from pipeline.model.record import MADE_WORDS, Reason, Record, RenditionRecord, Shown, Status, Written
from pipeline.model.source import Header, Stat

_MOST = 64  # rows: of a thousand copies of one picture the first few are enough

_QUERY = (
    f"SELECT {listed(SourceRow, 's')}, {listed(RenditionRow, 'r')}, l.versions "  # noqa: S608 - names of columns
    "FROM source s JOIN rendition r ON r.source = s.id LEFT JOIN library l ON l.id = r.library "
    "WHERE COALESCE(s.content, s.sha256) = ? AND r.source_sha256 = COALESCE(s.content, s.sha256) "
    f"AND s.error IS NULL AND s.format IS NOT NULL AND r.status IN {MADE_WORDS} AND r.sha256 IS NOT NULL "
)
_OF_THE_SOURCE = len(SourceRow._fields)  # columns; those of the rendition and its libraries follow
_BITS = 2**23  # a MiB; with 300,000 contents, one query in 200 is in vain


def of_content(connection: sqlite3.Connection, content: bytes, recipes: Collection[str]) -> list[Record]:
    """Records of sources with this content (`Record.made_from`), with their renditions by these recipes.

    Those that were recorded first, 64 renditions at most, in the order of their sources' bytes. Measured values are
    left out; each rendition has its own `libraries`. Raises `sqlite3.Error`, and `ValueError` for values that no run
    has written.
    """
    placeholders = ", ".join("?" * len(recipes))
    query = f"{_QUERY} AND r.recipe IN ({placeholders}) ORDER BY s.id, r.name LIMIT {_MOST}"
    # The index has equal content by id. In any other order, each further copy would read and sort all of it.
    rows = connection.execute(query, (content, *recipes)).fetchall()
    pairs = [(SourceRow._make(row[:_OF_THE_SOURCE]), _rendition(row[_OF_THE_SOURCE:-1], row[-1])) for row in rows]
    pairs.sort(key=lambda pair: (pair[0].path, pair[1].name))
    by_source = itertools.groupby(pairs, key=lambda pair: pair[0].path)
    return [_record(list(of_one)) for _, of_one in by_source]


def _record(pairs: list[tuple[SourceRow, RenditionRecord]]) -> Record:
    source = pairs[0][0]
    if source.format is None or source.width is None or source.height is None or source.frames is None:
        raise ValueError("no header")
    upright = (source.upright_width, source.upright_height)
    return Record(
        to_name(source.path),
        Stat(source.size, source.mtime_ns, source.ctime_ns),
        Status.DONE,
        tuple(made for _, made in pairs),
        sha256=source.sha256,
        header=Header(source.format, source.width, source.height, source.frames, source.mode or "", 0),
        warnings=tuple(json.loads(source.warnings)),
        content=source.content,
        orientation=source.orientation,
        upright=None if upright[0] is None or upright[1] is None else (upright[0], upright[1]),
        color=source.color,
        thumbhash=source.thumbhash,
    )


def _rendition(values: Sequence[Any], libraries: str | None) -> RenditionRecord:
    row = RenditionRow._make(values)
    if row.size is None or row.mtime_ns is None or row.sha256 is None:
        raise ValueError("no file")
    return RenditionRecord(
        row.name,
        to_name(row.target),
        row.recipe,
        Status(row.status),
        Reason.UNCHANGED,
        written=Written(to_name(row.target), row.size, row.mtime_ns, row.sha256),
        format=row.format,
        width=row.width,
        height=row.height,
        warnings=tuple(json.loads(row.warnings)),
        quality=row.quality,
        score=row.score,
        shown=_shown(row),
        libraries=libraries or "",
    )


def _shown(row: RenditionRow) -> Shown | None:
    """None where a version without these columns has made it."""
    if row.box_left is None or row.box_top is None or row.box_width is None or row.box_height is None:
        return None
    if row.place_left is None or row.place_top is None or row.place_width is None or row.place_height is None:
        return None
    return Shown(
        (row.box_left, row.box_top, row.box_width, row.box_height),
        row.turn or 0,
        (row.place_left, row.place_top, row.place_width, row.place_height),
    )


class Seen:
    """A Bloom filter of the contents of a first run. For a manifest that was not empty, it contains everything.

    It never denies a content that was added. Any thread may call any method. It saves queries that find nothing, which
    take 15 microseconds of CPU where the filter takes 3 (1 % of a PNG of 64 px), and wait while another thread commits,
    which is as long as the disk takes to sync: a first run of 5,000 different pictures makes none.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        (any_there,) = connection.execute("SELECT EXISTS (SELECT 1 FROM rendition)").fetchone()
        self._adding = threading.Lock()
        self._bits = None if any_there else bytearray(_BITS // 8)

    def add(self, content: bytes | None) -> None:
        """Add the content (a SHA-256) of a record that is about to be written."""
        if self._bits is not None and content is not None:
            with self._adding:
                for place in _places(content):
                    self._bits[place >> 3] |= 1 << (place & 7)

    def __contains__(self, content: bytes) -> bool:
        """Whether a record may have this content."""
        bits = self._bits
        return bits is None or all(bits[place >> 3] >> (place & 7) & 1 for place in _places(content))


def _places(content: bytes) -> tuple[int, int]:
    """The two bits that stand for a content, whose hash is as good as random."""
    return int.from_bytes(content[:4]) % _BITS, int.from_bytes(content[4:8]) % _BITS


class ContentReader:
    """Reads the manifest of a run that another process drives. Any thread may call any method.

    All methods raise `ManifestTrouble`.
    """

    def __init__(self, path: Path) -> None:
        connection = opening.open_read_only(path)
        self._database = Database(path, connection)
        with self._database.reading():
            self._seen = Seen(connection)  # of a first run: nothing was made before

    def made(self, content: bytes, recipes: Collection[str]) -> list[Record]:
        """As `Manifest.made`, of what earlier runs have recorded; of this run only where there were earlier ones."""
        if content not in self._seen:
            return []
        with self._database.reading() as connection:
            return of_content(connection, content, recipes)

    def close(self) -> None:
        """Close the database."""
        self._database.close()
