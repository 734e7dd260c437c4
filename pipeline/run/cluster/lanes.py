"""The lanes of a cluster as their driver sees them: one on each worker, opened as workers come, lost as they go.

A batch is one task for one worker, so that the driver knows what a worker that dies has had: its pictures are carried
again, each alone, after the lane is given up in the lease and its temporary files are removed. The driver decides how
much each worker holds; the engine queues nothing and tries nothing again.
"""

from __future__ import annotations

import functools
import queue
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Self

from pipeline.amounts import count
from pipeline.errors import ErrorKind, PictureError, PipelineError
from pipeline.run import recording
from pipeline.run.batch import Batch, Left, Outcome
from pipeline.run.cluster import worker
from pipeline.run.cluster.lane import WorkerLane
from pipeline.run.cluster.pool import Seen, WorkerPool
from pipeline.run.cluster.welcome import Welcome
from pipeline.run.cluster.worker import Opening, Question, Returned, Sight
from pipeline.run.lane import Control
from pipeline.run.lane_host import Trouble
from pipeline.targets.lease import Lease
from pipeline.workers.exchange import Confinement

_TICK = 0.1  # seconds
_LOOK = 1.0  # seconds between two looks for workers that have come or gone
_SILENT = 15.0  # seconds without a sign of life of a worker: more than a lane waits for one of its driver
_TRIES = 3  # lanes in a row that end before they are ready, after which their worker gets no more
_SAID = 10.0  # seconds without any worker, after which that is said
_GRACE = 10.0  # seconds without any worker, after which those that were refused end the run: others may be on their way
_KILLERS = 10  # pictures in a row that seem to have killed their worker: the cause is another
_STOP, _HASTE = 50, 5  # ticks that lanes have to end when the run stops; after a second signal
_HEARD = 0.3  # seconds in which they must have heard that; the end of the lease tells the others
_END = 15.0  # seconds that lanes without work have to end


_Event = Callable[[], None]


class ClusterLanes:
    """A `Lane` that shares batches out among the workers of a cluster.

    `sweep` removes the temporary files that the lane of a number has left in the folders of the batches given.
    """

    def __init__(
        self,
        pool: WorkerPool,
        opening: Opening,
        welcome: Welcome,
        lease: Lease,
        control: Control,
        sweep: Callable[[int, Sequence[Batch]], None],
        patience: float,
    ) -> None:
        """`opening` is that of every lane but for its number, CPUs and memory. `patience`: seconds that the run goes on
        without any worker.
        """
        self._pool = pool
        self._opening = opening
        self._welcome = welcome
        self._lease = lease
        self._control = control
        self._sweep = sweep
        self._patience = patience
        self._until = None if opening.seconds is None else time.monotonic() + opening.seconds
        self._events: queue.SimpleQueue[_Event] = queue.SimpleQueue()
        self._lanes: list[WorkerLane] = []
        self._started = 0  # lanes so far
        self._numbers = 0  # of batches so far
        self._outcomes: list[Outcome] = []
        self._failure: Exception | None = None
        self._refused: dict[str, str] = {}  # why a worker gets no lane, by address
        self._unready: dict[str, int] = {}  # lanes in a row that have ended before they were ready, by address
        self._silent: dict[str, float] = {}  # the last sign of life of workers that were given up, by address
        self._killers = 0  # pictures in a row
        self._looked = self._ticked = float("-inf")
        self._alone_since: float | None = time.monotonic()  # since when there is no worker; None: there is one
        self._stopping = False
        self._over = False  # the engine is gone
        self.confinement: Confinement | None = None
        self.notes: list[str] = []
        self.carried: dict[str, int] = {}  # pictures, by worker

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.drain()
        except BaseException:
            self._stop()
            raise
        if error is None:
            self._end()
        else:
            self._stop()

    @property
    def threads(self) -> int:
        """See `Lane`."""
        return max(1, sum(lane.threads for lane in self._lanes))

    @property
    def threads_together(self) -> int:
        """See `Lane`."""
        return max((lane.threads for lane in self._lanes), default=1)

    @property
    def in_flight(self) -> int:
        """See `Lane`."""
        return sum(lane.at_work for lane in tuple(self._lanes))

    @property
    def waiting(self) -> str:
        """See `Lane`."""
        since = self._alone_since
        return f"no worker for {time.monotonic() - since:.0f} s" if since and time.monotonic() - since > _SAID else ""

    def expect(self, jobs: int) -> None:
        """See `Lane`. Lanes have all their children from the start."""

    def put(self, batch: Batch) -> None:
        """See `Lane`."""
        self._raise_failure()
        while (lane := max(self._ready(), key=lambda lane: lane.free, default=None)) is None or lane.free <= 0:
            self._listen(_TICK)
            self._tick_if_due()
        self._numbers += 1
        numbered = replace(batch, number=self._numbers)
        lane.batches[self._numbers] = numbered
        future = lane.executor.submit(worker.carry, self._key(lane), numbered)
        lane.futures[self._numbers] = future
        future.add_done_callback(functools.partial(self._done, lane, self._numbers))
        self._tick_if_due()

    def drain(self) -> None:
        """See `Lane`."""
        self._raise_failure()
        while any(lane.batches for lane in self._lanes):
            self._listen(_TICK)
            self._tick_if_due()
        self._raise_failure()
        self._tick()

    def take(self) -> list[Outcome]:
        """See `Lane`. What a lane reports is on the disk."""
        if not self._over:
            self._listen(0)  # the plan may look for long before there is a batch to put
        outcomes, self._outcomes = self._outcomes, []
        return outcomes

    def _tick_if_due(self) -> None:
        self._raise_failure()
        if time.monotonic() - self._ticked >= _TICK:
            self._tick()
            self._raise_failure()

    def _tick(self) -> None:
        self._lease.check()
        alone = 0.0 if self._alone_since is None else time.monotonic() - self._alone_since
        workers = self._pool.workers() if alone > min(_GRACE, self._patience) else {}
        if workers and not self._lanes and workers.keys() <= self._refused.keys():
            raise PipelineError("no worker can be used: " + "; ".join(map(self._refused.__getitem__, workers)))
        if alone > self._patience:
            raise PipelineError(f"no worker for {self._patience:g} s: start some")
        self._control.tick()
        self._ticked = time.monotonic()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _listen(self, seconds: float) -> None:
        """Hear what lanes have to say; wait for it at most so long."""
        if time.monotonic() - self._looked >= _LOOK:
            self._look()
        with suppress(queue.Empty):
            self._events.get(timeout=seconds)() if seconds else self._events.get_nowait()()
            while True:
                self._events.get_nowait()()

    # -- workers come and go

    def _look(self) -> None:
        now = self._looked = time.monotonic()
        workers = self._pool.workers()
        for lane in tuple(self._lanes):
            seen = workers.get(lane.address)
            if seen is None:
                self._lose(lane, "it is gone", to_blame=True)
            elif seen.heard != lane.seen.heard:
                lane.seen, lane.heard = seen, now
            elif now - lane.heard > _SILENT:
                self._silent[lane.address] = seen.heard
                self._lose(lane, f"it was silent for {_SILENT:g} s")
        with_lanes = {lane.address for lane in self._lanes}
        for address, seen in workers.items():
            silent = self._silent.get(address) == seen.heard
            if not (self._stopping or silent or address in with_lanes or address in self._refused):
                self._begin(address, seen)
        if any(self._ready()):
            self._alone_since = None
        elif self._alone_since is None:
            self._alone_since = now

    def _begin(self, address: str, seen: Seen) -> None:
        self._started += 1
        lane = WorkerLane(self._started, address, seen, self._pool.executor(address))
        self._lanes.append(lane)
        question = Question(replace(self._opening.setup, number=lane.number), self._welcome.witness)
        asked = lane.beginning = lane.executor.submit(worker.look, question)
        asked.add_done_callback(lambda done: self._events.put(lambda: self._saw(lane, done)))

    def _saw(self, lane: WorkerLane, asked: Future[Sight]) -> None:
        """The worker has answered what it sees; a lane is opened there if that is what the driver sees."""
        if lane not in self._lanes or self._stopping:
            return
        try:
            refusal = self._welcome.refusal(asked.result(), lane.number)
        except (Exception, CancelledError) as error:  # noqa: BLE001 - the engine's, or of a program that is another
            refusal = f"{type(error).__name__}: {error}"
        if refusal:
            self._refuse(lane, refusal)
            return
        workers = self._pool.workers().values()
        beside = sum(seen.host == lane.seen.host for seen in workers)
        sources = tuple(source.shared_by(max(1, len(workers))) for source in self._opening.setup.sources)
        opening = replace(
            self._opening,
            setup=replace(self._opening.setup, number=lane.number, sources=sources),
            seconds=None if self._until is None else self._until - time.monotonic(),
            memory=self._opening.memory or lane.seen.memory,
            cpus=lane.seen.cpus,
            beside=max(1, beside),
        )
        opened = lane.beginning = lane.executor.submit(worker.open_lane, opening)
        opened.add_done_callback(lambda done: self._events.put(lambda: self._opened(lane, done)))

    def _opened(self, lane: WorkerLane, opened: Future[Returned]) -> None:
        if lane not in self._lanes:
            return
        try:
            returned = opened.result()
        except (Exception, CancelledError) as error:  # noqa: BLE001 - the engine's
            self._lose(lane, str(error))
            return
        if returned.trouble is not None:
            self._refuse(lane, str(_error(returned.trouble)))
        elif returned.gone:
            self._lose(lane, returned.gone)
        else:
            lane.threads, lane.ready = returned.threads, True
            self._unready.pop(lane.address, None)
            self._alone_since = None

    def _refuse(self, lane: WorkerLane, why: str) -> None:
        self._lanes.remove(lane)
        self._refused[lane.address] = f"worker {lane.seen.name} gets no pictures: {why}"
        self.notes.append(self._refused[lane.address])

    # -- batches

    def _done(self, lane: WorkerLane, number: int, future: Future[Returned]) -> None:
        """Any thread."""
        self._events.put(lambda: self._came(lane, number, future))

    def _came(self, lane: WorkerLane, number: int, future: Future[Returned]) -> None:
        if lane.futures.pop(number, None) is None:
            return  # it is over already
        try:
            returned = future.result()
        except (Exception, CancelledError) as error:  # noqa: BLE001 - the engine's: a worker has died, say
            self._lose(lane, f"{type(error).__name__}: {error}", to_blame=True)
            return
        self.confinement = self.confinement or returned.confinement
        if returned.trouble is not None:
            self._failure = self._failure or _error(returned.trouble)
        if returned.trouble is not None or returned.gone:
            self._lose(lane, returned.gone, to_blame="died" in returned.gone)
            return
        lane.threads = returned.threads
        batch = lane.came(number)
        for outcome in returned.outcomes:
            if batch is not None and outcome.number == number:
                for job in batch.jobs:
                    self._control.pace.took(job.stat.size, outcome.seconds / len(batch.jobs))
                self.carried[lane.seen.name] = self.carried.get(lane.seen.name, 0) + len(outcome.records)
                self._killers = 0 if outcome.records else self._killers
            self._outcomes.append(outcome)

    def _lose(self, lane: WorkerLane, why: str, *, to_blame: bool = False) -> None:
        """Give a lane up: from here on it writes nothing. `to_blame`: what it was at may have killed it."""
        self._lanes.remove(lane)
        self._lease.give_up(lane.number)
        if lane.beginning is not None:
            lane.beginning.cancel()
        self._forget(lane)
        futures = list(lane.futures.values())
        lane.futures.clear()  # nothing that they say counts any more
        for future in futures:
            future.cancel()
        batches = list(lane.batches.values())
        self._sweep(lane.number, batches)
        if lane.ended or self._failure is not None:
            return
        if lane.ready:
            pictures = count(sum(len(batch.jobs) for batch in batches), "picture")
            self.notes.append(f"worker {lane.seen.name} was lost with {pictures} in flight: {why}")
            self._looked = float("-inf")  # it may be there, and only its lane is gone
        else:
            tries = self._unready[lane.address] = self._unready.get(lane.address, 0) + 1
            if tries >= _TRIES:
                self._refused[lane.address] = f"worker {lane.seen.name} gets no pictures: {why}"
                self.notes.append(self._refused[lane.address])
        self._outcomes += self._left(batches, why, to_blame=to_blame)

    def _left(self, batches: Sequence[Batch], why: str, *, to_blame: bool) -> Iterator[Outcome]:
        """What becomes of the pictures of a lost lane."""
        for batch in batches:
            if batch.last_chance and to_blame:
                self._killers += 1
                if self._killers >= _KILLERS:
                    self._failure = PipelineError(f"{_KILLERS} workers in a row have died: {why}")
                error = PictureError(ErrorKind.CRASHED, f"its worker died, three times: {why}")
                yield Outcome(tuple(recording.failed(job, error) for job in batch.jobs))
            else:
                yield Outcome(left=tuple(Left(job, lane_died=True) for job in batch.jobs))

    def _ready(self) -> Iterator[WorkerLane]:
        return (lane for lane in self._lanes if lane.ready)

    def _key(self, lane: WorkerLane) -> worker.Key:
        return self._opening.setup.run, lane.number

    # -- the end

    def _end(self) -> None:
        """All is done: let them go."""
        self._over = True
        self._wait([lane.executor.submit(worker.end_lane, self._key(lane)) for lane in self._ready()], _END)
        for lane in self._lanes:
            self._forget(lane)

    def _stop(self) -> None:
        """Let pictures in flight end for a while, and hear of them; then end what is left."""
        self._stopping = True
        hasty = self._control.hasty()
        told = self._tell_to_stop(hasty=hasty)
        patience = _HASTE if hasty else _STOP
        with suppress(PipelineError):  # the engine may be gone
            while patience > 0 and any(lane.batches for lane in self._lanes):
                self._listen(_TICK)
                patience -= 1
                if not hasty and self._control.hasty():
                    hasty, patience = True, _HASTE
                    told += self._tell_to_stop(hasty=hasty)
        self._wait(told, _HEARD)
        self._over = True
        for lane in tuple(self._lanes):
            self._lease.give_up(lane.number)
            self._forget(lane)

    def _forget(self, lane: WorkerLane) -> None:
        """Remove what its worker may have written to be judged."""
        if not lane.ready:
            self._welcome.forget(lane.number)

    def _tell_to_stop(self, *, hasty: bool) -> list[Future[None]]:
        for lane in self._lanes:  # also those that are still opening
            lane.ended = True
        return [lane.executor.submit(worker.stop_lane, self._key(lane), hasty=hasty) for lane in self._lanes]

    def _wait(self, futures: Sequence[Future[None]], seconds: float) -> None:
        end = time.monotonic() + seconds
        for future in futures:
            with suppress(Exception, CancelledError):
                future.result(max(0.0, end - time.monotonic()))


def _error(trouble: Trouble) -> Exception:
    return trouble.error or RuntimeError(f"a defect in a lane\n{trouble.defect}")
