#!/usr/bin/env python3
"""Kills runs at random moments and looks at what is left. To be run as `.venv/bin/python scripts/kill_test.py`.

One run is left in peace; its targets and its export are what all others are held against. Then a run is started, and at
a moment drawn evenly from its targets (a quarter: from its time) it gets SIGKILL: all its processes, or (`--who`) the
main one only, or one of its children only. It must hold at once:

- every file under a final name is whole: byte for byte that of the undisturbed run;
- the manifest is sound and not ahead of the disk: what it calls done is there, with the recorded hash;
- the lock of the target is free, and no process of the run is left three seconds later.

A run that lost a child ends with status 0 by itself. After any other the next run must, after which targets and export
are those of the undisturbed run, no temporary file is left, and `pipeline verify` has no complaint. Every third kill
hits a target that was left by the kill before; every fourth a run that replaces what another recipe made.

Status: 0 all held; 1 something did not; 2 usage.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

from scripts.benchmarks import folders
from scripts.benchmarks.measure import adopt_orphans
from scripts.checks.bench import (
    Bench,
    earlier_run,
    judged,
    lock_is_free,
    settle,
    undisturbed,
)
from scripts.checks.moments import Moment, drawn, reached

_ROOT = Path(__file__).resolve().parent.parent
_LINGER = 3.0  # seconds that a child may take to notice that its parent is gone
_TRIES = 50  # runs in a row that may end before their kill


@dataclass(frozen=True, slots=True)
class Killed:
    """One run that was killed, or lost a child, at `moment`."""

    moment: Moment
    breaches: tuple[str, ...] = ()


def kill(bench: Bench, moment: Moment, who: str) -> Killed | None:
    """Start a run and kill `who` of it at `moment`. None where it, or the child, had ended before."""
    run = subprocess.Popen(
        bench.command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    hit = reached(moment, bench, run) and _strike(run.pid, who)
    if who == "child":
        status = run.wait()
        lost = () if status == 0 else (f"a run that lost a child ended with status {status}",)
        return Killed(moment, lost) if hit else None
    if run.wait() != -signal.SIGKILL:
        return None
    held = () if lock_is_free(bench) else ("the lock is still held",)
    return Killed(moment, held + tuple(_left_processes()))


def _strike(pid: int, who: str) -> bool:
    """Whether there was somebody to kill."""
    if who == "group":
        for child in _children(pid):  # they are in groups of their own
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        os.killpg(pid, signal.SIGKILL)
    elif who == "parent":
        os.kill(pid, signal.SIGKILL)
    else:
        children = _children(pid)
        if not children:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(random.choice(children), signal.SIGKILL)
    return True


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for thread in Path("/proc", str(pid), "task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += map(int, thread.read_text().split())
    return sorted(found)


def _left_processes() -> list[str]:
    """Children of the killed run are ours now. They have to end by themselves."""
    deadline = time.monotonic() + _LINGER
    while time.monotonic() < deadline:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return []
        if not pid:
            time.sleep(0.005)
    return [f"a process of the run lived on for {_LINGER:.0f} seconds"]


def _arguments(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Kills runs at random moments and looks at what is left.")
    parser.add_argument("--folder", type=Path, help="pictures to use (read only); default: some that are made here")
    parser.add_argument("--at-least", type=int, default=60, metavar="N", help="repeat them until there are N")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--who", choices=["group", "parent", "child"], default="group")
    parser.add_argument("--seed", type=int, default=None, help="of the moments; default: another one each time")
    parser.add_argument("--options", default="", help='for `pipeline run`, as "--processes 0"')
    parser.add_argument(
        "--work", type=Path, default=_ROOT / "build" / "kill", help="where to work (default: build/kill)"
    )
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> int:
    """Kill as often as asked for, a line each. The exit status is in the text above."""
    chosen = _arguments(words)
    adopt_orphans()
    work = chosen.work.resolve()
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    originals = chosen.folder or folders.photos(work, small=True)
    source = folders.repeated(originals, work / "source", chosen.at_least)
    settle()
    bench = undisturbed(work, source, tuple(chosen.options.split()))
    bench = replace(bench, earlier=earlier_run(bench))
    bench.target.rename(work / "earlier")
    seed = random.randrange(10**6) if chosen.seed is None else chosen.seed
    random.seed(seed)
    print(f"undisturbed: {bench.seconds:.2f} s, {len(bench.tree)} targets; seed {seed}", flush=True)
    bad = _kills(bench, chosen.kills, chosen.who)
    print(f"{chosen.kills} kills ({chosen.who}), {bad} with a breach")
    if not bad:
        shutil.rmtree(work)
    return 1 if bad else 0


def _kills(bench: Bench, kills: int, who: str) -> int:
    """How many of the kills had a breach."""
    bad = 0
    for number in range(1, kills + 1):
        killed, start = _killed_run(bench, number, who)
        followed = bool((number + 1) % 3) or number == kills
        bad += judged(bench, f"kill {number:2d}, {killed.moment} ({start})", killed.breaches, followed=followed)
    return bad


def _killed_run(bench: Bench, number: int, who: str) -> tuple[Killed, str]:
    """Kill one run for certain, and tell where it began: one that ended before its moment is tried again."""
    continued = number % 3 == 0
    for _ in range(_TRIES):
        start = "in what the last left" if continued else "over another recipe's" if number % 4 == 0 else "from nothing"
        if not continued:
            shutil.rmtree(bench.target, ignore_errors=True)
            if number % 4 == 0:
                shutil.copytree(bench.folder / "earlier", bench.target)
        killed = kill(bench, drawn(bench), who)
        if killed:
            return killed, start
        continued = False
    raise SystemExit(f"{_TRIES} runs ended before they could be killed: are there enough pictures?")


if __name__ == "__main__":
    sys.exit(main())
