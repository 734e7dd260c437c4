"""The lanes of a run: one in the driver's process, or several in processes of their own where that pays.

One Python process opens, hashes, sends, writes and records for all its children under one interpreter lock, which
limits it to about 1,500 small pictures a second. So a large run on many CPUs has about one lane for four children, and
the driver only plans, claims, hands out and records.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.config.settings import Config, ExecutorSettings
from pipeline.manifest.store import Manifest
from pipeline.model.job import Job
from pipeline.run.batch import Batch
from pipeline.run.lane import Control, Lane, LocalLane, renderers
from pipeline.run.lane_host import LaneSetup
from pipeline.run.lane_processes import LaneProcesses, NoLane
from pipeline.run.line import Terms
from pipeline.run.options import Asked, Workers
from pipeline.run.prestart import Prestarted, lane_processes
from pipeline.sources.source import Source
from pipeline.targets.lease import Lease
from pipeline.targets.opening import driver_in
from pipeline.targets.target import Target
from pipeline.workers import memory
from pipeline.workers.budget import Budget
from pipeline.workers.halt import halted_together

if TYPE_CHECKING:
    from pipeline.run.cluster.lanes import ClusterLanes

_WORTH = 1.0  # seconds of work a child, below which nothing is gained: starting a lane takes 0.2 s of CPU
_PER_BYTE, _PER_PICTURE = 2e-8, 2e-3  # seconds, where no run has measured it: PNGs of 64 px took 1.7 ms, JPEGs of
# 40 kB 5, photographs of 1.3 MB 29 (scripts/bench scaling-tiny, -dataset, -300)


@dataclass(frozen=True, slots=True)
class LaneParts:
    """The parts that the lanes of one run are made from."""

    config: Config
    workers: Workers
    terms: Terms
    manifest: Manifest
    source: Source
    target: Target
    run: str  # its id
    locks: tuple[int, ...]  # descriptors of its locks, which are held as long as a lane lives
    deadline: float | None  # by the monotonic clock
    prestarted: Prestarted
    signals: bool  # whether it answers those that its process gets
    asked: Asked
    part: Path | None  # of the manifest, of a shard's run
    first: Job | None  # of those to come; None: there is nothing to do


@contextmanager
def opened(parts: LaneParts, processes: int, control: Control) -> Iterator[Lane]:
    """So many lane processes, or the lane in this process if `processes` is 0 or none can start. With an executor in
    the config and something to do, a lane on each of its workers.
    """
    executor = parts.config.executor
    if executor is not None and parts.first is not None:
        if parts.prestarted.children is not None:
            parts.prestarted.children.close()  # they render for this process only
        with _cluster(parts, executor, parts.first, control) as cluster:
            yield cluster
        return
    if processes:
        started = parts.prestarted.lanes.take() if parts.prestarted.lanes is not None else []
        setups = _setups(parts, processes)
        lanes = LaneProcesses(setups, control, parts.locks, lambda *lost: _sweep(parts, *lost), started)
        halting = halted_together(lambda: lanes.pids) if parts.signals else nullcontext()
        with suppress(NoLane), lanes, halting:
            if parts.prestarted.children is not None:
                parts.prestarted.children.close()  # they render for this process only
            parts.manifest.amend_run({"lanes": processes})
            yield lanes
            return
    workers = parts.workers
    budget = Budget(memory.for_pictures(workers.memory, workers.processes))
    with renderers(workers, parts.prestarted.children) as renderer:
        made = parts.manifest.made
        local = LocalLane(parts.terms, workers, parts.source, parts.target, renderer, budget, made, control)
        with local:
            yield local


@contextmanager
def _cluster(parts: LaneParts, executor: ExecutorSettings, first: Job, control: Control) -> Iterator[ClusterLanes]:
    # Imported here, because a run on one machine needs none of it, and may not have it.
    from pipeline.run.cluster.lanes import ClusterLanes  # noqa: PLC0415
    from pipeline.run.cluster.on_dask import DaskPool  # noqa: PLC0415
    from pipeline.run.cluster.welcome import Welcome  # noqa: PLC0415
    from pipeline.run.cluster.worker import Opening  # noqa: PLC0415

    config, asked = parts.config, parts.asked
    place = driver_in(config.target, parts.part)
    pace = parts.manifest.pace() if parts.deadline is not None else None
    nobody = Workers(1, 1, 0, 0, 1)  # until its worker has filled it in
    setup = LaneSetup(0, parts.run, parts.terms, nobody, config.sources, config.target, None, None, pace, place)
    seconds = None if parts.deadline is None else parts.deadline - time.monotonic()
    opening = Opening(setup, seconds, asked.threads, asked.processes, asked.memory, 1, 1)
    folder, _, name = first.source.rpartition("/")
    witness = None if first.stat.remote is not None else (folder, name)
    with Lease(place, parts.run) as lease, DaskPool(executor) as pool:
        welcome = Welcome(lease, parts.source, witness)
        sweep = functools.partial(_sweep, parts)
        with ClusterLanes(pool, opening, welcome, lease, control, sweep, executor.wait) as lanes:
            yield lanes


def _setups(parts: LaneParts, processes: int) -> list[LaneSetup]:
    config = parts.config
    pace = parts.manifest.pace() if parts.deadline is not None else None
    return [
        LaneSetup(
            0,  # it is numbered when it starts
            parts.run,
            parts.terms,
            share,
            tuple(source.shared_by(processes) for source in config.sources),
            config.target,
            config.manifest,
            parts.deadline,
            pace,
        )
        for share in shares(parts.workers, processes)
    ]


def _sweep(parts: LaneParts, process: int, batches: Sequence[Batch]) -> None:
    """Remove the temporary files of a lane process that died with `batches` in flight."""
    targets = (planned.target for batch in batches for job in batch.jobs for planned in job.planned)
    parts.target.sweep({parts.run}, {target.rpartition("/")[0] for target in targets}, process)


def count(workers: Workers, memory_limit: int, jobs: float, size: float, pace: Callable[[], float | None]) -> int:
    """The number of lane processes for a run of so many jobs and bytes; 0: one lane, in the driver's process. Each lane
    gets enough memory for any one picture. `pace`: seconds a byte in earlier runs.
    """
    wanted = lane_processes(workers.processes)
    if not wanted:
        return 0
    known = pace()
    seconds = jobs * _PER_PICTURE + size * _PER_BYTE if known is None else size * known
    if seconds < _WORTH * workers.processes:
        return 0
    lanes = min(wanted, workers.memory // max(1, memory_limit))
    return lanes if lanes > 1 else 0


def shares(workers: Workers, lanes: int) -> list[Workers]:
    """`workers` shared out among so many lanes."""
    return [
        Workers(
            threads=max(1, _part(workers.threads, lanes, at)),
            processes=max(1, _part(workers.processes, lanes, at)),
            queue=0,  # the driver decides how many batches it gets at once
            memory=workers.memory // lanes,
            most_threads=max(1, _part(workers.most_threads, lanes, at)),
        )
        for at in range(lanes)
    ]


def _part(whole: int, parts: int, at: int) -> int:
    return whole // parts + (at < whole % parts)
