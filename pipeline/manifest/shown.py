"""Every rendition with its source, as a page shows it: what came of it, sizes, placeholder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

from pipeline.manifest.database import translated
from pipeline.manifest.orphans import GONE
from pipeline.manifest.reader import Reader
from pipeline.manifest.values import to_name

_QUERY = f"""
SELECT s.path, s.status, s.error, s.detail, s.size, s.format, COALESCE(s.upright_width, s.width),
    COALESCE(s.upright_height, s.height), s.color, s.thumbhash, s.alt,
    r.name, r.target, r.status, r.error, r.detail, r.size, r.format, r.width, r.height, s.warnings, r.warnings
FROM source s LEFT JOIN rendition r ON r.source = s.id AND r.target NOT IN (SELECT path FROM orphan)
WHERE s.id NOT IN {GONE} ORDER BY s.path, r.name
"""  # noqa: S608 - a query of this package


class Shown(NamedTuple):
    """One rendition, or a source that has none (`rendition` is None). Sizes in bytes and pixels.

    A NamedTuple, because there may be a million of them.
    """

    source: str
    source_status: str
    source_error: str | None
    source_detail: str | None
    source_bytes: int
    source_format: str | None
    source_width: int | None  # upright, where that is known
    source_height: int | None
    color: str | None
    thumbhash: bytes | None
    alt: str | None
    rendition: str | None
    target: str | None
    status: str | None
    error: str | None
    detail: str | None
    bytes: int | None
    format: str | None
    width: int | None
    height: int | None
    warnings: tuple[str, ...]  # about the source and about the rendition


def renditions(reader: Reader) -> Iterator[Shown]:
    """By the source's bytes and the rendition's name, from one state of the manifest. Orphans and sources that are gone
    are left out.
    """
    with translated(reader.path):
        for row in reader.connection.execute(_QUERY):
            target = None if row[12] is None else to_name(row[12])
            yield Shown._make((to_name(row[0]), *row[1:12], target, *row[13:20], _warnings(*row[20:])))


def _warnings(*columns: str | None) -> tuple[str, ...]:
    """The texts of JSON arrays, most of which are empty. Raises `ValueError` for anything else."""
    return tuple(str(text) for column in columns if column and column != "[]" for text in json.loads(column))


class Timed(NamedTuple):
    """What one rendition has taken, in seconds; decoding is of its source, once for all of its renditions."""

    source: str
    rendition: str
    decode: float
    own: float  # resizing and encoding


def timed(reader: Reader) -> Iterator[Timed]:
    """All renditions, in no order."""
    query = (
        "SELECT s.path, r.name, s.seconds_decode, r.seconds_resize + r.seconds_encode "
        "FROM source s JOIN rendition r ON r.source = s.id"
    )
    with translated(reader.path):
        for path, *rest in reader.connection.execute(query):
            yield Timed(to_name(path), *rest)
