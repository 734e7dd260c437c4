"""Fills and writes tar shards, in the driver's thread: what is in a shard follows from the manifest's records alone.

Pictures are put into shards in their order, `pictures` to a shard, and stay there: the last shard is filled up before a
new one begins, so a new picture changes one shard at the most. While a run works, a shard is filled as soon as every
picture before its last one has been recorded, so threads and lanes never change what is in it. The rest is done at the
end of the run.

A shard is written under a temporary name and synced; its build is entered in the manifest; it gets its name; and only
then is an older build forgotten, and are the files removed in which its renditions were waiting. A kill in between
leaves a build that the stat of the file proves to be there, or not.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pipeline.errors import TargetTrouble
from pipeline.manifest import export
from pipeline.manifest.export import Kind, Value
from pipeline.manifest.shards import Build, Place, Shards, place_of, shard_name
from pipeline.manifest.values import to_name
from pipeline.targets.shards import ShardTarget
from pipeline.targets.tar import TarOutput
from pipeline.targets.trouble import trouble

_STOPS = 100  # members between two looks at whether the run must stop
_KEY = {"path": "r.target", "size": "r.size", "mtime_ns": "r.mtime_ns", "sha256": "r.sha256"}
_LEFT_OUT = {"source_status", "status", "error", "detail", "target", "target_raw"}  # of a row, in a sample's JSON


class Written(Protocol):
    """Called with the name of each shard that was written, and whether it is `new`."""

    def __call__(self, name: str, *, new: bool) -> None:
        """It has its name."""


@dataclass(frozen=True, slots=True)
class _Rendition:
    """A member of a sample, as recorded."""

    path: bytes
    size: int
    mtime_ns: int
    sha256: bytes

    @property
    def name(self) -> str:
        return to_name(self.path)


@dataclass(frozen=True, slots=True)
class _Sample:
    """A picture in a shard."""

    renditions: tuple[_Rendition, ...]
    json: bytes

    @property
    def json_name(self) -> str:
        folder, slash, name = self.renditions[0].name.rpartition("/")
        return f"{folder}{slash}{name.partition('.')[0]}.json"


class Packing:
    """The shards of one run. For the driver's thread."""

    def __init__(
        self,
        pictures: int,
        shards: Shards,
        target: ShardTarget,
        flush: Callable[[], object],
        check: Callable[[], None],
        written: Written = lambda name, *, new: None,
    ) -> None:
        """`pictures`: the most in a shard. `flush` makes the manifest's records durable, `check` may raise to stop."""
        self.count = 0  # shards written
        self.warnings: list[str] = []
        self._pictures = pictures
        self._shards = shards
        self._target = target
        self._flush = flush
        self._check = check
        self._written = written
        self._expected: dict[str, None] = {}  # pictures without an outcome, in their order
        self._after: Place | None = None  # up to which all that is made is in shards
        self._recorded = 0  # pictures since then

    # -- what the run tells

    def expect(self, source: str) -> None:
        """A picture that is to be made, in the order of all."""
        self._expected[source] = None

    def came(self, source: str) -> None:
        """The outcome of a picture is recorded."""
        self._expected.pop(source, None)
        self._recorded += 1

    def begin(self) -> None:
        """Bring what an earlier run has left in order."""
        for build in self._shards.builds():
            if build.placed:
                continue
            if self._target.is_there(build):
                self._shards.finish(build.id, build.shard, build.mtime_ns)
                self._target.placed(build)
            else:
                self._shards.withdraw(build.id)

    def step(self) -> None:
        """Write the shards that can be, while the run works. Quick where there are none."""
        number, held = self._shards.last() if self._recorded else (-1, 0)
        room = self._pictures - held if number >= 0 and held < self._pictures else self._pictures
        if self._recorded < room:
            return
        self._recorded = 0
        if self._expected:
            before = place_of(next(iter(self._expected)))
            self._fill(before)
            self._write(self._shards.due(before))

    def end(self, *, complete: bool) -> None:
        """Write all shards that are due. `complete`: every picture has its outcome."""
        self._recorded = self._pictures
        if not complete:
            self.step()
            return
        self._fill(None)
        self.write_due()
        try:
            self._target.forget_others(self._shards.waiting)
        except OSError as error:
            raise trouble(self._target.folder, error) from error

    def write_due(self) -> None:
        """Write the shards whose records have changed."""
        self._flush()
        self._write(self._shards.due())

    # -- which pictures are in which shard

    def _fill(self, before: Place | None) -> None:
        """Put the pictures that are in no shard into shards; only as many as fill one, if some come later."""
        self._flush()
        number, held = self._shards.last()
        after = None if before is None else self._after
        while True:
            if number < 0 or held >= self._pictures:
                number, held = number + 1, 0
            chosen = self._shards.unassigned(after, before, self._pictures - held)
            if not chosen or (before is not None and len(chosen) < self._pictures - held):
                return
            self._shards.assign(number, [path for _folder, path in chosen])
            after = chosen[-1]
            if before is not None:
                self._after = after
            held += len(chosen)

    # -- writing

    @functools.cached_property
    def _kinds(self) -> dict[str, Kind]:
        """The columns of lists."""
        types = self._shards.select(export.LIST_TYPES)
        kinds = {f"list_{name}": export.kind_of_list(said) for name, said in types}
        (any_there,) = self._shards.select("SELECT EXISTS (SELECT 1 FROM origin)")[0]
        return {"url": Kind.TEXT, **kinds} if any_there else {}

    def _write(self, due: list[int]) -> None:
        builds = {build.shard: build for build in self._shards.builds()}
        for number in due:
            self._check()
            try:
                self._write_one(number, builds.get(number))
            except OSError as error:
                raise trouble(self._target.folder, error) from error

    def _write_one(self, number: int, before: Build | None) -> None:
        samples = list(self._samples(number))
        content = _content(samples)
        same = before is not None and before.content == content and self._target.is_there(before)
        if before is not None and same and not any(self._target.waits(each.name) for each in _renditions(samples)):
            self._shards.settle(before, [(rendition.path, rendition.mtime_ns) for rendition in _renditions(samples)])
        elif samples:
            self._build(number, before, samples, content)
        else:
            if before is not None and self._target.is_there(before):  # another file of its name is not ours
                self._target.remove_shard(number)
            self._shards.end(number)

    def _build(self, number: int, before: Build | None, samples: list[_Sample], content: bytes) -> None:
        output = self._target.begin_shard()
        try:
            members, lost = self._filled(output, samples)
            if lost:
                self._shards.lose(lost)
                self._target.forget(map(to_name, lost))
                self.warnings.append(
                    f"{shard_name(number)} is not written yet: {len(lost):,} of its renditions are damaged, and the "
                    "next run makes them again"
                )
                return
            mtime_ns, sha256 = output.finish(durable=self._target.durable)
            build = Build(0, number, output.size, mtime_ns, sha256, content, placed=0)
            build_id = self._shards.begin(build, members)
            if not output.put(shard_name(number), replace=before is not None):
                there = self._target.sha256_of(number)
                if there is None or there[0] != sha256:
                    self._shards.withdraw(build_id)
                    name = f"{self._target.folder / shard_name(number)}"
                    raise TargetTrouble(f"{name}: a file that this config did not make has the name of a shard")
                mtime_ns = there[1]
            self._target.sync_shards()
        finally:
            output.drop()
        self._shards.finish(build_id, number, mtime_ns)
        self._target.placed(Build(build_id, number, build.size, mtime_ns, sha256, content, placed=1))
        self._target.forget(rendition.name for rendition in _renditions(samples))
        self.count += 1
        self._written(shard_name(number), new=before is None)

    def _filled(
        self, output: TarOutput, samples: list[_Sample]
    ) -> tuple[list[tuple[bytes, int, int, int, bytes]], list[bytes]]:
        """Write all members; returns their places, and the paths of those whose bytes are not to be had."""
        members, lost = [], []
        for count, sample in enumerate(samples):
            if count % _STOPS == 0:
                self._check()
            for rendition in sample.renditions:
                bytes_ = self._target.content(rendition.name, rendition.sha256)
                if bytes_ is None:
                    lost.append(rendition.path)
                elif not lost:
                    start = output.add(rendition.name, bytes_)
                    members.append((rendition.path, start, rendition.size, rendition.mtime_ns, rendition.sha256))
            output.add(sample.json_name, sample.json)
        return members, lost

    def _samples(self, number: int) -> Iterator[_Sample]:
        """The pictures of a shard whose renditions are all there, in order."""
        kinds = self._kinds  # asked for first: `rows` holds the manifest
        fields = {f"key_{name}": expression for name, expression in _KEY.items()}
        fields |= {"url": "o.url", "columns": "o.columns", "alt": "s.alt"} | export.FIELDS
        for _source, group in itertools.groupby(self._shards.rows(number, fields), key=lambda row: row["source"]):
            rows = list(group)
            if all(row["key_sha256"] is not None for row in rows):
                renditions = tuple(_Rendition(**{name: row[f"key_{name}"] for name in _KEY}) for row in rows)
                yield _Sample(renditions, _json(rows, kinds))


def _renditions(samples: list[_Sample]) -> Iterator[_Rendition]:
    return itertools.chain.from_iterable(sample.renditions for sample in samples)


def _content(samples: list[_Sample]) -> bytes:
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
