"""The command line of `scripts/bench`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import subprocess
import sys
import time
from pathlib import Path

from scripts.benchmarks import chart, curves, figures, installed, scenarios
from scripts.benchmarks.competitors import ALL
from scripts.benchmarks.measure import Failed, adopt_orphans

_ROOT = Path(__file__).resolve().parent.parent.parent
_SMOKE = 3  # pictures


def _arguments(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Compares `pipeline` with other ways to do the same work, all in turns in one run.",
        epilog="Status: 0 measured; 1 a ratio is worse than in the file of --compare; 2 usage; 3 something failed.",
    )
    known = ", ".join(scenarios.NAMES)
    parser.add_argument("scenario", nargs="*", help=f"which to run: {known} (default: {' '.join(scenarios.DEFAULT)})")
    parser.add_argument("--folder", type=Path, help="photographs to use (read only); default: some that are made here")
    parser.add_argument("--at-least", type=int, metavar="N", help="repeat them under other names until there are N")
    parser.add_argument(
        "--rounds", type=int, default=5, metavar="N", help="after one to warm up (default: %(default)s)"
    )
    parser.add_argument("--only", action="append", default=[], choices=sorted(ALL), metavar="NAME",
                        help=f"only these competitors, may be given again: {', '.join(ALL)}")  # fmt: skip
    parser.add_argument("--options", default="", metavar="WORDS", help='for `pipeline run`, as "--threads 3"')
    parser.add_argument("--memory", action="store_true", help="sample the peak memory as well, in a round of its own")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was measured")
    parser.add_argument("--chart", type=Path, metavar="FILE.svg", help="draw the ratios")
    parser.add_argument("--curves", type=Path, metavar="FILE.svg", help="draw the scaling scenarios over CPUs")
    parser.add_argument("--compare", type=Path, metavar="OLD.json", help="say what changed since")
    parser.add_argument(
        "--cache", type=Path, default=_ROOT / "build" / "bench", help="where to work (default: build/bench)"
    )
    parser.add_argument(
        "--install-peers", action="store_true", help="get libvips-tools, imagemagick and sharp, and end"
    )
    parser.add_argument("--urls", action="store_true", help="waiting: for a server on this machine, not for a disk")
    parser.add_argument("--smoke", action="store_true", help="a few small pictures, one round: does it all still run")
    chosen = parser.parse_args(words)
    for name in chosen.scenario:
        if name not in scenarios.NAMES:
            parser.error(f"there is no scenario {name!r}; there are {known}")
    if chosen.rounds < 1 or (chosen.at_least is not None and chosen.at_least < 1):
        parser.error("--rounds and --at-least are 1 or more")
    return chosen


def main(words: list[str] | None = None) -> int:
    """Measure what is asked for and say so. The exit status is in the help text."""
    chosen = _arguments(words)
    try:
        if chosen.install_peers:
            installed.install(chosen.cache)
            return 0
        old = json.loads(chosen.compare.read_text()) if chosen.compare else None
        new = _measured(chosen)
    except (Failed, OSError, ValueError, subprocess.CalledProcessError) as error:
        print(f"scripts/bench: {error}", file=sys.stderr)
        return 3
    if chosen.json:
        chosen.json.write_text(json.dumps(new, indent=1) + "\n")
    if chosen.chart:
        chosen.chart.write_text(chart.svg(new))
    if chosen.curves:
        chosen.curves.write_text(curves.svg(new))
    if old is None:
        return 0
    text, worse = figures.compared(old, new)
    print(text)
    return 1 if worse else 0


def _measured(chosen: argparse.Namespace) -> figures.Json:
    adopt_orphans()
    chosen.cache.mkdir(parents=True, exist_ok=True)
    setup = scenarios.Setup(
        cache=chosen.cache.resolve(),
        folder=chosen.folder,
        at_least=_SMOKE if chosen.smoke else chosen.at_least,
        rounds=1 if chosen.smoke else chosen.rounds,
        peers=installed.find(chosen.cache.resolve()),
        only=tuple(chosen.only),
        options=tuple(shlex.split(chosen.options)),
        memory=chosen.memory,
        smoke=chosen.smoke,
        urls=chosen.urls,
        say=_say,
    )
    results = []
    for name in chosen.scenario or (scenarios.SMOKE if chosen.smoke else scenarios.DEFAULT):
        results.append(scenarios.measure(name, setup))
        _say("")
        print(figures.table(results[-1]), end="\n\n", flush=True)
    return figures.as_json(results, _about(setup))


def _say(text: str) -> None:
    """What is going on, on one line of a terminal that the next replaces."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def _about(setup: scenarios.Setup) -> figures.Json:
    return {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "cores": len(os.sched_getaffinity(0)),
        "load": os.getloadavg()[0],
        "machine": platform.platform(),
        "python": platform.python_version(),
        "peers": setup.peers.versions,
        "options": list(setup.options),
    }


if __name__ == "__main__":
    sys.exit(main())
