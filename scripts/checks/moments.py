"""When a run is struck: some time after its start, or as soon as it has made so many targets."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from scripts.checks.bench import Bench

_POLL = 0.002  # seconds
_AFTER = 0.05  # seconds: what happens between two targets counts as well


@dataclass(frozen=True, slots=True)
class Moment:
    """`seconds` after the start, or after target number `targets` has its name."""

    seconds: float
    targets: int | None = None

    def __str__(self) -> str:
        return f"{self.seconds:6.3f} s" + ("" if self.targets is None else f" after target {self.targets}")


def drawn(bench: Bench) -> Moment:
    """By chance: a quarter evenly from the time that an undisturbed run takes, to meet its beginning and its end; the
    others evenly from its targets, however slow the machine is just now.
    """
    if random.random() < 0.25:
        return Moment(random.uniform(0.0, bench.seconds))
    return Moment(random.uniform(0.0, _AFTER), random.randint(1, len(bench.tree)))


def reached(moment: Moment, bench: Bench, run: subprocess.Popen[bytes]) -> bool:
    """Wait for the moment; whether the run was still there when it came."""
    began = time.time_ns()
    if moment.targets is not None:
        while run.poll() is None and _made(bench.target, began) < moment.targets:
            time.sleep(_POLL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        run.wait(moment.seconds)
    return run.returncode is None


def _made(target: Path, since: int) -> int:
    """How many files have had their names since then. Targets here are in one folder."""
    count = 0
    with contextlib.suppress(OSError), os.scandir(target) as listing:
        for entry in listing:
            with contextlib.suppress(FileNotFoundError):
                named = not entry.name.startswith(".pipeline")
                count += named and entry.stat(follow_symlinks=False).st_ctime_ns >= since - 10_000_000
    return count
