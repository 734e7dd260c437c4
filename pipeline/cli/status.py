"""`pipeline status`: the last runs of a config at a glance."""

from __future__ import annotations

import datetime
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.console import complain, count, duration, size, tell
from pipeline.cli.options import config_argument

if TYPE_CHECKING:
    from pipeline.manifest.runs import RunSummary


@click.command("status")
@config_argument
@click.option("--runs", "limit", type=click.IntRange(1, 1000), default=5, show_default=True, help="How many runs.")
@click.option("--json", "as_json", is_flag=True, help="JSON on standard output.")
def command(config: Path, limit: int, as_json: bool) -> None:
    """Show the last runs of CONFIG and what its manifest holds."""
    from pipeline.config.load import load
    from pipeline.manifest.lock import RunLock
    from pipeline.manifest.store import Manifest

    settings = load(config)
    if not settings.manifest.exists():
        if as_json:
            tell(json.dumps({"runs": [], "holder": None, "totals": None}))
        else:
            complain(f"{config} has not run yet: there is no manifest at {settings.manifest}")
        return
    holder = RunLock(settings.manifest).holder()
    with Manifest.read_only(settings.manifest) as reader:
        runs, totals = reader.runs(limit), reader.totals()
    if as_json:
        tell(
            json.dumps(
                {
                    "runs": [asdict(run) for run in runs],
                    "holder": asdict(holder) if holder else None,
                    "totals": asdict(totals),
                }
            )
        )
        return
    for run in runs:
        tell(_line(run, running=holder is not None and holder.run == run.run))
    pictures = sum(totals.sources.values())
    tell(
        f"{count(pictures, 'source')} ({size(totals.source_bytes)}), "
        f"{count(sum(totals.renditions.values()), 'rendition')} ({size(totals.target_bytes)})"
    )
    for error, number in totals.errors.items():
        tell(f"  {error}: {number:,}")


def _line(run: RunSummary, *, running: bool) -> str:
    began = datetime.datetime.fromtimestamp(run.started).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    if run.ended is None:
        return f"{began}  {'running' if running else 'died without a word (killed, or a power cut)'}"
    counts = ", ".join(f"{number:,} {status}" for status, number in run.counts.items()) or "nothing to do"
    return f"{began}  status {run.status}  {duration(run.ended - run.started):>8}  {counts}"
