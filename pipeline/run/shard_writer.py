"""Writes tar shards, each from the manifest's records alone.

A shard is written under a temporary name and synced; its build is entered in the manifest; it gets its name; and only
then is an older build forgotten, and are the files removed in which its renditions were waiting. A kill in between
leaves a build that the stat of the file proves to be there, or not.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pipeline.errors import TargetTrouble
from pipeline.manifest.export import Kind
from pipeline.manifest.shards import Build, Shards, shard_name
from pipeline.manifest.values import to_name
from pipeline.run.samples import Sample, columns_of_lists, content_of, renditions_of, samples_of
from pipeline.targets.shards import ShardTarget
from pipeline.targets.tar import TarOutput
from pipeline.targets.trouble import trouble

_STOPS = 100  # steps between two looks at whether the run must stop

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class ShardWritten:
    """A shard that has its name now, `new` or in the place of an older one; with a `warning`, one that could not be
    written yet.
    """

    name: str
    new: bool
    warning: str = ""


class ShardWriter:
    """For one thread."""

    def __init__(self, shards: Shards, target: ShardTarget, check: Callable[[], None]) -> None:
        """`check` is called often and may raise, so that what is begun is dropped."""
        self._shards = shards
        self._target = target
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
        samples = list(self._checked(samples_of(self._shards, number, self._kinds)))
        content = content_of(samples)
        same = before is not None and before.content == content and self._target.is_there(before)
        if before is not None and same and not any(self._target.waits(each.name) for each in renditions_of(samples)):
            self._shards.settle(before, [(rendition.path, rendition.mtime_ns) for rendition in renditions_of(samples)])
        elif samples:
            return self._built(number, before, samples, content)
        else:
            if before is not None and self._target.is_there(before):  # another file of its name is not ours
                self._target.remove_shard(number)
            self._shards.end(number)
        return None

    def _built(self, number: int, before: Build | None, samples: list[Sample], content: bytes) -> ShardWritten:
        output = self._target.begin_shard()
        try:
            members, lost = self._filled(output, samples)
            if lost:
                return self._given_up(number, lost)
            mtime_ns, sha256 = output.finish(durable=self._target.durable)
            build = Build(0, number, output.size, mtime_ns, sha256, content, placed=0)
            build_id = self._shards.begin(build, members)
            if not self._target.place(output, number, replace=before is not None):
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
        self._target.forget(self._checked(rendition.name for rendition in renditions_of(samples)))
        return ShardWritten(shard_name(number), new=before is None)

    def _given_up(self, number: int, lost: list[bytes]) -> ShardWritten:
        self._shards.lose(lost)
        self._target.forget(map(to_name, lost))
        warning = (
            f"{shard_name(number)} is not written yet: {len(lost):,} of its renditions are damaged, and the next run "
            "makes them again"
        )
        return ShardWritten(shard_name(number), new=False, warning=warning)

    def _filled(
        self, output: TarOutput, samples: Iterable[Sample]
    ) -> tuple[list[tuple[bytes, int, int, int, bytes]], list[bytes]]:
        """Write all members; returns their places, and the paths of those whose bytes are not to be had."""
        members, lost = [], []
        for sample in self._checked(samples):
            for rendition in sample.renditions:
                bytes_ = self._target.content(rendition.name, rendition.sha256)
                if bytes_ is None:
                    lost.append(rendition.path)
                elif not lost:
                    start = output.add(rendition.name, bytes_)
                    members.append((rendition.path, start, rendition.size, rendition.mtime_ns, rendition.sha256))
            output.add(sample.json_name, sample.json)
        return members, lost

    def _checked(self, steps: Iterable[_T]) -> Iterator[_T]:
        for count, step in enumerate(steps):
            if count % _STOPS == 0:
                self._check()
            yield step

    @functools.cached_property
    def _kinds(self) -> dict[str, Kind]:
        return columns_of_lists(self._shards)
