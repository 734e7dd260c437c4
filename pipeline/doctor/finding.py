"""What one check of the set-up found."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Level(enum.StrEnum):
    """How serious a finding is."""

    OK = "ok"
    WARN = "warn"  # works, with fewer guarantees
    FAIL = "FAIL"  # a run would not work, or not as documented


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `pipeline doctor`. Texts may hold raw names of files; the code that prints them escapes them."""

    level: Level
    what: str
    detail: str
    advice: str = ""  # what to do about it


def ok(what: str, detail: str) -> Finding:
    """Nothing to do."""
    return Finding(Level.OK, what, detail)


def warn(what: str, detail: str, advice: str) -> Finding:
    """Works, with fewer guarantees."""
    return Finding(Level.WARN, what, detail, advice)


def fail(what: str, detail: str, advice: str) -> Finding:
    """Does not work."""
    return Finding(Level.FAIL, what, detail, advice)
