"""The byte budget: how much memory the pictures in flight may take together, from the reading of their bytes on.

One total holds two kinds of room: for the bytes of sources, a quarter of it at the most, and for the work on them. A
request that fits is granted at once, even past a bigger one that waits. One that is too big is granted when no other
room of its kind is held. Only then can the sum exceed the total, and by no more than the bytes of sources.

No thread waits for ever, because all take in the same order: room for sources, a turn (see `run.dedup`), a child, room
for work. A thread with room for work waits for nothing more, so that room always comes back, and each request for it
is granted, at the latest when no other is held. A thread with a child waits for room for work at the most, so children
come back too, then turns, then room for sources.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from types import TracebackType

from pipeline.workers.token import TICK, Token

_OVERTAKES = 32  # how often smaller requests may pass a waiting one before it is next; bounds its wait
_SOURCES = 0.25  # of the total, for the bytes of sources


class _Kind:
    """All rooms of one kind."""

    __slots__ = ("held", "most", "used", "waiting")

    def __init__(self, most: int) -> None:
        self.most = most
        self.used = 0
        self.held: set[Room] = set()
        self.waiting: OrderedDict[Room, int] = OrderedDict()  # room that waits -> how often it was overtaken


class Room:
    """Some bytes of a budget, held until the block ends; none at first. For one thread."""

    __slots__ = ("_budget", "kind", "size", "token")

    def __init__(self, budget: Budget, kind: _Kind, token: Token) -> None:
        self._budget = budget
        self.kind = kind
        self.token = token
        self.size = 0

    def __enter__(self) -> Room:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._budget.give_back(self)

    def take(self, size: int) -> None:
        """Wait until `size` bytes are free, and hold them in place of those held before. Raises `Revoked`."""
        self._budget.take(self, size)

    def shrink(self, size: int) -> None:
        """Hold no more than `size` bytes from now on."""
        self._budget.shrink(self, size)


class Budget:
    """Grants room by the bytes that the work will need. Thread-safe.

    Room whose token is revoked counts as free as soon as another thread waits: a read that never returns must not keep
    it from others. The bytes read by then stay in memory, beyond the budget.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self._turns = threading.Condition()
        self._sources = _Kind(int(total * _SOURCES))
        self._work = _Kind(total)

    def for_source(self, token: Token) -> Room:
        """Room for the bytes of a source, taken before all else and held as long as the bytes are."""
        return Room(self, self._sources, token)

    def for_work(self, token: Token) -> Room:
        """Room for rendering; its holder waits for nothing more."""
        return Room(self, self._work, token)

    def take(self, room: Room, size: int) -> None:
        """See `Room`."""
        with self._turns:
            self._leave(room)
            if room.kind.waiting or not self._fits(room.kind, size):
                self._queue(room, size)
            room.size = size
            room.kind.used += size
            room.kind.held.add(room)

    def shrink(self, room: Room, size: int) -> None:
        """See `Room`."""
        with self._turns:
            if room in room.kind.held and size < room.size:
                room.kind.used -= room.size - size
                room.size = size
                self._tell()

    def give_back(self, room: Room) -> None:
        """See `Room`. Idempotent."""
        with self._turns:
            self._leave(room)

    def _leave(self, room: Room) -> None:
        if room in room.kind.held:
            room.kind.held.remove(room)
            room.kind.used -= room.size
            self._tell()

    def _tell(self) -> None:
        if self._sources.waiting or self._work.waiting:
            self._turns.notify_all()

    def _fits(self, kind: _Kind, size: int) -> bool:
        if not kind.held:
            return True
        return kind.used + size <= kind.most and self._sources.used + self._work.used + size <= self.total

    def _queue(self, room: Room, size: int) -> None:
        waiting = room.kind.waiting
        waiting[room] = 0
        try:
            while not self._may_go(room, size):
                room.token.check()
                self._reclaim()
                self._turns.wait(TICK)
            for other in waiting:
                if other is room:
                    break
                waiting[other] += 1
        finally:
            del waiting[room]
            self._tell()  # those behind it may fit now

    def _may_go(self, room: Room, size: int) -> bool:
        if not self._fits(room.kind, size):
            return False
        for other, overtaken in room.kind.waiting.items():
            if other is room:
                return True
            if overtaken >= _OVERTAKES:
                return False
        return True

    def _reclaim(self) -> None:
        for room in [*self._sources.held, *self._work.held]:
            if room.token.revoked:
                self._leave(room)
