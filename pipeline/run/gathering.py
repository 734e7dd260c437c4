"""Puts pictures together that were fetched one by one, so that they share messages to a child, syncs and records.

Each URL is fetched by a thread of its own, so that waits for servers overlap. While children have time, its thread
carries it on at once. While they have none, fetched pictures queue here, and their threads fetch others: the next
thread that is through with its pictures carries all that fit into a batch (a third less of this process's CPU time
for each URL; see docs/performance.md).
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Sequence

from pipeline.model.record import Record
from pipeline.run.batch import BYTES, MOST, SECONDS, Costs, most_together, open_files, share_a_task
from pipeline.run.life import Read
from pipeline.workers.token import TICK, Token

_SPARE = 2  # threads that carry pictures, beyond one for each child: they write while the children render
_AHEAD = 16  # pictures fetched and waiting, for each child
_FETCHING = 3  # files that a thread has open while it fetches


class Gathering:
    """Used by all threads of a lane. Of each picture that is added, one thread gets it in a group, soon."""

    def __init__(self, children: int, threads: int, renditions: int) -> None:
        """`threads`: the most that may fetch at once. `renditions`: of each picture, when all are made."""
        self._children = children
        self._most_carriers = children + _SPARE
        files = open_files()
        self._room = _AHEAD * children
        if files is not None:
            files = max(0, files - _FETCHING * threads)
            self._room = max(1, min(self._room, files // 4))
            files = (files - 2 * self._room) // self._most_carriers
        self._most = max(1, most_together(renditions, files, MOST))
        self._costs = Costs(reading=False)
        self._changed = threading.Condition()
        self._waiting: deque[Read] = deque()
        self._carriers = 0

    def add(self, read: Read, token: Token) -> bool:
        """Add a picture, waiting for room. Whether the calling thread has to carry groups now, until there is none.

        Raises `Revoked`; the picture is the caller's then.
        """
        with self._changed:
            while self._carriers == self._most_carriers and len(self._waiting) >= self._room:
                token.check()
                self._changed.wait(TICK)
            self._waiting.append(read)
            if self._carriers == self._most_carriers:
                return False
            self._carriers += 1
            return True

    def group(self) -> list[Read]:
        """The pictures to carry next, together; none: the calling thread carries no more."""
        with self._changed:
            if not self._waiting:
                self._carriers -= 1
                return []
            group = [self._waiting.popleft()]
            most = min(self._most, -(-(1 + len(self._waiting)) // self._children))
            seconds, size = self._cost(group[0]), group[0].size
            while self._waiting and len(group) < most:
                following = self._waiting[0]
                seconds += self._cost(following)
                size += following.size
                if seconds > SECONDS or size > BYTES or not share_a_task(following.job, group[0].job):
                    break
                group.append(self._waiting.popleft())
            self._changed.notify(len(group))
            return group

    def took(self, records: Sequence[Record]) -> None:
        """Learn from the records of a group how long pictures take."""
        with self._changed:
            for record in records:
                self._costs.took(record)

    def _cost(self, read: Read) -> float:
        """Seconds that the picture will take; infinite if it is to be carried alone."""
        cost = self._costs.of(read.job.source, read.size)
        return math.inf if cost is None else cost

    def close(self) -> None:
        """Let go of the pictures that no thread will carry any more."""
        with self._changed:
            while self._waiting:
                self._waiting.popleft().kept.close()
