"""Requests to stop a run: by a signal, or because its time is over. The run's main thread checks about every tick.

A separate thread reads the signals (Python writes their numbers to a pipe as they come), because the main thread may
hang in a call that never returns. The first signal requests a clean stop. A second one requests haste: pictures in
flight are given up. Two that come together count as one: a terminal signals the whole group, and a parent that
forwards the signal sends it once more.
"""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from pipeline.errors import ExitStatus, Stopped

TICK = 0.1  # seconds; time-outs are counted in ticks, so that a process that was halted for an hour loses one
_TOGETHER = 0.02  # seconds
_PATIENCE = 74  # ticks until the run is abandoned: it must have ended, its notices sent, within ten seconds
_HASTE = 5  # ticks, after a second signal: it must end within a second
STATUS_OF = {
    signal.SIGHUP: ExitStatus.HANGUP,
    signal.SIGINT: ExitStatus.INTERRUPTED,
    signal.SIGTERM: ExitStatus.TERMINATED,
}
_WORDS = {
    ExitStatus.HANGUP: "SIGHUP",
    ExitStatus.INTERRUPTED: "Ctrl-C",
    ExitStatus.TERMINATED: "SIGTERM",
}


class Stop:
    """A request to stop. Thread-safe."""

    def __init__(self, deadline: float | None = None, cancelled: Callable[[], bool] | None = None) -> None:
        """`check` also raises after `deadline`, by the monotonic clock, and once `cancelled` returns True."""
        self.deadline = deadline
        self._cancelled = cancelled
        self._status: ExitStatus | None = None
        self._last = 0.0
        self._hasty = False

    def request(self, status: ExitStatus) -> None:
        """Ask the run to stop with `status`. A later request changes nothing but the haste."""
        now = time.monotonic()
        if self._status is None:
            self._status = status
        elif now - self._last > _TOGETHER:
            self._hasty = True
        self._last = now

    @property
    def status(self) -> ExitStatus | None:
        """The status of the first request; None: there was none."""
        return self._status

    def hasty(self) -> bool:
        """Whether the run must not even wait for pictures in flight."""
        return self._hasty

    def check(self) -> None:
        """Raise `Stopped` if a stop was requested, or the time is over."""
        if self._status is not None:
            raise Stopped(f"stopped by {_WORDS[self._status]}", self._status)
        if self._cancelled is not None and self._cancelled():
            raise Stopped("cancelled", ExitStatus.INTERRUPTED)
        if self.deadline is not None and time.monotonic() >= self.deadline:
            raise Stopped("out of time", ExitStatus.TIME_UP)


@contextmanager
def on_signals(
    stop: Stop, abandon: Callable[[ExitStatus], None] = lambda status: None, asked: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Let SIGTERM, SIGINT and SIGHUP request a stop within the block. A signal that was ignored stays ignored (nohup).

    `asked` is called in another thread as soon as the first signal comes.

    `abandon` is called once, in another thread, if the block has not ended long after the first signal: its thread
    hangs in a call that does not return. Only the main thread can receive signals; elsewhere (a notebook's thread, a
    scheduler) nothing is installed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard, told = os.pipe()
    for end in (heard, told):
        os.set_blocking(end, False)
    left = threading.Event()
    listener = threading.Thread(target=_listen, args=(heard, stop, left, abandon, asked), name="signals", daemon=True)
    listener.start()
    before = {}
    wakeup = signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    for number in STATUS_OF:
        if signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, _noted)
    try:
        yield
    finally:
        left.set()
        if stop.status is not None:
            time.sleep(_TOGETHER)  # a repeat of the first must not interrupt the end of the program
        signal.set_wakeup_fd(wakeup)
        for number, previous in before.items():
            signal.signal(number, previous if previous is not None else signal.SIG_DFL)
        os.close(told)  # the listener reads its end
        listener.join()
        os.close(heard)


def _noted(number: int, frame: FrameType | None) -> None:
    """Does nothing: the listener reads the signal from the pipe."""


def _listen(
    heard: int, stop: Stop, left: threading.Event, abandon: Callable[[ExitStatus], None], asked: Callable[[], None]
) -> None:
    waited = 0  # ticks since the first signal
    hasty = 0  # ticks since the second
    poll = select.poll()
    poll.register(heard, select.POLLIN)
    while True:
        if poll.poll(TICK * 1000):
            numbers = os.read(heard, 512)
            if not numbers:
                return
            for number in numbers:
                if number in STATUS_OF:
                    first = stop.status is None
                    stop.request(STATUS_OF[signal.Signals(number)])
                    if first:
                        asked()
            continue
        waited += stop.status is not None
        hasty += stop.hasty()
        if stop.status is not None and not left.is_set() and (waited >= _PATIENCE or hasty >= _HASTE):
            abandon(stop.status)
            return
