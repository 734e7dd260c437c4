"""The options of a run, and its progress reports."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from pipeline.config.settings import Config
from pipeline.plan.options import PlanOptions
from pipeline.run.scaling import most_threads
from pipeline.run.tally import Summary
from pipeline.workers import cpus, memory


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The options of the command line beyond the config. None: as in the config."""

    plan: PlanOptions = field(default_factory=PlanOptions)
    threads: int | None = None
    processes: int | None = None
    strict: bool = False  # known failures count, too
    failures_ok: bool = False  # new failures are no reason for another status
    prune: bool = False  # remove orphans that an earlier run has seen
    max_runtime: float | None = None  # seconds from the start
    until: datetime.time | None = None  # of the local clock, when it shows that next
    signals: bool = True  # whether SIGTERM, SIGINT and SIGHUP request a clean stop
    cancelled: Callable[[], bool] | None = None  # requests one, too, once it returns True; called in the run's thread
    lock_wait: float | None = 0.0  # seconds to wait for another run of this target to end; None: for ever
    lanes: int | None = None  # processes that share out the children; 0: this one; None: as it pays


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a run. The expected totals become more exact while the plan goes on."""

    pictures_done: int  # including those of which nothing had to be made
    failed: int
    bytes_done: int
    bytes_expected: int
    jobs_done: int = 0  # pictures of which something had to be made
    jobs_expected: int = 0
    waiting: str = ""  # what keeps the run from working, such as a cluster without workers
    workers: Mapping[str, int] = field(default_factory=dict)  # pictures that each of a cluster's has carried, by name

    @property
    def by_bytes(self) -> bool:
        """Whether `work` is in bytes."""
        return self.bytes_done <= self.bytes_expected

    @property
    def work(self) -> tuple[int, int]:
        """What is done, and of how much: in bytes, or in pictures where sizes are not known before (URLs)."""
        if not self.by_bytes:
            return self.jobs_done, max(self.jobs_expected, self.jobs_done)
        return self.bytes_done, self.bytes_expected


@dataclass(frozen=True, slots=True)
class Change:
    """A file of the target that this run has made, replaced or removed."""

    change: Literal["made", "replaced", "removed"]
    target: str
    source: str
    rendition: str


@dataclass(frozen=True, slots=True)
class Begun:
    """A run that has its lock and its manifest, and begins to work."""

    run: str  # its id, 32 hexadecimal digits
    so_far: Callable[[], Summary]  # for the run's own thread, also when the run has failed


@dataclass(frozen=True, slots=True)
class Workers:
    """The numbers of threads and children, decided."""

    threads: int  # to begin with
    processes: int
    queue: int
    memory: int  # bytes
    most_threads: int  # that there may be; the number of threads in the config, if it has one


@dataclass(frozen=True, slots=True)
class Asked:
    """The numbers that the command line or the config has for each machine. None: as the machine has it."""

    threads: int | None
    processes: int | None
    memory: int | None  # bytes


def asked(config: Config, options: RunOptions) -> Asked:
    """The command line ranks before the config."""
    wanted = config.workers
    threads = next((n for n in (options.threads, wanted.threads) if n is not None), None)
    processes = next((n for n in (options.processes, wanted.processes) if n is not None), None)
    return Asked(threads, processes, wanted.memory)


def workers(config: Config, options: RunOptions) -> Workers:
    """The workers of the config and the command line, with `auto` decided: a child a CPU, and twice as many threads
    plus four, so that reading and syncing go on while every child renders. Slow storage gets more (see `scaling`). A
    guess from busy machines: 6 to 12 threads seemed faster than 4 on two CPUs.
    """
    wanted = asked(config, options)
    processes = cpus.available() if wanted.processes is None else wanted.processes
    if wanted.threads is not None:
        begin = most = wanted.threads
    else:
        begin = 2 * processes + 4 if processes else cpus.available() + 2  # threads that render are CPUs' work
        most = max(begin, most_threads(max(map(len, config.spec_sets))))
    return Workers(begin, processes, config.workers.queue, wanted.memory or memory.available(), most)
