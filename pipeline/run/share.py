"""One lane's share of a run, as a driver counts it that has several: its batches in flight, and its room for more."""

from __future__ import annotations

import itertools

from pipeline.run.batch import Batch, Outcome

_AHEAD = 0.15  # seconds of batches that a lane has beyond those that its threads carry
_MOST = 3  # times its threads: the most batches beyond those
_WEIGHT = 0.1  # of the last batch in the mean


class Share:
    """The batches of one lane. For the driver's thread, but for `at_work`."""

    def __init__(self, threads: int = 1, ahead: float = _AHEAD) -> None:
        self.ready = False
        self.threads = threads
        self.batches: dict[int, Batch] = {}  # in flight, by number
        self._ahead = ahead
        self._took: float | None = None  # seconds that a thread needs for a batch, on average

    @property
    def free(self) -> int:
        """For how many more batches it has room: one for each of its threads, and as many beyond them as it carries in
        the seconds `ahead`, so that none of its threads waits for the driver, and none of its batches for long.
        """
        if not self.ready:
            return 0
        beyond = 0 if self._took is None else int(self.threads * min(_MOST, self._ahead / max(1e-3, self._took)))
        return self.threads + beyond - len(self.batches)

    @property
    def at_work(self) -> int:
        """Its pictures in work: its threads are at the first of its batches, the others wait. Any thread."""
        return sum(len(batch.jobs) for batch in itertools.islice(tuple(self.batches.values()), self.threads))

    def came(self, outcome: Outcome) -> Batch | None:
        """The batch of an outcome, if it is still in flight."""
        took = outcome.seconds
        self._took = took if self._took is None else self._took + (took - self._took) * _WEIGHT
        return self.batches.pop(outcome.number, None)
