"""The warnings of the pictures and renditions that were made, as the manifest remembers them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator
from itertools import groupby
from typing import NamedTuple

from pipeline.manifest.database import translated
from pipeline.manifest.orphans import GONE
from pipeline.manifest.reader import Reader
from pipeline.manifest.values import to_name
from pipeline.model.record import MADE_WORDS
from pipeline.model.remarks import by_frequency, kinds, ours

_QUERY = f"""
SELECT path, '' AS name, warnings FROM source
WHERE status IN {MADE_WORDS} AND warnings <> '[]' AND id NOT IN {GONE}
UNION ALL
SELECT s.path, r.name, r.warnings FROM rendition r JOIN source s ON s.id = r.source
WHERE r.status IN {MADE_WORDS} AND r.warnings <> '[]' AND r.target NOT IN (SELECT path FROM orphan)
ORDER BY path, name
"""  # noqa: S608 - words from `model.record`, and a query of this package


class Remark(NamedTuple):
    """The warnings of one source (`rendition` is "") or of one rendition of it."""

    source: str
    rendition: str
    warnings: tuple[str, ...]


def remarks(reader: Reader, renditions: Collection[str]) -> Iterator[Remark]:
    """By source and then by rendition, of the sources and of these renditions. Reads every row once."""
    with translated(reader.path):
        for path, name, warnings in reader.connection.execute(_QUERY):
            told = ours(map(str, json.loads(warnings)))
            if told and (not name or name in renditions):
                yield Remark(to_name(path), name, told)


def pictures_by_kind(reader: Reader, renditions: Collection[str]) -> dict[str, int]:
    """Numbers of pictures by kind of warning, the most frequent first."""
    counts: Counter[str] = Counter()
    for _, several in groupby(remarks(reader, renditions), lambda remark: remark.source):
        counts.update(kinds(warning for remark in several for warning in remark.warnings))
    return by_frequency(counts)
