"""`pipeline plan`: what a run would do, and why."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.amounts import count, duration, of_each, size
from pipeline.cli.console import Colour, complain, tell
from pipeline.cli.options import Adopting, adopt_option, config_argument, json_option, only_option
from pipeline.errors import ExitStatus
from pipeline.program import to_copy

if TYPE_CHECKING:
    from pipeline.model.job import Job
    from pipeline.model.record import Record, Status
    from pipeline.plan.orphans import Orphan
    from pipeline.plan.planner import Planner
    from pipeline.run.prediction import Prediction


@click.command("plan", cls=Adopting)
@config_argument
@only_option
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="The first N pictures with work.")
@click.option("--force", is_flag=True, help="As `run --force` would plan.")
@adopt_option
@click.option("--check", is_flag=True, help="Status 1 if a run would make something: for CI and hooks.")
@click.option("--summary", is_flag=True, help="Only how many, why, and how long it will take.")
@json_option
def command(
    config: Path,
    only: tuple[str, ...],
    limit: int | None,
    force: bool,
    adopt: str | None,
    check: bool,
    summary: bool,
    as_json: bool,
) -> int:
    """Show what `pipeline run CONFIG` would do, a line a rendition, with the reason. Touches nothing."""
    if summary and as_json:
        raise click.UsageError("--json and --summary exclude each other")
    from pipeline.config.load import load
    from pipeline.model.job import Job
    from pipeline.plan.decision import in_the_way
    from pipeline.plan.options import PlanOptions
    from pipeline.run.prediction import Forecast, predicted
    from pipeline.run.preview import planned

    tell_job, tell_record, tell_orphan = (
        (_nothing, _nothing, _nothing)
        if summary
        else (_json_job, _json_record, _json_orphan)
        if as_json
        else (_job, _record, _orphan)
    )
    settings, forecast = load(config), Forecast()
    verdicts: Counter[Status] = Counter()
    makes = False
    adopts, replaces = adopt is not None, adopt == "replace"
    options = PlanOptions(force=force, only=only, limit=limit, adopt=adopts, replace=replaces)
    with planned(settings, options) as planner:
        for decision in planner.decisions():
            if isinstance(decision, Job):
                tell_job(decision, ", ".join(settings.rules[decision.rule - 1].match) if decision.rule else "")
                makes = makes or bool(decision.planned)
                forecast.add(decision)
            else:
                tell_record(decision)
                verdicts[decision.status] += 1
        for warning in (*in_the_way(planner.counts.unknown, planner.options), *planner.warnings):
            complain(f"pipeline: {warning}", Colour.WARNING)
        for record in planner.left_out:
            tell_record(record)
        for orphan in planner.orphans if planner.complete else ():
            tell_orphan(orphan)
        if not as_json:
            complain(_sentence(config.stem, planner, verdicts))
            if planner.counts.unsupported:
                listing = to_copy("manifest", "query", str(config), "status=unsupported", "--view", "pictures")
                complain(f"unsupported files are no pictures; those that runs have met are listed by: {listing}")
            if planner.counts.jobs:
                complain(_expected(predicted(settings, forecast)))
    return ExitStatus.FAILED if check and makes else ExitStatus.OK


def _nothing(_found: object, _rule: str = "") -> None:
    """Print no line: with `--summary`, this takes the place of the functions that print one."""


def _job(job: Job, rule: str) -> None:
    from pipeline.errors import printable

    by = f" (by the rule for {printable(rule)})" if rule else ""
    for planned in job.planned:
        tell(f"{planned.reason:<15} {printable(job.source)} -> {printable(planned.target)}{by}")
    for refused in job.refused:
        tell(f"{'refused':<15} {printable(job.source)} -> {printable(refused.target)} ({refused.error})")


def _record(record: Record) -> None:
    from pipeline.errors import printable

    reasons = [record.error, *(rendition.error for rendition in record.renditions), *record.warnings]
    why = next((str(reason) for reason in reasons if reason), "")
    tell(f"{record.status:<15} {printable(record.source)}" + (f" ({why})" if why else ""))


def _orphan(orphan: Orphan) -> None:
    from pipeline.errors import printable

    tell(f"{'orphan':<15} {printable(orphan.target)} ({orphan.why})")


def _json_job(job: Job, rule: str) -> None:
    by = {"rule": rule} if rule else {}
    for planned in job.planned:
        _json(source=job.source, rendition=planned.spec.name, target=planned.target, reason=planned.reason, **by)
    for refused in job.refused:
        _json(source=job.source, rendition=refused.name, target=refused.target, status="failed", why=str(refused.error))


def _json_record(record: Record) -> None:
    why = str(record.error) if record.error else "; ".join(record.warnings)
    _json(source=record.source, status=record.status, why=why)
    for rendition in record.renditions:
        _json(
            source=record.source,
            rendition=rendition.name,
            target=rendition.target,
            status=rendition.status,
            why=str(rendition.error),
        )


def _json_orphan(orphan: Orphan) -> None:
    _json(source=orphan.source, rendition=orphan.rendition, target=orphan.target, reason="orphan", why=orphan.why)


def _json(**fields: object) -> None:
    tell(json.dumps(fields, ensure_ascii=True))


def _expected(prediction: Prediction | None) -> str:
    if prediction is None:
        return "how long that takes: no earlier run to judge by"
    expected = f"about {duration(prediction.seconds)} and {size(prediction.bytes)}"
    return f"{expected}, judging by {count(prediction.pictures, 'picture')}"


def _sentence(name: str, planner: Planner, verdicts: Counter[Status]) -> str:
    from pipeline.model.record import Status

    counts = planner.counts
    reasons = of_each(dict(sorted(counts.reasons.items())))
    parts = [f"{count(counts.jobs, 'picture')} to render ({size(counts.bytes)})", f"{counts.unchanged:,} unchanged"]
    filtered = verdicts[Status.FILTERED] + counts.filtered.total()
    each: dict[str, int] = {**dict(sorted(verdicts.items())), Status.FILTERED: filtered}
    if others := of_each({**each, Status.UNSUPPORTED: counts.unsupported}):
        parts.append(others)
    if counts.orphans:
        parts.append(count(counts.orphans, "orphan"))
    return f"{name}: {', '.join(parts)}" + (f"; renditions: {reasons}" if reasons else "")
