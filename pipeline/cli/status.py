"""`pipeline status`: the last runs of a config at a glance."""

from __future__ import annotations

import datetime
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.amounts import count, duration, of_each, pace, size
from pipeline.cli.console import complain, tell
from pipeline.cli.options import config_argument

if TYPE_CHECKING:
    from pipeline.manifest.parts import State
    from pipeline.manifest.reader import Totals
    from pipeline.manifest.rounds import Round
    from pipeline.manifest.runs import RunSummary, Stages
    from pipeline.run.failures import Failed

_BAR = 30  # characters
_MOST_SHARDS = 20  # that have a line of their own


@click.command("status")
@config_argument
@click.option("--runs", "limit", type=click.IntRange(1, 1000), default=5, show_default=True, help="How many runs.")
@click.option("--profile", is_flag=True, help="Where the time of the last run that rendered anything went.")
@click.option("--json", "as_json", is_flag=True, help="JSON on standard output.")
def command(config: Path, limit: int, profile: bool, as_json: bool) -> None:
    """Show the last runs of CONFIG and what its manifest holds."""
    from pipeline.cli.summary import not_run_yet, remark_line
    from pipeline.config.load import load
    from pipeline.manifest import rounds
    from pipeline.manifest.lock import RunLock
    from pipeline.manifest.others import at_hand
    from pipeline.manifest.parts import states
    from pipeline.manifest.remarks import pictures_by_kind
    from pipeline.manifest.runs import KEEP, last_rendering, not_yet_made
    from pipeline.manifest.store import Manifest
    from pipeline.run.failures import counted, listed

    settings = load(config)
    shards, current = states(settings.manifest), rounds.now(settings.manifest)
    if at_hand(settings) is None:
        if as_json:
            tell(json.dumps({"runs": [], "holder": None, "totals": None} | _shards(shards, current)))
        elif current is not None:
            _tell_shards(config, shards, current)
        else:
            complain(not_run_yet(config, settings))
        return
    holder = RunLock(settings.manifest, path=settings.lock).holder()
    with Manifest.reader(settings) as reader:
        every, totals = reader.runs(KEEP), reader.totals()
        runs, left = every[:limit], not_yet_made(every, sum(totals.sources.values()))
        rendering = last_rendering(every, reader.stages()) if profile else None
        failed, remarks = counted(listed(settings, reader)), pictures_by_kind(reader, settings.rendition_names)
        if as_json:
            of_failures = {"failed": failed.pictures, "known": failed.known, "errors": failed.kinds}
            tell(
                json.dumps(
                    {
                        "runs": [asdict(run) for run in runs],
                        "holder": asdict(holder) if holder else None,
                        "totals": {**asdict(totals), **of_failures, "not_yet_made": left, "warnings": remarks},
                    }
                    | _shards(shards, current)
                    | ({"profile": _profile(rendering)} if profile else {})
                )
            )
            return
        _tell_shards(config, shards, current)
        for run in runs:
            tell(run_line(run, running=holder is not None and holder.run == run.run))
        for line in _totals(config, totals, failed, left):
            tell(line)
        if line := remark_line(config, remarks):
            tell(line)
        if profile:
            for line in _profile_lines(rendering):
                tell(line)


def _shards(shards: Sequence[State], current: Round | None) -> dict[str, object]:
    """For JSON: the shards whose parts wait to be merged, and those that are to run again; nothing without either."""
    each = [{**one._asdict(), "run": None if one.run is None else asdict(one.run)} for one in shards]
    missing = (
        {} if current is None else {f"{number}/{current.count}": how for number, how in current.unfinished().items()}
    )
    return ({"shards": each} if each else {}) | ({"unfinished_shards": missing} if missing else {})


def _tell_shards(config: Path, shards: Sequence[State], current: Round | None) -> None:
    """A line about all shards whose parts wait to be merged, then one for each that is at work, or is to run again."""
    from pipeline.cli.summary import unfinished_shards
    from pipeline.program import to_copy

    missing = unfinished_shards(config, current)
    if not shards:
        for line in missing:
            tell(line)
        return
    at_work = [shard for shard in shards if shard.at_work]
    by_status = Counter(_ended(shard) for shard in shards if not shard.at_work)
    ended = ", ".join(f"{number:,} {words}" for words, number in sorted(by_status.items()))
    parts = [f"{len(at_work):,} at work"] * bool(at_work) + [ended] * bool(ended)
    then = f"{to_copy('manifest', 'merge', str(config))} brings in what they have written"
    when = " when they have ended" if at_work else ", again when the others have run" if missing else ""
    tell(f"{count(len(shards), 'shard')}: {', '.join(parts)}; {then}{when}")
    for shard in at_work[:_MOST_SHARDS]:
        so_far = _progress(shard.run, running=True) if shard.run is not None and shard.run.ended is None else ""
        tell(f"  {shard.shard}  {so_far or 'running'}")
    for line in missing:
        tell(f"  {line}")


def _ended(shard: State) -> str:
    if shard.run is None or shard.run.status is None:
        return "died without a word"
    return f"ended with status {shard.run.status}"


def _totals(config: Path, totals: Totals, failed: Failed, left: int) -> list[str]:
    """What is there, the pictures that failed by the error, those `left` to the next run, and the orphans."""
    from pipeline.model.record import Status
    from pipeline.program import to_copy

    sources = count(sum(totals.sources.values()), "source")
    failures = {"new failure": failed.new, "known failure": failed.known}
    left_out = (Status.FILTERED, Status.UNSUPPORTED, Status.SKIPPED)
    of_them = of_each({str(status): totals.sources.get(status, 0) for status in left_out})
    parts = [
        f"{sources} ({size(totals.source_bytes)}{f'; {of_them}' if of_them else ''})",
        f"{count(totals.made, 'rendition')} made ({size(totals.target_bytes)})",
    ]
    parts += [of_each(failures)] * bool(failed.pictures) + [f"{count(left, 'picture')} not yet made"] * bool(left)
    lines = [", ".join(parts)]
    lines += [f"  {error}: {count(number, 'picture')}" for error, number in failed.kinds.items()]
    if totals.orphans:
        them = "it" if totals.orphans == 1 else "them"
        lines.append(
            f"{count(totals.orphans, 'orphan')} besides; {to_copy('run', '--prune', str(config))} removes {them}"
        )
    return lines


def _profile(rendering: tuple[RunSummary, Stages] | None) -> dict[str, object] | None:
    if rendering is None:
        return None
    run, stages = rendering
    return {"run": run.run, "pictures": stages.pictures, "renditions": stages.renditions, "seconds": stages.shares()}


def _profile_lines(rendering: tuple[RunSummary, Stages] | None) -> list[str]:
    from pipeline.cli.table import bar
    from pipeline.report.numbers import bound
    from pipeline.workers import cpus

    if rendering is None:
        return ["no run has rendered anything that is still there: nothing to profile"]
    run, stages = rendering
    clock = "" if run.ended is None else f" in {duration(run.ended - run.started)} by the clock"
    kinds = ("threads", "processes", "lanes")
    threads = ", ".join(f"{run.settings[kind]} {kind}" for kind in kinds if kind in run.settings)
    what = f"{count(stages.pictures, 'picture')}{clock} ({threads})"
    lines = [f"the run of {_time(run.started)}: {what}; added up over threads:"]
    for stage, seconds in stages.shares().items():
        share = seconds / stages.seconds if stages.seconds else 0.0
        lines.append(f"  {stage:<7}{duration(seconds):>12} {share:>4.0%}  {bar(share, _BAR)}".rstrip())
    sentence = bound(run, stages, cpus.available())
    return [*lines, f"what bounded it: {sentence[0].lower()}{sentence[1:]}"] if sentence else lines


def _progress(run: RunSummary, *, running: bool) -> str:
    """`37% of the bytes, 43 of about 115 pictures, 2 failed, 14 s left`; "" where nothing was noted yet."""
    noted = run.settings.get("progress")
    if not isinstance(noted, dict):
        return ""
    from pipeline.run.options import Progress

    amounts = (noted[key] for key in ("bytes_done", "bytes_expected", "jobs_done", "jobs_expected"))
    progress = Progress(0, 0, *amounts)
    done, expected = progress.work
    pictures = f"{noted['jobs_done']:,} of about {max(noted['jobs_done'], noted['jobs_expected']):,} pictures"
    parts = [f"{done / expected:.0%}{' of the bytes' if progress.by_bytes else ''}"] if expected else []
    parts += [pictures] if running else [f"after {noted['jobs_done']:,} pictures"]
    if noted["failed"]:
        parts.append(f"{noted['failed']:,} failed")
    if running and done:
        spent = noted["at"] - run.started
        left = (expected - done) * spent / done - (time.time() - noted["at"])
        parts.append(f"about {duration(max(0.0, left))} left")
    if workers := noted.get("workers"):
        seconds = max(1.0, noted["at"] - run.started)
        rates = ", ".join(f"{name} {pace(pictures, seconds, '/s')}" for name, pictures in sorted(workers.items()))
        parts.append(f"{count(len(workers), 'worker')} ({rates})")
    if running and noted.get("waiting"):
        parts.append(noted["waiting"])
    return ", ".join(parts if running else parts[1:])


def _time(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def run_line(run: RunSummary, *, running: bool) -> str:
    """A run in the list of runs: when it began, how it ended or how far it is."""
    began = _time(run.started)
    if run.ended is None:
        how = "running" if running else "died without a word (killed, a power cut, or a full disk)"
        so_far = _progress(run, running=running)
        return f"{began}  {how}" + (f", {so_far}" if so_far else "")
    counts = of_each(run.counts) or "nothing to do"
    why = f": {run.settings['why']}" if "why" in run.settings else ""
    return f"{began}  status {run.status}  {duration(run.ended - run.started):>8}  {counts}{why}"
