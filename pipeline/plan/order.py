"""In which order pictures are worked on: what can wait is set aside while the plan looks at the rest.

A changed config concerns every picture, and may take longer than one night. What is new, missing or damaged goes before
it, so that pictures that were uploaded today are there tomorrow.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from itertools import groupby

from pipeline.config.settings import Order
from pipeline.model.record import Reason
from pipeline.plan.decision import Facts

_AT_ONCE = 1000  # sources given out at once
_OF_THE_CONFIG = (Reason.RECIPE_CHANGED, Reason.NEW, Reason.FORCED, Reason.UNCHANGED, Reason.KNOWN_FAILURE)


class Aside:
    """Sources with something to do, in the order in which they are to be looked at again. About 100 bytes each."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._sources: list[str] = []
        self._keys = array("q")  # what they are sorted by

    def takes(self, facts: Facts) -> bool:
        """Whether the source is to wait until all others have been looked at; then it is set aside."""
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
        """What was set aside: a folder and some of its names, as often as the order goes from one to another."""
        in_order = sorted(range(len(self._sources)), key=self._keys.__getitem__)  # the same key: by path, as they came
        parts = (self._sources[number].rpartition("/") for number in in_order)
        for folder, of_one in groupby(parts, key=lambda part: part[0]):
            names = [name for _, _, name in of_one]
            for start in range(0, len(names), _AT_ONCE):
                yield folder, names[start : start + _AT_ONCE]


def _only_of_the_config(facts: Facts) -> bool:
    """Whether all is as it was made, and due only because other or more renditions are asked for than before.

    A rendition that is new of a picture that others were made of is one that the config did not ask for.
    """
    known = facts.known
    if known is None or known.error is not None or not known.renditions or not known.stat.same_content(facts.stat):
        return False
    made = {one.target: (one.size, one.mtime_ns) for one in known.renditions.values()}
    return all(
        why in _OF_THE_CONFIG
        and (why is not Reason.RECIPE_CHANGED or (there and (there.size, there.mtime_ns)) == made[target])
        for target, there, why in zip(facts.targets, facts.found, facts.reasons, strict=True)
    )
