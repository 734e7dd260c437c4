"""The processes of a run, found by /proc: its driver, its lanes, and the children of either."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from pathlib import Path

from pipeline.run.lane_main import SERVE

LINGER = 3.0  # seconds that a process may take to notice that the one which started it is gone
WHO = ("group", "driver", "lane", "child")


def strike(driver: int, who: str) -> int | None:
    """Kill all processes of a run (`group`), its driver, or one of its lanes or children by chance. The process that
    was killed; None where there was none. The driver must not be reaped yet.
    """
    if who == "driver":
        return _kill(driver)
    family = below(driver)
    if who == "group":
        for pid in family:
            _kill(pid)
        return _kill(driver)
    lanes = [pid for pid in family if SERVE.encode() in _command(pid)]
    among = lanes if who == "lane" else sorted({*family} - {*lanes})
    return _kill(random.choice(among)) if among else None


def await_the_end() -> bool:
    """Whether all processes of runs that were killed end by themselves in `LINGER`. They are this process' own by now;
    see `measure.adopt_orphans`.
    """
    deadline = time.monotonic() + LINGER
    while time.monotonic() < deadline:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return True
        if not pid:
            time.sleep(0.005)
    return False


def below(pid: int) -> list[int]:
    """The processes that `pid` has started, and those that they have; all are in process groups of their own."""
    family = [pid]
    for parent in family:
        for thread in Path("/proc", str(parent), "task").glob("*/children"):
            with contextlib.suppress(OSError):
                family += map(int, thread.read_text().split())
    return family[1:]


def _command(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path("/proc", str(pid), "cmdline").read_bytes()
    return b""


def _kill(pid: int) -> int | None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        return pid
    return None
