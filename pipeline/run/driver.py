"""The driver of one run: it plans, claims, hands out batches, takes their outcomes, and alone writes the manifest.

It opens no picture: a lane carries the batches, and the driver uses it only through its interface.
"""

from __future__ import annotations

import functools
import itertools
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import asdict, dataclass, replace
from typing import Literal

from pipeline.config.settings import Config
from pipeline.errors import (
    ErrorKind,
    ExitStatus,
    ManifestTrouble,
    PipelineError,
    SourceTrouble,
    Stopped,
    TargetTrouble,
)
from pipeline.manifest.store import Manifest
from pipeline.model.job import Job
from pipeline.model.record import Reason, Record, Status
from pipeline.plan.decision import in_the_way
from pipeline.plan.failures import failure_key
from pipeline.plan.orphans import Orphan
from pipeline.plan.planner import Planner
from pipeline.run import claiming, lanes
from pipeline.run.batch import MOST, MOST_ON_A_CLUSTER, Batch, Batching, Left
from pipeline.run.clock import Pace
from pipeline.run.failures import reported_before
from pipeline.run.lane import Control, Lane
from pipeline.run.line import Terms
from pipeline.run.options import Change, Progress, RunOptions, asked, workers
from pipeline.run.packing import Packing
from pipeline.run.prestart import Prestarted
from pipeline.run.prune import Tidied, tidy
from pipeline.run.stop import TICK, Stop
from pipeline.run.tally import PassedOver, Summary, Tally
from pipeline.run.trouble import silent, vanishing, wholesale
from pipeline.sources.source import Source
from pipeline.targets.shards import ShardTarget
from pipeline.targets.target import Target

_FIRST_CLAIMS, _MOST_CLAIMS = 8, 256  # jobs claimed in one commit: few at first, so that the first target comes soon


_MADE = (Reason.NEW, Reason.MISSING, Reason.RETRY)  # as far as is known, there was no file
_NOTED = 2.0  # seconds between two notes of the progress in the manifest, for `status`


@dataclass(frozen=True, slots=True)
class Around:
    """The surroundings of a run: id, locks, callbacks."""

    run: str  # its id
    locks: tuple[int, ...]  # their descriptors
    watch: Callable[[Progress], None]  # called about every tick
    prestarted: Prestarted
    changed: Callable[[Change], None]  # called for each file, once the manifest records it


class Driver:
    """One run under its locks. All its methods run in the main thread."""

    def __init__(
        self,
        config: Config,
        options: RunOptions,
        manifest: Manifest,
        source: Source,
        target: Target,
        stop: Stop,
        around: Around,
    ) -> None:
        self.workers = workers(config, options)
        self._config = config
        self._options = options
        self._manifest = manifest
        self._stop = stop
        self._around = around
        self._watched = 0.0  # when `Around.watch` was last due
        self._noted = 0.0  # when the progress was last noted in the manifest
        self._source = source
        self._target = target
        self.failure_key = functools.cache(lambda: failure_key(config.limits))  # computed at the first failure
        self._tally = Tally()
        self._planner = Planner(config, manifest, options.plan, source, target, self._glance)
        self._pace = Pace(stop.deadline, manifest.pace() if stop.deadline is not None else None)
        most = MOST if config.executor is None else MOST_ON_A_CLUSTER
        self._batching = Batching(max(map(len, config.spec_sets)), most=most, alone=options.plan.replace)
        self._lane: Lane | None = None  # until there is one
        self._left: deque[Job] = deque()  # to be carried alone
        self._last_chance: list[Job] = []  # carried alone at the end: their child died, or their lane twice
        self._lost: set[str] = set()  # the sources of jobs whose lane died
        self._out_of_time = 0  # jobs that would not have ended in time, and one where the time ended the run
        self._unanswered = 0  # reads in a row that have timed out
        self._tidied: Tidied | None = None
        self._stopped = ""
        self._cut = True  # False once all work is done
        packed = config, manifest, self._check, self._shard_written, source.list_types
        self._packing = Packing(target, *packed) if isinstance(target, ShardTarget) else None

    def to_its_end(self, run: int) -> Summary:
        """Do the work of run number `run`, and record how it ended in any case."""
        status, why = ExitStatus.UNFINISHED, ""
        try:
            self._work(run)
            status = self._status(ExitStatus.TIME_UP if self._out_of_time else ExitStatus.OK)
        except Stopped as stopped:
            self._out_of_time += stopped.status == ExitStatus.TIME_UP
            why = self._stopped = str(stopped) if stopped.status == ExitStatus.UNFINISHED else ""
            status = self._status(stopped.status)
        except Exception as error:
            why = str(error) if isinstance(error, PipelineError) else f"{type(error).__name__}: {error}"
            raise
        finally:
            if self._packing is not None:
                self._packing.close()
            with suppress(TargetTrouble):  # what cannot be synced stays pending
                self._take()
            summary = replace(self.so_far(status), out_of_time=self._out_of_time > 0)
            with suppress(ManifestTrouble) if (unfinished := status == ExitStatus.UNFINISHED) else nullcontext():
                self._manifest.end_run(status, summary.pictures, reported=not unfinished, why=why)
        if status in (ExitStatus.OK, ExitStatus.FAILED, ExitStatus.TIME_UP):
            self._manifest.backup()
        return summary

    def _status(self, end: ExitStatus) -> ExitStatus:
        """The run's exit status: trouble ranks before signals, signals before new failures, those before time."""
        if end not in (ExitStatus.OK, ExitStatus.TIME_UP):
            return end
        summary = self._tally.summary()
        failed = summary.failed or (self._options.strict and summary.known_failures)
        return ExitStatus.FAILED if failed and not self._options.failures_ok else end

    def _work(self, run: int) -> None:
        began = time.process_time()
        if self._packing is not None:
            self._packing.begin()
        blocks = self._claimed(self._planner.decisions())
        first = next(blocks)
        with self._opened(first) as lane:
            self._lane = lane
            for batch in self._batches(itertools.chain([first], blocks), lane):
                self._check()
                lane.put(batch)
            self._carry_left(lane)
        self._take()
        if lane.confinement is not None:
            busy = round(time.process_time() - began, 3)
            self._manifest.amend_run({"confinement": str(lane.confinement), "seconds_of_driver": busy})
        self._source.check()
        self._target.check()
        if why := vanishing(self._config.source_paths, self._tally.vanished, self._tally.dealt_with):
            raise SourceTrouble(why)
        self._cut = self._out_of_time > 0
        if self._packing is not None:
            self._packing.wait()  # before records and what is in shards are removed
        if self._planner.complete and not self._cut:
            self._tidied = tidy(
                self._config,
                self._planner,
                self._manifest,
                run,
                prune=self._options.prune,
                check=self._stop.check,
                before_removals=self._target.check,
                removed=self._removed,
            )
        if self._packing is not None:
            self._packing.end(self._planner.orphans, complete=not self._cut)

    def _opened(self, first: Sequence[Job]) -> AbstractContextManager[Lane]:
        """The lanes of this run, chosen by what the plan has found so far: `first`, and its counts."""
        config = self._config
        parts = lanes.LaneParts(
            config,
            self.workers,
            Terms(config.limits, config.placeholder, config.spec_sets, self._options.plan.replace),
            self._manifest,
            self._source,
            self._target,
            self._around.run,
            self._around.locks,
            self._stop.deadline,
            self._around.prestarted,
            self._options.signals,
            asked(config, self._options),
            config.manifest if self._options.plan.shard is not None else None,
            next(iter(first), None),
        )
        return lanes.opened(parts, self._lane_processes(), Control(self._pace, self._on_tick, self._stop.hasty))

    def _lane_processes(self) -> int:
        if self._options.lanes is not None:
            return self._options.lanes if self.workers.processes else 0
        counts = self._planner.counts
        jobs = counts.jobs * counts.sources / max(1, counts.seen)
        size = float(counts.bytes_expected)
        if (limit := self._options.plan.limit) is not None and limit < jobs:
            jobs, size = limit, size * limit / jobs
        return lanes.count(self.workers, self._config.limits.memory, jobs, size, self._manifest.pace)

    def _batches(self, blocks: Iterable[list[Job]], lane: Lane) -> Iterator[Batch]:
        """Batches of all planned jobs, with the jobs that earlier batches have left in between."""
        for jobs in blocks:
            lane.expect(len(jobs))
            for batch in self._batching.batches(jobs, lane.threads_together):
                yield batch
                yield from self._alone()

    def _alone(self) -> Iterator[Batch]:
        """Jobs that their batch has left, each in a batch of its own."""
        while self._left:
            yield Batch((self._left.popleft(),))

    def _carry_left(self, lane: Lane) -> None:
        """Carry the jobs that batches have left. Then carry those whose child died, one at a time with nothing else in
        flight: if the child dies again, the picture is to blame.
        """
        self._finish(lane)
        while self._last_chance:
            last, self._last_chance = sorted(self._last_chance, key=lambda job: job.source), []
            for job in last:
                lane.put(Batch((job,), last_chance=True))
                self._finish(lane)

    def _finish(self, lane: Lane) -> None:
        """Wait for all batches in flight, and carry the jobs they leave, until none is left."""
        lane.drain()
        self._take()
        while self._left:
            for batch in self._alone():
                lane.put(batch)
            lane.drain()
            self._take()

    def _claimed(self, decisions: Iterable[Job | Record]) -> Iterator[list[Job]]:
        """The jobs of the plan with their targets claimed. Verdicts that need no reading are recorded on the way."""
        batch: list[Job] = []
        most = _FIRST_CLAIMS
        for decision in decisions:
            if isinstance(decision, Record):
                self._check()
                self._record([decision])
                continue
            if self._packing is not None:
                self._packing.expect(decision.source)
            if not self._pace.fits(decision.stat.size):
                self._out_of_time += 1
                continue
            batch.append(decision)
            if len(batch) >= most:
                yield self._claim(batch)
                batch, most = [], min(_MOST_CLAIMS, most * 2)
        yield self._claim(batch)

    def _claim(self, jobs: list[Job]) -> list[Job]:
        claiming.claim(jobs, self._manifest, self._target, adopt=self._options.plan.adopt)
        return jobs

    def _take(self) -> None:
        """Record the outcomes of finished batches."""
        outcomes = self._lane.take() if self._lane is not None else []
        for outcome in outcomes:
            if outcome.folders:
                self._manifest.orphans.add_folders(outcome.folders)
            for left in outcome.left:
                self._again(left)
            self._out_of_time += outcome.out_of_time
            self._unanswered = 0 if outcome.reads else self._unanswered + outcome.unanswered
        records = [record for outcome in outcomes for record in outcome.records]
        for record in records:
            self._batching.took(record)
        self._record(records, carried=True)

    def _again(self, left: Left) -> None:
        """Queue the job again. If its lane died, its targets may be in their places: claimed ones are ours."""
        job = left.job
        last = left.child_died or job.source in self._lost
        if left.lane_died:
            self._lost.add(job.source)
            job = claiming.with_claims(job, self._manifest)
        (self._last_chance if last else self._left).append(job)

    def _record(self, records: Sequence[Record], *, carried: bool = False) -> None:
        unclaimed = [
            rendition.target
            for record in records
            for rendition in record.renditions
            if rendition.error and rendition.error.kind == ErrorKind.NOT_OURS
        ]
        if unclaimed:  # files appeared after their paths were claimed: the claims were wrong
            self._manifest.release(unclaimed)
        known = [reported_before(self._manifest, record, self.failure_key) for record in records]
        self._manifest.add(*records)
        for record, names in zip(records, known, strict=True):
            self._tally.add(record, names, carried=carried)
            if self._packing is not None:
                self._packing.came(record.source)
                continue
            for rendition in record.renditions:
                if rendition.written:
                    how: Literal["made", "replaced"] = "made" if rendition.reason in _MADE else "replaced"
                    self._around.changed(Change(how, rendition.target, record.source, rendition.name))

    def _shard_written(self, name: str, *, new: bool) -> None:
        self._around.changed(Change("made" if new else "replaced", name, "", ""))

    def _removed(self, orphan: Orphan) -> None:
        self._around.changed(Change("removed", orphan.target, orphan.source, orphan.rendition))

    def _glance(self) -> None:
        """`_on_tick`, if a tick has passed: for the planner, which calls it often and may take long to find a job."""
        if time.monotonic() - self._watched >= TICK:
            self._on_tick()

    def _check(self) -> None:
        """Raise `Stopped` or `SourceTrouble` if the run must not go on."""
        self._stop.check()
        threads = self._lane.threads if self._lane is not None else self.workers.threads
        if why := silent(self._config.source_paths, self._unanswered, threads):
            raise SourceTrouble(why)
        if vanishing(self._config.source_paths, self._tally.vanished, self._tally.dealt_with):
            self._source.check()
        if why := wholesale(self._config.failures, self._tally.failed, self._tally.carried):
            raise Stopped(why, ExitStatus.UNFINISHED)

    def _on_tick(self) -> None:
        self._watched = time.monotonic()
        self._take()
        self._target.check()
        self._manifest.tick()
        self._check()
        if self._packing is not None:
            self._packing.step()
        progress = self._progress()
        if self._watched >= self._noted + _NOTED:
            self._noted = self._watched
            self._manifest.amend_run({"progress": {**asdict(progress), "at": time.time()}})
        self._around.watch(progress)

    def _progress(self) -> Progress:
        summary, counts = self._tally.summary(), self._planner.counts
        seen = max(1, counts.seen)
        return Progress(
            sum(summary.pictures.values()),
            summary.failed,
            self._tally.bytes_dealt_with,
            counts.bytes * counts.sources // seen,
            self._tally.carried,
            counts.jobs * counts.sources // seen,
            *((self._lane.waiting, dict(self._lane.carried)) if self._lane is not None else ()),
        )

    @property
    def in_flight(self) -> int:
        """The number of pictures in flight. Any thread."""
        return self._lane.in_flight if self._lane is not None else 0

    def so_far(self, status: ExitStatus) -> Summary:
        """The tally, completed by the counts of the plan."""
        counts = self._planner.counts
        summary = self._tally.summary()
        pictures = {**summary.pictures}
        if counts.unchanged:
            pictures[Status.UNCHANGED] = counts.unchanged + pictures.get(Status.UNCHANGED, 0)
        if counts.unsupported:
            pictures[Status.UNSUPPORTED] = counts.unsupported + pictures.get(Status.UNSUPPORTED, 0)
        filtered = counts.filtered + Counter(summary.filtered)
        unwritten = self._packing.warnings if self._packing is not None else ()
        if filtered:
            pictures[Status.FILTERED] = filtered.total()
        pending = counts.sources - counts.seen + counts.jobs - self._tally.carried
        if self._cut and pending > 0:
            pictures[Status.PENDING] = pending
        tidied = self._tidied or Tidied(counts.orphans)
        unknown = in_the_way(counts.unknown, self._options.plan)
        left_out = (PassedOver(record.source, record.status, record.warnings[0]) for record in self._planner.left_out)
        lost = self._lane.notes if self._lane is not None else ()
        return replace(
            summary,
            status=status,
            passed_over=(*left_out, *summary.passed_over),
            pictures=dict(sorted(pictures.items())),
            filtered=dict(sorted(filtered.items())),
            orphans=tidied.orphans,
            removed=tidied.removed,
            unseen=tidied.unseen,
            stopped=self._stopped,
            shards=0 if self._packing is None else self._packing.count,
            warnings=(*unknown, *self._planner.warnings, *lost, *tidied.warnings, *unwritten),
        )
