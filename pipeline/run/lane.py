"""The lane, which carries batches for a driver: I/O threads and their queue, a renderer, a share of memory, a writer.

A lane uses no manifest. The driver gives it batches and takes their outcomes; an outcome that it takes is on the disk,
names and folders included. It makes no difference to the driver whether its own process carries the batches
(`LocalLane`) or others do (`run.lanes`).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Protocol, Self

from pipeline.errors import ErrorKind, PictureError
from pipeline.model.job import Job
from pipeline.model.record import Record
from pipeline.run import recording, rendering
from pipeline.run.batch import Batch, Left, Outcome
from pipeline.run.clock import Pace
from pipeline.run.dedup import Dedup, LookUp
from pipeline.run.gathering import Gathering
from pipeline.run.life import Read
from pipeline.run.line import Line, Terms
from pipeline.run.options import Workers
from pipeline.run.scaling import Occupancy, Scaling
from pipeline.sources.source import Source
from pipeline.targets.target import Target
from pipeline.workers import cpus
from pipeline.workers.budget import Budget
from pipeline.workers.child_pool import ChildPool
from pipeline.workers.crew import Crew
from pipeline.workers.exchange import Confinement, Pool
from pipeline.workers.token import Token


def renderers(workers: Workers, prestarted: ChildPool | None = None) -> AbstractContextManager[Pool]:
    """The renderer of a lane: children, or its threads. `prestarted`: see `rendering.prestarted`."""
    if workers.processes:
        return rendering.children(workers.processes, workers.memory, at_once=False, prestarted=prestarted)
    return nullcontext(rendering.in_threads())


@dataclass(frozen=True, slots=True)
class Control:
    """How a driver steers its lane."""

    pace: Pace  # says which pictures fit into the time; the others are left out of their batch; any thread
    tick: Callable[[], None]  # called about every tenth of a second while the driver waits; may raise to end the lane
    hasty: Callable[[], bool] = lambda: False  # whether the end must not wait for pictures in flight


class Lane(Protocol):
    """A context manager that takes batches from the driver; for the driver's thread. Leaving it waits for every batch.
    Leaving it by an exception gives up batches in flight, after a moment in which they may end.
    """

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    @property
    def threads(self) -> int:
        """How many batches it carries at a time."""
        ...

    @property
    def threads_together(self) -> int:
        """How many of these share one process, and its open files."""
        ...

    @property
    def confinement(self) -> Confinement | None:
        """How the renderer is confined; None: not confined, or nothing was rendered."""
        ...

    @property
    def in_flight(self) -> int:
        """How many pictures are in work at the moment. Any thread."""
        ...

    @property
    def waiting(self) -> str:
        """What keeps it from working, such as no worker at all; "": nothing."""
        ...

    @property
    def carried(self) -> Mapping[str, int]:
        """Pictures that each of a cluster's workers has carried, by its name."""
        ...

    @property
    def notes(self) -> Sequence[str]:
        """What went wrong on the way and was mended, a line each."""
        ...

    def expect(self, jobs: int) -> None:
        """Prepare for so many jobs to come."""
        ...

    def put(self, batch: Batch) -> None:
        """Give it a batch, waiting for room in its queue. Raises what ends the lane: a trouble of target or source, or
        what `Control.tick` raised.
        """
        ...

    def drain(self) -> None:
        """Wait until every batch has its outcome. Raises as `put` does."""
        ...

    def take(self) -> list[Outcome]:
        """The outcomes since the last call, all on the disk. Raises `TargetTrouble`."""
        ...


class LocalLane:
    """The `Lane` in the calling process.

    `look_up` finds records of equal content from earlier runs, in any thread.
    """

    waiting = ""
    carried: Mapping[str, int] = {}
    notes: Sequence[str] = ()

    def __init__(
        self,
        terms: Terms,
        workers: Workers,
        source: Source,
        target: Target,
        renderer: Pool,
        budget: Budget,
        look_up: LookUp,
        control: Control,
    ) -> None:
        self._limits = terms.limits
        self._target = target
        self._control = control
        self._renderer = renderer
        self._outcomes: deque[Outcome] = deque()  # appended by the threads
        occupancy = Occupancy(renderer)
        dedup = Dedup(look_up, target, terms.limits)
        self._line = Line(source, occupancy, budget, target, dedup, terms)
        self._crew = Crew(
            self._carry,
            threads=workers.threads,
            queue_size=workers.queue,
            on_tick=self._on_tick,
            hasty=control.hasty,
            abandoned=self._given_up,
        )
        children = workers.processes or cpus.available()
        self._scaling = Scaling(self._crew, occupancy, children, workers.most_threads, memory=workers.memory)
        self._gathering = Gathering(children, workers.most_threads, max(map(len, terms.specs)))
        self._gathers = not terms.replace  # which is done for a picture by itself

    def __enter__(self) -> Self:
        self._crew.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._crew.__exit__(kind, error, trace)
        finally:
            self._gathering.close()

    @property
    def threads(self) -> int:
        """See `Lane`."""
        return self._crew.threads

    threads_together = threads

    @property
    def in_flight(self) -> int:
        """How many pictures are in work at the moment. Any thread."""
        return sum(len(batch.jobs) for batch in self._crew.at_work)

    @property
    def confinement(self) -> Confinement | None:
        """See `Lane`."""
        return self._renderer.confinement

    def expect(self, jobs: int) -> None:
        """See `Lane`."""
        self._renderer.expect(jobs)

    def put(self, batch: Batch) -> None:
        """See `Lane`."""
        self._crew.put(batch)

    def drain(self) -> None:
        """See `Lane`."""
        self._crew.drain()

    @property
    def idle(self) -> bool:
        """Whether every batch has its outcome."""
        return self._crew.idle

    def look(self) -> None:
        """Do what is due, for a thread that waits for something other than the lane. Raises as `put` does."""
        self._crew.look()

    def drop(self) -> None:
        """Start no more batches; those in flight go on."""
        self._crew.drop()

    def take(self) -> list[Outcome]:
        """See `Lane`."""
        outcomes = [self._outcomes.popleft() for _ in range(len(self._outcomes))]
        if outcomes:
            self._target.sync()
            outcomes.append(Outcome(folders=tuple(self._target.take_new_folders())))
        return outcomes

    def _on_tick(self) -> None:
        self._scaling.look()
        self._control.tick()

    def _carry(self, batch: Batch, token: Token) -> None:
        """Runs in the lane's threads."""
        jobs = [job for job in batch.jobs if self._control.pace.fits(job.stat.size)]
        out_of_time = len(batch.jobs) - len(jobs)
        if not jobs:
            self._outcomes.append(Outcome(out_of_time=out_of_time, number=batch.number))
            return
        read = self._line.read(replace(batch, jobs=jobs), token)
        if self._gathers and read.lives and jobs[0].stat.remote is not None and not batch.last_chance:
            self._gather(read, token)
        else:
            self._finish([read], token, out_of_time)

    def _gather(self, read: Read, token: Token) -> None:
        """Leave a picture to a thread that carries some together, or be that thread."""
        try:
            carries = self._gathering.add(read, token)
        except BaseException:
            read.kept.close()
            raise
        while carries and (group := self._gathering.group()):
            self._gathering.took(self._finish(group, token))

    def _finish(self, group: Sequence[Read], token: Token, out_of_time: int = 0) -> list[Record]:
        """Carry what was read to its end; returns the records. `out_of_time`: see `Outcome`, of the only batch."""
        started = time.monotonic()
        outcomes = self._line.finish(group, token)
        each = (time.monotonic() - started) / sum(len(read.batch.jobs) for read in group)
        for read, outcome in zip(group, outcomes, strict=True):
            jobs = read.batch.jobs
            seconds = read.seconds + each * len(jobs)
            for job in jobs:
                self._control.pace.took(job.stat.size, seconds / len(jobs))
            self._outcomes.append(replace(outcome, out_of_time=out_of_time, seconds=seconds))
        return [record for outcome in outcomes for record in outcome.records]

    def _given_up(self, batch: Batch, about: object) -> None:
        """A read has not returned in time: its picture fails, and the others of the batch are carried again."""
        if not isinstance(about, Job):
            raise TypeError("the deadline of a batch is about a job")
        error = PictureError(ErrorKind.READ_TIMED_OUT, f"no answer within {self._limits.read:g} s")
        left = tuple(Left(job) for job in batch.jobs if job.source != about.source)
        self._outcomes.append(Outcome((recording.failed(about, error),), left, unanswered=1, number=batch.number))
