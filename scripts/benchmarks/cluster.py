"""A run of many fake jobs: the real driver, manifest and plan, a real Dask scheduler and real Dask workers, whose lanes
carry nothing. Prints what each of them costs, and how its memory grows.

    .venv/bin/python -m scripts.benchmarks.cluster --pictures 100000
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pipeline.config.load import load
from pipeline.model.source import Stat
from pipeline.run.batch import Batch, Outcome
from pipeline.run.cluster import worker
from pipeline.run.cluster.worker import Key, Opening, Returned
from pipeline.run.options import Progress, RunOptions
from pipeline.run.run import run
from pipeline.sources.local import LocalSource
from pipeline.sources.source import Folder, RawStat
from scripts.benchmarks.dask_processes import cluster, cpu, resident
from scripts.benchmarks.driver import lane_that_carries_nothing, recorded

_IN_A_FOLDER = 1000
_THREADS = 12  # of a lane with four children
_SIZE, _TIME = 40_000, 1_600_000_000 * 10**9  # bytes, nanoseconds since 1970


def _without_files() -> None:
    LocalSource.check = lambda self: None  # type: ignore[method-assign]
    LocalSource.stats = _stats  # type: ignore[method-assign]
    LocalSource.raw_stats = _raw_stats  # type: ignore[method-assign]


def dask_setup(*_: object) -> None:
    """Called by Dask in each worker, which preloads this module: its lane carries nothing."""
    _without_files()
    worker.open_lane = _open_lane
    worker.exchange = _exchange
    worker.end_lane = lambda lane: None


def _open_lane(opening: Opening) -> Returned:  # noqa: ARG001 - as the real one
    return Returned(threads=_THREADS)


def _exchange(lane: Key, batches: Sequence[Batch]) -> Returned:  # noqa: ARG001 - as the real one
    outcomes = (Outcome(tuple(map(recorded, it.jobs)), reads=len(it.jobs), number=it.number) for it in batches)
    return Returned(tuple(outcomes), _THREADS)


def _stats(self: LocalSource, folder: str, names: Sequence[str], sidecars: object = ()) -> list[Stat | None]:  # noqa: ARG001
    return [Stat(_SIZE, _TIME, _TIME) for _ in names]


def _raw_stats(self: LocalSource, folder: str, names: Sequence[str]) -> list[RawStat]:  # noqa: ARG001
    return [(_SIZE, _TIME, _TIME) for _ in names]


def _folders(pictures: int) -> Iterator[Folder]:
    for first in range(0, pictures, _IN_A_FOLDER):
        names = [f"picture-{number:09}.jpg" for number in range(first, min(pictures, first + _IN_A_FOLDER))]
        yield Folder(f"{first // _IN_A_FOLDER:06}", "\0".join(names).encode(), entries=len(names))


class _Watch:
    """Samples CPU and memory of several processes."""

    def __init__(self, pids: dict[str, int]) -> None:
        self._pids = pids
        self._next = 0
        self.peak = dict.fromkeys(pids, 0.0)

    def __call__(self, progress: Progress) -> None:
        """About every tick; prints a line for each tenth of the work."""
        for name, pid in self._pids.items():
            self.peak[name] = max(self.peak[name], resident(pid))
        if progress.jobs_done >= self._next:
            self._next += max(1, progress.jobs_expected // 10)
            memory = ", ".join(f"{name} {resident(pid):.0f} MB" for name, pid in self._pids.items())
            print(f"{progress.jobs_done:>10,} done: {memory}", flush=True)

    def cpu(self) -> dict[str, float]:
        """CPU seconds of each so far."""
        return {name: cpu(pid) for name, pid in self._pids.items()}


def main(words: list[str] | None = None) -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=2, help="0: no cluster, for comparison (default: %(default)s)")
    parser.add_argument("--folder", type=Path, help="where to work; left out: a temporary one")
    chosen = parser.parse_args(words)
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        _measure(Path(folder), chosen.pictures, chosen.workers)


def _measure(folder: Path, pictures: int, workers: int) -> None:
    (folder / "photos").mkdir()
    config = folder / "cluster.yaml"
    text = "source: photos\ntarget: out\nrenditions: {thumb: {width: 320}}\n"
    _without_files()
    LocalSource.folders = lambda self, apart: _folders(pictures)  # type: ignore[method-assign]
    with ExitStack() as stack:
        pids = {"driver": os.getpid()}
        if workers:
            address, processes = stack.enter_context(cluster(workers, "--preload", "scripts.benchmarks.cluster"))
            text += f"executor: {{dask: '{address}'}}\n"
            pids |= zip(("scheduler", "worker"), (process.pid for process in processes), strict=False)
        else:
            stack.enter_context(lane_that_carries_nothing())
        config.write_text(text)
        watch = _Watch(pids)
        before, began = watch.cpu(), time.monotonic()
        summary = run(load(config), RunOptions(threads=_THREADS, lanes=0), watch)
        seconds, after = time.monotonic() - began, watch.cpu()
    done: Any = summary.pictures
    print(f"{done} in {seconds:.1f} s, {pictures / seconds:,.0f} a second")
    manifest = sum(file.stat().st_size for file in (folder / "out" / ".pipeline").glob("manifest.sqlite*"))
    print(f"manifest and its backup: {manifest / pictures:.0f} bytes a picture")
    for name, spent in after.items():
        each = (spent - before[name]) / pictures * 1e3
        print(f"{name:>10}: {each:.3f} ms of CPU a picture, at most {watch.peak[name]:.0f} MB")


if __name__ == "__main__":
    main()
