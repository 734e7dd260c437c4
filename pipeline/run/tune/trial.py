"""One trial: the run's own line carries a list of jobs with given workers, into a temporary folder.

A trial does all that a run does for a picture: claims, fsync, directory syncs, a manifest with its commits. Only the
plan is left out, and the start of the children, which start once for all trials.
"""

from __future__ import annotations

import resource
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.config.settings import Config
from pipeline.manifest.claims import Claim
from pipeline.manifest.runs import RunStart
from pipeline.manifest.store import Manifest
from pipeline.model.job import Job
from pipeline.run.batch import Batch, Batching
from pipeline.run.clock import Pace
from pipeline.run.lane import Control, Lane, LocalLane
from pipeline.run.line import Terms
from pipeline.run.options import Workers
from pipeline.run.tune.stages import Few, Notes, Watched
from pipeline.sources.source import Source
from pipeline.targets.local import LocalTarget
from pipeline.workers import memory
from pipeline.workers.exchange import Pool

_CLAIMS = 64  # jobs claimed in one commit


class _Enough(Exception):
    """The trial has had its time."""


@dataclass(frozen=True, slots=True)
class Trial:
    """The result of one trial. Seconds of `stages` are thread seconds: `threads` x `seconds` in all."""

    pictures: int  # carried to their end
    seconds: float
    whole: bool  # all jobs were carried; else the trial was cut short and its rate is a rough one
    stages: Mapping[str, float]  # read, child (waiting for one), render, memory (waiting for it), write
    own_cpu: float  # CPU seconds of this process, all threads
    threads: int  # at the end: `auto` may have started more
    unfit: frozenset[str] = frozenset()  # sources that were not rendered

    @property
    def rate(self) -> float:
        """Pictures a second."""
        return self.pictures / self.seconds if self.pictures else 0.0


@dataclass(frozen=True, slots=True)
class _Ends:
    """What may end a trial before its last job."""

    seconds: float
    on_tick: Callable[[], None]  # may raise


@dataclass(frozen=True, slots=True)
class _Parts:
    """What one trial has for itself."""

    notes: Notes
    target: LocalTarget
    manifest: Manifest


class Bench:
    """Makes trials, one after the other, in the thread that owns it."""

    def __init__(
        self, config: Config, source: Source, renderers: Mapping[bool, Pool], files: Path, records: Path
    ) -> None:
        """`renderers`: True has enough children for every trial, False renders in the threads. Trials write below the
        existing folders `files` and `records`.
        """
        self._config = config
        self._source = source
        self._renderers = renderers
        self._files = files
        self._records = records
        self._count = 0
        self._scaled: dict[
            int, int
        ] = {}  # processes -> threads that `auto` had in the end: a run is longer than a trial

    @property
    def in_threads(self) -> bool:
        """Whether trials without children can be made."""
        return False in self._renderers

    def trial(self, workers: Workers, jobs: Sequence[Job], seconds: float, on_tick: Callable[[], None]) -> Trial:
        """Carry `jobs`, but for no longer than about `seconds`. Raises `PipelineError`, and whatever `on_tick` does."""
        self._count += 1
        name = f"{self._count}"
        target = LocalTarget(replace(self._config.target, path=self._files / name), name)
        target.prepare()
        (self._records / f"r{name}").mkdir(mode=0o700)
        try:
            with Manifest.open(self._records / f"r{name}" / "manifest.sqlite", owner="") as manifest:
                manifest.begin_run(RunStart(name, "", (), 0, "", time.time()))
                return self._timed(workers, jobs, _Ends(seconds, on_tick), _Parts(Notes(), target, manifest))
        finally:
            shutil.rmtree(self._files / name, ignore_errors=True)
            shutil.rmtree(self._records / f"r{name}", ignore_errors=True)

    def _timed(self, workers: Workers, jobs: Sequence[Job], ends: _Ends, parts: _Parts) -> Trial:
        notes, manifest = parts.notes, parts.manifest
        scales = workers.most_threads > workers.threads
        if scales:
            workers = replace(workers, threads=max(workers.threads, self._scaled.get(workers.processes, 0)))
        batching = Batching(max(map(len, self._config.spec_sets)))
        left: deque[Job] = deque()  # to be carried alone

        def look() -> None:
            _take(lane, parts, batching, left)
            manifest.tick()
            ends.on_tick()
            if time.perf_counter() - began > ends.seconds:
                raise _Enough

        lane = self._lane(workers, parts, look)
        cpu = _own_cpu()
        began = notes.last = time.perf_counter()
        whole = False
        with suppress(_Enough):
            with lane:
                for some in _claimed(jobs, manifest):
                    for batch in batching.batches(some, lane.threads):
                        lane.put(batch)
                        _put_alone(lane, left)
                lane.drain()
                _take(lane, parts, batching, left)
                _put_alone(lane, left)
            _take(lane, parts, batching, left)
            manifest.flush()
            notes.last = time.perf_counter()
            whole = True
        if scales:
            self._scaled[workers.processes] = lane.threads
        taken, used = max(notes.last - began, 1e-6), _own_cpu() - cpu
        return Trial(notes.pictures, taken, whole, dict(notes.stages), used, lane.threads, frozenset(notes.unfit))

    def _lane(self, workers: Workers, parts: _Parts, look: Callable[[], None]) -> LocalLane:
        """The run's own lane, with parts that measure time."""
        config = self._config
        return LocalLane(
            Terms(config.limits, config.placeholder, config.spec_sets),
            workers,
            self._source,
            parts.target,
            Few(self._renderers[workers.processes > 0], workers.processes or workers.most_threads, parts.notes),
            Watched(memory.for_pictures(workers.memory, workers.processes), parts.notes),
            parts.manifest.made,
            Control(Pace(None, None), look),
        )


def _take(lane: Lane, parts: _Parts, batching: Batching, left: deque[Job]) -> None:
    for outcome in lane.take():
        for record in outcome.records:
            parts.manifest.add(record)
            parts.notes.take(record)
            batching.took(record)
        for unfinished in outcome.left:
            if unfinished.child_died:  # a trial measures only pictures that render
                parts.notes.lose(unfinished.job)
            else:
                left.append(unfinished.job)


def _put_alone(lane: Lane, left: deque[Job]) -> None:
    while left:
        lane.put(Batch((left.popleft(),)))


def _claimed(jobs: Sequence[Job], manifest: Manifest) -> Iterator[Sequence[Job]]:
    for at in range(0, len(jobs), _CLAIMS):
        batch = jobs[at : at + _CLAIMS]
        manifest.claim(
            [Claim(planned.target, job.source, planned.spec.name) for job in batch for planned in job.planned]
        )
        yield batch


def _own_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
