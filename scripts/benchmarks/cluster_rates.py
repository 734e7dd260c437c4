"""Two Dask workers against a local run on the same CPUs and the same pictures, in turns. Scheduler and workers run
before; runs of one picture tell the start-up, which is taken off in the figures that are called net.

    .venv/bin/python -m scripts.benchmarks.cluster_rates --folder PHOTOGRAPHS
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from scripts.benchmarks import folders
from scripts.benchmarks.dask_processes import cluster, cpu
from scripts.benchmarks.measure import Cost, adopt_orphans, run

_KINDS = {"photographs": (300, "inside"), "500x375": (256, "cover")}


def main(words: list[str] | None = None) -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", default=list(_KINDS), help="of pictures (default: %(default)s)")
    parser.add_argument("--folder", type=Path, help="photographs to use (default: some that are made here)")
    parser.add_argument("--photographs", type=int, default=480)
    parser.add_argument("--small", type=int, default=3000, metavar="N", help="JPEGs of 500x375")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cache", type=Path, default=Path("build/bench"))
    chosen = parser.parse_args(words)
    adopt_orphans()
    cache = chosen.cache.resolve()
    originals = chosen.folder or folders.photos(cache)
    for kind in chosen.kinds:
        with tempfile.TemporaryDirectory(dir=cache) as place:
            if kind == "500x375":
                source = folders.dataset(cache, originals, chosen.small)
            else:
                source = folders.repeated(originals, Path(place, "source"), chosen.photographs)
            _compare(kind, source, Path(place), chosen.rounds)


def _compare(kind: str, source: Path, place: Path, rounds: int) -> None:
    pictures = len(os.listdir(source))
    one = place / "one"
    one.mkdir()
    first = min(source.iterdir())
    shutil.copy(first, one / first.name)
    with cluster(2) as (address, processes):
        executors = {"local": "", "dask": f"executor: {{dask: '{address}'}}\n"}
        pids = [process.pid for process in processes]
        costs: dict[str, list[Cost]] = {f"{name} {what}": [] for name in executors for what in ("all", "one")}
        for number in range(rounds + 1):
            for what, from_ in (("one", one), ("all", source)):
                if what == "all" and not number:
                    continue  # one picture warms up
                for name in sorted(executors, reverse=bool(number % 2)):
                    cost = _once(place, from_, kind, executors[name], pids)
                    if number:
                        costs[f"{name} {what}"].append(cost)
                        print(
                            f"{kind}, round {number}, {name} {what}: {cost.wall:.2f} s, CPU {cost.cpu:.2f} s",
                            flush=True,
                        )
    wall = {name: min(cost.wall for cost in each) for name, each in costs.items()}
    used = {name: statistics.median(cost.cpu for cost in each) for name, each in costs.items()}
    for name, of in (("by the clock (best)", wall), ("by CPU (median)", used)):
        net = (of["local all"] - of["local one"]) / (of["dask all"] - of["dask one"])
        gross = of["local all"] / of["dask all"]
        print(f"{kind} {name}: {pictures} pictures, dask at {gross:.2f} of local, net {net:.2f}")


def _once(place: Path, source: Path, kind: str, executor: str, pids: Sequence[int]) -> Cost:
    """A run into an empty target. CPU is that of the run, the scheduler and the workers."""
    target, config = place / "target", place / "rates.yaml"
    shutil.rmtree(target, ignore_errors=True)
    side, fit = _KINDS[kind]
    renditions = f"renditions: {{thumb: {{width: {side}, height: {side}, fit: {fit}, format: jpeg}}}}"
    config.write_text(f"source: {source}\ntarget: {target}\n{renditions}\n{executor}")
    os.sync()
    before = [(cpu(pid), cpu(pid, children=True)) for pid in pids]
    cost = run([sys.executable, "-m", "pipeline", "run", str(config), "--quiet"], beside=pids)
    spent = [(cpu(pid) - own, cpu(pid, children=True) - both) for pid, (own, both) in zip(pids, before, strict=True)]
    made = sum(1 for _ in target.rglob("*.jpg"))
    if made != len(os.listdir(source)):
        raise SystemExit(f"{made} files were made")
    if executor:
        scheduler, *workers = (own for own, _ in spent)
        print(f"CPU of driver {cost.cpu:.2f} s, scheduler {scheduler:.2f} s, workers {sum(workers):.2f} s, ", end="")
        print(f"lanes {sum(both - own for own, both in spent):.2f} s")
    return Cost(cost.wall, cost.cpu + sum(both for _, both in spent))


if __name__ == "__main__":
    main()
