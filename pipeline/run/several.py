"""Several lanes as one `Lane`: what drivers of lane processes and of a cluster's workers have in common."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from types import TracebackType
from typing import Generic, Self, TypeVar

from pipeline.run.batch import Batch, Outcome
from pipeline.run.lane import Control
from pipeline.run.share import Share
from pipeline.workers.exchange import Confinement

TICK = 0.1  # seconds
STOP, HASTE = 50, 5  # ticks that lanes have to end when the run stops; after a second signal

OneLane = TypeVar("OneLane", bound=Share)


class SeveralLanes(ABC, Generic[OneLane]):
    """Shares batches out among lanes as they have room for them."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._lanes: list[OneLane] = []
        self._numbers = 0  # of batches so far
        self._outcomes: list[Outcome] = []
        self._failure: Exception | None = None
        self._ticked = time.monotonic()
        self.confinement: Confinement | None = None

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

    def expect(self, jobs: int) -> None:
        """See `Lane`. Lanes of their own have all their children from the start."""

    def put(self, batch: Batch) -> None:
        """See `Lane`."""
        self._raise_failure()
        while (lane := max(self._lanes, key=lambda lane: lane.free, default=None)) is None or lane.free <= 0:
            self._listen(TICK)
            self._tick_if_due()
        self._numbers += 1
        numbered = replace(batch, number=self._numbers)
        lane.batches[self._numbers] = numbered
        self._give(lane, numbered)
        self._tick_if_due()

    def drain(self) -> None:
        """See `Lane`."""
        self._raise_failure()
        while any(lane.batches for lane in self._lanes):
            self._listen(TICK)
            self._tick_if_due()
        self._raise_failure()
        self._tick()

    def take(self) -> list[Outcome]:
        """See `Lane`. What a lane reports is on the disk."""
        self._listen(0)  # the plan may look for long before there is a batch to put
        outcomes, self._outcomes = self._outcomes, []
        return outcomes

    def _tick_if_due(self) -> None:
        self._raise_failure()
        if time.monotonic() - self._ticked >= TICK:
            self._tick()
            self._raise_failure()

    def _tick(self) -> None:
        self._control.tick()
        self._ticked = time.monotonic()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _take_in(self, lane: OneLane, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """Keep outcomes for `take`, without those of batches that are over already. Returns those of batches."""
        came = []
        for outcome in outcomes:
            if outcome.number:
                batch = lane.came(outcome)
                if batch is None:
                    continue
                for job in batch.jobs:
                    self._control.pace.took(job.stat.size, outcome.seconds / len(batch.jobs))
                came.append(outcome)
            self._outcomes.append(outcome)
        return came

    @abstractmethod
    def _give(self, lane: OneLane, batch: Batch) -> None:
        """Send a lane a batch."""

    @abstractmethod
    def _listen(self, seconds: float) -> None:
        """Hear what lanes have to say, and send what waits to be sent; wait for it at most so long."""

    @abstractmethod
    def _end(self) -> None:
        """All is done: let them go."""

    @abstractmethod
    def _stop(self) -> None:
        """Let pictures in flight end for a while, and hear of them; then end what is left."""
