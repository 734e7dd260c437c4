"""The failures in a config's manifest, and trying them again."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.config.settings import Config
from pipeline.manifest.failures import KnownFailure
from pipeline.manifest.reader import Reader
from pipeline.manifest.store import Manifest
from pipeline.run.locking import held
from pipeline.sources.globs import Globs


@dataclass(frozen=True, slots=True)
class Listed:
    """One failure, and whether a run has reported it: then it is known, and not tried again by itself."""

    failure: KnownFailure

    @property
    def known(self) -> bool:
        """Whether a run has reported it."""
        return self.failure.reported is not None


def failures(config: Config) -> list[Listed]:
    """All failures of the config's renditions, by source. A source that failed itself comes once. Raises
    `PipelineError`.
    """
    with Manifest.reader(config) as reader:
        return listed(config, reader)


def retry(config: Config, globs: Sequence[str]) -> int:
    """Let the next run retry the failed sources that match (all, without globs); returns their number.

    Takes the run's locks. Raises `PipelineError`.
    """
    Manifest.reader(config).close()  # none is made
    wanted = Globs(tuple(globs))
    with (
        held(config, uuid.uuid4().hex),
        Manifest.for_config(config) as manifest,
    ):
        sources = {failure.source for failure in manifest.failures.everything()}
        matching = sorted(source for source in sources if not globs or wanted.covers(source))
        manifest.failures.forget(matching)
    return len(matching)


def listed(config: Config, reader: Reader) -> list[Listed]:
    """As `failures`, from a manifest that is open already."""
    everything = reader.failures.everything()
    names = {spec.name for spec in config.specs}
    whole = {failure.source for failure in everything if not failure.rendition}
    return [
        Listed(failure)
        for failure in everything
        if not failure.rendition or (failure.source not in whole and failure.rendition in names)
    ]
