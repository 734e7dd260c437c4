"""How far a plan has come."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from pipeline.model.record import Reason


@dataclass(slots=True)
class Counts:
    """How far the plan has come and what it has left out. The plan's thread writes it, any thread may read it."""

    entries: int = 0  # names met in folders, all kinds
    sources: int = 0  # of these, the files that the config's patterns choose; final after the first pass
    seen: int = 0  # of these, decided about by the second pass
    jobs: int = 0
    bytes: int = 0  # of the jobs' sources, so far
    unchanged: int = 0  # pictures with nothing to do
    unsupported: int = 0  # not pictures, as the manifest remembers
    skipped: Counter[str] = field(default_factory=Counter)  # entries that are not regular files, by kind
    filtered: Counter[str] = field(default_factory=Counter)  # pictures outside of `only`, by the key they do not meet
    reasons: Counter[Reason] = field(default_factory=Counter)  # of renditions, unchanged ones too
    unknown: int = 0  # files at the targets of jobs that no manifest knows
    orphans: int = 0  # so far; final when the plan is complete

    @property
    def bytes_expected(self) -> int:
        """The bytes of all jobs, estimated by taking the sources still to come to be like those seen."""
        return self.bytes * self.sources // self.seen if self.seen else 0
