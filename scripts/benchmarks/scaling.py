"""How fast four kinds of work go on more and more CPUs, with as many pictures for each CPU."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace

from scripts.benchmarks.competitors import ALL, Command, Work
from scripts.benchmarks.figures import Result
from scripts.benchmarks.measure import Cost, Failed

LANES = (0, 2, 4, 8)  # lane processes that are tried on all CPUs; 0: the run's own


@dataclass(frozen=True, slots=True)
class Kind:
    """Work of one kind. `each`: pictures for one CPU, which take it some seconds. `pool`: what people write for it."""

    scenario: str
    each: int
    pool: str | None


KINDS = {
    "scaling-dataset": Kind("dataset", 600, "ten-lines-pool"),
    "scaling-300": Kind("300", 90, "ten-lines-pool"),
    "scaling-1200": Kind("1200", 30, "ten-lines-pool"),
    "scaling-tiny": Kind("tiny", 1250, None),
}


def measure(
    name: str,
    title: str,
    make: Callable[[int], Work],
    once: Callable[[Command, Work, int], Cost],
    rounds: int,
    *,
    smoke: bool,
) -> Result:
    """Each number of CPUs in turns, from one to all: `make` gives the work of so many pictures, `once` does its part.

    A cost is that of the pictures of one CPU, so that twice the CPUs at their best cost the same.
    """
    kind = KINDS[name]
    each = 3 if smoke else kind.each
    available = sorted(os.sched_getaffinity(0))
    counts = [1 << power for power in range(len(available).bit_length())]
    costs: dict[str, list[Cost]] = {}
    full = make(each * counts[-1])
    for _ in range(rounds):
        for count in counts:
            work = replace(_part(full, each * count), threads=count)
            for label, command in _commands(kind, work, count, last=count == counts[-1]).items():
                cost = once(_bound(command, available[:count]), work, each * count)
                costs.setdefault(label, []).append(Cost(cost.wall / count, cost.cpu / count))
    shutil.rmtree(full.source.parent)
    return Result(name, f"{title}, for each CPU", each, costs, base="1 CPU")


def _part(full: Work, pictures: int) -> Work:
    """The work on so many of the pictures."""
    source = full.source.with_name(f"source-{pictures}")
    if not source.exists():
        source.mkdir()
        names = sorted(os.listdir(full.source))
        for name in names[:: len(names) // pictures][:pictures]:
            os.link(full.source / name, source / name)
    config = full.config.with_name(f"{pictures}.yaml")
    config.write_text(full.config.read_text().replace(f"source: {full.source}\n", f"source: {source}\n"))
    return replace(full, source=source, config=config)


def _commands(kind: Kind, work: Work, count: int, *, last: bool) -> dict[str, Command]:
    label = f"{count} CPU{'s' * (count > 1)}"
    options = {label: work.options}
    if last:
        options |= {
            f"{label}, lanes {lanes}": (*work.options, "--lanes", str(lanes)) for lanes in LANES if lanes <= count
        }
    commands = {name: ALL["pipeline"](replace(work, options=given)) for name, given in options.items()}
    if kind.pool is not None:
        commands[f"{label}, pool"] = ALL[kind.pool](work)
    if None in commands.values():
        raise Failed("a competitor that is needed is not installed")
    return {name: command for name, command in commands.items() if command is not None}


def _bound(command: Command, processors: list[int]) -> Command:
    code = (
        "import os, sys; os.sched_setaffinity(0, map(int, sys.argv[1].split(','))); os.execv(sys.argv[2], sys.argv[2:])"
    )
    where = ",".join(map(str, processors))
    return replace(command, argv=(sys.executable, "-I", "-c", code, where, *command.argv))
