"""What is to be done about one source: pure, from the facts that the planner has collected."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.errors import ErrorKind, PictureError
from pipeline.manifest.failures import KnownFailure
from pipeline.model.job import Job, Planned
from pipeline.model.record import KnownRendition, KnownSource, Reason, Record, RenditionRecord, Status
from pipeline.model.source import Stat
from pipeline.model.spec import Spec


@dataclass(frozen=True, slots=True)
class Facts:
    """One source as it is and as it is remembered. The sequences are in the order of the specs."""

    source: str
    stat: Stat
    known: KnownSource | None
    targets: Sequence[str]
    found: Sequence[Stat | None]  # at those targets
    reasons: Sequence[Reason]
    failures: Mapping[str, KnownFailure] = field(default_factory=dict)  # by rendition, where one is the reason


def unclaimed(facts: Facts) -> list[str]:
    """Targets to be made where there is a file that the source's own records do not speak of. Claims may."""
    if not any(facts.found):
        return []
    known = facts.known.renditions if facts.known else {}
    recorded = {one.target for one in known.values() if was_made(one)}
    return [
        target
        for target, there, why in zip(facts.targets, facts.found, facts.reasons, strict=True)
        if there is not None and why is not Reason.UNCHANGED and target not in recorded
    ]


def was_made(known: KnownRendition) -> bool:
    """Whether a run has written this target, so that the file there, if any, is ours."""
    return known.size is not None


def decide(
    facts: Facts,
    specs: Sequence[Spec],
    recipes: Sequence[str],
    foreign: Collection[str],
    others: Mapping[str, str],
    *,
    adopt: bool,
) -> Job | Record:
    """The job, or the record where every rendition that is due is refused.

    `foreign` are those of `unclaimed` that are not claimed; of them `others` belong to another config, whatever is to
    be adopted. To be called for sources with something to do.
    """
    known = facts.known
    recorded = {one.target for one in known.renditions.values() if was_made(one)} if known else set()
    planned: list[Planned] = []
    refused: list[RenditionRecord] = []
    for spec, recipe, target, there, why in zip(specs, recipes, facts.targets, facts.found, facts.reasons, strict=True):
        if why is Reason.UNCHANGED:
            continue
        if why is Reason.KNOWN_FAILURE:
            refused.append(RenditionRecord(spec.name, target, recipe, Status.FAILED, why, _known(facts, spec)))
        elif target in others or (target in foreign and not adopt):
            error = PictureError(ErrorKind.NOT_OURS, _whose(target, others))
            refused.append(RenditionRecord(spec.name, target, recipe, Status.FAILED, why, error))
        else:
            ours = target not in foreign and (there is not None or target in recorded)
            planned.append(Planned(spec, target, recipe, why, ours))
    if not planned:
        return _refusal(facts, tuple(refused))
    to_compare = _hash_to_compare(facts, planned, refused)
    stat_is_new = known is None or not known.stat.same_content(facts.stat)
    return Job(facts.source, facts.stat, tuple(planned), to_compare, tuple(refused), stat_is_new)


def _whose(target: str, others: Mapping[str, str]) -> str:
    if target in others:
        return f"'{target}' belongs to the config {others[target]}"
    return f"'{target}' was not made by this config (run --adopt takes it if it is equal)"


def _known(facts: Facts, spec: Spec) -> PictureError:
    return facts.failures[spec.name].error


def _hash_to_compare(facts: Facts, planned: Sequence[Planned], refused: Sequence[RenditionRecord]) -> bytes | None:
    """The last content hash, which tells whether `source changed` holds. With refusals there is a record to make."""
    if facts.known is None or refused or any(one.reason is Reason.FORCED for one in planned):
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
