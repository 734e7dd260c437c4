"""One trial: a list of jobs carried by the run's own line with given workers, into a folder that is thrown away.

All that a run does for a picture is done: claims, fsync, directory syncs, a manifest with its commits. Only the plan
is left out, and the start of the children: they are started once, for all trials.
"""

from __future__ import annotations

import resource
import shutil
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.config.settings import Config
from pipeline.manifest.claims import Claim
from pipeline.manifest.runs import RunStart
from pipeline.manifest.store import Manifest
from pipeline.model import Job, Record, Status
from pipeline.run.alike import Alike
from pipeline.run.hiring import Hiring, Occupancy
from pipeline.run.line import Line, Terms
from pipeline.run.options import Workers
from pipeline.sources.source import Source
from pipeline.targets.local import LocalTarget
from pipeline.workers import cpus, memory
from pipeline.workers.budget import Budget
from pipeline.workers.crew import Crew
from pipeline.workers.exchange import Bounds, Exchange, Renderer
from pipeline.workers.token import TICK, Token

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
    unfit: frozenset[str] = frozenset()  # sources that were not rendered

    @property
    def rate(self) -> float:
        """Pictures a second."""
        return self.pictures / self.seconds if self.pictures else 0.0


class _Notes:
    """What the threads of a trial tell. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.stages: defaultdict[str, float] = defaultdict(float)
        self.pictures = 0
        self.last = time.perf_counter()  # when the last picture was done
        self.unfit: set[str] = set()

    def spent(self, stage: str, seconds: float) -> None:
        with self._lock:
            self.stages[stage] += seconds

    def take(self, record: Record) -> None:
        with self._lock:
            self.pictures += 1
            self.last = time.perf_counter()
            self.stages["read"] += record.seconds_read
            self.stages["write"] += sum(one.seconds_write for one in record.renditions)
            if record.status is not Status.DONE:
                self.unfit.add(record.source)

    def lose(self, job: Job) -> None:
        with self._lock:
            self.unfit.add(job.source)


class _Few:
    """A `Renderer` that has only so many children busy at once, of all there are; tells who waited how long."""

    def __init__(self, renderer: Renderer, count: int, notes: _Notes) -> None:
        self._renderer = renderer
        self._places = threading.BoundedSemaphore(count)
        self._notes = notes

    @contextmanager
    def ask(self, descriptor: int, request: object, bounds: Bounds, token: Token) -> Iterator[Exchange]:
        began = time.perf_counter()
        while not self._places.acquire(timeout=TICK):
            token.check()
        try:
            with self._renderer.ask(descriptor, request, bounds, token) as exchange:
                asked = time.perf_counter()
                self._notes.spent("child", asked - began)
                try:
                    yield exchange
                finally:
                    self._notes.spent("render", time.perf_counter() - asked)
        finally:
            self._places.release()


class _Watched(Budget):
    """A budget that tells how long pictures waited for it."""

    def __init__(self, total: int, notes: _Notes) -> None:
        super().__init__(total)
        self._notes = notes

    @contextmanager
    def admit(self, size: int, token: Token) -> Iterator[None]:
        began = time.perf_counter()
        with super().admit(size, token):
            waited = time.perf_counter() - began
            self._notes.spent("memory", waited)
            self._notes.spent("render", -waited)  # the child waits, too, but does not work
            yield


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
        notes = _Notes()
        target = LocalTarget(replace(self._config.target, path=self._files / name), name)
        target.prepare()
        (self._records / f"r{name}").mkdir(mode=0o700)
        try:
            with Manifest.open(self._records / f"r{name}" / "manifest.sqlite", owner="") as manifest:
                manifest.set_before_commit(target.sync)
                manifest.begin_run(RunStart(name, "", (), 0, "", time.time()))
                return self._timed(workers, jobs, seconds, pulse, (notes, target, manifest))
        finally:
            shutil.rmtree(self._files / name, ignore_errors=True)
            shutil.rmtree(self._records / f"r{name}", ignore_errors=True)

    def _timed(
        self,
        workers: Workers,
        jobs: Sequence[Job],
        seconds: float,
        pulse: Callable[[], None],
        rooms: tuple[_Notes, LocalTarget, Manifest],
    ) -> Trial:
        notes, target, manifest = rooms

        def record(record: Record) -> None:
            manifest.add(record)
            notes.take(record)

        def look() -> None:
            manifest.tick()
            pulse()
            hiring[0].look()
            if time.perf_counter() - began > seconds:
                raise _Enough

        children = workers.processes or cpus.available()
        renderer = self._renderers[workers.processes > 0]
        occupancy = Occupancy(_Few(renderer, workers.processes or workers.most_threads, notes))
        budget = _Watched(memory.for_pictures(workers.memory, workers.processes), notes)
        hires = workers.most_threads > workers.threads
        begin = max(workers.threads, self._hired.get(workers.processes, 0)) if hires else workers.threads
        hiring: list[Hiring] = []
        limits = self._config.limits
        alike = Alike(manifest.made, target, limits)
        terms = Terms(limits, self._config.placeholder, self._config.specs)
        line = Line(self._source, occupancy, budget, target, alike, record, notes.lose, terms)
        cpu = _own_cpu()
        began = notes.last = time.perf_counter()
        try:
            with Crew(
                line.carry,
                threads=begin,
                queue_size=workers.queue,
                pulse=look,
                abandoned=line.read_timed_out,
            ) as crew:
                hiring.append(Hiring(crew, occupancy, children, workers.most_threads, workers.threads))
                for job in _claimed(jobs, manifest):
                    crew.put(job)
            manifest.flush()
            notes.last = time.perf_counter()
            whole = True
        except _Enough:
            whole = False
        if hires:
            self._hired[workers.processes] = hiring[0].threads
        taken = max(notes.last - began, 1e-6)
        return Trial(notes.pictures, taken, whole, dict(notes.stages), _own_cpu() - cpu, frozenset(notes.unfit))


def _claimed(jobs: Sequence[Job], manifest: Manifest) -> Iterator[Job]:
    for at in range(0, len(jobs), _CLAIMS):
        batch = jobs[at : at + _CLAIMS]
        manifest.claim([Claim(one.target, job.source, one.spec.name) for job in batch for one in job.planned])
        yield from batch


def _own_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
