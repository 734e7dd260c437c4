"""Wires one run: the rooms are opened in order, the plan is fed to the crew, and how it ended is recorded once."""

from __future__ import annotations

import os
import socket
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from pipeline.config.settings import Config
from pipeline.errors import ErrorKind, ExitStatus, ManifestTrouble, Stopped, TargetTrouble
from pipeline.manifest.claims import Claim
from pipeline.manifest.lock import RunLock
from pipeline.manifest.runs import KEEP, RunStart
from pipeline.manifest.store import Manifest
from pipeline.model import Job, Record, Status
from pipeline.plan.planner import Planner, PlanOptions
from pipeline.run.alike import Alike
from pipeline.run.line import Line, Terms
from pipeline.run.stop import Stop, on_signals
from pipeline.run.tally import Summary, Tally
from pipeline.sources.local import LocalSource
from pipeline.targets.local import LocalTarget
from pipeline.workers import cpus, memory
from pipeline.workers.budget import Budget
from pipeline.workers.crew import Crew
from pipeline.workers.exchange import InThread, Renderer
from pipeline.workers.nursery import Nursery

_RENDER = "pipeline.render.line:render"
_WARM_UP = "pipeline.render.line:warm_up"
_FIRST_CLAIMS, _MOST_CLAIMS = 8, 256  # jobs claimed in one commit: few at first, so that the first target comes soon


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What the command line may say beyond the config. None: as the config says."""

    plan: PlanOptions = field(default_factory=PlanOptions)
    threads: int | None = None
    processes: int | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run is. `bytes_expected` grows sharper while the plan goes on."""

    pictures_done: int
    failed: int
    bytes_done: int
    bytes_expected: int


@dataclass(frozen=True, slots=True)
class Begun:
    """A run that has its lock and its manifest, and begins to work."""

    run: str  # its id, 32 hexadecimal digits
    so_far: Callable[[], Summary]  # for the run's own thread, also when the run has failed


def _nobody(begun: Begun) -> None:
    """Stands for `begun` where nobody asks."""


@dataclass(frozen=True, slots=True)
class Workers:
    """How many work at once, decided."""

    threads: int
    processes: int
    queue: int
    memory: int  # bytes


def workers(config: Config, options: RunOptions) -> Workers:
    """What the config and the command line say, with `auto` decided: a child a CPU; two threads more, so that reading
    and writing go on while every child renders.
    """
    asked = config.workers
    processes = next((n for n in (options.processes, asked.processes) if n is not None), cpus.available())
    threads = next((n for n in (options.threads, asked.threads) if n is not None), (processes or cpus.available()) + 2)
    return Workers(threads, processes, asked.queue, asked.memory or memory.available())


def run(
    config: Config,
    options: RunOptions,
    watch: Callable[[Progress], None],
    begun: Callable[[Begun], None] = _nobody,
) -> Summary:
    """Make what is missing or stale, in this thread and those it starts. Gives what came of it, also when a signal
    stopped it; raises `PipelineError` when it could not finish.

    `watch` is called in the calling thread about every tick; `begun` once, when the work begins.
    """
    started = time.monotonic()
    identity = uuid.uuid4().hex
    stop = Stop()
    source = LocalSource(config.source)
    source.stats("", ())  # a source that is not there is told before anything is made
    _make_parents(config)
    target = LocalTarget(config.target, identity)
    target.prepare()
    with on_signals(stop), RunLock(config.manifest, run=identity):
        manifest = Manifest.open(config.manifest, owner=os.path.realpath(config.path), adopt=options.plan.adopt)
        try:
            manifest.set_before_commit(target.sync)
            _sweep(manifest, target)
            this_run = _Run(config, options, manifest, source, target, stop, watch)
            manifest.begin_run(_start(identity, config, this_run.workers))
            begun(Begun(identity, lambda: this_run.so_far(ExitStatus.UNFINISHED)))
            summary = replace(this_run.to_its_end(), seconds=time.monotonic() - started)
        finally:
            manifest.close()
    return summary


def _make_parents(config: Config) -> None:
    """Make the folders above the target, where they belong to the same tree as the config. Elsewhere a missing parent
    may be a disk that is not mounted: `prepare` refuses it.
    """
    there = next(folder for folder in config.target.path.parents if folder.exists())
    if there != Path(there.anchor) and config.path.resolve().is_relative_to(there.resolve()):
        try:
            config.target.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TargetTrouble(f"cannot make the folder {config.target.path.parent}: {error.strerror}") from error


def _sweep(manifest: Manifest, target: LocalTarget) -> None:
    """Remove the temporary files of runs that died, if the last one did. The lock says that none of them works now."""
    runs = manifest.runs(KEEP)
    if runs and runs[0].ended is None:
        target.sweep({run.run for run in runs if run.ended is None})


def _start(identity: str, config: Config, chosen: Workers) -> RunStart:
    return RunStart(
        identity,
        str(config.path),
        tuple(sys.argv),
        os.getpid(),
        socket.gethostname(),
        time.time(),
        settings=asdict(chosen),
    )


class _Run:
    """One run under its lock. All its methods run in the main thread but `_record` and `_again`."""

    def __init__(
        self,
        config: Config,
        options: RunOptions,
        manifest: Manifest,
        source: LocalSource,
        target: LocalTarget,
        stop: Stop,
        watch: Callable[[Progress], None],
    ) -> None:
        self.workers = workers(config, options)
        self._manifest = manifest
        self._stop = stop
        self._watch = watch
        self._source = source
        self._target = target
        self._adopt = options.plan.adopt
        self._limits = config.limits
        self._tally = Tally()
        self._planner = Planner(config, manifest, options.plan, source, target)
        self._twice: list[Job] = []  # their child died once; append is atomic

    def to_its_end(self) -> Summary:
        """Do the work and record how it ended, whatever happens."""
        status = ExitStatus.UNFINISHED
        try:
            status = self._work()
        except Stopped as stopped:
            status = stopped.status
        finally:
            summary = self.so_far(status)
            with suppress(ManifestTrouble) if status == ExitStatus.UNFINISHED else nullcontext():
                self._manifest.end_run(status, summary.pictures)
        if status in (ExitStatus.OK, ExitStatus.FAILED):
            self._manifest.backup()
        return summary

    def _work(self) -> ExitStatus:
        with self._renderer() as renderer:
            line = Line(
                self._source,
                renderer,
                Budget(self.workers.memory),
                self._target,
                Alike(self._manifest.made, self._target, self._limits),
                self._record,
                self._twice.append,
                Terms(self._limits),
            )
            with self._crew(line.carry, self.workers.threads) as crew:
                for job in self._claimed(self._planner.decisions()):
                    crew.put(job)
            if self._twice:
                with self._crew(line.carry_alone, 1) as crew:
                    for job in sorted(self._twice, key=lambda job: job.source):
                        crew.put(job)
        if self._planner.complete:
            self._manifest.forget(self._planner.gone)
        return ExitStatus.FAILED if self._tally.summary().failed else ExitStatus.OK

    def _crew(self, work: Callable[..., None], threads: int) -> Crew[Job]:
        return Crew(work, threads=threads, queue_size=self.workers.queue, pulse=self._pulse)

    def _renderer(self) -> AbstractContextManager[Renderer]:
        if self.workers.processes:
            return Nursery(_RENDER, _WARM_UP, self.workers.processes)
        from pipeline.render.line import render  # noqa: PLC0415 - with children, this process never imports Pillow

        return nullcontext(InThread(render))

    def _claimed(self, decisions: Iterable[Job | Record]) -> Iterator[Job]:
        """The jobs of the plan, their targets claimed; verdicts that need no reading are recorded on the way."""
        batch: list[Job] = []
        most = _FIRST_CLAIMS
        for decision in decisions:
            self._stop.check()
            if isinstance(decision, Record):
                self._record(decision)
                continue
            batch.append(decision)
            if len(batch) >= most:
                yield from self._claim(batch)
                batch, most = [], min(_MOST_CLAIMS, most * 2)
        yield from self._claim(batch)

    def _claim(self, jobs: list[Job]) -> list[Job]:
        """Make the jobs' targets ours before they are written.

        To adopt means that a file may be in the way: it becomes ours by its record, once it has proved equal.
        """
        claims = [Claim(one.target, job.source, one.spec.name) for job in jobs for one in job.planned if not one.ours]
        if claims and self._adopt:
            there = self._target.stats([claim.target for claim in claims])
            claims = [claim for claim, stat in zip(claims, there, strict=True) if stat is None]
        if claims:
            self._manifest.claim(claims)
        return jobs

    def _record(self, record: Record) -> None:
        """Runs in any thread."""
        strangers = [one.target for one in record.renditions if one.error and one.error.kind == ErrorKind.NOT_OURS]
        if strangers:  # a file appeared after its path was claimed: the claim was wrong
            self._manifest.release(strangers)
        self._manifest.add(record)
        self._tally.add(record)

    def _pulse(self) -> None:
        self._manifest.tick()
        self._stop.check()
        self._watch(self._progress())

    def _progress(self) -> Progress:
        summary, counts = self._tally.summary(), self._planner.counts
        expected = counts.bytes * counts.sources // max(1, counts.seen)
        return Progress(sum(summary.pictures.values()), summary.failed, self._tally.bytes_dealt_with, expected)

    def so_far(self, status: ExitStatus) -> Summary:
        """The tally with what only the plan knows."""
        counts = self._planner.counts
        summary = self._tally.summary()
        pictures = {**summary.pictures}
        if counts.unchanged:
            pictures[Status.UNCHANGED] = counts.unchanged
        if not self._planner.complete and status not in (ExitStatus.OK, ExitStatus.FAILED):
            pending = counts.sources - counts.unchanged - counts.unsupported - sum(summary.pictures.values())
            pictures |= {Status.PENDING: pending} if pending > 0 else {}
        return replace(summary, status=status, pictures=dict(sorted(pictures.items())), orphans=counts.orphans)
