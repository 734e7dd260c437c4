#!/usr/bin/env python3
"""Kills lanes and children of runs again and again, for minutes; none may hang.

To be run as `.venv/bin/python scripts/kill_loop.py`. Every picture is there several times, the queue holds one batch,
and memory is so short that pictures wait for each other. Every few tenths of a second one process of the run gets
SIGKILL: a child, or (one of eight) a lane. Such a run ends with status 0, with 1 where pictures have lost two children,
or with 3 where lanes die too often; within a minute after the last kill. The next one, left in peace, makes what is
missing.

Status: 0 all ended so; 1 one did not; 2 usage.
"""

from __future__ import annotations

import argparse
import random
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from scripts.benchmarks import folders
from scripts.benchmarks.measure import adopt_orphans
from scripts.checks.bench import Bench, breaches_after_next_run, breaches_at_once, said, settle, undisturbed
from scripts.checks.victims import await_the_end, strike

_ROOT = Path(__file__).resolve().parent.parent
_KILLS = 12  # in one run at the most
_PATIENCE = 60.0  # seconds
_STATUSES = (0, 1, 3)
_SHORT = "workers: {queue: 1, memory: 96 MiB}"  # so that each lane has 8 MiB for pictures
_LANES = 0.125  # of the kills


def _equal_pictures(originals: Path, into: Path, count: int) -> Path:
    """`into`, filled with so many pictures, each of them several times."""
    into.mkdir()
    pictures = sorted(path for path in originals.iterdir() if path.is_file())
    for number in range(count):
        picture = pictures[number % len(pictures)]
        shutil.copy(picture, into / f"{number:04d}-{picture.name}")
    return into


def beaten(bench: Bench) -> tuple[int, subprocess.CompletedProcess[bytes] | None]:
    """A run under kills, and how many hit; None where it hung."""
    run = subprocess.Popen(
        bench.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    hits = 0
    for _ in range(_KILLS):
        try:
            output, errors = run.communicate(timeout=random.expovariate(3.0))
        except subprocess.TimeoutExpired:
            hits += strike(run.pid, "lane" if random.random() < _LANES else "child") is not None
        else:
            return hits, subprocess.CompletedProcess(bench.command, run.returncode, output, errors)
    try:
        output, errors = run.communicate(timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        strike(run.pid, "group")
        run.communicate()
        return hits, None
    return hits, subprocess.CompletedProcess(bench.command, run.returncode, output, errors)


def wrong(done: subprocess.CompletedProcess[bytes] | None) -> list[str]:
    """What must not be of how a run ended."""
    if done is None:
        return [f"it hung for {_PATIENCE:.0f} s"]
    if done.returncode not in _STATUSES or b"Traceback" in done.stderr:
        return [f"it ended with status {done.returncode}: {said(done)}"]
    return [] if await_the_end() else ["a process of the run lived on"]


def _arguments(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Kills lanes and children of runs again and again.")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--at-least", type=int, default=120, metavar="N", help="pictures; many are equal")
    parser.add_argument("--seed", type=int, default=None, help="of the moments; default: another one each time")
    parser.add_argument("--options", default="--lanes 3 --processes 3 --threads 6", help="for `pipeline run`")
    parser.add_argument("--work", type=Path, default=_ROOT / "build" / "loop", help="where to work")
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> int:
    """Beat runs for as long as asked for, a line each. The exit status is in the text above."""
    chosen = _arguments(words)
    adopt_orphans()
    work = chosen.work.resolve()
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    source = _equal_pictures(folders.photos(work, small=True), work / "source", chosen.at_least)
    settle()
    bench = undisturbed(work, source, tuple(chosen.options.split()))
    bench.config.write_text(re.sub("workers: .*", _SHORT, bench.config.read_text()))
    seed = random.randrange(10**6) if chosen.seed is None else chosen.seed
    random.seed(seed)
    print(f"undisturbed: {bench.seconds:.2f} s, {len(bench.tree)} targets; seed {seed}", flush=True)
    statuses: Counter[int | None] = Counter()
    kills = bad = 0
    end = time.monotonic() + 60 * chosen.minutes
    while time.monotonic() < end:
        hits, done = beaten(bench)
        breaches = [*wrong(done), *breaches_at_once(bench)]
        if done is not None and done.returncode != 1:  # a picture that has failed waits for another recipe
            breaches += breaches_after_next_run(bench)
        status = None if done is None else done.returncode
        kills, bad, statuses = kills + hits, bad + bool(breaches), statuses + Counter([status])
        print(
            f"{hits} kills, status {status}: {'BREACH' if breaches else 'all held'}",
            *breaches[:5],
            sep="\n    ",
            flush=True,
        )
        shutil.rmtree(bench.target, ignore_errors=True)
    ended = ", ".join(f"{count} x {status}" for status, count in statuses.items())
    print(f"{kills} kills in {sum(statuses.values())} runs ({ended}), {bad} with a breach")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
