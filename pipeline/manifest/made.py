"""What was made of some content before, whatever the sources are called: so that the same picture is rendered once."""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections.abc import Collection
from typing import Any

from pipeline.manifest.names import to_name
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
