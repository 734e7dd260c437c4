"""`prune` as a command: under the run's locks when it deletes, without locks when it only looks."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pipeline.config.settings import Config
from pipeline.errors import PipelineError
from pipeline.manifest.reader import Reader
from pipeline.manifest.store import Manifest
from pipeline.plan.options import PlanOptions
from pipeline.plan.orphans import Orphan
from pipeline.plan.planner import Planner
from pipeline.run.locking import held
from pipeline.run.prune import Fate, Verdict, find, obstacles, refusal, remove
from pipeline.run.stop import Stop, on_signals
from pipeline.sources.opening import source_of
from pipeline.targets.local import LocalTarget
from pipeline.targets.removal import Removal


class PruneRefused(PipelineError):
    """The removal may be a mistake: an unmounted disk, a wrong path."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """The verdict on every orphan, by path, and why nothing may be removed ("" if it may)."""

    verdicts: tuple[Verdict, ...]
    refused: str = ""


def look(config: Config) -> Pruned:
    """What `prune` would do. Touches nothing. Raises `PipelineError`."""
    with Manifest.reader(config) as reader:
        planner = _planned(config, reader, lambda: None)
        going, waiting = _sorted(planner, reader)
        verdicts = (*obstacles(going, reader, Removal(config.target)), *waiting) if going or waiting else ()
        return Pruned(_by_path(verdicts), _refusal(config, planner, reader, going, force=False))


def prune(config: Config, *, force: bool, wait: float | None = 0.0) -> Pruned:
    """Delete the orphans that an earlier run has seen. `force`: however many there are.

    Raises `PruneRefused`, with nothing deleted, and other `PipelineError`s.
    """
    stop = Stop()
    with on_signals(stop), held(config, uuid.uuid4().hex, wait, stop.check), _opened(config) as manifest:
        planner = _planned(config, manifest, stop.check)
        going, waiting = _sorted(planner, manifest)
        if no := _refusal(config, planner, manifest, going, force=force):
            raise PruneRefused(f"nothing was deleted: {no}")
        verdicts = remove(going, planner, manifest, Removal(config.target), stop.check) if going else []
        manifest.backup()
        return Pruned(_by_path((*verdicts, *waiting)))


@contextmanager
def _opened(config: Config) -> Iterator[Manifest]:
    Manifest.reader(config).close()  # raises if there is no manifest: with nothing to delete, none is made
    with Manifest.for_config(config) as manifest:
        yield manifest


def _planned(config: Config, memory: Manifest | Reader, check: Callable[[], None]) -> Planner:
    """A complete plan."""
    target = LocalTarget(config.target, "prune")
    planner = Planner(config, memory, PlanOptions(), source_of(config.sources), target, check)
    for _ in planner.decisions():
        check()
    return planner


def _sorted(planner: Planner, memory: Manifest | Reader) -> tuple[list[Orphan], list[Verdict]]:
    """The orphans that may go, and those that no earlier run has seen."""
    orphans, seen = find(planner, memory), memory.orphans.seen()
    waiting = [
        Verdict(orphan, Fate.WAITING, "the next run is to see it first")
        for orphan in orphans
        if orphan.target not in seen
    ]
    return [orphan for orphan in orphans if orphan.target in seen], waiting


def _refusal(config: Config, planner: Planner, memory: Manifest | Reader, going: list[Orphan], *, force: bool) -> str:
    if not going:
        return ""
    kind, no = refusal(planner, going, memory, force=force)
    return f"{no}; if that is right: pipeline prune {config.path.name} --delete --force" if kind == "many" else no


def _by_path(verdicts: tuple[Verdict, ...]) -> tuple[Verdict, ...]:
    return tuple(sorted(verdicts, key=lambda verdict: os.fsencode(verdict.orphan.target)))
