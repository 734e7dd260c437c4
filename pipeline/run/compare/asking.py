"""Asks children about pictures: what the headers of sources say, and how close renditions are to their references."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from pipeline.config.settings import Config
from pipeline.errors import PictureError
from pipeline.model.job import Job
from pipeline.model.rendering import Look, Resemblance, Traits
from pipeline.run.options import RunOptions, workers
from pipeline.run.stop import Stop
from pipeline.sources.magic import counts_as_raw
from pipeline.sources.source import Grown, Source, Unsupported, Vanished
from pipeline.workers import memory, sealed
from pipeline.workers.child_pool import ChildPool
from pipeline.workers.exchange import Bounds, ChildDied, Held, InThread, Renderer
from pipeline.workers.token import Token

_T = TypeVar("_T")
_R = TypeVar("_R")
_ANSWER = "pipeline.render.comparing:answer"
_WARM_UP = "pipeline.render.comparing:warm_up"


@contextmanager
def asking(config: Config, stop: Stop, watch: Callable[[], None]) -> Iterator[Asking]:
    """Children that answer, as many as a run of `config` would have; with `processes: 0` the threads themselves.

    `watch` is called in the calling thread for each answer.
    """
    most = workers(config, RunOptions())
    if not most.processes:
        from pipeline.render.comparing import answer  # noqa: PLC0415 - otherwise this process never imports Pillow

        yield Asking(config, InThread(answer), most.threads, stop, watch)
        return
    kept = memory.kept(most.memory, most.processes)
    with ChildPool(_ANSWER, _WARM_UP, most.processes, at_once=False, kept=kept) as pool:
        yield Asking(config, pool, most.processes, stop, watch)


class Asking:
    """See `asking`. For one thread."""

    def __init__(self, config: Config, renderer: Renderer, threads: int, stop: Stop, watch: Callable[[], None]) -> None:
        self._limits = config.limits
        self._bounds = Bounds(config.limits.seconds, config.limits.memory)
        self._renderer = renderer
        self._threads = threads
        self._stop = stop
        self._watch = watch

    def looks(self, source: Source, jobs: Sequence[Job]) -> dict[str, Traits]:
        """The traits of the pictures of `jobs` by name, without those that cannot be read or are no pictures."""

        def look(job: Job) -> Traits | None:
            try:
                with source.read(job.source, job.stat, self._limits) as read:
                    traits = self._ask(read.held, Look(self._limits, counts_as_raw(job.source, job.only), job.only))
            except (PictureError, Vanished, Unsupported, Grown):
                return None
            return traits if isinstance(traits, Traits) else None

        return {job.source: traits for job, traits in self._each(look, jobs) if traits is not None}

    def scores(self, pairs: Sequence[tuple[Path, Path, str]]) -> list[float | None]:
        """How close the second of each pair is to the first, its reference; None where that cannot be told.

        The third value is the background that both are put on where they are transparent.
        """

        def score(pair: tuple[Path, Path, str]) -> float | None:
            reference, made, background = pair
            with _one_after_the_other(reference, made) as (held, split):
                try:
                    likeness = self._ask(held, Resemblance(self._limits, split, background))
                except PictureError:
                    return None
            return likeness if isinstance(likeness, float) else None

        return [likeness for _pair, likeness in self._each(score, pairs)]

    def _ask(self, held: Held, request: object) -> object:
        """The answer; None where the child died, as on a picture that made it crash. Raises `PictureError`."""
        try:
            with self._renderer.ask(held, request, self._bounds, Token()) as exchange:
                exchange.first()
                return exchange.last()[0].payload
        except ChildDied:
            return None

    def _each(self, what: Callable[[_T], _R], of: Sequence[_T]) -> Iterator[tuple[_T, _R]]:
        with ThreadPoolExecutor(self._threads) as threads:
            try:
                for asked, result in zip(of, threads.map(what, of), strict=True):
                    yield asked, result
                    self._stop.check()
                    self._watch()
            except BaseException:
                threads.shutdown(wait=False, cancel_futures=True)
                raise


@contextmanager
def _one_after_the_other(first: Path, second: Path) -> Iterator[tuple[Held, int]]:
    """Both files in one sealed file in memory, and the bytes of the first."""
    descriptor = sealed.create("pipeline-pair")
    try:
        with open(descriptor, "wb", closefd=False) as file:
            split = file.write(first.read_bytes())
            file.write(second.read_bytes())
        yield Held(descriptor, sealed.seal(descriptor)), split
    finally:
        os.close(descriptor)
