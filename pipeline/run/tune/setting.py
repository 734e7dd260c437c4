"""A way to divide the work, and what trials said of it."""

from __future__ import annotations

import enum
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.run.tune.trial import Trial

_BUSY = 0.8  # of its time: more than that nobody gets out of a CPU that others use, too
_MUCH = 0.25  # of the threads' time


@dataclass(frozen=True, slots=True, order=True)
class Setting:
    """How many work at once. Those with fewer of everything come first."""

    processes: int  # 0: the threads render
    threads: int
    queue: int = 64
    hires: bool = False  # whether `threads` is only where it begins: `auto` hires more when the children have no work


class Bound(enum.StrEnum):
    """What keeps a setting from being faster."""

    CPU = "CPU"
    CHILDREN = "children"  # all are busy, and CPUs are idle
    READ = "read"
    WRITE = "write"
    MEMORY = "memory"
    THREADS = "threads"  # none of the above: there is too little in flight


@dataclass(frozen=True, slots=True)
class Verdict:
    """What several trials of one setting say."""

    setting: Setting
    rate: float  # pictures a second, the median
    low: float  # the quartiles; of less than four trials the extremes
    high: float
    trials: int
    ratio: float  # of its rate to that of `auto` in the same round, the median
    bound: Bound
    shares: dict[str, float]  # of the threads' time: read, child, render, memory, write
    own_cpu: float  # share of one CPU that this process took
    children_busy: float  # share of the time that a child worked, of those it had


def verdict(setting: Setting, trials: Sequence[Trial], ratio: float, cpus: int) -> Verdict:
    """What the trials of `setting` say together; there is one at least."""
    rates = sorted(trial.rate for trial in trials)
    low, _, high = (
        statistics.quantiles(rates, n=4, method="inclusive") if len(rates) > 3 else (rates[0], 0.0, rates[-1])
    )
    seconds = sum(trial.seconds for trial in trials)
    spent = {
        stage: sum(trial.stages.get(stage, 0.0) for trial in trials) / seconds
        for stage in ("read", "child", "render", "memory", "write")
    }  # threads busy with it, on average
    own = sum(trial.own_cpu for trial in trials) / seconds
    busy = spent["render"] / (setting.processes or cpus)
    return Verdict(
        setting,
        statistics.median(rates),
        low,
        high,
        len(trials),
        ratio,
        _bound(setting, spent, own, busy, cpus),
        {stage: max(0.0, share / setting.threads) for stage, share in spent.items()},
        own,
        min(1.0, busy),
    )


def _bound(setting: Setting, spent: dict[str, float], own: float, busy: float, cpus: int) -> Bound:
    if spent["memory"] / setting.threads > _MUCH:
        return Bound.MEMORY
    if own > _BUSY or (spent["render"] + own) / cpus > _BUSY:
        return Bound.CPU
    if busy > _BUSY and setting.processes:
        return Bound.CPU if setting.processes >= cpus else Bound.CHILDREN
    most = max(("read", "write"), key=lambda stage: spent[stage])
    return Bound(most) if spent[most] / setting.threads > _MUCH else Bound.THREADS
