"""Several lanes, each in a process of its own, as their driver sees them.

Batches are shared out as lanes have room for them. A lane process that dies costs what it had in flight: those batches
are carried again, after the temporary files of that process are removed.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Self

from pipeline.errors import PipelineError
from pipeline.run.batch import Batch, Left, Outcome
from pipeline.run.lane import Control
from pipeline.run.lane_host import Came, End, LaneSetup, Ready, Stop, Trouble
from pipeline.run.lane_main import SERVE
from pipeline.run.several import HASTE, STOP, TICK, SeveralLanes
from pipeline.run.share import Share
from pipeline.workers.peer import Peer

_LOST = 3  # lane processes in a row, with nothing to blame: something is wrong with the machine
_CALM = 100  # batches in a row that came to their end, after which a loss is forgotten
_START, _END = 60.0, 10.0  # seconds in which a lane must be ready; in which one without work must have ended
_REAP, _REAP_AT_THE_END = 5.0, 1.0  # seconds in which a process that was killed must be gone; a sync is not interrupted


class NoLane(Exception):
    """No lane process can be started."""


class _Lane(Share):
    """One lane process as the driver sees it."""

    def __init__(self, peer: Peer, setup: LaneSetup) -> None:
        super().__init__(setup.workers.threads)
        self.peer = peer
        self.setup = setup
        self.ended = False  # by itself, with a last word
        self.why: Exception | None = None  # its last word
        self.began = time.monotonic()


class LaneProcesses(SeveralLanes[_Lane]):
    """A `Lane` whose lanes are processes.

    `sweep` removes the temporary files that the lane process of a number has left in the folders of the batches given.
    """

    waiting = ""
    carried: Mapping[str, int] = {}
    notes: Sequence[str] = ()

    def __init__(
        self,
        setups: Sequence[LaneSetup],
        control: Control,
        locks: Sequence[int],
        sweep: Callable[[int, Sequence[Batch]], None],
        started: Sequence[Peer] = (),
    ) -> None:
        """`locks`: descriptors of the run's locks, which are held as long as a lane lives. `started`: processes that
        are to become lanes; any that are not needed are ended with the others.
        """
        super().__init__(control)
        self._setups = setups
        self._locks = locks
        self._sweep = sweep
        self._spare = list(started)
        self._started = 0  # lane processes so far
        self._lost = 0  # lane processes, without `_CALM` batches in between
        self._unready = 0  # lane processes in a row that have died before they were ready
        self._calm = 0  # batches since the last loss

    def __enter__(self) -> Self:
        """Raises `NoLane`, with nothing left behind."""
        try:
            for setup in self._setups:
                self._start(setup)
        except OSError:
            pass  # with fewer
        try:
            while self._lanes:
                if any(lane.ready for lane in self._lanes):
                    return self
                self._listen(TICK)
                self._control.tick()
        except BaseException:
            self._kill()
            raise
        self._kill()
        raise NoLane

    @property
    def pids(self) -> list[int]:
        """The ids of its processes."""
        return [lane.peer.pid for lane in self._lanes]

    def _give(self, lane: _Lane, batch: Batch) -> None:
        lane.peer.send(batch)

    def _tick(self) -> None:
        for lane in self._lanes:
            lane.peer.wake()
        super()._tick()

    # -- lane processes

    def _start(self, setup: LaneSetup) -> None:
        """Raises `OSError`."""
        self._started += 1
        setup = replace(setup, number=self._started)
        peer = self._spare.pop() if self._spare else Peer(SERVE)
        lane = _Lane(peer, setup)
        self._lanes.append(lane)
        try:
            peer.begin(self._locks)
        except BrokenPipeError:  # it died before it was needed; `_listen` finds out
            return
        peer.send(setup)

    def _listen(self, seconds: float) -> None:
        poll = select.poll()
        for lane in self._lanes:
            poll.register(lane.peer, lane.peer.events)
        poll.poll(seconds * 1000)
        for lane in list(self._lanes):
            lane.peer.flush()
            for message in lane.peer.receive():
                self._heard(lane, message)
            if lane.peer.closed:
                self._gone(lane)
            elif not lane.ready and time.monotonic() > lane.began + _START:
                lane.peer.kill()

    def _heard(self, lane: _Lane, message: object) -> None:
        if isinstance(message, Ready):
            lane.ready = True
            self._unready = 0
        elif isinstance(message, Came):
            lane.threads = message.threads
            self.confinement = self.confinement or message.confinement
            self._calm += len(self._take_in(lane, message.outcomes))
            self._lost = 0 if self._calm >= _CALM else self._lost
        elif isinstance(message, Trouble):
            lane.why = message.error or RuntimeError(f"a defect in a lane process\n{message.defect}")
            if lane.ready:
                lane.ended = True
                self._failure = self._failure or lane.why

    def _gone(self, lane: _Lane) -> None:
        """A lane process has closed its socket, and everything that it said before was heard."""
        self._lanes.remove(lane)
        lane.peer.kill()
        reaped = lane.peer.reap(_REAP_AT_THE_END if lane.ended else _REAP)
        for message in lane.peer.receive():  # it may have been killed here, and have had its last word
            self._heard(lane, message)
        lane.peer.close()
        if not reaped:
            lane.peer.abandon()  # what it does may still come true, so none of its pictures is carried again
            self._failure = self._failure or PipelineError(
                "a lane process cannot be ended: its storage does not answer"
            )
            return
        batches = list(lane.batches.values())
        self._sweep(lane.setup.number, batches)
        if lane.ended:
            return
        if lane.ready:
            lost = tuple(Left(job, lane_died=True) for batch in batches for job in batch.jobs)
            self._outcomes.append(Outcome(left=lost))
            self._lost, self._calm = self._lost + 1, 0
        else:
            self._unready += 1
        in_a_row = self._lost if lane.ready else self._unready
        if in_a_row < _LOST:
            self._replace(lane)
        elif lane.ready or not self._lanes:  # else with fewer
            how = f"status {lane.peer.code}" if (lane.peer.code or 0) >= 0 else f"signal {-(lane.peer.code or 0)}"
            died = PipelineError(f"{in_a_row} lane processes have died, the last with {how}: is there enough memory?")
            self._failure = self._failure or lane.why or died

    def _replace(self, lane: _Lane) -> None:
        try:
            self._start(lane.setup)
        except OSError as error:
            if not self._lanes:
                why = f"no lane process can be started: {error.strerror}"
                self._failure = self._failure or PipelineError(why)

    # -- the end

    def _end(self) -> None:
        for lane in self._lanes:
            lane.ended = True
            lane.peer.send(End())
        end = time.monotonic() + _END
        while self._lanes and time.monotonic() < end:
            self._listen(TICK)
        self._kill()

    def _stop(self) -> None:
        hasty = self._control.hasty()
        for lane in self._lanes:
            lane.ended = True
            lane.peer.send(Stop(hasty))
        patience: float = HASTE if hasty else STOP
        while patience > 0 and self._lanes:
            before = time.monotonic()
            self._listen(TICK)
            patience -= min(1.0, (time.monotonic() - before) / TICK)
            if not hasty and self._control.hasty():
                hasty, patience = True, HASTE
                for lane in self._lanes:
                    lane.peer.send(Stop(hasty))
        self._kill()

    def _kill(self) -> None:
        for spare in self._spare:
            spare.kill()
            spare.reap(_REAP)
            spare.close()
        self._spare.clear()
        for lane in self._lanes:
            lane.peer.kill()
        for lane in list(self._lanes):
            lane.ended = True
            self._gone(lane)
