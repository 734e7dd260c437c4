"""What was made of some content before, whatever the sources are called: so that the same picture is rendered once."""

from __future__ import annotations

import itertools
import json
import sqlite3
import threading
from collections.abc import Collection
from typing import Any

from pipeline.manifest.values import to_name
from pipeline.model import Header, Reason, Record, RenditionRecord, Stat, Status, Written

_MOST = 64  # rows: of a thousand copies of one picture the first few will do

_QUERY = (
    "SELECT s.path, s.size, s.mtime_ns, s.ctime_ns, s.sha256, s.content, s.format, s.width, s.height, s.frames, "
    "s.mode, s.warnings, s.upright_width, s.upright_height, s.color, s.thumbhash, "
    "r.name, r.target, r.recipe, r.status, r.size, r.mtime_ns, r.sha256, r.format, r.width, r.height, r.warnings, "
    "r.quality, l.versions "
    "FROM source s JOIN rendition r ON r.source = s.id LEFT JOIN library l ON l.id = r.library "
    "WHERE COALESCE(s.content, s.sha256) = ? AND r.source_sha256 = COALESCE(s.content, s.sha256) "
    "AND s.error IS NULL AND s.format IS NOT NULL AND r.status IN ('done', 'kept') AND r.sha256 IS NOT NULL "
)
_BITS = 2**23  # a MiB; with 300,000 contents one in 200 unknown ones is asked for in vain
_OF_THE_SOURCE = 16  # columns of it; a rendition's follow


def of_content(connection: sqlite3.Connection, content: bytes, recipes: Collection[str]) -> list[Record]:
    """Records of sources with this content (`Record.made_from`), with the renditions by these recipes that were made.

    Those that came first, a few dozen renditions at the most, in the order of their sources' bytes. What is measured is
    left out of them; each rendition holds its own `libraries`.
    """
    marks = ", ".join("?" * len(recipes))
    query = f"{_QUERY} AND r.recipe IN ({marks}) ORDER BY s.id, r.name LIMIT {_MOST}"
    # The index holds equal content by id. In any other order all of it would be read and sorted, for each further copy.
    rows = sorted(connection.execute(query, (content, *recipes)), key=lambda row: (row[0], row[_OF_THE_SOURCE]))
    return [_record(list(of_one)) for _, of_one in itertools.groupby(rows, key=lambda row: row[0])]


def _record(rows: list[tuple[Any, ...]]) -> Record:
    path, size, mtime_ns, ctime_ns, sha256, content, *about = rows[0][:_OF_THE_SOURCE]
    image_format, width, height, frames, mode, warnings, upright_width, upright_height, color, thumbhash = about
    return Record(
        to_name(path),
        Stat(size, mtime_ns, ctime_ns),
        Status.DONE,
        tuple(_rendition(*row[_OF_THE_SOURCE:]) for row in rows),
        sha256=sha256,
        header=Header(image_format, width, height, frames, mode, 0),
        warnings=tuple(json.loads(warnings)),
        content=content,
        upright=None if upright_width is None else (upright_width, upright_height),
        color=color,
        thumbhash=thumbhash,
    )


def _rendition(
    name: str, target: bytes, recipe: str, status: str, size: int, mtime_ns: int, sha256: bytes, *about: Any
) -> RenditionRecord:
    image_format, width, height, warnings, quality, libraries = about
    return RenditionRecord(
        name,
        to_name(target),
        recipe,
        Status(status),
        Reason.UNCHANGED,
        written=Written(to_name(target), size, mtime_ns, sha256),
        format=image_format,
        width=width,
        height=height,
        warnings=tuple(json.loads(warnings)),
        quality=quality,
        libraries=libraries or "",
    )


class Seen:
    """A Bloom filter of the contents that came since a manifest was opened with none in it; else it says yes to all.

    Never says no to one that has come. Any thread may call any method. A query that finds nothing takes 20
    microseconds, and waits while another thread commits: a first run of 5,000 different small pictures asks none.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        (any_there,) = connection.execute("SELECT EXISTS (SELECT 1 FROM rendition)").fetchone()
        self._adding = threading.Lock()
        self._bits = None if any_there else bytearray(_BITS // 8)

    def add(self, content: bytes | None) -> None:
        """A record with this content (a SHA-256) is about to be written."""
        if self._bits is not None and content is not None:
            with self._adding:
                for place in _places(content):
                    self._bits[place >> 3] |= 1 << (place & 7)

    def __contains__(self, content: bytes) -> bool:
        """Whether there may be a record with this content."""
        bits = self._bits
        return bits is None or all(bits[place >> 3] >> (place & 7) & 1 for place in _places(content))


def _places(content: bytes) -> tuple[int, int]:
    """Two of its bits' places; a hash is as good as random."""
    return int.from_bytes(content[:4]) % _BITS, int.from_bytes(content[4:8]) % _BITS
