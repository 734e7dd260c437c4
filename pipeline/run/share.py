"""One lane's share of a run, as a driver counts it that has several: its batches in flight, and its room for more."""

from __future__ import annotations

import itertools
import time
from collections import deque

from pipeline.run.batch import Batch

_AHEAD = 0.15  # seconds of batches that a lane has beyond those that its threads carry
_SOME = 16  # batches by which its speed is told


class Share:
    """The batches of one lane. For the driver's thread, but for `at_work`."""

    def __init__(self, threads: int = 1) -> None:
        self.ready = False
        self.threads = threads
        self.batches: dict[int, Batch] = {}  # in flight, by number
        self._came: deque[float] = deque(maxlen=_SOME)  # when the last batches ended

    @property
    def free(self) -> int:
        """For how many more batches it has room: one for each of its threads, and as many beyond them as it carries in
        `_AHEAD`, so that none of its threads waits for the driver, and none of its batches for long.
        """
        ahead = 0
        if len(self._came) == _SOME:
            took = max(1e-3, self._came[-1] - self._came[0])
            ahead = min(self.threads, int(_AHEAD * _SOME / took))
        return self.threads + ahead - len(self.batches) if self.ready else 0

    @property
    def at_work(self) -> int:
        """Its pictures in work: its threads are at the first of its batches, the others wait. Any thread."""
        return sum(len(batch.jobs) for batch in itertools.islice(tuple(self.batches.values()), self.threads))

    def came(self, number: int) -> Batch | None:
        """The batch of an outcome, if it is still in flight."""
        self._came.append(time.monotonic())
        return self.batches.pop(number, None)
