"""The order in which pictures are worked on: sources that can wait are set aside until the others have been planned.

A changed config concerns every picture and may take longer than one night. New, missing and damaged pictures go first,
so that pictures uploaded today are there tomorrow.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from itertools import groupby

from pipeline.config.settings import Order
from pipeline.model.record import Reason
from pipeline.plan.decision import Facts

AT_ONCE = 1000  # sources in a batch
_OF_THE_CONFIG = (Reason.RECIPE_CHANGED, Reason.NEW, Reason.FORCED, Reason.UNCHANGED, Reason.KNOWN_FAILURE)


class Aside:
    """Sources with something to do that wait, and the order in which they come back. About 100 bytes each."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._sources: list[str] = []
        self._keys = array("q")  # their sort keys

    def takes(self, facts: Facts) -> bool:
        """Set the source aside until all others have been planned, and return whether it was."""
        match self._order:
            case Order.PATH:
                return False
            case Order.AUTO:
                if not _only_of_the_config(facts):
                    return False
                key = 0
            case Order.NEWEST:
                key = -facts.stat.changed_ns
            case Order.SMALLEST:
                key = facts.stat.size
        self._sources.append(facts.source)
        self._keys.append(key)
        return True

    def batches(self) -> Iterator[tuple[str, list[str]]]:
        """The sources set aside, in their order, as runs of neighbours: a folder and some of its names."""
        in_order = sorted(range(len(self._sources)), key=self._keys.__getitem__)  # stable: by path where keys are equal
        parts = (self._sources[number].rpartition("/") for number in in_order)
        for folder, of_one in groupby(parts, key=lambda part: part[0]):
            names = [name for _, _, name in of_one]
            for start in range(0, len(names), AT_ONCE):
                yield folder, names[start : start + AT_ONCE]


def _only_of_the_config(facts: Facts) -> bool:
    """Whether the source and its targets are as they were, so that only a changed config asks for something.

    A rendition is new to a picture that has others because an earlier config did not ask for it.
    """
    known = facts.known
    if known is None or known.error is not None or not known.renditions or not known.stat.same_content(facts.stat):
        return False
    made = {rendition.target: (rendition.size, rendition.mtime_ns) for rendition in known.renditions.values()}
    return all(
        why in _OF_THE_CONFIG
        and (why is not Reason.RECIPE_CHANGED or (file and (file.size, file.mtime_ns)) == made[target])
        for target, file, why in zip(facts.targets, facts.files, facts.reasons, strict=True)
    )
