"""Files that are too young to be taken: somebody may still be writing them."""

from __future__ import annotations

import functools
import time

from pipeline.config.settings import Config
from pipeline.manifest.place import sources_of_runs
from pipeline.model.source import Stat


class Settling:
    """Tells which files of a config's sources are younger than the `settle` of their source."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def seconds(self, source: str, stat: Stat) -> float:
        """The `settle` of its source, in seconds, if the file is younger than that; else 0.

        The manifest and other files that runs write never count as young: a watch would wait for them again and again.
        """
        settings = self._config.source_of(source)
        if settings is None or abs(time.time() - stat.changed_ns / 1e9) >= settings.settle:
            return 0.0
        return 0.0 if source in self._files_of_runs else settings.settle

    @functools.cached_property
    def _files_of_runs(self) -> frozenset[str]:
        return sources_of_runs(self._config)
