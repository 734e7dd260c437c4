#!/usr/bin/env python3
"""Lets the N-th system call of a run fail, or kill it, for N = 1, 2, 3 ...

To be run as `.venv/bin/python scripts/faults.py`. strace injects the faults: ENOSPC, EIO and EMFILE, and SIGKILL, into
whatever opens, writes, syncs, links, renames and removes. Numbers count in each thread of the run and of its children.
Wherever it hits, a run must end by itself (status 0 and everything made; 1 and the pictures named; 3 and one line,
nothing left behind), and there must not be a traceback, a torn file, a manifest ahead of the disk. The next run must
make the tree of an undisturbed one, with nothing to say.

Each is tried in a run that begins with nothing and in one that replaces what another recipe made. A line for each call
and error says how many faults there were, how the runs ended, and what was wrong. Status: 0 all held; 1 something did
not; 2 usage.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from pipeline.config.load import load
from pipeline.errors import PipelineError
from pipeline.run.options import RunOptions
from pipeline.run.run import run
from pipeline.run.verify import verify
from scripts.benchmarks import folders
from scripts.checks import injection
from scripts.checks.bench import Bench, differences, earlier_run, settle, undisturbed
from scripts.checks.injection import FAULTS, Fault, Outcome

_ROOT = Path(__file__).resolve().parent.parent


def laid_out(work: Path, pictures: int, options: tuple[str, ...], keys: str = "") -> Bench:
    """So many tiny pictures in two folders, what is to become of them, and (in `earlier`) what they were before."""
    shutil.rmtree(work, ignore_errors=True)
    source = work / "source"
    for number, picture in enumerate(sorted(folders.tiny(work, pictures).iterdir())):
        folder = source / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(picture, folder / picture.name)
    settle()
    bench = undisturbed(work, source, options, keys=keys)
    bench = replace(bench, earlier=earlier_run(bench))
    bench.target.rename(work / "earlier")
    return bench


def faults(bench: Bench, most: int) -> Iterator[Fault]:
    """What is to be tried: every call that a run makes, with each of its errors, at up to `most` places."""
    counts = [injection.counted(bench, FAULTS, replacing=replacing) for replacing in (False, True)]
    for call in FAULTS:
        for error in FAULTS[call]:
            for replacing in (False, True):
                for number in injection.numbers(counts[replacing].get(call, 0), most):
                    yield Fault(call, error, number, replacing)


def tried(bench: Bench, fault: Fault) -> Outcome:
    """One fault, and the next run after it."""
    outcome = injection.struck(bench, fault)
    return replace(outcome, breaches=(*outcome.breaches, *_after_next_run(bench)))


def _after_next_run(bench: Bench) -> list[str]:
    """As `bench.breaches_after_next_run`, in this process: there are many to be looked at."""
    try:
        config = load(bench.config)
        summary = run(config, RunOptions(threads=2, processes=0))
        problems = verify(config, lambda count: None).problems
    except PipelineError as error:
        return [f"the next run: {error}"]
    wrong = [] if summary.status == 0 else [f"the next run ended with status {summary.status}"]
    wrong += [f"the next run: {warning}" for warning in summary.warnings]
    wrong += [f"verify: {problem.path} is {problem.finding}" for problem in problems]
    return wrong + differences(bench)


def _table(bench: Bench, most: int, chosen: Callable[[Fault], bool], *, verbose: bool) -> tuple[int, int]:
    """A line for each call and error; how many faults were tried, and how many had a breach."""
    rows: dict[tuple[str, str], list[Outcome]] = {}
    for fault in faults(bench, most):
        if chosen(fault):
            row = rows.setdefault((fault.call, fault.error), [])
            if len(rows) > 1 and not row:
                _print_row(list(rows.values())[-2])
            row.append(tried(bench, fault))
            if verbose:
                print(f"    {fault}: status {row[-1].status} {row[-1].said[:300]}", flush=True)
    if rows:
        _print_row(list(rows.values())[-1])
    outcomes = [outcome for row in rows.values() for outcome in row if outcome.happened]
    return len(outcomes), sum(bool(outcome.breaches) for outcome in outcomes)


def _print_row(row: list[Outcome]) -> None:
    statuses = Counter("killed" if outcome.status == -9 else f"{outcome.status}" for outcome in row if outcome.happened)
    ended = ", ".join(f"{count} x {status}" for status, count in sorted(statuses.items()))
    bad = [outcome for outcome in row if outcome.breaches]
    print(
        f"{row[0].fault.call:13} {row[0].fault.error:7} {sum(outcome.happened for outcome in row):3} faults: "
        f"{ended or 'none happened'}; {f'{len(bad)} BREACHES' if bad else 'all held'}",
        *(f"{outcome.fault}: {'; '.join(outcome.breaches[:4])} [{outcome.said[-600:]}]" for outcome in bad),
        sep="\n    ",
        flush=True,
    )


def _arguments(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Lets the N-th system call of a run fail, or kill it.")
    parser.add_argument("--most", type=int, default=12, metavar="N", help="places tried for each call and error")
    parser.add_argument("--pictures", type=int, default=6, metavar="N", help="from about 40 some share a batch")
    parser.add_argument("--calls", nargs="*", choices=sorted(FAULTS), metavar="CALL", help="only these")
    parser.add_argument("--errors", nargs="*", metavar="ERROR", help="only these, as EIO or KILL")
    parser.add_argument("--options", default="--processes 0 --threads 2", help="for `pipeline run`")
    parser.add_argument("--target", default="", metavar="KEYS", help='of the config, as "shards: webdataset"')
    parser.add_argument("-v", "--verbose", action="store_true", help="a line for every fault, with what the run said")
    parser.add_argument(
        "--work", type=Path, default=_ROOT / "build" / "faults", help="where to work (default: build/faults)"
    )
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> int:
    """Try what was asked for, a line a call and error. The exit status is in the text above."""
    chosen = _arguments(words)
    if not injection.usable():
        print("faults: needs strace", file=sys.stderr)
        return 2
    bench = laid_out(chosen.work.resolve(), chosen.pictures, tuple(chosen.options.split()), chosen.target)

    def wanted(fault: Fault) -> bool:
        return (not chosen.calls or fault.call in chosen.calls) and (not chosen.errors or fault.error in chosen.errors)

    number, bad = _table(bench, chosen.most, wanted, verbose=chosen.verbose)
    print(f"{number} faults ({' '.join(bench.options)}), {bad} with a breach")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
