"""The setting of trials: a locked target, warm children, a sample of pictures, and temporary folders.

No rendition is kept: trials write into a folder of their own on the target's file system, which is removed in any case.
The target is locked meanwhile, as in a run, so that a run and a tuning do not disturb each other's figures.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.config.settings import Config
from pipeline.errors import SourceTrouble, UsageError
from pipeline.manifest.place import is_there
from pipeline.manifest.store import Manifest
from pipeline.model.job import Job
from pipeline.plan.options import PlanOptions
from pipeline.run import rendering
from pipeline.run.locking import held
from pipeline.run.options import RunOptions, Workers, workers
from pipeline.run.preview import planned
from pipeline.run.run import make_parents
from pipeline.run.stop import Stop, on_signals
from pipeline.run.tune.cache import Warmth, forget, warmth
from pipeline.run.tune.sample import Strata, repeated
from pipeline.run.tune.setting import Setting
from pipeline.run.tune.trial import Bench, Trial
from pipeline.sources.opening import source_of
from pipeline.sources.source import Source
from pipeline.targets.local import LocalTarget
from pipeline.workers.exchange import Pool

_SAMPLE = 512  # pictures at the most; a trial takes as many of them as its time allows
_WARMING = 20.0  # seconds at the most, for children to start and render their first pictures
_LOOKED_AT = 50  # files whose pages are looked up in the cache
_PREFIX = "tune-"


@dataclass(frozen=True, slots=True)
class Choice:
    """Which pictures to measure with, and which settings to try."""

    seed: int = 0
    only: tuple[str, ...] = ()
    in_threads: bool = False  # settings without children, too
    processes: int = 0  # children at the least


@contextlib.contextmanager
def prepared(config: Config, choice: Choice, source: Source | None = None) -> Iterator[Ground]:
    """Everything that trials need, within the block. Raises `PipelineError`: `Stopped`, `Locked`, troubles.

    `source` replaces that of the config, to measure another storage.
    """
    stop = Stop()
    identity = uuid.uuid4().hex
    if source is None and any(not each.is_folder for each in config.sources):
        raise UsageError("only folders can be measured: servers and stores would have to send each picture many times")
    places = _places(config)
    source = source or source_of(config.sources)
    source.check()
    if is_there(config.manifest):
        Manifest.reader(config).close()  # it is this config's
    make_parents(config)
    LocalTarget(config.target, identity).prepare()
    with on_signals(stop), held(config, identity), ExitStack() as stack:
        folders = [stack.enter_context(_folder(place, identity)) for place in places]
        auto, present = _settings(config)
        children = max(1, auto.processes, present.processes, choice.processes)
        most = replace(workers(config, RunOptions()), processes=children)
        pool = rendering.children(children, most.memory, at_once=True)
        renderers: dict[bool, Pool] = {True: stack.enter_context(pool)}
        if choice.in_threads or present.processes == 0:
            renderers[False] = rendering.in_threads()
        strata = _strata(config, choice)
        bench = Bench(config, source, renderers, folders[0], folders[-1])
        ground = Ground(config, bench, strata, (auto, present), most, stop)
        ground.warm_up(Setting(children, 2 * children, auto.queue))
        yield ground


class Ground:
    """Makes trials on the sample, whose pages are dropped from the cache before each, as far as possible."""

    def __init__(
        self, config: Config, bench: Bench, strata: Strata, settings: tuple[Setting, Setting], most: Workers, stop: Stop
    ) -> None:
        """`settings`: those without tuning, and those of the config. `most`: the workers with all children."""
        self._config = config
        self._bench = bench
        self._sample: Sequence[Job] = strata.chosen(_SAMPLE)
        self._most = most
        self._seed = strata.seed
        self._stop = stop
        self.auto, self.present = settings
        self.pictures = strata.pictures
        self.used: set[str] = set()
        self.warmth = Warmth.UNKNOWN

    @property
    def in_threads(self) -> bool:
        """Whether settings without children can be tried."""
        return self._bench.in_threads

    @property
    def memory(self) -> int:
        """The budget, bytes."""
        return self._most.memory

    def warm_up(self, setting: Setting) -> None:
        """Let the children start and render their first pictures; pictures that `only` of a source leaves out are no
        longer in the sample then. Raises `SourceTrouble` if there are none.
        """
        chooses = any(source.only is not None for source in self._config.sources)
        self._carry(setting, len(self._sample) if chooses else 2 * setting.threads, _WARMING)
        self.used.clear()

    def trial(self, setting: Setting, pictures: int, seconds: float) -> Trial:
        """See `Race`."""
        return self._carry(setting, pictures, seconds)

    def _carry(self, setting: Setting, pictures: int, seconds: float) -> Trial:
        jobs = repeated(self._sample, pictures, self._seed)
        sources = sorted({job.source for job in jobs})
        files = [of.file(source) for source in sources if (of := self._config.source_of(source))]
        forget(files)
        self.warmth = warmth(files[:_LOOKED_AT])
        done = self._bench.trial(_workers(setting, self._most), jobs, seconds, self._stop.check)
        self.used = (self.used | set(sources)) - done.unfit
        if done.unfit:  # these would fail or end a child in each trial
            self._sample = [job for job in self._sample if job.source not in done.unfit]
        if not self._sample:
            raise SourceTrouble(f"there is no picture to measure with in {self._config.source_paths}")
        return done


def _settings(config: Config) -> tuple[Setting, Setting]:
    """The setting that `auto` gives, and that of the config."""
    without = replace(config, workers=replace(config.workers, threads=None, processes=None))
    chosen = [workers(version, RunOptions()) for version in (without, config)]
    auto, present = (
        Setting(each.processes, each.threads, each.queue, each.most_threads > each.threads) for each in chosen
    )
    return auto, present


def _workers(setting: Setting, most: Workers) -> Workers:
    return replace(
        most,
        threads=setting.threads,
        processes=setting.processes,
        queue=setting.queue,
        most_threads=most.most_threads if setting.scales else setting.threads,
    )


def _strata(config: Config, choice: Choice) -> Strata:
    """Every picture of the source, by kind."""
    strata = Strata(_SAMPLE, choice.seed)
    with planned(config, PlanOptions(force=True, adopt=True, only=choice.only)) as planner:
        for decision in planner.decisions():
            if isinstance(decision, Job) and decision.planned:
                strata.add(decision)
    return strata


def _places(config: Config) -> list[Path]:
    """Where a run writes: our folder in the target, and the manifest's folder if that is another."""
    places = [config.target.folder_for("tune") / ".pipeline", config.manifest.parent]
    return places if os.path.realpath(places[0]) != os.path.realpath(places[1]) else places[:1]


@contextlib.contextmanager
def _folder(place: Path, identity: str) -> Iterator[Path]:
    """A new folder in `place`, removed at the end. Folders left by a killed tuning are removed first."""
    for left in place.glob(f"{_PREFIX}*"):
        shutil.rmtree(left, ignore_errors=True)
    folder = place / f"{_PREFIX}{identity}"
    folder.mkdir(mode=0o700, parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
