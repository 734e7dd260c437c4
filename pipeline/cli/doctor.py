"""`pipeline doctor`: whether everything is in place for unattended runs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.console import Colour, tell
from pipeline.cli.options import CONFIG, json_option
from pipeline.errors import ExitStatus, printable

if TYPE_CHECKING:
    from pipeline.config.settings import Config
    from pipeline.doctor.finding import Finding


@click.command("doctor")
@click.argument("config", type=click.Path(path_type=Path), required=False)
@json_option
def command(config: Path | None, as_json: bool) -> int:
    """Try out what runs rely on: codecs, children, limits, and for a CONFIG its folders, locks and notices. Without
    CONFIG that of pipeline.yaml, where there is one.

    A line for each thing, with what to do about it. Status 1 if anything would keep a run from working. Files named
    .pipeline-doctor-... are made in the target and removed again; nobody is notified.
    """
    from pipeline.config.load import load
    from pipeline.doctor.finding import Level

    if config is None and os.path.lexists(CONFIG):
        config = Path(CONFIG)
    settings = load(config) if config else None
    worst = False
    for finding in _findings(settings):
        worst = worst or finding.level is Level.FAIL
        if as_json:
            tell(json.dumps(asdict(finding), ensure_ascii=True))
        else:
            tell(_line(finding), {Level.FAIL: Colour.FAILURE, Level.WARN: Colour.WARNING}.get(finding.level))
    return ExitStatus.FAILED if worst else ExitStatus.OK


def _findings(config: Config | None) -> Iterator[Finding]:
    from pipeline.doctor import cluster, machine, places, rendering
    from pipeline.run.options import RunOptions, workers
    from pipeline.workers import cpus, memory

    yield from machine.installation()
    yield from machine.limits(config)
    if config:
        chosen = workers(config, RunOptions())
        yield from machine.work(chosen.threads, chosen.processes, chosen.memory, config)
    else:
        yield from machine.work(cpus.available() + 2, cpus.available(), memory.available(), None)
    yield from rendering.children()
    if config:
        for look in (places.source, places.target, places.manifest, cluster.executor, places.notices):
            yield from look(config)


def _line(finding: Finding) -> str:
    advice = f" ({printable(finding.advice)})" if finding.advice else ""
    return f"{finding.level:<4} {finding.what}: {printable(finding.detail)}{advice}"
