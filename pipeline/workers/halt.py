"""Ctrl-Z for processes in groups of their own: the terminal signals only the process that has started them."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress


@contextmanager
def halted_together(others: Callable[[], Iterable[int]]) -> Iterator[None]:
    """Within the block, SIGTSTP halts the processes `others`, by id and none of them reaped yet, with this one; they go
    on when it does. Outside of the main thread, or where the signal is ignored or handled already, nothing is changed.
    """
    here = threading.current_thread() is threading.main_thread()
    if not here or signal.getsignal(signal.SIGTSTP) is not signal.SIG_DFL:
        yield
        return

    def halt(*_: object) -> None:
        halted = list(others())
        _send(halted, signal.SIGSTOP)
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        signal.raise_signal(signal.SIGTSTP)  # returns when this process goes on
        signal.signal(signal.SIGTSTP, halt)
        _send(halted, signal.SIGCONT)

    signal.signal(signal.SIGTSTP, halt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)


def _send(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
