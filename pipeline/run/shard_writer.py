"""Writes tar shards, each from the manifest's records alone.

A shard is written under a temporary name and synced; its build is entered in the manifest; it gets its name; and only
then is an older build forgotten, and are the files removed in which its renditions were waiting. A kill in between
leaves a build that the stat of the file proves to be there, or not.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from pipeline.errors import TargetTrouble
from pipeline.manifest.export import Kind
from pipeline.manifest.shards import Build, Shards, shard_name
from pipeline.manifest.values import to_name
from pipeline.run.samples import Asked, Sample, content_of, renditions_of, samples_of
from pipeline.targets.shards import ShardTarget
from pipeline.targets.tar import TarOutput
from pipeline.targets.target import NOTHING
from pipeline.targets.trouble import trouble

_STOPS = 100  # steps between two looks at whether the run must stop

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class ShardWritten:
    """A shard that has its name now, `new` or in the place of an older one; without `name`, one that was not written,
    as the `warning` says.
    """

    name: str
    new: bool
    warning: str = ""


@dataclass(slots=True)
class _Filled:
    """What became of the samples of a shard that is being written."""

    samples: list[Sample]  # that are in it
    members: list[tuple[bytes, int, int, int, bytes]]  # the renditions in it and their places; see `Shards.begin`
    damaged: list[bytes]  # renditions that seemed to be there, so that the plan has let them be
    gone: int = 0  # pictures whose renditions are missing: the plan had them made again, and that has failed


class ShardWriter:
    """For one thread."""

    def __init__(
        self,
        shards: Shards,
        target: ShardTarget,
        columns: Callable[[], Mapping[str, Kind]],
        asked: Asked,
        check: Callable[[], None],
    ) -> None:
        """`columns`: those of lists. `check` is called often and may raise, so that what is begun is dropped."""
        self._shards = shards
        self._target = target
        self._columns = columns
        self._asked = asked
        self._check = check

    def write(self, due: Sequence[int]) -> Iterator[ShardWritten]:
        """Compare shards with their records and write those that differ, one after the other. Raises `TargetTrouble`
        and `ManifestTrouble`.
        """
        builds = {build.shard: build for build in self._shards.builds()}
        for number in due:
            self._check()
            try:
                written = self._brought_up_to_date(number, builds.get(number))
            except OSError as error:
                raise trouble(self._target.folder, error) from error
            if written is not None:
                yield written

    def _brought_up_to_date(self, number: int, before: Build | None) -> ShardWritten | None:
        recorded = list(self._checked(samples_of(self._shards, number, self._columns(), self._asked)))
        samples = self._there(recorded)
        same = before is not None and before.content == content_of(samples) and self._target.is_there(before)
        if before is not None and same and not any(self._target.waits(each.name) for each in renditions_of(samples)):
            self._shards.settle(before, [(rendition.path, rendition.mtime_ns) for rendition in renditions_of(samples)])
            return None
        output = self._target.begin_shard()
        try:
            filled = self._filled(output, samples)
            filled.gone += len(recorded) - len(samples)
            if filled.damaged:
                return self._postponed(number, filled.damaged)
            if filled.samples:
                return self._finished(output, number, before, filled)
        finally:
            output.drop()
        if before is not None and self._target.is_there(before):  # another file of its name is not ours
            self._target.remove_shard(number)
        self._shards.end(number)
        return None

    def _there(self, samples: Sequence[Sample]) -> list[Sample]:
        """Those of `samples` whose renditions are all somewhere."""
        stats = iter(self._target.raw_stats([each.name for each in renditions_of(samples)]))
        return [sample for sample in samples if NOTHING not in list(itertools.islice(stats, len(sample.renditions)))]

    def _finished(self, output: TarOutput, number: int, before: Build | None, filled: _Filled) -> ShardWritten:
        mtime_ns, sha256 = output.finish(durable=self._target.durable)
        self._check()  # a sync may take long, and the run has ended meanwhile: the next one may be at work
        build = Build(0, number, output.size, mtime_ns, sha256, content_of(filled.samples), placed=0)
        build_id = self._shards.begin(build, filled.members)
        if not self._target.place(output, number, replace=before is not None):
            there = self._target.sha256_of(number)
            if there is None or there[0] != sha256:
                self._shards.withdraw(build_id)
                name = f"{self._target.folder / shard_name(number)}"
                raise TargetTrouble(f"{name}: a file that this config did not make has the name of a shard")
            mtime_ns = there[1]
        self._target.sync_shards()
        self._shards.finish(build_id, number, mtime_ns)
        self._target.placed(replace(build, id=build_id, mtime_ns=mtime_ns, placed=1))
        self._target.forget(self._checked(rendition.name for rendition in renditions_of(filled.samples)))
        warning = ""
        if filled.gone:
            those = "a picture is" if filled.gone == 1 else f"{filled.gone:,} pictures are"
            warning = f"{shard_name(number)}: {those} left out whose renditions are gone and were not made again"
        return ShardWritten(shard_name(number), new=before is None, warning=warning)

    def _postponed(self, number: int, damaged: list[bytes]) -> ShardWritten:
        self._shards.lose(damaged)
        self._target.forget(map(to_name, damaged))
        warning = (
            f"{shard_name(number)} is not written yet: {len(damaged):,} of its renditions are damaged, and the next "
            "run makes them again"
        )
        return ShardWritten("", new=False, warning=warning)

    def _filled(self, output: TarOutput, samples: Iterable[Sample]) -> _Filled:
        filled = _Filled([], [], [])
        for sample in self._checked(samples):
            contents = [self._target.content(each.name, each.sha256) for each in sample.renditions]
            lost = [each for each, bytes_ in zip(sample.renditions, contents, strict=True) if bytes_ is None]
            if damaged := [each.path for each in lost if self._target.seems_there(each.name, each.size, each.mtime_ns)]:
                filled.damaged.extend(damaged)
            elif lost:
                filled.gone += 1
            elif not filled.damaged:
                filled.samples.append(sample)
                for each, bytes_ in zip(sample.renditions, contents, strict=True):
                    start = output.add(each.name, bytes_ or b"")
                    filled.members.append((each.path, start, each.size, each.mtime_ns, each.sha256))
                output.add(sample.json_name, sample.json)
        return filled

    def _checked(self, steps: Iterable[_T]) -> Iterator[_T]:
        for count, step in enumerate(steps):
            if count % _STOPS == 0:
                self._check()
            yield step
