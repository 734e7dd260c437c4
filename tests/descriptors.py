"""Whether descriptors stay open, whatever else the process of the tests has open for a moment."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

_PATIENCE = 20.0  # seconds


@contextmanager
def none_stays_open() -> Iterator[None]:
    """Fails where this process has more descriptors open after the block than before it.

    A leak stays. What a thread has open for a moment does not, so the count is taken again until it is low enough or
    patience ends. What earlier tests left to the collector is closed before the first count.
    """
    gc.collect()
    before = len(_open())
    yield
    gc.collect()
    end = time.monotonic() + _PATIENCE
    while len(left := _open()) > before and time.monotonic() < end:
        time.sleep(0.01)
    assert len(left) <= before, left


def _open() -> list[str]:
    return [f"{entry.name} {_destination(entry)}" for entry in os.scandir("/proc/self/fd")]


def _destination(entry: os.DirEntry[str]) -> str:
    try:
        return os.readlink(entry.path)
    except FileNotFoundError:  # the folder's own, or closed meanwhile
        return ""
