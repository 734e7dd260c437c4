"""Several sources as one: the names of each begin with a folder of their own, its prefix."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from pipeline.config.settings import StoreSettings
from pipeline.model.source import Stat
from pipeline.model.spec import Limits
from pipeline.sources.source import Folder, Origins, Picture, RawStat, Source
from pipeline.workers.token import Token


class SeveralSources:
    """A `Source` that passes each call on to the source with the name's prefix. What these raise passes through."""

    def __init__(self, sources: Mapping[str, Source]) -> None:
        """`sources` by prefix, which is one part of a path. Nothing else is in the root."""
        self._sources = dict(sources)

    def check(self) -> None:
        """Check each of them; see `Source`."""
        for source in self._sources.values():
            source.check()

    def folders(self, apart: Sequence[Path | StoreSettings]) -> Iterator[Folder]:
        """The folders of all of them; see `Source`."""
        for prefix, source in self._sources.items():
            for folder in source.folders(apart):
                yield replace(folder, path=f"{prefix}/{folder.path}" if folder.path else prefix)

    def list_types(self) -> dict[str, set[str]]:
        """Those of all of them together; see `Source`."""
        together: dict[str, set[str]] = {}
        for source in self._sources.values():
            for name, types in source.list_types().items():
                together.setdefault(name, set()).update(types)
        return together

    def stats(self, folder: str, names: Sequence[str], sidecars: Container[str] = frozenset()) -> list[Stat | None]:
        """See `Source`."""
        source, rest = self._at(folder)
        return source.stats(rest, names, sidecars)

    def raw_stats(self, folder: str, names: Sequence[str]) -> list[RawStat]:
        """See `Source`."""
        source, rest = self._at(folder)
        return source.raw_stats(rest, names)

    def sniff(self, source: str) -> str | None:
        """See `Source`."""
        of, rest = self._at(source)
        return of.sniff(rest)

    def skips(self, source: str) -> bool:
        """See `Source`."""
        of, rest = self._at(source)
        return of.skips(rest)

    def close(self) -> None:
        """Close each of them; see `Source`."""
        for source in self._sources.values():
            source.close()

    def remember(self, origins: Origins) -> None:
        """See `Source`."""
        for source in self._sources.values():
            source.remember(origins)

    def turn(self, source: str, stat: Stat, token: Token) -> AbstractContextManager[None]:
        """See `Source`."""
        of, rest = self._at(source)
        return of.turn(rest, stat, token)

    def read(self, source: str, stat: Stat, limits: Limits) -> Picture:
        """See `Source`."""
        of, rest = self._at(source)
        return of.read(rest, stat, limits)

    def settled(self, source: str, stat: Stat, now: float) -> bool:
        """See `Source`."""
        of, rest = self._at(source)
        return of.settled(rest, stat, now)

    def _at(self, path: str) -> tuple[Source, str]:
        """The source of a listed folder or file, and the path that it has there."""
        prefix, _, rest = path.partition("/")
        return self._sources[prefix], rest
