"""What the plan needs of the manifest. `manifest.store.Manifest` and `manifest.reader.Reader` both provide it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from pipeline.manifest.failures import KnownFailure
from pipeline.manifest.reader import Row
from pipeline.model.only import Only
from pipeline.model.record import KnownSource
from pipeline.model.source import Stat


class FailureMemory(Protocol):
    """The failures of earlier runs."""

    def of(self, source: str) -> Mapping[str, KnownFailure]:
        """What is known to have failed of `source`, by rendition; "" is the source itself."""
        ...


class Memory(Protocol):
    """What earlier runs recorded. Names are ordered by their bytes. Called by the plan's thread."""

    @property
    def failures(self) -> FailureMemory:
        """Their failures."""
        ...

    def known_sources(
        self, folder: str, after: str | None = None, through: str | None = None
    ) -> dict[str, KnownSource]:
        """Sources directly in `folder` with `after` < name <= `through` (None: no bound), by relative path."""
        ...

    def rows(self, folder: str, after: str | None = None, through: str | None = None) -> list[Row]:
        """The same sources as plain rows, by the bytes of their paths and of the names of their renditions."""
        ...

    def outside(self, only: Only, prefix: str) -> list[str]:
        """The pictures of the source with this prefix that were taken, and that `only` leaves out by their headers."""
        ...

    def origins(self, folder: str, after: str | None = None, through: str | None = None) -> dict[str, Stat]:
        """Of the same sources those that are URLs; see `Origins`."""
        ...

    def folders(self) -> Iterator[str]:
        """All folders with remembered sources, sorted by bytes; "" is the root."""
        ...

    def claimed(self, targets: list[str]) -> set[str]:
        """Those of `targets` that this config has claimed."""
        ...
