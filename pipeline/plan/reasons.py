"""Why a rendition is in the plan: a pure function of the manifest's records and of the stats of files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pipeline.errors import ErrorKind
from pipeline.model.record import MADE, KnownRendition, KnownSource, Reason, Status
from pipeline.model.source import Stat

_JUDGED = (*MADE, Status.FAILED, Status.TOUCHED, Status.UNCHANGED)


def tolerated(known: KnownSource | None, *, truncated: bool) -> KnownSource | None:
    """What is known of a source. One that was made with damage counts as failed where this is tolerated no more."""
    if truncated or known is None or known.status is not Status.DAMAGED:
        return known
    return replace(known, status=Status.FAILED, error=ErrorKind.TRUNCATED)


def reason(known: KnownRendition | None, target: str, recipe: str, file: Stat | None) -> Reason:
    """The reason of one rendition whose source is unchanged. `file` is the stat of the file at `target`, if any.

    The first that holds, in this order: never made under this name, failed, another recipe, missing, damaged.
    """
    if known is None or known.target != target:
        return Reason.NEW
    if known.status not in MADE:
        return Reason.RETRY
    if known.recipe != recipe:
        return Reason.RECIPE_CHANGED
    if file is None:
        return Reason.MISSING
    if (file.size, file.mtime_ns) != (known.size, known.mtime_ns):
        return Reason.DAMAGED
    return Reason.UNCHANGED


def reasons(
    known: KnownSource | None,
    stat: Stat,
    wanted: Sequence[tuple[str, str, str]],
    files: Sequence[Stat | None],
    *,
    force: bool = False,
) -> list[Reason]:
    """The reasons of all renditions of one source, in the order of `wanted`, which holds (name, target, recipe).

    A rendition without a reason of its own has `source changed` when the source's stat differs from the remembered one
    or was taken too early to be trusted. So where every rendition has this reason and the content proves to be the
    same, there is nothing to do.
    """
    if force:
        return [Reason.FORCED] * len(wanted)
    if known is None or known.status not in _JUDGED:
        return [Reason.NEW] * len(wanted)
    own = [
        reason(known.renditions.get(name), target, recipe, file)
        for (name, target, recipe), file in zip(wanted, files, strict=True)
    ]
    if known.status is Status.FAILED and known.error is not None:  # the source itself failed
        return [Reason.NEW if why is Reason.NEW else Reason.RETRY for why in own]
    if known.settled and known.stat.same_content(stat):
        return own
    return [Reason.SOURCE_CHANGED if why is Reason.UNCHANGED else why for why in own]


def nothing_to_do(
    known: KnownSource | None, stat: Stat, wanted: Sequence[tuple[str, str, str]], files: Sequence[Stat | None]
) -> bool:
    """Whether all `reasons` are `unchanged` and nothing else is remembered of the source.

    Nearly every source of nearly every run is asked about, so this builds no lists.
    """
    if (
        known is None
        or known.status not in MADE
        or not known.settled
        or len(known.renditions) != len(wanted)
        or not known.stat.same_content(stat)
    ):
        return False
    renditions = known.renditions
    for (name, target, recipe), file in zip(wanted, files, strict=True):
        rendition = renditions.get(name)
        if (
            rendition is None
            or file is None
            or rendition.target != target
            or rendition.recipe != recipe
            or rendition.status not in MADE
            or rendition.size != file.size
            or rendition.mtime_ns != file.mtime_ns
        ):
            return False
    return True
