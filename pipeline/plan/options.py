"""What the command line may ask of a plan."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """Of one plan, for one run."""

    force: bool = False  # render everything again
    only: tuple[str, ...] = ()  # globs; other sources are left out of the plan
    limit: int | None = None  # stop after that many jobs
    look: bool = False  # at the first bytes and sidecars, because no run is going to read them
    adopt: bool = False  # files at unclaimed target paths may be compared with, and kept where equal
    replace: bool = False  # and written over where they differ, if format and size are those of the rendition
