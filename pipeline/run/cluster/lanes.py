"""The lanes of a cluster as their driver sees them: one on each worker, opened as workers come, lost as they go.

A task is for one worker: it takes the batches there that the driver has for it, and brings back the outcomes that have
come meanwhile. So the driver knows what a worker that dies has had: its pictures are carried again, each alone, after
the lane is given up in the lease and its temporary files are removed. The driver decides how much each worker holds;
the engine queues nothing and tries nothing again.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from dataclasses import replace

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
from pipeline.run.several import HASTE, STOP, TICK, SeveralLanes
from pipeline.targets.lease import Lease

_LOOK = 1.0  # seconds between two looks for workers that have come or gone
_SILENT = 15.0  # seconds without a sign of life of a worker: more than a lane waits for one of its driver
_TRIES = 3  # lanes in a row that end before they are ready, after which their worker gets no more
_SAID = 10.0  # seconds without any worker, after which that is said
_GRACE = 10.0  # seconds without any worker, after which those that were refused end the run: others may be on their way
_KILLERS = 10  # pictures in a row that seem to have killed their worker: the cause is another
_HEARD = 0.3  # seconds in which they must have heard that; the end of the lease tells the others
_END = 15.0  # seconds that lanes without work have to end


_Event = Callable[[], None]


class ClusterLanes(SeveralLanes[WorkerLane]):
    """A `Lane` whose lanes are on the workers of a cluster.

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
        super().__init__(control)
        self._pool = pool
        self._opening = opening
        self._welcome = welcome
        self._lease = lease
        self._sweep = sweep
        self._patience = patience
        self._until = None if opening.seconds is None else time.monotonic() + opening.seconds
        self._events: queue.SimpleQueue[_Event] = queue.SimpleQueue()
        self._started = 0  # lanes so far
        self._refused: dict[str, str] = {}  # why a worker gets no lane, by address
        self._unready: dict[str, int] = {}  # lanes in a row that have ended before they were ready, by address
        self._silent: dict[str, float] = {}  # the last sign of life of workers that were given up, by address
        self._killers = 0  # pictures in a row
        self._looked = float("-inf")
        self._alone_since: float | None = time.monotonic()  # since when there is no worker; None: there is one
        self._stopping = False
        self._over = False  # the engine is gone
        self.notes: list[str] = []
        self.carried: dict[str, int] = {}  # pictures, by worker

    @property
    def waiting(self) -> str:
        """See `Lane`."""
        since = self._alone_since
        return f"no worker for {time.monotonic() - since:.0f} s" if since and time.monotonic() - since > _SAID else ""

    def take(self) -> list[Outcome]:
        """See `Lane`. What a lane reports is on the disk."""
        if not self._over:
            return super().take()
        outcomes, self._outcomes = self._outcomes, []
        return outcomes

    def _give(self, lane: WorkerLane, batch: Batch) -> None:
        lane.unsent.append(batch)

    def _tick(self) -> None:
        self._lease.check()
        alone = 0.0 if self._alone_since is None else time.monotonic() - self._alone_since
        workers = self._pool.workers() if alone > min(_GRACE, self._patience) else {}
        if workers and not self._lanes and workers.keys() <= self._refused.keys():
            raise PipelineError("no worker can be used: " + "; ".join(map(self._refused.__getitem__, workers)))
        if alone > self._patience:
            raise PipelineError(f"no worker for {self._patience:g} s: start some")
        super()._tick()

    def _listen(self, seconds: float) -> None:
        for lane in self._ready():
            self._exchange(lane)
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
        elif returned.gone is not None:
            self._lose(lane, returned.gone.why)
        else:
            lane.threads, lane.ready = returned.threads, True
            self._unready.pop(lane.address, None)
            self._alone_since = None

    def _refuse(self, lane: WorkerLane, why: str) -> None:
        self._lanes.remove(lane)
        self._refused[lane.address] = f"worker {lane.seen.name} gets no pictures: {why}"
        self.notes.append(self._refused[lane.address])

    # -- batches

    def _exchange(self, lane: WorkerLane) -> None:
        """Send a lane the batches that wait for that, and have it asked for outcomes as long as it has any batch."""
        if not lane.unsent and (lane.exchanges or not lane.batches):
            return
        batches, lane.unsent = tuple(lane.unsent), []
        future = lane.executor.submit(worker.exchange, self._key(lane), batches)
        lane.exchanges.add(future)
        future.add_done_callback(lambda done: self._events.put(lambda: self._came(lane, done)))

    def _came(self, lane: WorkerLane, future: Future[Returned]) -> None:
        if future not in lane.exchanges:
            return  # the lane is given up
        lane.exchanges.remove(future)
        try:
            returned = future.result()
        except (Exception, CancelledError) as error:  # noqa: BLE001 - the engine's: a worker has died, say
            self._lose(lane, f"{type(error).__name__}: {error}", to_blame=True)
            return
        self.confinement = self.confinement or returned.confinement
        lane.threads = returned.threads
        for outcome in self._take_in(lane, returned.outcomes):
            self.carried[lane.seen.name] = self.carried.get(lane.seen.name, 0) + len(outcome.records)
            self._killers = 0 if outcome.records else self._killers
        if returned.trouble is not None:
            self._failure = self._failure or _error(returned.trouble)
        if returned.gone is not None:
            self._lose(lane, returned.gone.why, to_blame=returned.gone.died)
        elif returned.trouble is not None:
            self._lose(lane, "")

    def _lose(self, lane: WorkerLane, why: str, *, to_blame: bool = False) -> None:
        """Give a lane up: from here on it writes nothing. `to_blame`: what it was at may have killed it."""
        self._lanes.remove(lane)
        self._lease.give_up(lane.number)
        if lane.beginning is not None:
            lane.beginning.cancel()
        self._forget(lane)
        exchanges, lane.exchanges = lane.exchanges, set()  # nothing that they say counts any more
        for exchange in exchanges:
            exchange.cancel()
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
        self._over = True
        self._wait([lane.executor.submit(worker.end_lane, self._key(lane)) for lane in self._ready()], _END)
        for lane in self._lanes:
            self._forget(lane)

    def _stop(self) -> None:
        self._stopping = True
        for lane in self._lanes:
            for batch in lane.unsent:
                del lane.batches[batch.number]
            lane.unsent.clear()
        hasty = self._control.hasty()
        told = self._tell_to_stop(hasty=hasty)
        patience: float = HASTE if hasty else STOP
        with suppress(PipelineError):  # the engine may be gone
            while patience > 0 and any(lane.batches for lane in self._lanes):
                before = time.monotonic()
                self._listen(TICK)
                patience -= min(1.0, (time.monotonic() - before) / TICK)  # shorter where something came
                if not hasty and self._control.hasty():
                    hasty, patience = True, HASTE
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
