#!/usr/bin/env python3
"""Kills runs at random moments and looks at what is left. To be run as `.venv/bin/python scripts/kill_test.py`.

One run is left in peace; its targets and its export are what all others are held against. Then a run is started, and at
a moment drawn evenly from its targets (a quarter: from its time) it gets SIGKILL: all its processes, or (`--who`) its
driver only, or one of its lanes or children only. It must hold at once:

- every file under a final name is whole: byte for byte that of the undisturbed run;
- the manifest is sound and not ahead of the disk: what it calls done is there, with the recorded hash;
- three seconds later no process of the run is left, and the lock of the target is free.

A run that lost a lane or a child ends with status 0 by itself. After any other the next run must, after which targets
and export are those of the undisturbed run, no temporary file is left, and `pipeline verify` has no complaint. Every
third kill hits a target that was left by the kill before; every fourth a run that replaces what another recipe made.

`--target "shards: webdataset, pictures: 5"` has runs write tar shards. What is in them, and what waits for one, is held
against the manifest, too.

The last line says what the kills cost: how many pictures had a file in its place and no record yet, so that they are
rendered again. Status: 0 all held; 1 something did not; 2 usage.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import statistics
import subprocess
import sys
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
    unrecorded,
)
from scripts.checks.moments import Moment, drawn, reached
from scripts.checks.victims import LINGER, WHO, await_the_end, strike

_ROOT = Path(__file__).resolve().parent.parent
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
    hit = reached(moment, bench, run) and strike(run.pid, who)
    if who in ("lane", "child"):
        status = run.wait()
        lost = () if status == 0 else (f"a run that lost a {who} ended with status {status}",)
        return Killed(moment, lost) if hit else None
    if run.wait() != -signal.SIGKILL:
        return None
    left = () if await_the_end() else (f"a process of the run lived on for {LINGER:.0f} seconds",)
    held = () if lock_is_free(bench) else ("the lock is still held",)  # by then: lanes hold it as long as they live
    return Killed(moment, held + left)


def _arguments(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Kills runs at random moments and looks at what is left.")
    parser.add_argument("--folder", type=Path, help="pictures to use (read only); default: some that are made here")
    parser.add_argument("--at-least", type=int, default=60, metavar="N", help="repeat them until there are N")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--who", choices=WHO, default="group")
    parser.add_argument("--seed", type=int, default=None, help="of the moments; default: another one each time")
    parser.add_argument("--options", default="", help='for `pipeline run`, as "--lanes 3 --processes 3"')
    parser.add_argument(
        "--target", default="", metavar="KEYS", help='of the config, as "shards: webdataset, pictures: 5"'
    )
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
    bench = undisturbed(work, source, tuple(chosen.options.split()), keys=chosen.target)
    bench = replace(bench, earlier=earlier_run(bench))
    bench.target.rename(work / "earlier")
    seed = random.randrange(10**6) if chosen.seed is None else chosen.seed
    random.seed(seed)
    print(f"undisturbed: {bench.seconds:.2f} s, {len(bench.tree)} targets; seed {seed}", flush=True)
    bad, again = _kills(bench, chosen.kills, chosen.who)
    cost = f"median {statistics.median(again):g}, at the most {max(again)}"
    print(f"{chosen.kills} kills ({chosen.who}), {bad} with a breach; pictures to be rendered again: {cost}")
    if not bad:
        shutil.rmtree(work)
    return 1 if bad else 0


def _kills(bench: Bench, kills: int, who: str) -> tuple[int, list[int]]:
    """How many of the kills had a breach; how many pictures each has left without a record."""
    bad, again = 0, []
    for number in range(1, kills + 1):
        killed, start = _killed_run(bench, number, who)
        followed = bool((number + 1) % 3) or number == kills
        again.append(unrecorded(bench))
        bad += judged(bench, f"kill {number:2d}, {killed.moment} ({start})", killed.breaches, followed=followed)
    return bad, again


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
