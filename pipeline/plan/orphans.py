"""Targets that nothing in the source or the config asks for any more."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from dataclasses import dataclass

from pipeline.model.record import KnownSource, Status
from pipeline.plan.decision import was_made
from pipeline.plan.naming import Makers, NameIndex, name_hash

_GONE = "source gone"


@dataclass(frozen=True, slots=True)
class Orphan:
    """A file of ours that no record of a current source and rendition asks for."""

    source: str
    rendition: str
    target: str
    size: int
    why: str  # "source gone", "rendition gone", "renamed", "not a picture any more"


def orphans_of(known: KnownSource, why: str, current: Collection[tuple[str, str]] = ()) -> list[Orphan]:
    """The renditions of `known` that were made and are not among `current`, the pairs (rendition, target) of today.

    The reason is `why` where no current rendition has the name, and `renamed` where one has.
    """
    names = {name for name, _ in current}
    return [
        Orphan(known.source, name, rendition.target, rendition.size or 0, "renamed" if name in names else why)
        for name, rendition in sorted(known.renditions.items())
        if was_made(rendition) and (name, rendition.target) not in current
    ]


class Leftovers:
    """Records and files that the second pass finds without a source or without a place in the config."""

    def __init__(self) -> None:
        self.orphans: list[Orphan] = []
        self.gone: list[str] = []  # remembered sources that are gone and left no files of their own
        self.missing: list[str] = []  # all remembered sources that are gone and had failed

    def of(self, known: KnownSource, why: str, current: Collection[tuple[str, str]] = ()) -> bool:
        """Add the orphans of `known` (see `orphans_of`), and return whether there are any."""
        orphans = orphans_of(known, why, current) if known.renditions else []
        self.orphans += orphans
        return bool(orphans)

    def of_missing(self, known: KnownSource) -> None:
        """Take note of a source that is not there any more."""
        if known.status is Status.FAILED:
            self.missing.append(known.source)
        if not self.of(known, _GONE):
            self.gone.append(known.source)

    def settle(self, index: NameIndex, make: Callable[[Collection[int]], Makers]) -> None:
        """Drop what another source makes now: `photo.jpg` was replaced by `photo.png`, say; its record can go. The rest
        gets the order of the plan, where that has set sources aside.
        """
        contested = {name_hash(orphan.target) for orphan in self.orphans if index.holds(orphan.target)}
        if contested:
            current = {target for sharing in make(contested).values() for _, target in sharing}
            dropped = [orphan.source for orphan in self.orphans if orphan.target in current and orphan.why == _GONE]
            self.orphans = [orphan for orphan in self.orphans if orphan.target not in current]
            self.gone += sorted(set(dropped) - {orphan.source for orphan in self.orphans})
        self.orphans.sort(key=lambda orphan: tuple(map(os.fsencode, os.path.split(orphan.source))))
