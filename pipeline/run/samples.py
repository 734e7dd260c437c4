"""What is in a tar shard, by the manifest's records: the samples in their order, with the JSON beside each picture."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.config.settings import SourceSettings
from pipeline.manifest import export
from pipeline.manifest.export import Kind, Value
from pipeline.manifest.shards import Shards
from pipeline.manifest.values import to_name

Asked = Callable[[str], Collection[str]]
"""The names of the renditions that a picture gets by the config."""

_KEY = {"path": "r.target", "size": "r.size", "mtime_ns": "r.mtime_ns", "sha256": "r.sha256"}
_LEFT_OUT = {"source_status", "status", "error", "detail", "target", "target_raw"}  # of a row, in a sample's JSON


@dataclass(frozen=True, slots=True)
class Rendition:
    """A member of a sample, as recorded."""

    path: bytes
    size: int
    mtime_ns: int
    sha256: bytes

    @property
    def name(self) -> str:
        """Of the member."""
        return to_name(self.path)


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture in a shard."""

    renditions: tuple[Rendition, ...]
    json: bytes

    @property
    def json_name(self) -> str:
        """Of the member with its JSON."""
        folder, slash, name = self.renditions[0].name.rpartition("/")
        return f"{folder}{slash}{name.partition('.')[0]}.json"


def list_columns(
    shards: Shards, sources: Iterable[SourceSettings], types: Mapping[str, Collection[str]]
) -> dict[str, Kind]:
    """The columns that lists of URLs bring, and of which kind each is by what is recorded and by `types` of the values
    in today's lists: records alone would make the kind depend on how far the run has come.

    `sources`: those of the config.
    """
    lists = [source.urls for source in sources if source.urls is not None]
    if not lists and not shards.select("SELECT EXISTS (SELECT 1 FROM origin)")[0][0]:
        return {}
    all_types: dict[str, set[str]] = {name: set() for urls in lists for name in urls.columns}
    recorded = {name: said.split(",") for name, said in shards.select(export.LIST_TYPES)}
    for name, some in (*recorded.items(), *types.items()):
        all_types.setdefault(name, set()).update(some)
    kinds = {f"list_{name}": export.kind_of_list(",".join(sorted(all_types[name]))) for name in sorted(all_types)}
    return {"url": Kind.TEXT, **kinds}


def samples_of(shards: Shards, number: int, kinds: Mapping[str, Kind], asked: Asked) -> Iterator[Sample]:
    """The pictures of shard `number` whose renditions are all there, in order. `kinds`: the columns of lists.

    Of renditions that the config has had before there may still be records; where it was not run since, only these.
    """
    fields = {f"key_{name}": expression for name, expression in _KEY.items()}
    fields |= {"path": "s.path", "url": "o.url", "columns": "o.columns", "alt": "s.alt"} | export.FIELDS
    for path, group in itertools.groupby(shards.rows(number, fields), key=lambda row: row["path"]):
        recorded = list(group)
        names = asked(to_name(path))
        rows = [row for row in recorded if row["rendition"] in names] or recorded
        if all(row["key_sha256"] is not None for row in rows):
            renditions = tuple(Rendition(**{name: row[f"key_{name}"] for name in _KEY}) for row in rows)
            yield Sample(renditions, _json(rows, kinds))


def renditions_of(samples: Iterable[Sample]) -> Iterator[Rendition]:
    """All renditions, in order."""
    return itertools.chain.from_iterable(sample.renditions for sample in samples)


def content_of(samples: Sequence[Sample]) -> bytes:
    """A hash of everything that is in a shard."""
    digest = hashlib.sha256()
    for sample in samples:
        for rendition in sample.renditions:
            digest.update(b"%d %b %b" % (len(rendition.path), rendition.path, rendition.sha256))
        digest.update(b"%d %b" % (len(sample.json), sample.json))
    return digest.digest()


def _json(rows: list[dict[str, Any]], kinds: Mapping[str, Kind]) -> bytes:
    """The JSON beside a picture: what an export says of it, and of its rendition or of each of several by name.

    Readers take the types of all samples from the first ones, so a key has one type and is there in all: a missing text
    is "", and warnings are a text as in CSV. `kinds`: the columns of lists.
    """
    exported = [export.row_of((name, row[name]) for name in export.FIELDS) for row in rows]
    said = export.said_of(rows[0]["url"], rows[0]["columns"])
    whole: dict[str, Any] = {key: value for key, value in exported[0].items() if key.startswith("source")}
    whole |= {"alt": rows[0]["alt"] or ""}
    of_each = [{key: value for key, value in row.items() if not key.startswith("source")} for row in exported]
    if len(of_each) > 1:
        whole["renditions"] = {row.pop("rendition"): _kept(row) for row in of_each}
    else:
        whole |= of_each[0]
    listed = {name: _as_kind(said.get(name), kind) for name, kind in kinds.items()}
    return json.dumps(_kept(whole) | listed, ensure_ascii=False).encode()


def _as_kind(value: Value, kind: Kind) -> Value:
    if kind is Kind.TEXT:
        return "" if value is None else value if isinstance(value, str) else json.dumps(value)
    return float(value) if kind is Kind.REAL and isinstance(value, int | float) else value


def _kept(values: dict[str, Any]) -> dict[str, Any]:
    """Without what is said elsewhere or, as a quality that was not sought, not said at all."""
    kept = {key: value for key, value in values.items() if key not in _LEFT_OUT and value is not None}
    return {key: " | ".join(value) if isinstance(value, list) else value for key, value in kept.items()}
