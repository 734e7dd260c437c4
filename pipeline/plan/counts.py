"""How far a plan has come."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from pipeline.model.record import Reason


@dataclass(slots=True)
class Counts:
    """How far the plan has come and what it has left out; written by the plan's thread, to be read by any."""

    entries: int = 0  # names met in folders, all kinds
    sources: int = 0  # of these, what is wanted by its name; final after the first pass
    seen: int = 0  # of these, dealt with by the second pass
    jobs: int = 0
    bytes: int = 0  # of the jobs' sources, so far
    unchanged: int = 0  # pictures with nothing to do
    unsupported: int = 0  # remembered as such
    skipped: Counter[str] = field(default_factory=Counter)  # entries that are no files, by what they are
    reasons: Counter[Reason] = field(default_factory=Counter)  # of renditions, unchanged ones too
    orphans: int = 0  # so far; final when the plan is complete

    @property
    def bytes_expected(self) -> int:
        """The bytes that all jobs will have, if the sources to come are like those seen."""
        return self.bytes * self.sources // self.seen if self.seen else 0
