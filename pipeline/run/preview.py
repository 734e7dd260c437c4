"""A plan for display only: nothing is locked, made or written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from pipeline.config.settings import Config
from pipeline.manifest.failures import KnownFailure
from pipeline.manifest.others import at_hand
from pipeline.manifest.reader import Row
from pipeline.manifest.store import Manifest
from pipeline.model.only import Only
from pipeline.model.record import KnownSource
from pipeline.model.source import Stat
from pipeline.plan.memory import Memory
from pipeline.plan.options import PlanOptions
from pipeline.plan.planner import Planner
from pipeline.sources.opening import source_of
from pipeline.targets.opening import target_of


class _NoFailures:
    def of(self, source: str) -> dict[str, KnownFailure]:
        del source
        return {}


class _Nothing:
    """The manifest before the first run: empty."""

    failures = _NoFailures()

    def known_sources(
        self, folder: str, after: str | None = None, through: str | None = None
    ) -> dict[str, KnownSource]:
        del folder, after, through
        return {}

    def rows(self, folder: str, after: str | None = None, through: str | None = None) -> list[Row]:
        del folder, after, through
        return []

    def outside(self, only: Only, prefix: str) -> list[str]:
        del only, prefix
        return []

    def origins(self, folder: str, after: str | None = None, through: str | None = None) -> dict[str, Stat]:
        del folder, after, through
        return {}

    def folders(self) -> Iterator[str]:
        return iter(())

    def claimed(self, targets: list[str]) -> set[str]:
        del targets
        return set()


@contextmanager
def planned(config: Config, options: PlanOptions) -> Iterator[Planner]:
    """The plan of `config`, to be iterated within the block. Raises `PipelineError`."""
    with ExitStack() as stack:
        memory: Memory = _Nothing()
        target = target_of(config.target, "plan")
        mending = True
        if path := at_hand(config):
            # To adopt is to take over the manifest of another config, too.
            reader = Manifest.reader_at(path, shared=config.shared) if options.adopt else Manifest.reader(config)
            memory = stack.enter_context(reader)
            target.remember(reader.shards)
            mending = reader.restored
        if mending:  # as the run does then
            options = replace(options, adopt=True)
        options = replace(options, look=True)  # as the run does when it reads
        planner = Planner(config, memory, options, source_of(config.sources), target)
        yield planner
