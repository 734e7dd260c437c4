"""The priority of this program: niceness and I/O class. Both belong to a thread, and the threads and processes that it
starts inherit them.
"""

from __future__ import annotations

import ctypes
import os
import platform
from contextlib import suppress

_IOPRIO_SET = {"x86_64": 251, "aarch64": 30}  # the system call's number; the C library has no name for it
_THREAD = 1  # the target is a thread id, 0 for the calling thread
_CLASSES = {"best-effort": (2 << 13) | 7, "idle": 3 << 13}  # class and, where it has one, the lowest level


def lower(nice: int, ionice: str | None) -> None:
    """Lower the priority of this thread and of those it starts from now on. Never raises it: a higher niceness stays.
    Where the system has no I/O classes (macOS, a container that forbids it), nothing happens.
    """
    if nice > (now := os.getpriority(os.PRIO_PROCESS, 0)):
        os.nice(nice - now)
    number = _IOPRIO_SET.get(platform.machine())
    if ionice is not None and number is not None and os.uname().sysname == "Linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).syscall(number, _THREAD, 0, _CLASSES[ionice])
