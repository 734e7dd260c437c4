"""The quick way through the plan: rows of the manifest are compared with the stats of files, by the thousand.

Nearly every source of nearly every run is unchanged, and so are its targets. This module builds the rows that the
manifest would hold if nothing had changed and compares them with the rows that it does hold. Where both lists are
equal, a thousand sources are done at once; the planner examines only the others. The answer is that of
`reasons.nothing_to_do`. A plan takes 8 microseconds for a source with one rendition instead of 20, listing and naming
included: 4 of them for two calls of stat, 2 for SQLite.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import chain, repeat

from pipeline.manifest.reader import Row
from pipeline.manifest.values import to_bytes
from pipeline.model.record import KnownSource
from pipeline.plan.memory import Memory
from pipeline.plan.naming import Naming
from pipeline.plan.rules import RenditionSet
from pipeline.plan.shard import Asked
from pipeline.sources.source import Folder, Source
from pipeline.targets.target import Target

CHUNK = 1000  # renditions looked up at once: their rows take 1 MB

_FEW = 4  # up to a quarter is looked up name by name: 25 microseconds each, where all together take 8 each


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some neighbouring names of a folder: those left to the planner, and counts of the others.

    `names` are in order. `known` may hold more sources than those.
    """

    names: Sequence[str]
    known: dict[str, KnownSource]  # by source
    missing: dict[str, KnownSource]  # remembered between them, and gone from the folder
    unchanged: int  # of the neighbours: files with nothing to do
    renditions: int  # of those files
    not_asked: int


class Glance:
    """Finds the sources that are new or have changed since the manifest recorded them. For the plan's thread."""

    def __init__(
        self,
        memory: Memory,
        source: Source,
        target: Target,
        naming: Naming,
        *,
        asked: Asked,
        force: bool,
    ) -> None:
        """With `force` everything differs."""
        self._memory = memory
        self._source = source
        self._target = target
        self._naming = naming
        self._most = max(len(rule_set.specs) for rule_set in naming.rules.sets)
        self._asked = asked
        self._force = force

    def chunks(self, folder: Folder, apart: Collection[str]) -> Iterator[Chunk]:
        """All of the folder and all that is remembered of it. The planner gets the sources in `apart` in any case."""
        after, left = None, folder.count
        for names in folder.chunks(max(1, CHUNK // self._most)):
            left -= len(names)
            through = names[-1] if left else None
            yield self._chunk(folder, names, after, through, apart)
            after = through

    def _chunk(
        self, folder: Folder, names: list[str], after: str | None, through: str | None, apart: Collection[str]
    ) -> Chunk:
        asked = names
        if self._asked:
            asked = [name for name in names if self._asked.covers(folder.source(name))]
        same, others = _Same(), True
        if not self._force:
            plain = self._plain(folder, asked, apart)
            same, others = self._unchanged(folder, names, plain, after, through)
        due = [name for name in asked if name not in same.names] if len(same.names) < len(asked) else []
        known = self._known(folder, names, due, after, through, others=others)
        listed = set(folder.sources(names)) if others else known.keys()
        missing = {source: remembered for source, remembered in known.items() if source not in listed}
        return Chunk(due, known, missing, len(same.names), same.renditions, len(names) - len(asked))

    def _plain(self, folder: Folder, names: list[str], apart: Collection[str]) -> list[str]:
        """The names that are files without a sidecar and not in `apart`: nearly always all of them."""
        if folder.skipped or folder.sidecars:
            names = [name for name in names if name not in folder.skipped and name not in folder.sidecars]
        return [name for name in names if folder.source(name) not in apart] if apart else names

    def _unchanged(
        self, folder: Folder, names: list[str], plain: list[str], after: str | None, through: str | None
    ) -> tuple[_Same, bool]:
        """The names in `plain` that are as remembered, and whether sources beside `names` may be remembered."""
        rows = self._memory.rows(folder.path, after, through) if plain else []
        if not rows:
            return _Same(), not plain
        same, kept = _Same(), dict[bytes, list[Row]]()
        for wanted, of_set in self._naming.rules.split(folder.path, plain):
            paths, expected = self._expected(folder, of_set, wanted)
            number = len(wanted.specs)
            if rows == expected:
                return _Same(set(of_set), len(of_set) * number), False
            if not kept:
                for row in rows:
                    kept.setdefault(row[0], []).append(row)
            equal = {
                name
                for at, (name, path) in enumerate(zip(of_set, paths, strict=True))
                if kept.get(path) == expected[at * number : (at + 1) * number]
            }
            same = _Same(same.names | equal, same.renditions + len(equal) * number)
        return same, not kept.keys() <= set(_all_bytes(folder.sources(names)))

    def _expected(self, folder: Folder, names: Sequence[str], wanted: RenditionSet) -> tuple[list[bytes], list[Row]]:
        """The paths of `names`, and the rows that the manifest holds of them if nothing has changed."""
        paths = _all_bytes(folder.sources(names))
        sizes, modified, changed = zip(*self._source.raw_stats(folder.path, names), strict=True)
        targets = self._naming.columns(folder.path, names, wanted.specs)
        columns = []
        each = zip(wanted.specs, wanted.recipes, targets, strict=True)
        for spec, recipe, of_spec in sorted(each, key=lambda entry: to_bytes(entry[0].name)):  # as rows come
            raw = _all_bytes(of_spec)
            made_sizes, made = zip(*self._target.raw_stats(of_spec), strict=True)
            columns.append(
                zip(
                    paths, sizes, modified, changed, repeat(spec.name), raw, repeat(recipe), made_sizes, made, repeat(1)
                )
            )
        return paths, list(chain.from_iterable(zip(*columns, strict=True)))

    def _known(
        self,
        folder: Folder,
        names: list[str],
        due: list[str],
        after: str | None,
        through: str | None,
        *,
        others: bool,
    ) -> dict[str, KnownSource]:
        """What is remembered of the sources in `due`; with `others`, of all sources between the bounds."""
        if others or len(due) * _FEW > len(names):
            return self._memory.known_sources(folder.path, after, through)
        before = dict(zip(names[1:], names, strict=False)) if due else {}
        known: dict[str, KnownSource] = {}
        for name in due:
            known |= self._memory.known_sources(folder.path, before.get(name, after), name)
        return known


@dataclass(frozen=True, slots=True)
class _Same:
    """Files with nothing to do, and the number of their renditions."""

    names: Set[str] = frozenset()
    renditions: int = 0


def _all_bytes(names: Sequence[str]) -> list[bytes]:
    """`to_bytes` of each; names hold no NUL."""
    return to_bytes("\0".join(names)).split(b"\0")
