"""A Dask cluster on this machine: a scheduler and workers, each a process of its own. Lanes have the faults of
`tests.run.lane_faults`, and are where this file is preloaded: `dask worker --preload`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from pipeline.run.cluster import worker
from tests.run import lane_faults

_ROOT = Path(__file__).parents[3]
_QUIET = ("--dashboard-address", "127.0.0.1:0")


def dask_setup(*_: object) -> None:
    """Called by Dask in each worker that is started below."""
    worker.SERVE = lane_faults.SERVE  # type: ignore[attr-defined]


class Cluster:
    """Ends all that it has started."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started: list[subprocess.Popen[bytes]] = []
        self.address = ""

    def __enter__(self) -> Self:
        scheduler = self._start("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", *_QUIET)
        assert scheduler.stderr is not None
        for line in scheduler.stderr:
            if b"Scheduler at:" in line:
                self.address = line.split()[-1].decode()
                break
        scheduler.stderr.close()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in reversed(self._started):
            process.kill()
            process.wait()
            if process.stderr is not None:
                process.stderr.close()

    def worker(self, **env: str) -> subprocess.Popen[bytes]:
        """Start one; it may take a second to be there."""
        words = ("--no-nanny", "--nthreads", "1", "--memory-limit", "0", *_QUIET, "--preload", __name__)
        return self._start("distributed.cli.dask_worker", self.address, *words, **env)

    def _start(self, module: str, *words: str, **env: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *words],
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE if "scheduler" in module else subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(_ROOT), **env},
        )
        self._started.append(process)
        return process


def go_on(process: subprocess.Popen[bytes]) -> None:
    """Continue a process that a fault has stopped."""
    process.send_signal(signal.SIGCONT)
