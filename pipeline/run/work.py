"""The work of one run: the plan is fed to the crew, and how it ended is recorded once."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from typing import TypeVar

from pipeline.config.settings import Config
from pipeline.errors import ErrorKind, ExitStatus, ManifestTrouble, SourceTrouble, Stopped
from pipeline.manifest.store import Manifest
from pipeline.model import Job, Record, Status
from pipeline.plan.planner import Planner
from pipeline.plan.versions import failure_key
from pipeline.run import rendering
from pipeline.run.alike import Alike
from pipeline.run.claiming import claim
from pipeline.run.clock import Pace
from pipeline.run.handful import Handful, Handfuls, carriers
from pipeline.run.hiring import Hiring, Occupancy
from pipeline.run.known import told_before
from pipeline.run.line import Line, Terms
from pipeline.run.options import Progress, RunOptions, workers
from pipeline.run.stop import TICK, Stop
from pipeline.run.tally import PassedOver, Summary, Tally
from pipeline.run.tidy import Tidied, tidy
from pipeline.run.trouble import silent, vanishing, wholesale
from pipeline.sources.local import LocalSource
from pipeline.targets.local import LocalTarget
from pipeline.workers import cpus, memory
from pipeline.workers.budget import Budget
from pipeline.workers.crew import Crew
from pipeline.workers.exchange import Renderer
from pipeline.workers.nursery import Nursery
from pipeline.workers.token import Token

Item = TypeVar("Item")

_FIRST_CLAIMS, _MOST_CLAIMS = 8, 256  # jobs claimed in one commit: few at first, so that the first target comes soon


class Work:
    """One run under its locks. All its methods run in the main thread, but for `_carry` and `_record`."""

    def __init__(
        self,
        config: Config,
        options: RunOptions,
        manifest: Manifest,
        source: LocalSource,
        target: LocalTarget,
        stop: Stop,
        watch: Callable[[Progress], None],
        ahead: Nursery | None = None,
    ) -> None:
        self.workers = workers(config, options)
        self._config = config
        self._options = options
        self._manifest = manifest
        self._stop = stop
        self._ahead = ahead
        self._watch = watch
        self._watched = 0.0  # when `watch` was last called
        self._source = source
        self._target = target
        self.failure_key = functools.cache(lambda: failure_key(config.limits))  # asked for at the first failure
        self._tally = Tally()
        self._planner = Planner(config, manifest, options.plan, source, target, self._glance)
        self._pace = Pace(stop.deadline, manifest.pace() if stop.deadline is not None else None)
        self._twice: list[Job] = []  # their child died once; append is atomic
        self._left: list[Job] = []  # in one hand with a picture whose read was given up
        self._handfuls: Handfuls | None = None
        self._hiring: Hiring | None = None
        self._expect: Callable[[int], None] = lambda jobs: None  # tells those who render how much is to come
        self._unanswered: Callable[[], int] = lambda: 0  # reads in a row that have timed out
        self._enforced: Callable[[], object] = lambda: None  # how children are confined; None: none was asked
        self._tidied: Tidied | None = None
        self._stopped = ""
        self._cut = True  # until everything that there was to do was done

    def to_its_end(self, run: int) -> Summary:
        """Do the work of run number `run` and record how it ended, whatever happens."""
        status = ExitStatus.UNFINISHED
        try:
            self._work(run)
            status = self._status(ExitStatus.TIME_UP if self._pace.refused else ExitStatus.OK)
        except Stopped as stopped:
            self._stopped = str(stopped) if stopped.status == ExitStatus.UNFINISHED else ""
            status = self._status(stopped.status)
        finally:
            summary = self.so_far(status)
            unfinished = status == ExitStatus.UNFINISHED
            with suppress(ManifestTrouble) if unfinished else nullcontext():
                self._manifest.end_run(status, summary.pictures, told=not unfinished)
        if status in (ExitStatus.OK, ExitStatus.FAILED, ExitStatus.TIME_UP):
            self._manifest.backup()
        return summary

    def _status(self, end: ExitStatus) -> ExitStatus:
        """How the run ended: trouble before signals, signals before new failures, those before the clock."""
        if end not in (ExitStatus.OK, ExitStatus.TIME_UP):
            return end
        summary = self._tally.summary()
        failed = summary.failed or (self._options.strict and summary.known_failures)
        return ExitStatus.FAILED if failed else end

    def _work(self, run: int) -> None:
        with self._renderer() as renderer:
            occupancy = Occupancy(renderer)
            budget = Budget(memory.for_pictures(self.workers.memory, self.workers.processes))
            alike = Alike(self._manifest.made, self._target, self._config.limits)
            twice = self._twice.append
            config = self._config
            terms = Terms(config.limits, config.placeholder, config.specs, self._options.plan.replace)
            line, handfuls = carriers(terms, self._source, occupancy, budget, self._target, alike, self._came_to, twice)
            self._unanswered = lambda: line.unanswered
            self._handfuls = handfuls
            self._first_pass(occupancy, handfuls)
            self._again(self._left, line.carry, self.workers.threads, line)
            self._again(self._twice, line.carry_alone, 1, line)
            if confinement := self._enforced():
                self._manifest.amend_run({"confinement": str(confinement)})
        self._source.check()
        if why := vanishing(self._config.source.path, self._tally.vanished, self._tally.dealt_with):
            raise SourceTrouble(why)
        self._cut = self._pace.refused > 0
        if self._planner.complete and not self._cut:
            plan, check = self._options.plan, self._stop.check
            self._tidied = tidy(
                self._config, self._planner, self._manifest, run, plan, prune=self._options.prune, check=check
            )

    def _first_pass(self, occupancy: Occupancy, handfuls: Handfuls) -> None:
        carry = functools.partial(self._carry, handfuls)
        with self._crew(carry, self.workers.threads, lambda one: self._left.extend(handfuls.given_up(one))) as crew:
            children = self.workers.processes or cpus.available()
            self._hiring = Hiring(crew, occupancy, children, self.workers.most_threads, memory=self.workers.memory)
            for jobs in self._claimed(self._planner.decisions()):
                for handful in handfuls.of(jobs, crew.threads):
                    self._check()
                    crew.put(handful)
        self._hiring = None

    def _again(self, jobs: list[Job], carry: Callable[[Job, Token], None], threads: int, line: Line) -> None:
        if jobs:
            with self._crew(carry, threads, line.read_timed_out) as crew:
                for job in sorted(jobs, key=lambda job: job.source):
                    crew.put(job)

    def _crew(self, work: Callable[[Item, Token], None], threads: int, abandoned: Callable[[Item], None]) -> Crew[Item]:
        return Crew(
            work,
            threads=threads,
            queue_size=self.workers.queue,
            pulse=self._pulse,
            hasty=self._stop.hasty,
            abandoned=abandoned,
        )

    def _renderer(self) -> AbstractContextManager[Renderer]:
        if self.workers.processes:
            nursery = rendering.children(self.workers.processes, self.workers.memory, at_once=False, ahead=self._ahead)
            self._expect = nursery.expect
            self._enforced = lambda: nursery.confinement
            return nursery
        return nullcontext(rendering.in_threads())

    def _carry(self, handfuls: Handfuls, handful: Handful, token: Token) -> None:
        """Carry the pictures that fit into the time that is left. Runs in the crew's threads."""
        jobs = handful.jobs = [job for job in handful.jobs if self._pace.fits(job.stat.size)]
        started = time.monotonic()
        handfuls.carry(handful, self._hiring.threads if self._hiring else 1, token)
        for job in jobs:
            self._pace.took(job.stat.size, (time.monotonic() - started) / len(jobs))

    def _claimed(self, decisions: Iterable[Job | Record]) -> Iterator[list[Job]]:
        """The jobs of the plan, their targets claimed; verdicts that need no reading are recorded on the way."""
        batch: list[Job] = []
        most = _FIRST_CLAIMS
        for decision in decisions:
            if isinstance(decision, Record):
                self._check()
                self._record(decision)
                continue
            if not self._pace.fits(decision.stat.size):
                continue
            batch.append(decision)
            if len(batch) >= most:
                yield self._claim(batch)
                batch, most = [], min(_MOST_CLAIMS, most * 2)
        yield self._claim(batch)

    def _claim(self, jobs: list[Job]) -> list[Job]:
        self._expect(len(jobs))
        claim(self._manifest, self._target, jobs, adopt=self._options.plan.adopt)
        return jobs

    def _came_to(self, record: Record) -> None:
        """What came of a job. Runs in any thread."""
        self._record(record, carried=True)
        if self._handfuls is not None:
            self._handfuls.took(record)

    def _record(self, record: Record, *, carried: bool = False) -> None:
        """Runs in any thread."""
        strangers = [one.target for one in record.renditions if one.error and one.error.kind == ErrorKind.NOT_OURS]
        if strangers:  # a file appeared after its path was claimed: the claim was wrong
            self._manifest.release(strangers)
        known = told_before(self._manifest, record, self.failure_key)
        self._manifest.add(record)
        self._tally.add(record, known, carried=carried)

    def _glance(self) -> None:
        """A pulse, where it may be called often: the plan lists and looks up, and may take long to find a job."""
        if time.monotonic() - self._watched >= TICK:
            self._pulse()

    def _check(self) -> None:
        """Raise `Stopped` or `SourceTrouble` where the run is not to go on."""
        self._stop.check()
        threads = self._hiring.threads if self._hiring else self.workers.threads
        if why := silent(self._config.source.path, self._unanswered(), threads):
            raise SourceTrouble(why)
        if vanishing(self._config.source.path, self._tally.vanished, self._tally.dealt_with):
            self._source.check()
        if why := wholesale(self._config.failures, self._tally.failed, self._tally.carried):
            raise Stopped(why, ExitStatus.UNFINISHED)

    def _pulse(self) -> None:
        self._watched = time.monotonic()
        self._manifest.tick()
        self._check()
        if self._hiring is not None:
            self._hiring.look()
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
            pictures[Status.UNCHANGED] = counts.unchanged + pictures.get(Status.UNCHANGED, 0)
        if counts.unsupported:
            pictures[Status.UNSUPPORTED] = counts.unsupported + pictures.get(Status.UNSUPPORTED, 0)
        pending = counts.sources - counts.seen + counts.jobs - self._tally.carried
        if self._cut and pending > 0:
            pictures[Status.PENDING] = pending
        tidied = self._tidied or Tidied(counts.orphans)
        left_out = (PassedOver(one.source, one.status, one.warnings[0]) for one in self._planner.left_out)
        return replace(
            summary,
            status=status,
            passed_over=(*left_out, *summary.passed_over),
            pictures=dict(sorted(pictures.items())),
            orphans=tidied.orphans,
            removed=tidied.removed,
            stopped=self._stopped,
            warnings=(*self._planner.warnings, *tidied.warnings),
        )
