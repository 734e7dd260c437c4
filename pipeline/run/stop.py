"""How a run is asked to stop: signals set a flag, and the run's main thread looks at it about every tick."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from pipeline.errors import ExitStatus, Stopped

_STATUS = {
    signal.SIGHUP: ExitStatus.HANGUP,
    signal.SIGINT: ExitStatus.INTERRUPTED,
    signal.SIGTERM: ExitStatus.TERMINATED,
}


class Stop:
    """A request to stop, made at most once. Thread-safe."""

    def __init__(self) -> None:
        self._status: ExitStatus | None = None

    def request(self, status: ExitStatus) -> None:
        """Ask the run to stop with `status`; a later request changes nothing."""
        self._status = self._status or status

    def check(self) -> None:
        """Raise `Stopped` if somebody asked."""
        if self._status is not None:
            raise Stopped(f"stopped by {self._status.name.lower()} signal", self._status)


@contextmanager
def on_signals(stop: Stop) -> Iterator[None]:
    """Let SIGTERM, SIGINT and SIGHUP request a stop within the block. A signal that was ignored stays ignored (nohup).

    Only the main thread can receive signals; elsewhere (a notebook's thread, a scheduler) nothing is installed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def requested(number: int, _frame: FrameType | None) -> None:
        stop.request(_STATUS[signal.Signals(number)])

    before = {}
    for number in _STATUS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, requested)
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous if previous is not None else signal.SIG_DFL)
