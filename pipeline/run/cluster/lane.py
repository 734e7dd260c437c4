"""What the driver of a cluster keeps of one worker's lane."""

from __future__ import annotations

import time
from concurrent.futures import Executor, Future

from pipeline.run.batch import Batch
from pipeline.run.cluster.pool import Seen
from pipeline.run.cluster.worker import Returned, Sight
from pipeline.run.share import Share

_AHEAD = 0.5  # seconds of batches beyond those that threads carry, and between two exchanges with the worker


class WorkerLane(Share):
    """The lane of one worker."""

    def __init__(self, number: int, address: str, seen: Seen, executor: Executor) -> None:
        super().__init__(ahead=_AHEAD)
        self.number = number
        self.address = address
        self.seen = seen
        self.executor = executor
        self.heard = time.monotonic()
        self.ready = False
        self.ended = False
        self.unsent: list[Batch] = []  # the last of its batches
        self.exchanges: set[Future[Returned]] = set()  # in flight
        self.beginning: Future[Sight] | Future[Returned] | None = None
