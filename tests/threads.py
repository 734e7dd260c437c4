"""Whether threads stay alive, whatever else the process of the tests has started."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_PATIENCE = 20.0  # seconds


@contextmanager
def none_stays_alive() -> Iterator[None]:
    """Fails where a thread lives after the block that was not there before it.

    A thread that has done its work may take a moment to end, so the threads are looked at until all new ones are gone
    or patience ends.
    """
    before = set(threading.enumerate())
    yield
    end = time.monotonic() + _PATIENCE
    while (left := set(threading.enumerate()) - before) and time.monotonic() < end:
        time.sleep(0.01)
    assert left == set()
