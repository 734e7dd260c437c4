"""What a look at the set-up found."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Level(enum.StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"  # works, and promises less
    FAIL = "FAIL"  # a run would not work, or not as it says


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `pipeline doctor`. Texts may hold names of files: whoever prints them makes them printable."""

    level: Level
    what: str
    detail: str
    advice: str = ""  # what to do about it


def ok(what: str, detail: str) -> Finding:
    """Nothing to do."""
    return Finding(Level.OK, what, detail)


def warn(what: str, detail: str, advice: str) -> Finding:
    """Works, and promises less."""
    return Finding(Level.WARN, what, detail, advice)


def fail(what: str, detail: str, advice: str) -> Finding:
    """Does not work."""
    return Finding(Level.FAIL, what, detail, advice)
