"""What the command line may ask of a plan."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.plan.shard import Shard


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """The options of one plan."""

    force: bool = False  # render everything again
    only: tuple[str, ...] = ()  # globs; other sources are left out of the plan
    shard: Shard | None = None  # only its pictures
    limit: int | None = None  # stop after that many jobs
    look: bool = False  # read first bytes and sidecars, because no run follows that would read them
    adopt: bool = False  # compare with files at unclaimed target paths, and keep them where they are equal
    replace: bool = False  # and write over those that differ, if they have the rendition's format and size
