"""What carries batches for a driver: I/O threads and their queue, what renders for them, a share of memory, a writer.

The lane knows no manifest. The driver gives it batches and takes their outcomes; an outcome that it takes is on the
disk, names and folders included.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from types import TracebackType

from pipeline.errors import ErrorKind, PictureError
from pipeline.model.job import Job
from pipeline.run import rendering, verdicts
from pipeline.run.alike import Alike, LookUp
from pipeline.run.batch import Batch, Left, Outcome
from pipeline.run.clock import Pace
from pipeline.run.hiring import Hiring, Occupancy
from pipeline.run.line import Line, Terms
from pipeline.run.options import Workers
from pipeline.sources.source import Source
from pipeline.targets.local import LocalTarget
from pipeline.workers import cpus
from pipeline.workers.budget import Budget
from pipeline.workers.crew import Crew
from pipeline.workers.exchange import Confinement, Pool
from pipeline.workers.nursery import Nursery
from pipeline.workers.token import Token


def renderers(workers: Workers, ahead: Nursery | None = None) -> AbstractContextManager[Pool]:
    """What renders for a lane: children, or its threads. `ahead`: see `rendering.ahead`."""
    if workers.processes:
        return rendering.children(workers.processes, workers.memory, at_once=False, ahead=ahead)
    return nullcontext(rendering.in_threads())


@dataclass(frozen=True, slots=True)
class Control:
    """How a driver steers its lane."""

    pace: Pace  # pictures that do not fit into the time are left out of their batch; any thread
    tick: Callable[[], None]  # called about every tenth of a second while the driver waits; may raise to end the lane
    hasty: Callable[[], bool] = lambda: False  # whether the end must not wait for pictures in flight


class Lane:
    """A lane in the driver's own process; a context manager. All methods are for the driver's thread.

    `look_up` says in any thread what earlier runs have made of equal content.
    """

    def __init__(
        self,
        terms: Terms,
        workers: Workers,
        source: Source,
        target: LocalTarget,
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
        alike = Alike(look_up, target, terms.limits)
        self._line = Line(source, occupancy, budget, target, alike, terms)
        self._crew = Crew(
            self._carry,
            threads=workers.threads,
            queue_size=workers.queue,
            pulse=self._pulse,
            hasty=control.hasty,
            abandoned=self._given_up,
        )
        children = workers.processes or cpus.available()
        self._hiring = Hiring(self._crew, occupancy, children, workers.most_threads, memory=workers.memory)

    def __enter__(self) -> Lane:
        self._crew.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._crew.__exit__(kind, error, trace)

    @property
    def threads(self) -> int:
        """How many batches it carries at a time."""
        return self._crew.threads

    @property
    def confinement(self) -> Confinement | None:
        """How what renders here is confined; None: not, or nothing was rendered."""
        return self._renderer.confinement

    def expect(self, jobs: int) -> None:
        """So many jobs are to come."""
        self._renderer.expect(jobs)

    def put(self, batch: Batch) -> None:
        """Give it a batch, waiting for room in its queue. Raises what ends the lane: a trouble of target or source, or
        what `tick` raised.
        """
        self._crew.put(batch)

    def drain(self) -> None:
        """Wait until every batch has its outcome. Raises as `put` does."""
        self._crew.drain()

    def take(self) -> list[Outcome]:
        """The outcomes since the last call; everything that they speak of is on the disk. Raises `TargetTrouble`."""
        outcomes = [self._outcomes.popleft() for _ in range(len(self._outcomes))]
        if outcomes:
            self._target.sync()
            outcomes.append(Outcome(folders=tuple(self._target.take_new_folders())))
        return outcomes

    def _pulse(self) -> None:
        self._hiring.look()
        self._control.tick()

    def _carry(self, batch: Batch, token: Token) -> None:
        """Runs in the lane's threads."""
        jobs = [job for job in batch.jobs if self._control.pace.fits(job.stat.size)]
        if not jobs:
            return
        started = time.monotonic()
        outcome = self._line.carry(Batch(jobs, batch.last_chance), token)
        seconds = (time.monotonic() - started) / len(jobs)
        for job in jobs:
            self._control.pace.took(job.stat.size, seconds)
        self._outcomes.append(outcome)

    def _given_up(self, batch: Batch, about: object) -> None:
        """A read has not returned in time: it costs its own picture, and the others of the batch are carried again."""
        if not isinstance(about, Job):
            raise TypeError("the deadline of a batch is about a job")
        error = PictureError(ErrorKind.READ_TIMED_OUT, f"no answer within {self._limits.read:g} s")
        left = tuple(Left(job) for job in batch.jobs if job.source != about.source)
        self._outcomes.append(Outcome((verdicts.failed(about, error),), left, unanswered=1))
