"""A lane in a process of its own: what its driver sends it, what it answers, and its main loop.

The process starts with the run and ends with it. Its main thread hears batches and reports outcomes; all else is the
lane that a small run has in the driver's process.
"""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.config.settings import SourceSettings, TargetSettings
from pipeline.errors import PipelineError
from pipeline.manifest.made import ContentReader
from pipeline.model.record import Record
from pipeline.run.batch import Batch, Outcome
from pipeline.run.clock import Pace
from pipeline.run.lane import Control, LocalLane, renderers
from pipeline.run.line import Terms
from pipeline.run.options import Workers
from pipeline.sources.opening import source_of
from pipeline.targets.lease import LeaseWatch, Place
from pipeline.targets.opening import target_of
from pipeline.workers import memory
from pipeline.workers.budget import Budget
from pipeline.workers.child_pool import ChildPool
from pipeline.workers.exchange import Confinement
from pipeline.workers.peer import Messages

_PERIOD = 0.05  # seconds between two syncs of folders, each of which serves all batches that ended since
_GRACE = 30  # ticks of 0.1 s in which pictures in flight may end when the run stops
_TICK = 0.1


@dataclass(frozen=True, slots=True)
class LaneSetup:
    """The first message to the process: all that it is made from."""

    number: int  # of all lane processes of this run, from 1
    run: str  # its id
    terms: Terms
    workers: Workers  # this lane's share
    sources: tuple[SourceSettings, ...]
    target: TargetSettings
    manifest: Path | None  # None: on another machine
    deadline: float | None  # by the monotonic clock, which all processes of a machine share
    pace: float | None  # seconds a byte in earlier runs
    lease: Place | None = None  # of the run, if its driver may be on another machine


@dataclass(frozen=True, slots=True)
class Stop:
    """From the driver: begin nothing more, report what ends soon, and go. `hasty`: at once."""

    hasty: bool


@dataclass(frozen=True, slots=True)
class End:
    """From the driver: there are no more batches."""


@dataclass(frozen=True, slots=True)
class Ready:
    """From the lane: it takes batches."""


@dataclass(frozen=True, slots=True)
class Came:
    """From the lane: outcomes, all of them on the disk."""

    outcomes: tuple[Outcome, ...]
    threads: int  # that it has now
    confinement: Confinement | None


@dataclass(frozen=True, slots=True)
class Trouble:
    """From the lane, as its last word: why it ends. `defect`: the traceback, where the program itself is to blame."""

    error: PipelineError | None
    defect: str = ""


class _Stopped(Exception):
    """The driver has said so."""


def serve(messages: Messages, children: ChildPool | None) -> None:
    """Be a lane until the driver says that it is over. `children`: see `rendering.prestarted`."""
    try:
        setup = _first(messages)
        if not isinstance(setup, LaneSetup):
            return  # the driver is gone
        _Host(messages, setup).serve(children)
    except PipelineError as error:
        _say(messages, Trouble(error))
    except Exception:  # noqa: BLE001 - whatever it is, the driver ends the run with it
        _say(messages, Trouble(None, traceback.format_exc()))


def _first(messages: Messages) -> object:
    messages.await_begin()
    while not (received := messages.receive()):
        if messages.closed:
            return None
        messages.wait(_TICK)
    return received[0]


def _say(messages: Messages, message: object) -> None:
    """Send it, however long the driver takes to hear it: the driver ends this process when it will not wait."""
    messages.send(message)
    while messages.unsent:
        messages.push(_TICK)


def _nothing_made(content: bytes, recipes: Collection[str]) -> Sequence[Record]:  # noqa: ARG001 - a `LookUp`
    """A lane on another machine does not look into the manifest: SQLite needs locks and memory that machines share."""
    return ()


class _Host:
    def __init__(self, messages: Messages, setup: LaneSetup) -> None:
        self._messages = messages
        self._setup = setup
        self._hasty = False
        self._took = 0.0  # when outcomes were last taken
        self._lease = LeaseWatch(setup.lease, setup.run, setup.number) if setup.lease is not None else None

    def serve(self, children: ChildPool | None) -> None:
        setup = self._setup
        source = source_of(setup.sources)
        source.check()
        lease = self._lease
        target = target_of(setup.target, setup.run, setup.number, lease.check if lease else lambda: None)
        budget = Budget(memory.for_pictures(setup.workers.memory, setup.workers.processes))
        control = Control(Pace(setup.deadline, setup.pace), tick=lambda: None, hasty=lambda: self._hasty)
        made = ContentReader(setup.manifest).made if setup.manifest is not None else _nothing_made
        if lease is not None:
            lease.begin()
        with renderers(setup.workers, children) as renderer:
            lane = LocalLane(setup.terms, setup.workers, source, target, renderer, budget, made, control)
            try:
                with lane:
                    lane.expect(setup.workers.processes)
                    _say(self._messages, Ready())
                    self._carry(lane)
                    lane.drain()
            except _Stopped:
                pass
            self._report(lane)

    def _carry(self, lane: LocalLane) -> None:
        """Take batches and report outcomes until the driver says that there are no more. Raises `_Stopped`."""
        while True:
            self._messages.wait(_PERIOD)
            for message in self._messages.receive():
                if isinstance(message, Batch):
                    lane.put(message)
                elif isinstance(message, Stop):
                    self._end_soon(lane, message)
                    raise _Stopped
                elif isinstance(message, End):
                    return
            if self._messages.closed:
                os._exit(1)  # the driver is gone
            lane.look()
            if self._lease is not None:
                self._lease.raise_lost()
            if time.monotonic() - self._took >= _PERIOD:
                self._report(lane)

    def _end_soon(self, lane: LocalLane, stop: Stop) -> None:
        """Let pictures in flight end for a while, and report them."""
        lane.drop()
        patience = _GRACE
        while patience and not lane.idle and not stop.hasty:
            self._messages.wait(_TICK)
            for message in self._messages.receive():
                stop = message if isinstance(message, Stop) else stop
            patience -= 1
            self._report(lane)
        self._hasty = True  # what is still in flight is given up now

    def _report(self, lane: LocalLane) -> None:
        self._took = time.monotonic()
        if outcomes := lane.take():
            _say(self._messages, Came(tuple(outcomes), lane.threads, lane.confinement))
