"""What the plan hands to the run: a source, and the renditions to be made of it."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.model.only import Only
from pipeline.model.pickling import quickly_pickled
from pipeline.model.record import Reason, RenditionRecord
from pipeline.model.source import Stat
from pipeline.model.spec import Spec


@quickly_pickled
@dataclass(frozen=True, slots=True)
class Planned:
    """One rendition to be made: what, where to, and why."""

    spec: Spec
    target: str
    recipe: str
    reason: Reason
    ours: bool = False  # whether the target path is claimed: this config made the file there and may replace it


@quickly_pickled
@dataclass(frozen=True, slots=True)
class Job:
    """One source and its renditions that are missing or stale.

    `known_sha256` is the hash that the last run's renditions were made from (`KnownSource.made_from`), if there was a
    run. Where all reasons are `source changed` and the content still has this hash, nothing is rendered: the status is
    `touched`, or `unchanged` where the stat is the remembered one, too.
    """

    source: str
    stat: Stat
    planned: tuple[Planned, ...]
    known_sha256: bytes | None = None
    refused: tuple[RenditionRecord, ...] = ()  # renditions that failed in the plan; they become part of the record
    stat_is_new: bool = True  # False: the remembered stat, which was taken too early to be trusted
    redated: bool = False  # whether its files get another date, also where its content is the same
    rule: int = 0  # the number of the config's rule that says what is made of it; 0: none
    only: Only | None = None  # which pictures its source takes; None: all
