"""Tuning: finds the fastest numbers of threads and children, with the user's own pictures and the run's own line."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from pipeline.config.settings import Config, WorkerSettings
from pipeline.run.tune.cache import Warmth
from pipeline.run.tune.ground import Choice, Ground, prepared
from pipeline.run.tune.race import Course, Outcome, Race
from pipeline.run.tune.setting import Setting
from pipeline.workers import cpus


@dataclass(frozen=True, slots=True)
class TuneOptions:
    """The options of the command line."""

    seconds: float = 40.0
    seed: int = 0
    only: tuple[str, ...] = ()
    in_threads: bool = False  # try settings without children, too


@dataclass(frozen=True, slots=True)
class Tuning:
    """The result of tuning."""

    outcome: Outcome
    auto: Setting
    present: Setting  # of the config as it is
    pictures: int  # of the config
    sample: int  # of these, how many were measured
    warmth: Warmth
    cpus: int
    memory: int  # bytes, the budget
    seconds: float

    def settings(self, now: WorkerSettings) -> WorkerSettings:
        """The worker settings for the config: `auto` if no setting is better."""
        chosen = self.outcome.chosen
        automatic = chosen.scales and chosen.processes == self.auto.processes
        return replace(
            now,
            threads=None if chosen.scales else chosen.threads,
            processes=None if automatic else chosen.processes,
            queue=chosen.queue,
        )


def tune(config: Config, options: TuneOptions, watch: Callable[[Setting, float], None]) -> Tuning:
    """Measure, in this thread and those it starts. Raises `PipelineError`: `Stopped`, `Locked`, troubles.

    `watch` is called with the best setting so far and the share of the time that has passed.
    """
    started = time.monotonic()
    with prepared(config, Choice(options.seed, options.only, options.in_threads)) as ground:
        outcome = race(ground, options.seconds, watch)
    return Tuning(
        outcome,
        ground.auto,
        ground.present,
        ground.pictures,
        len(ground.used),
        ground.warmth,
        cpus.available(),
        ground.memory,
        time.monotonic() - started,
    )


def race(ground: Ground, seconds: float, watch: Callable[[Setting, float], None]) -> Outcome:
    """Find the fastest setting on `ground`."""
    course = Course(
        ground.auto,
        cpus.available(),
        seconds,
        present=None if ground.present == ground.auto else ground.present,
        in_threads=ground.in_threads,
    )
    return Race(course, ground.trial, watch).run()
