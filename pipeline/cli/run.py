"""`pipeline run`: make what is missing or stale."""

from __future__ import annotations

import datetime
import functools
import json
import os
import threading
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.console import Colour, complain, on_terminal, tell
from pipeline.cli.options import (
    Adopting,
    Duration,
    adopt_option,
    config_argument,
    duration_option,
    only_option,
    published_at,
    shard_option,
    until_option,
)
from pipeline.errors import SIGNALS, ExitStatus, Locked
from pipeline.program import to_copy

if TYPE_CHECKING:
    from pipeline.cli.telling import Telling
    from pipeline.config.settings import Config
    from pipeline.plan.shard import Shard
    from pipeline.run.changes import ChangesFile
    from pipeline.run.options import Begun, Change, RunOptions
    from pipeline.run.prestart import Prestarted
    from pipeline.run.tally import Summary


@click.command("run", cls=Adopting)
@config_argument
@only_option
@shard_option
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Stop after the first N pictures with work.")
@click.option("--force", is_flag=True, help="Render everything again, stale or not.")
@adopt_option
@click.option("--prune", is_flag=True, help="Delete files that nothing asks for any more and an earlier run has seen.")
@click.option("--strict", is_flag=True, help="Known failures, too, make the exit status 1.")
@click.option("--failures-ok", is_flag=True, help="New failures do not make the exit status 1.")
@duration_option
@until_option
@click.option(
    "--if-locked",
    type=click.Choice(["fail", "skip", "wait"]),
    default="fail",
    show_default=True,
    help="When another run of this target is at work: status 75, or nothing and status 0, or wait for it.",
)
@click.option("--threads", type=click.IntRange(1, 1024), metavar="N", help="I/O threads, instead of the config's.")
@click.option(
    "--processes", type=click.IntRange(0, 1024), metavar="N", help="Rendering children; 0: render in the threads."
)
@click.option("--lanes", type=click.IntRange(0, 64), hidden=True, help="Processes that share out the children.")
@click.option(
    "--settle",
    type=Duration(0, 7 * 86_400),
    default=0.0,
    metavar="TIME",
    help="Leave files that have changed within that time to the next run; longer if the config says so.",
)
@click.option(
    "--changes",
    type=click.Path(path_type=Path, dir_okay=False),
    multiple=True,
    metavar="PATH",
    help="Write what is made, replaced and removed into this file: JSON lines if it ends in .jsonl, else paths in the "
    "target, each with a NUL byte behind it (`rsync --from0 --files-from`). May be repeated.",
)
@click.option(
    "--changes-base-url",
    callback=published_at,
    metavar="URL",
    help="Where the target is published: --changes lists addresses, for the cache of a CDN; in JSON as `url`.",
)
@click.option("--no-progress", is_flag=True, help="No progress bar, even on a terminal.")
@click.option(
    "-v",
    "--verbose",
    is_flag=True,
    help="Say what was done, even without a terminal; list every failure and what else was passed over.",
)
@click.option("-q", "--quiet", is_flag=True, help="Say nothing of pictures, failed ones included; the status tells.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON on standard output.")
def command(
    config: Path,
    only: tuple[str, ...],
    shard: Shard | None,
    limit: int | None,
    force: bool,
    adopt: str | None,
    prune: bool,
    strict: bool,
    failures_ok: bool,
    max_runtime: float | None,
    until: datetime.time | None,
    if_locked: str,
    threads: int | None,
    processes: int | None,
    lanes: int | None,
    settle: float,
    changes: tuple[Path, ...],
    changes_base_url: str | None,
    no_progress: bool,
    verbose: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Make the renditions of CONFIG that are missing or stale.

    Silent on success without a terminal. What newly failed is listed on standard error and makes the exit status 1;
    what failed before, for the same reason, is only counted (see `pipeline failures`).
    """
    if changes_base_url is not None and not changes:
        raise click.UsageError("--changes-base-url is about the list that --changes writes: name that, too")
    from pipeline.config.load import peek
    from pipeline.run.prestart import prestarted

    seen = peek(config)
    # A run without work starts no child. A first run nearly always has work, so its children start ahead.
    wanted = (force or seen.is_new) and if_locked != "wait" and not (seen.gentle or seen.elsewhere)
    children = seen.processes if processes is None else processes
    with prestarted(wanted=wanted, processes=children, sources=seen.sources) as started:
        from pipeline.cli.telling import Telling
        from pipeline.config.load import load
        from pipeline.plan.options import PlanOptions
        from pipeline.run.changes import ChangesFile
        from pipeline.run.options import RunOptions

        options = RunOptions(
            PlanOptions(
                force=force, only=only, shard=shard, limit=limit, adopt=adopt is not None, replace=adopt == "replace"
            ),
            threads,
            processes,
            strict=strict,
            failures_ok=failures_ok,
            prune=prune,
            max_runtime=max_runtime,
            until=until,
            lock_wait=None if if_locked == "wait" else 0.0,
            lanes=lanes,
        )
        settings = load(config).settling(settle)
        files = [ChangesFile(path, settings.target.folders, changes_base_url or "") for path in changes]
        try:
            with Telling(settings) as telling:
                summary = _made(settings, options, telling, started, files, bar=not (no_progress or quiet))
                telling.came_to(summary)
                if as_json:
                    tell(json.dumps(asdict(summary), ensure_ascii=True))
                _report(config, summary, verbose=verbose, quiet=quiet)
        except Locked:
            if if_locked == "skip":
                return ExitStatus.OK
            raise
        if settings.report and summary.status not in SIGNALS:  # a stopped run has to end soon
            from pipeline.cli.report import write_again

            if shard is None:
                write_again(settings)
            elif on_terminal() and not quiet:
                complain(f"the report is written by {to_copy('manifest', 'merge', str(config))}")
        return summary.status


def _made(
    settings: Config,
    options: RunOptions,
    telling: Telling,
    prestarted: Prestarted,
    changes: Sequence[ChangesFile],
    *,
    bar: bool,
) -> Summary:
    from pipeline.cli.progress import ProgressBar
    from pipeline.run.run import run

    def begun(started: Begun) -> None:
        telling.begun(started)
        for file in changes:
            file.begin()

    def changed(change: Change) -> None:
        for file in changes:
            file.add(change)

    leave = functools.partial(_leave, telling)
    with ProgressBar(settings.path.stem, wanted=bar) as progress:
        return run(settings, options, progress.watch, begun, leave, prestarted, progress.stopping, changed)


def _leave(telling: Telling, status: ExitStatus, seconds: float) -> None:
    """End the process from another thread than the run's, which hangs. The notices may take `seconds`."""
    last = threading.Thread(target=telling.given_up, args=(status,), name="last words", daemon=True)
    last.start()
    last.join(seconds)
    os._exit(status)


def _report(config: Path, summary: Summary, *, verbose: bool, quiet: bool) -> None:
    from pipeline.cli.summary import failure_lines, passed_over_lines, remark_line, sentence

    for warning in summary.warnings:
        complain(f"pipeline: {warning}", Colour.WARNING)
    for line in passed_over_lines(config, summary) if verbose else ():
        complain(line)
    if summary.failures and not quiet:
        for line in failure_lines(config, summary, len(summary.failures) if verbose else None):
            complain(line, Colour.FAILURE)
    if verbose or (not quiet and (on_terminal() or summary.status or summary.damaged)):
        complain(sentence(config, summary, verbose=verbose))
        if remarks := remark_line(config, summary.remarks):
            complain(remarks, Colour.WARNING)
