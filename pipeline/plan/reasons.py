"""Why a rendition is in the plan: a pure function of what is remembered and what is there."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.model.record import KnownRendition, KnownSource, Reason, Status
from pipeline.model.source import Stat

_MADE = (Status.DONE, Status.KEPT)  # a tuple, because an enum's hash is computed in Python
_JUDGED = (*_MADE, Status.FAILED, Status.TOUCHED, Status.UNCHANGED)


def reason(known: KnownRendition | None, target: str, recipe: str, found: Stat | None) -> Reason:
    """The reason of one rendition, taking its source for unchanged. `found` is the file at `target`, if there is one.

    The first that holds, in this order: never made under this name, failed, another recipe, missing, damaged.
    """
    if known is None or known.target != target:
        return Reason.NEW
    if known.status not in _MADE:
        return Reason.RETRY
    if known.recipe != recipe:
        return Reason.RECIPE_CHANGED
    if found is None:
        return Reason.MISSING
    if (found.size, found.mtime_ns) != (known.size, known.mtime_ns):
        return Reason.DAMAGED
    return Reason.UNCHANGED


def reasons(
    known: KnownSource | None,
    stat: Stat,
    wanted: Sequence[tuple[str, str, str]],
    found: Sequence[Stat | None],
    *,
    force: bool = False,
) -> list[Reason]:
    """The reasons of all renditions of one source, in the order of `wanted`, which holds (name, target, recipe).

    `source changed` is said of renditions that have no reason of their own, when the source's stat differs from the
    remembered one or was taken too early to be trusted. So where every rendition has this reason, and the content turns
    out to be the same, there is nothing to do.
    """
    if force:
        return [Reason.FORCED] * len(wanted)
    if known is None or known.status not in _JUDGED:
        return [Reason.NEW] * len(wanted)
    own = [
        reason(known.renditions.get(name), target, recipe, there)
        for (name, target, recipe), there in zip(wanted, found, strict=True)
    ]
    if known.status is Status.FAILED and known.error is not None:  # the source itself failed, whatever is left of it
        return [Reason.RETRY if one is not Reason.NEW else one for one in own]
    if known.settled and known.stat.same_content(stat):
        return own
    return [Reason.SOURCE_CHANGED if one is Reason.UNCHANGED else one for one in own]


def nothing_to_do(
    known: KnownSource | None, stat: Stat, wanted: Sequence[tuple[str, str, str]], found: Sequence[Stat | None]
) -> bool:
    """Whether all `reasons` are `unchanged` and nothing else is remembered of the source. The quick way through.

    Nearly every source of nearly every run comes this way, so it makes no lists.
    """
    if (
        known is None
        or known.status not in _MADE
        or not known.settled
        or len(known.renditions) != len(wanted)
        or not known.stat.same_content(stat)
    ):
        return False
    renditions = known.renditions
    for (name, target, recipe), there in zip(wanted, found, strict=True):
        one = renditions.get(name)
        if (
            one is None
            or there is None
            or one.target != target
            or one.recipe != recipe
            or one.status not in _MADE
            or one.size != there.size
            or one.mtime_ns != there.mtime_ns
        ):
            return False
    return True
