"""What to do about one source: a pure function of the facts that the planner has collected."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pipeline.amounts import count
from pipeline.config.settings import Mtime, TargetSettings
from pipeline.errors import ErrorKind, PictureError
from pipeline.manifest.failures import KnownFailure
from pipeline.model.job import Job, Planned
from pipeline.model.only import Only
from pipeline.model.record import KnownRendition, KnownSource, Reason, Record, RenditionRecord, Status
from pipeline.model.source import Stat
from pipeline.model.spec import Spec
from pipeline.plan.options import PlanOptions
from pipeline.plan.rules import RenditionSet


@dataclass(frozen=True, slots=True)
class Facts:
    """One source as it is and as it is remembered. The sequences are in the order of the specs in `wanted`."""

    source: str
    stat: Stat
    known: KnownSource | None
    wanted: RenditionSet
    targets: Sequence[str]
    files: Sequence[Stat | None]  # at those targets; None where there is none
    reasons: Sequence[Reason]
    failures: Mapping[str, KnownFailure] = field(default_factory=dict)  # by rendition, where one is the reason


def unclaimed(facts: Facts) -> list[str]:
    """Due targets at which there is a file that the source's own records do not name. A claim may name it."""
    if not any(facts.files):
        return []
    known = facts.known.renditions if facts.known else {}
    recorded = {rendition.target for rendition in known.values() if was_made(rendition)}
    return [
        target
        for target, file, why in zip(facts.targets, facts.files, facts.reasons, strict=True)
        if file is not None and why is not Reason.UNCHANGED and target not in recorded
    ]


def was_made(known: KnownRendition) -> bool:
    """Whether a run has written this target. Then a file at its path is ours."""
    return known.size is not None


def decide(
    facts: Facts,
    foreign: Collection[str],
    others: Mapping[str, str],
    settings: TargetSettings,
    *,
    adopt: bool,
    only: Only | None = None,
) -> Job | Record:
    """The job, or a record where every due rendition is refused. For sources that have something to do.

    `foreign` holds the targets of `unclaimed` that no claim of this config covers. `others` maps those that belong to
    another config to its path; `adopt` does not apply to them.
    """
    known = facts.known
    recorded = {rendition.target for rendition in known.renditions.values() if was_made(rendition)} if known else set()
    planned: list[Planned] = []
    refused: list[RenditionRecord] = []
    specs, recipes = facts.wanted.specs, facts.wanted.recipes
    for spec, recipe, target, file, why in zip(specs, recipes, facts.targets, facts.files, facts.reasons, strict=True):
        if why is Reason.UNCHANGED:
            continue
        if why is Reason.KNOWN_FAILURE:
            refused.append(RenditionRecord(spec.name, target, recipe, Status.FAILED, why, _known(facts, spec)))
        elif target in others or (target in foreign and not adopt):
            error = PictureError(ErrorKind.NOT_OURS, _whose(target, others))
            refused.append(RenditionRecord(spec.name, target, recipe, Status.FAILED, why, error))
        else:
            ours = target not in foreign and (file is not None or target in recorded)
            planned.append(Planned(spec, target, recipe, why, ours))
    if not planned:
        return _refusal(facts, tuple(refused))
    to_compare = _hash_to_compare(facts, planned, refused)
    stat_is_new = known is None or not known.stat.same_content(facts.stat)
    stat = facts.stat
    if stat.remote is not None and (
        to_compare is None or any(rendition.reason != Reason.SOURCE_CHANGED for rendition in planned)
    ):
        stat = replace(stat, remote=stat.remote.validated(None, None))  # its bytes are needed in any case
    redated = settings.mtime is Mtime.SOURCE and known is not None and known.stat.dated_ns != stat.dated_ns
    rule = facts.wanted.rule
    return Job(facts.source, stat, tuple(planned), to_compare, tuple(refused), stat_is_new, redated, rule, only)


def _whose(target: str, others: Mapping[str, str]) -> str:
    if target in others:
        return f"'{target}' belongs to the config {others[target]}: give this one another target, or target.name"
    return f"'{target}' was not made by this config: move it away, or run --adopt takes it over if it is equal"


def in_the_way(number: int, options: PlanOptions) -> list[str]:
    """A line about so many files that no manifest knows at the targets of jobs, as after the manifest was deleted: then
    a run adopts by itself. No line where that was asked for, or a run without it has failures that say it.
    """
    if not number or options.replace or not (options.adopt or options.look):
        return []
    many = f"the target holds {count(number, 'file')}"
    if not options.adopt:
        return [f"{many} in the way that no manifest knows; if an earlier run made them: run --adopt"]
    equal = "those that equal what is made are taken over, others are `not ours`"
    remedy = "run --adopt=replace writes over those of the right format and size"
    return [f"{many} that no manifest knows; {equal}: if an earlier run made them, {remedy}"]


def _known(facts: Facts, spec: Spec) -> PictureError:
    return facts.failures[spec.name].error


def _hash_to_compare(facts: Facts, planned: Sequence[Planned], refused: Sequence[RenditionRecord]) -> bytes | None:
    """The last content hash, with which the run finds out whether the content has changed at all.

    None where the renditions are made in any case, or where refusals have to be recorded.
    """
    if facts.known is None or refused or any(rendition.reason is Reason.FORCED for rendition in planned):
        return None
    return facts.known.made_from


def _refusal(facts: Facts, refused: tuple[RenditionRecord, ...]) -> Record:
    known = facts.known
    if known is None or not known.stat.same_content(facts.stat):
        return Record(facts.source, facts.stat, Status.FAILED, refused)
    return Record(
        facts.source,
        facts.stat,
        Status.FAILED,
        refused,
        sha256=known.sha256,
        settled=known.settled,
        content=known.content,
    )
