"""A source, a target and a memory for the plan: real folders, and a manifest that is a dictionary."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from pipeline.config.settings import (
    Config,
    OnCollision,
    Order,
    RuleSettings,
    SourceSettings,
    TargetSettings,
    WorkerSettings,
)
from pipeline.manifest.failures import KnownFailure
from pipeline.manifest.reader import Row
from pipeline.model.job import Job
from pipeline.model.only import Only
from pipeline.model.record import KnownRendition, KnownSource, Reason, Record, Status
from pipeline.model.source import Stat
from pipeline.model.spec import Limits, Spec
from pipeline.plan.naming import Naming
from pipeline.plan.options import PlanOptions
from pipeline.plan.planner import Planner
from pipeline.plan.recipe import recipe_id
from pipeline.plan.rules import Rules
from pipeline.sources.local import LocalSource
from pipeline.targets.local import LocalTarget

JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF"
THUMB = Spec("thumb", 320, 320)
LARGE = Spec("large", 1200)


class FakeFailures:
    """`FailureMemory` by a dictionary."""

    def __init__(self) -> None:
        self.by_source: dict[str, dict[str, KnownFailure]] = {}

    def of(self, source: str) -> dict[str, KnownFailure]:
        return self.by_source.get(source, {})


class FakeMemory:
    """`Memory` by dictionaries."""

    def __init__(self) -> None:
        self.failures = FakeFailures()
        self.sources: dict[str, KnownSource] = {}
        self.claims: set[str] = set()

    def known_sources(
        self, folder: str, after: str | None = None, through: str | None = None
    ) -> dict[str, KnownSource]:
        by_source = {}
        for path in sorted(self.sources, key=os.fsencode):
            its_folder, _, name = path.rpartition("/")
            raw = os.fsencode(name)
            if (
                its_folder == folder
                and (after is None or raw > os.fsencode(after))
                and (through is None or raw <= os.fsencode(through))
            ):
                by_source[path] = self.sources[path]
        return by_source

    def rows(self, folder: str, after: str | None = None, through: str | None = None) -> list[Row]:
        by_source: list[Row] = []
        for path, known in self.known_sources(folder, after, through).items():
            stat = (os.fsencode(path), known.stat.size, known.stat.mtime_ns, known.stat.ctime_ns)
            made = known.settled and known.status in (Status.DONE, Status.KEPT) and known.stat.sidecar is None
            for name, file in sorted(known.renditions.items()):
                plain = made and file.status in (Status.DONE, Status.KEPT)
                row = (name, os.fsencode(file.target), file.recipe, file.size or 0, file.mtime_ns or 0, int(plain))
                by_source.append((*stat, *row))
            if not known.renditions:
                by_source.append((*stat, None, None, None, None, None, None))  # type: ignore[arg-type]
        return by_source

    def outside(self, only: Only, prefix: str) -> list[str]:
        del only, prefix
        return []

    def origins(self, folder: str, after: str | None = None, through: str | None = None) -> dict[str, Stat]:
        return {}

    def folders(self) -> Iterator[str]:
        return iter(sorted({path.rpartition("/")[0] for path in self.sources}, key=os.fsencode))

    def claimed(self, targets: list[str]) -> set[str]:
        return self.claims & set(targets)


class House:
    """A source and a target folder, and a memory of what was made."""

    def __init__(self, root: Path, *specs: Spec, on_collision: OnCollision = OnCollision.FAIL) -> None:
        self.source, self.target = root / "source", root / "target"
        self.source.mkdir()
        self.target.mkdir()
        self.memory = FakeMemory()
        self.specs = specs or (THUMB,)
        self.config_rules: tuple[RuleSettings, ...] = ()
        self.order = Order.AUTO
        self.source_settings = SourceSettings(self.source)
        self.target_settings = TargetSettings(self.target, on_collision=on_collision)

    @property
    def rules(self) -> Rules:
        return Rules(self.specs, self.config_rules)

    def put(self, *names: str | bytes, content: bytes = JPEG) -> None:
        for name in names:
            path = os.path.join(os.fsencode(self.source), os.fsencode(name))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(content)

    def targets(self, source: str) -> tuple[str, ...]:
        folder, _, name = source.rpartition("/")
        return Naming(self.target_settings, self.rules).targets(folder, [name])[0]

    def make(self, *sources: str, settled: bool = True) -> None:
        """As if a run had made all renditions of these."""
        for source in sources:
            folder, _, name = source.rpartition("/")
            (stat,) = LocalSource(self.source_settings).stats(folder, [name])
            assert stat is not None
            renditions = {}
            specs = self.rules.of(source).specs
            for spec, target in zip(specs, self.targets(source), strict=True):
                path = self.target / target
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(b"made")
                mtime = os.stat(path).st_mtime_ns
                renditions[spec.name] = KnownRendition(
                    target, recipe_id(spec, specs), Status.DONE, None, 4, mtime, b"hash of target"
                )
                self.memory.claims.add(target)
            self.memory.sources[source] = KnownSource(
                source, stat, b"hash of source", settled, Status.DONE, None, renditions
            )

    def planner(self, **options: object) -> Planner:
        config = Config(
            self.source.parent / "config.yaml",
            (self.source_settings,),
            self.target_settings,
            self.specs,
            WorkerSettings(),
            Limits(),
            self.target / ".pipeline/manifest.sqlite",
            order=self.order,
            rules=self.config_rules,
        )
        return Planner(
            config,
            self.memory,
            PlanOptions(**options),  # type: ignore[arg-type]
            LocalSource(self.source_settings),
            LocalTarget(self.target_settings, "r"),
        )

    def plan(self, **options: object) -> dict[str, dict[str, Reason] | str]:
        """Per source: the reasons by rendition, or the status and error of a record."""
        return reported(list(self.planner(**options).decisions()))


def reported(decisions: list[Job | Record]) -> dict[str, dict[str, Reason] | str]:
    by_source: dict[str, dict[str, Reason] | str] = {}
    for decision in decisions:
        assert decision.source not in by_source
        if isinstance(decision, Job):
            by_source[decision.source] = {planned.spec.name: planned.reason for planned in decision.planned}
        else:
            errors = [decision.error, *(rendition.error for rendition in decision.renditions)]
            by_source[decision.source] = ": ".join([decision.status, *(error.kind for error in errors if error)])
    return by_source
