"""One trial: a list of jobs carried by the run's own line with given workers, into a folder that is thrown away.

All that a run does for a picture is done: claims, fsync, directory syncs, a manifest with its commits. Only the plan
is left out, and the start of the children: they are started once, for all trials.
"""

from __future__ import annotations

import resource
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.config.settings import Config
from pipeline.manifest.claims import Claim
from pipeline.manifest.runs import RunStart
from pipeline.manifest.store import Manifest
from pipeline.model import Job, Record
from pipeline.run.alike import Alike
from pipeline.run.handful import Handful, Handfuls, carriers
from pipeline.run.hiring import Hiring, Occupancy
from pipeline.run.line import Terms
from pipeline.run.options import Workers
from pipeline.run.tune.stages import Few, Notes, Watched
from pipeline.sources.source import Source
from pipeline.targets.local import LocalTarget
from pipeline.workers import cpus, memory
from pipeline.workers.crew import Crew
from pipeline.workers.exchange import Renderer

_CLAIMS = 64  # jobs claimed in one commit


class _Enough(Exception):
    """The trial has had its time."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of one trial. Seconds of `stages` are those of threads: `threads` x `seconds` of them together."""

    pictures: int  # carried to their end
    seconds: float
    whole: bool  # all jobs were carried; else it was cut short and the rate is a rough one
    stages: Mapping[str, float]  # read, child (waiting for one), render, memory (waiting for it), write
    own_cpu: float  # CPU seconds of this process, all threads
    threads: int  # in the end: `auto` may have hired
    unfit: frozenset[str] = frozenset()  # sources that were not rendered

    @property
    def rate(self) -> float:
        """Pictures a second."""
        return self.pictures / self.seconds if self.pictures else 0.0


@dataclass(frozen=True, slots=True)
class _Ends:
    """What may end a trial before its last job."""

    seconds: float
    pulse: Callable[[], None]  # may raise


@dataclass(frozen=True, slots=True)
class _Rooms:
    """What one trial has for itself."""

    notes: Notes
    target: LocalTarget
    manifest: Manifest


class Bench:
    """Makes trials, one after the other, in the thread that owns it."""

    def __init__(
        self, config: Config, source: Source, renderers: Mapping[bool, Renderer], files: Path, records: Path
    ) -> None:
        """`renderers`: True has enough children for every trial, False works in the threads. Trials write below the
        folders `files` and `records`, which are there.
        """
        self._config = config
        self._source = source
        self._renderers = renderers
        self._files = files
        self._records = records
        self._count = 0
        self._hired: dict[
            int, int
        ] = {}  # processes -> threads that `auto` had in the end: a run is longer than a trial

    @property
    def in_threads(self) -> bool:
        """Whether trials without children can be made."""
        return False in self._renderers

    def trial(self, workers: Workers, jobs: Sequence[Job], seconds: float, pulse: Callable[[], None]) -> Trial:
        """Carry `jobs`, but for no longer than about `seconds`. Raises `PipelineError`, and whatever `pulse` does."""
        self._count += 1
        name = f"{self._count}"
        target = LocalTarget(replace(self._config.target, path=self._files / name), name)
        target.prepare()
        (self._records / f"r{name}").mkdir(mode=0o700)
        try:
            with Manifest.open(self._records / f"r{name}" / "manifest.sqlite", owner="") as manifest:
                manifest.set_before_commit(target.sync)
                manifest.begin_run(RunStart(name, "", (), 0, "", time.time()))
                return self._timed(workers, jobs, _Ends(seconds, pulse), _Rooms(Notes(), target, manifest))
        finally:
            shutil.rmtree(self._files / name, ignore_errors=True)
            shutil.rmtree(self._records / f"r{name}", ignore_errors=True)

    def _timed(self, workers: Workers, jobs: Sequence[Job], ends: _Ends, rooms: _Rooms) -> Trial:
        notes, manifest = rooms.notes, rooms.manifest
        hires = workers.most_threads > workers.threads
        begin = max(workers.threads, self._hired.get(workers.processes, 0)) if hires else workers.threads
        handfuls, occupancy = self._handfuls(workers, rooms)
        hiring: list[Hiring] = []

        def look() -> None:
            manifest.tick()
            ends.pulse()
            hiring[0].look()
            if time.perf_counter() - began > ends.seconds:
                raise _Enough

        def given_up(handful: Handful) -> None:
            for job in handfuls.given_up(handful):  # those that shared its fate are not measured
                notes.lose(job)

        cpu = _own_cpu()
        began = notes.last = time.perf_counter()
        whole = False
        with suppress(_Enough):
            crew: Crew[Handful] = Crew(
                lambda handful, token: handfuls.carry(handful, crew.threads, token),
                threads=begin,
                queue_size=workers.queue,
                pulse=look,
                abandoned=given_up,
            )
            children = workers.processes or cpus.available()
            most = workers.most_threads
            hiring.append(Hiring(crew, occupancy, children, most, memory=workers.memory, least=workers.threads))
            with crew:
                for batch in _claimed(jobs, manifest):
                    for handful in handfuls.of(batch, crew.threads):
                        crew.put(handful)
            manifest.flush()
            notes.last = time.perf_counter()
            whole = True
        threads = hiring[0].threads
        if hires:
            self._hired[workers.processes] = threads
        taken, used = max(notes.last - began, 1e-6), _own_cpu() - cpu
        return Trial(notes.pictures, taken, whole, dict(notes.stages), used, threads, frozenset(notes.unfit))

    def _handfuls(self, workers: Workers, rooms: _Rooms) -> tuple[Handfuls, Occupancy]:
        """The run's own, with those who take the time."""
        config, notes = self._config, rooms.notes

        def record(record: Record) -> None:
            rooms.manifest.add(record)
            notes.take(record)
            handfuls.took(record)

        renderer = self._renderers[workers.processes > 0]
        occupancy = Occupancy(Few(renderer, workers.processes or workers.most_threads, notes))
        budget = Watched(memory.for_pictures(workers.memory, workers.processes), notes)
        alike = Alike(rooms.manifest.made, rooms.target, config.limits)
        terms = Terms(config.limits, config.placeholder, config.specs)
        _line, handfuls = carriers(terms, self._source, occupancy, budget, rooms.target, alike, record, notes.lose)
        return handfuls, occupancy


def _claimed(jobs: Sequence[Job], manifest: Manifest) -> Iterator[Sequence[Job]]:
    for at in range(0, len(jobs), _CLAIMS):
        batch = jobs[at : at + _CLAIMS]
        manifest.claim([Claim(one.target, job.source, one.spec.name) for job in batch for one in job.planned])
        yield batch


def _own_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
