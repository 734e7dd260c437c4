"""A setting of the workers, and the verdict of its trials."""

from __future__ import annotations

import enum
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.run.tune.trial import Trial

_BUSY = 0.8  # of its time: the most that can be had of a CPU that other programs use, too
_MUCH = 0.25  # of the threads' time


@dataclass(frozen=True, slots=True, order=True)
class Setting:
    """Numbers of children and threads. Settings with fewer of everything come first."""

    processes: int  # 0: the threads render
    threads: int
    queue: int = 64
    scales: bool = False  # whether `threads` is only the start: `auto` starts more while the children lack work


class Bound(enum.StrEnum):
    """What limits the rate of a setting."""

    CPU = "CPU"
    CHILDREN = "children"  # all are busy, and CPUs are idle
    READ = "read"
    WRITE = "write"
    MEMORY = "memory"
    THREADS = "threads"  # none of the above: too few pictures are in flight


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of several trials of one setting."""

    setting: Setting
    rate: float  # pictures a second, the median
    low: float  # low and high: the quartiles, or of fewer than four trials the extremes
    high: float
    trials: int
    ratio: float  # of its rate to that of `auto` in the same round, the median
    bound: Bound
    shares: dict[str, float]  # of the threads' time: read, child, render, memory, write
    own_cpu: float  # share of one CPU that this process used
    children_busy: float  # share of the time that a child of the setting worked


def verdict(setting: Setting, trials: Sequence[Trial], ratio: float, cpus: int) -> Verdict:
    """The verdict of all `trials` of `setting`, of which there is one at least."""
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
    threads = statistics.mean(trial.threads for trial in trials)
    shares = {stage: max(0.0, share / threads) for stage, share in spent.items()}
    return Verdict(
        setting,
        statistics.median(rates),
        low,
        high,
        len(trials),
        ratio,
        _bound(setting.processes, shares, own, spent["render"], cpus),
        shares,
        own,
        min(1.0, busy),
    )


def _bound(processes: int, shares: dict[str, float], own: float, rendering: float, cpus: int) -> Bound:
    """`shares` of the threads' time; `own` CPUs used by this process, `rendering` threads that wait for their child."""
    busy = rendering / (processes or cpus)
    if shares["memory"] > _MUCH:
        return Bound.MEMORY
    if own > _BUSY or (rendering + own) / cpus > _BUSY:
        return Bound.CPU
    if busy > _BUSY and processes:
        return Bound.CPU if processes >= cpus else Bound.CHILDREN
    most = max(("read", "write"), key=lambda stage: shares[stage])
    return Bound(most) if shares[most] > _MUCH else Bound.THREADS
