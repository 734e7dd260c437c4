"""What runs on a worker of a cluster: a lane process, and a thread that keeps it and passes batches on.

The functions are called by the driver through an executor, several at the same time. They return troubles as values:
whatever they raise is the engine's.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace

import pipeline
from pipeline.config.settings import SourceSettings, TargetSettings
from pipeline.errors import PipelineError
from pipeline.model.source import Stat
from pipeline.render.child.libraries import libraries
from pipeline.render.version import VERSION
from pipeline.run.batch import Batch, Outcome
from pipeline.run.lane_host import Came, End, LaneSetup, Ready, Stop, Trouble
from pipeline.run.lane_main import SERVE
from pipeline.run.options import Workers
from pipeline.run.scaling import most_threads
from pipeline.sources.opening import source_of
from pipeline.targets.lease import LeaseLost, probe_beside, run_of
from pipeline.workers import memory
from pipeline.workers.exchange import Confinement
from pipeline.workers.peer import Peer

Key = tuple[str, int]
"""A lane: the id of its run, and its number there."""

_TICK = 0.1  # seconds
_LONGEST = 1.0  # seconds that outcomes of slow pictures wait for others to come back with
_REAP, _END = 5.0, 10.0  # seconds in which a lane must be gone that was killed, or has no more work


@dataclass(frozen=True, slots=True)
class Versions:
    """All that has a part in pixels, and the program, whose values are pickled."""

    program: str
    pixels: int  # `render.VERSION`
    libraries: str


@dataclass(frozen=True, slots=True)
class Question:
    """What the driver asks of a worker before it gets a lane. `witness`: folder and name of a source."""

    setup: LaneSetup
    witness: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class Sight:
    """What a worker sees."""

    versions: Versions
    run: str  # whose lease it finds in the target
    wrote: str  # why it cannot write there; "": it has written the file of `probe_beside`
    witness: Stat | None
    trouble: str  # why it cannot use the source


@dataclass(frozen=True, slots=True)
class Opening:
    """A lane to be opened. None: as the worker has it."""

    setup: LaneSetup  # whose workers and deadline are filled in by the worker
    seconds: float | None  # until the deadline
    threads: int | None
    processes: int | None
    memory: int | None  # bytes
    cpus: int  # of the worker
    beside: int  # lanes on its host, itself included


@dataclass(frozen=True, slots=True)
class Gone:
    """Why there is no lane any more. `died`: it was killed, perhaps by what it was at."""

    why: str
    died: bool = False


@dataclass(frozen=True, slots=True)
class Returned:
    """What a lane has reported; that it is gone, at last."""

    outcomes: tuple[Outcome, ...] = ()
    threads: int = 1  # that the lane has
    confinement: Confinement | None = None
    trouble: Trouble | None = None  # which ends the run
    gone: Gone | None = None


def versions() -> Versions:
    """Those of this process."""
    return Versions(pipeline.__version__, VERSION, libraries(by_libvips=True))


def look(question: Question) -> Sight:
    """See what there is on this worker. Imports Pillow."""
    setup = question.setup
    if setup.lease is None:
        raise ValueError("a lane of a cluster has a lease")
    wrote, witness, trouble = "", None, ""
    try:
        probe_beside(setup.lease, setup.number).write(setup.run.encode(), create=True)
    except OSError as error:
        wrote = error.strerror or str(error)
    try:
        source = source_of(setup.sources)
        source.check()
        if question.witness is not None:
            folder, name = question.witness
            (witness,) = source.stats(folder, (name,))
    except (PipelineError, OSError) as error:
        trouble = str(error)
    return Sight(versions(), run_of(setup.lease), wrote, witness, trouble)


@dataclass(frozen=True, slots=True)
class Tried:
    """What `doctor` hears of a worker."""

    versions: Versions
    trouble: str  # why it cannot use the source or the target


def try_out(sources: tuple[SourceSettings, ...], target: TargetSettings) -> Tried:
    """Look whether this worker could have a lane, and leave nothing behind."""
    trouble = ""
    try:
        source_of(sources).check()
        for folder in target.folders:
            there = folder if folder.exists() else folder.parent
            if not os.access(there, os.W_OK | os.X_OK):
                trouble = f"it cannot write to {there}" if there.exists() else f"{there} is not there"
    except (PipelineError, OSError) as error:
        trouble = str(error)
    return Tried(versions(), trouble)


def open_lane(opening: Opening) -> Returned:
    """Start a lane and wait until it takes batches."""
    end = None if opening.seconds is None else time.monotonic() + opening.seconds
    keeper = _Keeper(replace(opening.setup, workers=share(opening), deadline=end))
    _keepers[opening.setup.run, opening.setup.number] = keeper
    return keeper.ready.result()


def exchange(lane: Key, batches: Sequence[Batch]) -> Returned:
    """Give the lane batches, and wait for outcomes of these or earlier ones, until it has no more batches than threads:
    an exchange costs scheduler and driver 3 ms of CPU each. It is over earlier when the next one begins, perhaps
    without an outcome.
    """
    keeper = _keepers.get(lane)
    return keeper.exchange(batches) if keeper is not None else Returned(gone=Gone("its worker has begun anew"))


def stop_lane(lane: Key, *, hasty: bool) -> None:
    """Have the lane begin nothing more and report what ends soon."""
    if lane in _keepers:
        _keepers[lane].tell(Stop(hasty))


def end_lane(lane: Key) -> None:
    """Wait until the lane, which has no more work, has ended."""
    keeper = _keepers.pop(lane, None)
    if keeper is not None:
        keeper.tell(End())
        keeper.join(_END)


def share(opening: Opening) -> Workers:
    """The lane's threads, children and memory: as asked, or the worker's CPUs and its part of its host's memory."""
    processes = opening.cpus if opening.processes is None else opening.processes
    threads = opening.threads
    begin = threads or (2 * processes + 4 if processes else opening.cpus + 2)
    most = threads or max(begin, most_threads(max(map(len, opening.setup.terms.specs))))
    return Workers(begin, processes, 0, opening.memory or memory.available() // opening.beside, most)


class _Keeper:
    """A thread that lives as long as its lane process, which ends with it, and talks to it."""

    def __init__(self, setup: LaneSetup) -> None:
        self._setup = setup
        self._changed = threading.Condition()  # its lock guards all that exchanges use
        self._waiting: deque[object] = deque()  # messages for the lane
        self._batches: set[int] = set()  # in flight, by number
        self._exchanges = 0  # so far
        self._returned = Returned(threads=setup.workers.threads)  # what the next one has to say
        self._bell, self._ringer = os.pipe()
        self._over = False
        self._lost = ""  # why its lease is
        self._trouble: Trouble | None = None
        self.ready: Future[Returned] = Future()
        self._thread = threading.Thread(target=self._keep, name=f"lane {setup.number}", daemon=True)
        self._thread.start()

    def exchange(self, batches: Sequence[Batch]) -> Returned:
        """See `exchange` above. Any thread."""
        with self._changed:
            self._batches.update(batch.number for batch in batches)
            for batch in batches:
                self.tell(batch)
            self._exchanges += 1
            this, until = self._exchanges, time.monotonic() + _LONGEST
            self._changed.notify_all()
            while this == self._exchanges and not self._over:
                left = until - time.monotonic()
                if self._returned.outcomes and (left <= 0 or len(self._batches) <= self._returned.threads):
                    break
                self._changed.wait(left if self._returned.outcomes else None)
            returned = self._returned
            self._returned = replace(returned, outcomes=())
        return returned

    def tell(self, message: object) -> None:
        """Send the lane a message. Any thread."""
        with self._changed:
            self._waiting.append(message)
            if not self._over:
                os.write(self._ringer, b"!")

    def join(self, seconds: float) -> None:
        """Wait so long for the lane to end, then kill it."""
        self._thread.join(seconds)
        if self._thread.is_alive():
            self.tell(None)
            self._thread.join(_REAP)

    def _keep(self) -> None:
        try:
            peer = Peer(SERVE)
        except OSError as error:
            gone = Gone(f"its lane cannot be started: {error.strerror}")
        else:
            gone = self._talk(peer)
        with self._changed:
            self._over = True
            self._returned = replace(self._returned, trouble=self._trouble, gone=gone)
            os.close(self._bell)
            os.close(self._ringer)
            self._changed.notify_all()
        if not self.ready.done():
            self.ready.set_result(self._returned)

    def _talk(self, peer: Peer) -> Gone:
        """Pass messages on until the lane has ended; returns how it has."""
        with suppress(BrokenPipeError):
            peer.begin(())
        peer.send(self._setup)
        poll = select.poll()
        poll.register(self._bell, select.POLLIN)
        while not peer.closed and self._passed_on(peer):
            poll.register(peer, peer.events)
            poll.poll(_TICK * 1000)
            peer.wake()
            for message in peer.receive():
                self._heard(message)
        peer.kill()
        if not peer.reap(_REAP):
            peer.abandon()
        for message in peer.receive():
            self._heard(message)
        peer.close()
        status = peer.code or 0
        if self._lost:
            return Gone(f"its lane ended: {self._lost}")
        if status < 0:
            return Gone(f"its lane died, signal {-status}", died=True)
        return Gone(f"its lane ended with status {status}")

    def _passed_on(self, peer: Peer) -> bool:
        """Whether the lane is to go on."""
        if select.select([self._bell], [], [], 0)[0]:
            os.read(self._bell, 4096)
        while self._waiting:
            message = self._waiting.popleft()
            if message is None:
                return False
            peer.send(message)
        peer.flush()
        return True

    def _heard(self, message: object) -> None:
        if isinstance(message, Ready):
            self.ready.set_result(Returned(threads=self._setup.workers.threads))
        elif isinstance(message, Came):
            self._came(message)
        elif isinstance(message, Trouble):
            if isinstance(message.error, LeaseLost):
                self._lost = str(message.error)
            else:
                self._trouble = message

    def _came(self, came: Came) -> None:
        with self._changed:
            self._batches.difference_update(outcome.number for outcome in came.outcomes)
            outcomes = self._returned.outcomes + came.outcomes
            self._returned = Returned(outcomes, came.threads, came.confinement)
            self._changed.notify_all()


_keepers: dict[Key, _Keeper] = {}
