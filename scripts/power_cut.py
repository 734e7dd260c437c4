#!/usr/bin/env python3
"""Cuts the power of the target's disk in the middle of runs.

To be run by root as `.venv/bin/python scripts/power_cut.py`. The target, with its manifest, is on an ext4 of its own,
in a file. A run is started, and at a moment drawn evenly from its targets (a quarter: from its time) the disk's power
is cut: nothing that was not flushed survives. Every other run is killed at that moment, too; the others have to find
out for themselves and to end with status 3 and one clear line. The disk is mounted again, its journal is replayed, and
it must hold at once:

- every file under a final name is whole: byte for byte that of the undisturbed run, none empty, none torn;
- the manifest is sound and not ahead of the disk: what it calls done is there, with the recorded hash.

The next run must end with status 0 and nothing to say, after which targets and export are those of the undisturbed run,
no temporary file is left, and `pipeline verify` has no complaint. Every third cut hits a disk that was left by the cut
before; every fourth a run that replaces what another recipe made.

`--target "durability: none"` shows what is seen without the syncs, `--target "shards: webdataset, pictures: 5"` has
runs write tar shards. Status: 0 all held; 1 something did not; 2 usage.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from scripts.benchmarks import folders
from scripts.benchmarks.measure import adopt_orphans
from scripts.checks import disk
from scripts.checks.bench import (
    Bench,
    earlier_run,
    judged,
    said,
    settle,
    undisturbed,
)
from scripts.checks.disk import Disk
from scripts.checks.moments import Moment, drawn, reached
from scripts.checks.victims import await_the_end, strike

_ROOT = Path(__file__).resolve().parent.parent
_TRIES = 50  # runs in a row that may end before their cut
_NOTICE = 30.0  # seconds in which a run has to see that its disk is gone


@dataclass(frozen=True, slots=True)
class Shelf:
    """The disks that cuts begin with."""

    empty: Disk
    earlier: Disk  # filled by another recipe
    current: Disk


@dataclass(frozen=True, slots=True)
class Cut:
    """One run whose disk lost its power, at `moment`."""

    moment: Moment
    start: str
    breaches: list[str]


def _cut(bench: Bench, shelf: Shelf, moment: Moment, *, killed: bool) -> list[str] | None:
    """Run, cut, unmount. What the run did wrong when it had to see for itself; None where it had ended before."""
    with shelf.current:
        run = subprocess.Popen(
            bench.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        if not reached(moment, bench, run):
            run.communicate()
            return None
        shelf.current.cut()
        try:
            output, errors = run.communicate(timeout=0.0 if killed else _NOTICE)
        except subprocess.TimeoutExpired:
            strike(run.pid, "group")
            output, errors = run.communicate()
            await_the_end()  # of its lanes: what they have open keeps the disk without its power mounted
            return [] if killed else [f"the run has not seen in {_NOTICE:.0f} s that its disk is gone"]
    done = subprocess.CompletedProcess(run.args, run.returncode, output, errors)
    if run.returncode == 0:
        return None
    lines = errors.decode(errors="replace").strip().splitlines()
    if run.returncode != 3 or len(lines) > 2 or "Traceback" in said(done):
        return [f"without its disk the run ended with status {run.returncode}: {said(done)}"]
    return []


def _cut_run(bench: Bench, shelf: Shelf, number: int) -> Cut:
    """Cut one run for certain: one that ended before its moment is tried again with another."""
    continued = number % 3 == 0
    for _ in range(_TRIES):
        start = "in what the last left" if continued else "over another recipe's" if number % 4 == 0 else "from nothing"
        if not continued:
            (shelf.earlier if number % 4 == 0 else shelf.empty).copy(shelf.current.image)
        moment = drawn(bench)
        breaches = _cut(bench, shelf, moment, killed=number % 2 == 0)
        if breaches is not None:
            return Cut(moment, start, breaches)
        continued = False
    raise SystemExit(f"{_TRIES} runs ended before the power was cut: are there enough pictures?")


def _cuts(bench: Bench, shelf: Shelf, cuts: int) -> int:
    """How many of the cuts had a breach."""
    bad = 0
    for number in range(1, cuts + 1):
        cut = _cut_run(bench, shelf, number)
        with shelf.current:
            followed = bool((number + 1) % 3) or number == cuts
            bad += judged(bench, f"cut {number:2d}, {cut.moment} ({cut.start})", cut.breaches, followed=followed)
    return bad


def _laid_out(work: Path, source: Path, options: tuple[str, ...], keys: str) -> tuple[Bench, Shelf]:
    place = work / "disk"
    empty = Disk.make(work / "empty.img", place)
    shelf = Shelf(empty, empty.copy(work / "earlier.img"), Disk(work / "current.img", place))
    bench = undisturbed(work, source, options, place=place / "target", keys=keys)
    with shelf.earlier:
        return replace(bench, earlier=earlier_run(bench)), shelf


def _arguments(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Cuts the power of the target's disk in the middle of runs.")
    parser.add_argument("--folder", type=Path, help="pictures to use (read only); default: some that are made here")
    parser.add_argument("--at-least", type=int, default=60, metavar="N", help="repeat them until there are N")
    parser.add_argument("--cuts", type=int, default=20)
    parser.add_argument("--seed", type=int, default=None, help="of the moments; default: another one each time")
    parser.add_argument("--options", default="", help='for `pipeline run`, as "--lanes 3 --processes 3"')
    parser.add_argument(
        "--target", default="", metavar="KEYS", help='of the config, as "durability: none" or "shards: webdataset"'
    )
    parser.add_argument("--work", type=Path, default=_ROOT / "build" / "cut", help="where to work (default: build/cut)")
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> int:
    """Cut as often as asked for, a line each. The exit status is in the text above."""
    chosen = _arguments(words)
    if not disk.usable():
        print("power_cut: needs root, loop devices and ext4", file=sys.stderr)
        return 2
    adopt_orphans()
    work = chosen.work.resolve()
    with disk.unmounted_at_the_end(work / "disk"):
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        originals = chosen.folder or folders.photos(work, small=True)
        source = folders.repeated(originals, work / "source", chosen.at_least)
        settle()
        bench, shelf = _laid_out(work, source, tuple(chosen.options.split()), chosen.target)
        seed = random.randrange(10**6) if chosen.seed is None else chosen.seed
        random.seed(seed)
        print(f"undisturbed: {bench.seconds:.2f} s, {len(bench.tree)} targets; seed {seed}", flush=True)
        bad = _cuts(bench, shelf, chosen.cuts)
        print(f"{chosen.cuts} cuts, {bad} with a breach")
    if not bad:
        shutil.rmtree(work)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
