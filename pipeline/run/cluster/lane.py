"""What the driver of a cluster keeps of one worker's lane."""

from __future__ import annotations

import time
from concurrent.futures import Executor, Future

from pipeline.run.cluster.pool import Seen
from pipeline.run.cluster.worker import Returned, Sight
from pipeline.run.share import Share


class WorkerLane(Share):
    """The lane of one worker."""

    def __init__(self, number: int, address: str, seen: Seen, executor: Executor) -> None:
        super().__init__()
        self.number = number
        self.address = address
        self.seen = seen
        self.executor = executor
        self.heard = time.monotonic()
        self.ready = False
        self.ended = False
        self.futures: dict[int, Future[Returned]] = {}  # of its batches in flight
        self.beginning: Future[Sight] | Future[Returned] | None = None
