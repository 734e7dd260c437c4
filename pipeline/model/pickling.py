"""Values that cross processes by the million are pickled quickly."""

from __future__ import annotations

import dataclasses
import operator
from typing import TypeVar

_T = TypeVar("_T")


def quickly_pickled(value: type[_T]) -> type[_T]:
    """The frozen dataclass `value`, which has slots and two fields at least, with the same pickles in a fifth of the
    time: what `dataclasses` generates for it asks for its fields each time. With it, a driver of a cluster spends a
    quarter less on each picture (`scripts.benchmarks.cluster`).
    """
    names = [field.name for field in dataclasses.fields(value)]  # type: ignore[arg-type]
    state = operator.attrgetter(*names)
    setters = [getattr(value, name).__set__ for name in names]

    def getstate(self: _T) -> object:
        return state(self)

    def setstate(self: _T, values: tuple[object, ...]) -> None:
        for put, each in zip(setters, values, strict=True):
            put(self, each)

    value.__getstate__ = getstate  # type: ignore[method-assign, assignment]
    value.__setstate__ = setstate  # type: ignore[attr-defined]
    return value
