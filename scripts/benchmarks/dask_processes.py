"""A Dask scheduler and its workers on this machine, each a process of its own, and what processes have used so far."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_CALM = {"DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False", "DASK_DISTRIBUTED__ADMIN__TICK__INTERVAL": "500ms"}
_TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def cluster(workers: int, *words: str) -> Iterator[tuple[str, Sequence[subprocess.Popen[str]]]]:
    """The scheduler's address, and its process and those of so many workers with one thread each, in this order; they
    end with the block. `words` go to each worker.
    """
    processes = [_start("dask_scheduler", "--host", "127.0.0.1", "--port", "0")]
    try:
        address = _address(processes[0])
        alone = ("--no-nanny", "--nthreads", "1", "--memory-limit", "0")
        processes += [_start("dask_worker", address, *alone, *words) for _ in range(workers)]
        yield address, processes
    finally:
        for process in reversed(processes):
            process.kill()
            process.communicate()


def resident(pid: int) -> float:
    """Megabytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return float(pages * os.sysconf("SC_PAGE_SIZE") / 1e6)


def cpu(pid: int, *, children: bool = False) -> float:
    """CPU seconds so far; with those of its `children` that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11 : 15 if children else 13])) / _TICKS


def _start(module: str, *words: str) -> subprocess.Popen[str]:
    quiet = ("--dashboard-address", "127.0.0.1:0")
    command = [sys.executable, "-m", f"distributed.cli.{module}", *words, *quiet]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, **_CALM})


def _address(scheduler: subprocess.Popen[str]) -> str:
    assert scheduler.stderr is not None
    for line in scheduler.stderr:
        if "Scheduler at:" in line:
            return line.split()[-1]
    raise SystemExit("the scheduler has not started")
