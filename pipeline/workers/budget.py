"""The byte budget: how much memory the pictures in flight may need together."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.workers.token import TICK, Token

_OVERTAKES = 32  # how often smaller ones may pass a waiting one before it goes next; bounds its wait


class Budget:
    """Admits work by the bytes it will need. What fits goes at once, even past a bigger one that waits; something that
    exceeds the whole budget is admitted when nothing else is in flight. Thread-safe.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self._used = 0
        self._turns = threading.Condition()
        self._waiting: OrderedDict[object, int] = OrderedDict()  # who waits -> how often it was overtaken

    @contextmanager
    def admit(self, size: int, token: Token) -> Iterator[None]:
        """Wait until `size` bytes are free, hold them for the block. Raises `Revoked` when the token goes."""
        need = min(size, self.total)
        self._enter(need, token)
        try:
            yield
        finally:
            with self._turns:
                self._used -= need
                self._turns.notify_all()

    def _enter(self, need: int, token: Token) -> None:
        me = object()
        with self._turns:
            self._waiting[me] = 0
            try:
                while not self._may_go(me, need):
                    token.check()
                    self._turns.wait(TICK)
                for other in self._waiting:
                    if other is me:
                        break
                    self._waiting[other] += 1
                self._used += need
            finally:
                del self._waiting[me]
                self._turns.notify_all()

    def _may_go(self, me: object, need: int) -> bool:
        if self._used + need > self.total:
            return False
        for other, overtaken in self._waiting.items():
            if other is me:
                return True
            if overtaken >= _OVERTAKES:
                return False
        return True
