"""`pipeline watch`: a run whenever the sources change."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from pipeline.cli.console import Colour, complain, on_terminal
from pipeline.cli.options import Duration, config_argument

_LONGEST = 7 * 86_400  # seconds


@click.command("watch")
@config_argument
@click.option(
    "--settle",
    type=Duration(0, _LONGEST),
    default=2.0,
    metavar="TIME",
    help="A file is taken once it has not changed for so long; longer if the config says so.  [default: 2s]",
)
@click.option(
    "--interval",
    type=Duration(1, _LONGEST),
    default=3600.0,
    metavar="TIME",
    help="A run at least that often, whatever was noticed.  [default: 1h]",
)
@click.option(
    "--poll",
    type=Duration(0.1, _LONGEST),
    metavar="TIME",
    help="Look that often instead of waiting to be told.  [default: where nothing is told, as on NFS and SMB, 1min]",
)
@click.option("--prune", is_flag=True, help="As of `run`: delete files that nothing asks for any more.")
@click.option("-v", "--verbose", is_flag=True, help="Say what each run has done, even without a terminal.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing of pictures, failed ones included.")
def command(
    config: Path, settle: float, interval: float, poll: float | None, prune: bool, verbose: bool, quiet: bool
) -> int:
    """Render what arrives in the sources of CONFIG, until a signal ends it: one `pipeline run` at the start, one
    whenever files have come or changed, and one every hour.

    A run that could not finish is tried again; a wrong config ends the watch, with status 2. SIGTERM ends it cleanly,
    with status 143.
    """
    from pipeline.config.load import load
    from pipeline.run.watching.watch import Watch, WatchOptions

    flags = [flag for flag, given in (("--prune", prune), ("--verbose", verbose), ("--quiet", quiet)) if given]
    named = os.path.join(os.curdir, config)  # also where its name begins with a dash, as an option does
    run = [sys.executable, "-P", "-m", "pipeline", "run", named, "--if-locked", "wait", "--json", *flags]

    def say(line: str) -> None:
        complain(f"pipeline: {line}", Colour.WARNING)

    watch = Watch(lambda: load(config), run, WatchOptions(settle, interval, poll), say)
    if verbose or on_terminal():
        complain(f"watching {load(config).source_paths}; Ctrl-C ends it")
    return watch.to_its_end()
