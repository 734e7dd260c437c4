"""What the plan hands to the run: a source picture, and the renditions to be made of it."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.model.record import Reason, RenditionRecord
from pipeline.model.source import Stat
from pipeline.model.spec import Spec


@dataclass(frozen=True, slots=True)
class Planned:
    """One rendition to be made: what, where to, and why."""

    spec: Spec
    target: str
    recipe: str
    reason: Reason
    ours: bool = False  # the target path is claimed already: a file there was made by this config and may be replaced


@dataclass(frozen=True, slots=True)
class Job:
    """One source picture to be carried to all renditions that are missing or stale.

    `known_sha256` is what the last run's renditions were made from (`KnownSource.made_from`), when there was one: a job
    whose every reason is `source changed` and whose content still has this hash is `touched`, not rendered; `unchanged`
    where even its stat is the remembered one.
    """

    source: str
    stat: Stat
    planned: tuple[Planned, ...]
    known_sha256: bytes | None = None
    refused: tuple[RenditionRecord, ...] = ()  # renditions that have failed without being tried: part of the record
    stat_is_new: bool = True  # False: it is the remembered one, which was taken too early to be trusted
