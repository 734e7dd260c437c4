"""Tuning: the user's own pictures, the run's own line, and the question how many should work at once.

Nothing is rendered to keep: trials write into a folder of their own on the target's file system, which is removed
however it ends. The target is locked meanwhile, as in a run, so that neither disturbs the other's figures.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.config.settings import Config, WorkerSettings
from pipeline.errors import SourceTrouble
from pipeline.model import Job
from pipeline.plan.planner import PlanOptions
from pipeline.run.locking import held
from pipeline.run.options import RunOptions, Workers, workers
from pipeline.run.planning import planned
from pipeline.run.run import make_parents
from pipeline.run.stop import Stop, on_signals
from pipeline.run.tune.cache import Warmth, forget, warmth
from pipeline.run.tune.race import Course, Outcome, Race
from pipeline.run.tune.sample import Strata, repeated
from pipeline.run.tune.setting import Setting
from pipeline.run.tune.trial import Bench, Trial
from pipeline.sources.local import LocalSource
from pipeline.sources.source import Source
from pipeline.targets.local import LocalTarget
from pipeline.workers import cpus
from pipeline.workers.exchange import InThread, Renderer
from pipeline.workers.nursery import Nursery

_RENDER = "pipeline.render.line:render"
_WARM_UP = "pipeline.render.line:warm_up"
_SAMPLE = 512  # pictures at the most; a trial takes as many of them as its time allows
_WARMING = 20.0  # seconds at the most, for children that start and take their first pictures
_PREFIX = "tune-"


@dataclass(frozen=True, slots=True)
class TuneOptions:
    """What the command line may say."""

    seconds: float = 40.0
    seed: int = 0
    only: tuple[str, ...] = ()
    in_threads: bool = False  # try settings without children, too


@dataclass(frozen=True, slots=True)
class Tuning:
    """What tuning came to."""

    outcome: Outcome
    auto: Setting
    present: Setting  # what the config says now
    pictures: int  # that the config is about
    sample: int  # of them, that were measured
    warmth: Warmth
    cpus: int
    memory: int  # bytes, the budget
    seconds: float

    def settings(self, now: WorkerSettings) -> WorkerSettings:
        """What is to stand in the config: `auto` where that is as good as anything."""
        chosen = self.outcome.chosen
        if chosen == self.auto:
            return replace(now, threads=None, processes=None, queue=chosen.queue)
        return replace(now, threads=chosen.threads, processes=chosen.processes, queue=chosen.queue)


def tune(
    config: Config,
    options: TuneOptions,
    watch: Callable[[Setting, float], None],
    source: Source | None = None,
) -> Tuning:
    """Measure, in this thread and those it starts. Raises `PipelineError`: `Stopped`, `Locked`, troubles.

    `watch` is told the best setting so far and the share of the time that has gone. `source` stands in for the config's
    own folder, for measuring what another storage would do.
    """
    started = time.monotonic()
    stop = Stop()
    identity = uuid.uuid4().hex
    source = source or LocalSource(config.source)
    source.stats("", ())
    make_parents(config)
    LocalTarget(config.target, identity).prepare()
    with on_signals(stop), held(config, identity), ExitStack() as stack:
        bench_folders = [stack.enter_context(_folder(place, identity)) for place in _places(config)]
        strata = _strata(config, options)
        sample = strata.chosen(_SAMPLE)
        auto, present = _settings(config)
        most = replace(workers(config, RunOptions()), processes=max(1, auto.processes, present.processes))
        with Nursery(_RENDER, _WARM_UP, most.processes) as nursery:
            renderers: dict[bool, Renderer] = {True: nursery}
            in_threads = options.in_threads or present.processes == 0
            if in_threads:
                renderers[False] = _in_threads()
            bench = Bench(config, source, renderers, bench_folders[0], bench_folders[-1])
            warming = Setting(most.processes, 2 * most.processes, auto.queue)
            first = bench.trial(
                _workers(warming, most), repeated(sample, 4 * most.processes, options.seed), _WARMING, stop.check
            )
            sample = [job for job in sample if job.source not in first.unfit]
            measured = _Measured(config, bench, sample, most, options.seed, stop)
            course = Course(
                auto,
                cpus.available(),
                options.seconds,
                present=None if present == auto else present,
                in_threads=in_threads,
            )
            outcome = Race(course, measured.trial, watch).run()
    return Tuning(
        outcome,
        auto,
        present,
        strata.pictures,
        len(measured.used),
        measured.warmth,
        cpus.available(),
        most.memory,
        time.monotonic() - started,
    )


class _Measured:
    """Trials on the sample, each with its pages out of the cache, as far as they can be had out."""

    def __init__(
        self, config: Config, bench: Bench, sample: Sequence[Job], most: Workers, seed: int, stop: Stop
    ) -> None:
        if not sample:
            raise SourceTrouble(f"there is no picture to measure with in {config.source.path}")
        self._root = config.source.path
        self._bench = bench
        self._sample = sample
        self._most = most
        self._seed = seed
        self._stop = stop
        self.used: set[str] = set()
        self.warmth = Warmth.UNKNOWN

    def trial(self, setting: Setting, pictures: int, seconds: float) -> Trial:
        """See `Race`."""
        jobs = repeated(self._sample, pictures, self._seed)
        sources = sorted({job.source for job in jobs})
        forget(self._root, sources)
        self.warmth = warmth(self._root, sources[:50])
        done = self._bench.trial(_workers(setting, self._most), jobs, seconds, self._stop.check)
        self.used = (self.used | set(sources)) - done.unfit
        fit = [job for job in self._sample if job.source not in done.unfit]
        self._sample = fit or self._sample  # what failed once would cost the others a child again and again
        return done


def _settings(config: Config) -> tuple[Setting, Setting]:
    """What `auto` would be, and what the config says."""
    without = replace(config, workers=replace(config.workers, threads=None, processes=None))
    found = [workers(one, RunOptions()) for one in (without, config)]
    auto, present = (Setting(one.processes, one.threads, one.queue, one.most_threads > one.threads) for one in found)
    return auto, present


def _workers(setting: Setting, most: Workers) -> Workers:
    return replace(
        most,
        threads=setting.threads,
        processes=setting.processes,
        queue=setting.queue,
        most_threads=most.most_threads if setting.hires else setting.threads,
    )


def _strata(config: Config, options: TuneOptions) -> Strata:
    """Every picture of the source, by kinds. What the last run could not render is left out."""
    strata = Strata(_SAMPLE, options.seed)
    with planned(config, PlanOptions(force=True, adopt=True, only=options.only)) as planner:
        for decision in planner.decisions():
            if isinstance(decision, Job) and decision.planned:
                strata.add(decision)
    return strata


def _in_threads() -> Renderer:
    from pipeline.render.line import render  # noqa: PLC0415 - with children, this process never imports Pillow

    return InThread(render)


def _places(config: Config) -> list[Path]:
    """Where a run writes: the folder of ours in the target, and the one of the manifest if that is another."""
    places = [config.target.path / ".pipeline", config.manifest.parent]
    return places if os.path.realpath(places[0]) != os.path.realpath(places[1]) else places[:1]


@contextlib.contextmanager
def _folder(place: Path, identity: str) -> Iterator[Path]:
    """A new folder in `place`, removed at the end, as are those that a tuning left that was killed."""
    for left in place.glob(f"{_PREFIX}*"):
        shutil.rmtree(left, ignore_errors=True)
    folder = place / f"{_PREFIX}{identity}"
    folder.mkdir(mode=0o700, parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
