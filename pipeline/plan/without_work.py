"""Sources of which nothing is made: they are decided about before their targets are looked at."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping

from pipeline.errors import PictureError
from pipeline.model.only import Only, key_of
from pipeline.model.record import KnownSource, Record, Status
from pipeline.model.source import Stat
from pipeline.plan.counts import Counts
from pipeline.plan.options import PlanOptions
from pipeline.plan.orphans import Leftovers
from pipeline.plan.settling import Settling
from pipeline.sources.magic import counts_as_raw, has_picture_name

NO_STAT = Stat(0, 0, 0)


def still_unsupported(known: KnownSource, stat: Stat, only: Only | None) -> bool:
    """Whether the file was recorded as not being a picture, is unchanged, and no camera raw that counts as one now."""
    if counts_as_raw(known.source, only):
        return False
    return known.status is Status.UNSUPPORTED and known.settled and known.stat.same_content(stat)


def filtered(known: KnownSource, stat: Stat, only: Only | None) -> str:
    """Why `only` leaves out a picture that is as remembered, by its header; "" where it does not, or has to be read."""
    header = known.header
    if only is None or header is None or not known.settled or not known.stat.same_content(stat):
        return ""
    return only.outside(header.format, *(known.upright or (header.width, header.height)))


def still_skipped(known: KnownSource, stat: Stat) -> bool:
    """Whether its sidecar excluded the picture, or its site did, and all is unchanged."""
    heeded = stat.remote is None or stat.remote.heeded
    return heeded and known.status is Status.SKIPPED and known.settled and known.stat.same_content(stat)


class WithoutWork:
    """Decides about such sources in the planner's thread: counts them, and notes the files that they have left."""

    def __init__(
        self,
        options: PlanOptions,
        counts: Counts,
        leftovers: Leftovers,
        collisions: Mapping[str, PictureError],
        settling: Settling,
        only: Callable[[str], Only | None],
        is_picture: Callable[[str], bool],
    ) -> None:
        """`only` gives the filter of a source, `is_picture` tells by name, record or first bytes what a run would
        read.
        """
        self._options = options
        self._counts = counts
        self._leftovers = leftovers
        self._collisions = collisions
        self._settling = settling
        self._only = only
        self._is_picture = is_picture

    def records(
        self, source: str, stat: Stat | None, kind: str | None, known: KnownSource | None
    ) -> tuple[Record, ...] | None:
        """What is to be recorded of the source, () for nothing new; None if its targets have to be looked at.

        `stat` is None where the file has gone, `kind` names an entry that is not a regular file.
        """
        if kind is not None:
            return self._skipped(source, kind, known)
        if stat is None:
            why = "since it was listed it has gone, or become something else than a file"
            return (Record(source, NO_STAT, Status.VANISHED, warnings=(why,)),)
        if source in self._collisions:
            return (Record(source, stat, Status.FAILED, error=self._collisions[source]),)
        if known is not None and (remembered := self._remembered(source, stat, known)) is not None:
            return remembered
        if self._options.look and not self._settling.seconds(source, stat) and not self._is_picture(source):
            return self._no_picture(source, stat, known)
        return None

    def _remembered(self, source: str, stat: Stat, known: KnownSource) -> tuple[Record, ...] | None:
        """Of a source that is as it was when it was found to be without work."""
        if not self._options.force and still_unsupported(known, stat, self._only(source)):
            self._counts.unsupported += 1
            self._leftovers.of(known, "not a picture any more")
            return ()
        if why := filtered(known, stat, self._only(source)):
            return self._filtered(source, stat, known, why)
        if still_skipped(known, stat):
            owner = "sidecar" if stat.remote is None else "site"
            self._counts.skipped[f"a picture whose {owner} says so"] += 1
            self._leftovers.of(known, f"skipped by its {owner}")
            return ()
        return None

    def _skipped(self, source: str, kind: str, known: KnownSource | None) -> tuple[Record, ...]:
        """Count an entry that is not a regular file. It is recorded once, and again when its kind changes."""
        stat = Stat(0, 0, zlib.crc32(kind.encode()))  # stands for the kind, which is all that is kept of it
        self._counts.skipped[kind] += 1
        if known is not None:
            self._leftovers.of(known, "not a picture any more")
            if known.status is Status.SKIPPED and known.stat.same_content(stat):
                return ()
        return (Record(source, stat, Status.SKIPPED, warnings=(kind,)),)

    def _filtered(self, source: str, stat: Stat, known: KnownSource, why: str) -> tuple[Record, ...]:
        """Count a picture that `only` leaves out. It is recorded once, and again when the reason changes."""
        self._leftovers.of(known, "left out by `only`")
        if known.status is Status.FILTERED and known.filtered == why:
            self._counts.filtered[key_of(why)] += 1
            return ()
        record = Record(
            source,
            stat,
            Status.FILTERED,
            sha256=known.sha256,
            header=known.header,
            warnings=(why,),
            content=known.content,
            upright=known.upright,
        )
        return (record,)

    def _no_picture(self, source: str, stat: Stat, known: KnownSource | None) -> tuple[Record, ...]:
        """Decide as a run would after reading: the file is not a picture, or its sidecar excludes it."""
        excluded = has_picture_name(source)
        if known is not None:
            self._leftovers.of(known, "skipped by its sidecar" if excluded else "not a picture any more")
        if excluded:
            return (Record(source, stat, Status.SKIPPED, warnings=("its sidecar says so",)),)
        self._counts.unsupported += 1
        return ()
