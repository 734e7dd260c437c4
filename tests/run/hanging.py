"""Calls that never return while a test runs, and deadlines that are over at once for those who make them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pipeline.workers.token import Token


class Hanging:
    """The calls that hang, by the source that they are about."""

    def __init__(self) -> None:
        self._released = threading.Event()
        self._sources: set[str] = set()
        self.threads: list[threading.Thread] = []

    def __contains__(self, source: str) -> bool:
        return source in self._sources

    def hang(self, source: str) -> None:
        """Do not return before `release`."""
        if not self._released.is_set():
            self.threads.append(threading.current_thread())
            self._sources.add(source)
        self._released.wait()

    def release(self) -> None:
        """Let all return, and wait until their threads have ended."""
        self._released.set()
        for thread in self.threads:
            thread.join(60)
            assert not thread.is_alive()
        self._sources.clear()


@contextmanager
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hanging]:
    """For a calm or a busy machine: a call that hangs uses up any deadline with the next tick, and no other call does,
    however long it takes. The deadline itself can therefore be long.
    """
    calls = Hanging()
    spend = Token.spend

    def spent(self: Token, ticks: float) -> bool:
        return spend(self, ticks * 10_000 if getattr(self.about, "source", "") in calls else ticks)

    monkeypatch.setattr(Token, "spend", spent)
    yield calls
    calls.release()
