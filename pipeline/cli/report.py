"""`pipeline report`: the pictures and the runs of a config as an HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.amounts import size
from pipeline.cli.console import Colour, complain, on_terminal
from pipeline.cli.options import config_argument, published_at
from pipeline.errors import PipelineError, UsageError, printable

if TYPE_CHECKING:
    from pipeline.config.settings import Config


@click.command("report")
@config_argument
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Where to; default: what the config says as `report`, else CONFIG-report.html beside it.",
)
@click.option(
    "--base-url",
    callback=published_at,
    help="Where the target is published, such as https://example.org/img/: the page shows it from there.",
)
def command(config: Path, output: Path | None, base_url: str | None) -> None:
    """Write one HTML page about the pictures and runs of CONFIG: failures, figures, and a gallery of all renditions.

    The page holds no picture: it shows sources and targets where they are, and asks for nothing else. Every target is
    read again for what it says of privacy; of one in a store, 500 files. Such a target is shown with --base-url only.
    """
    from pipeline.cli.summary import not_run_yet
    from pipeline.config.load import load
    from pipeline.manifest.others import at_hand
    from pipeline.report.page import AFTER_RUN, place, write

    settings = load(config)
    if at_hand(settings) is None:
        raise UsageError(not_run_yet(config, settings))
    path = place(settings, output)
    written = write(settings, path, None if settings.target.store is None else AFTER_RUN, base_url or "")
    if on_terminal():  # cron mails it
        complain(f"wrote {printable(str(path))} ({size(written)}); open it in a browser")


def write_again(settings: Config) -> None:
    """Write the page that `report` in the config names, after a run or a merge. A failure is reported and changes
    nothing else.
    """
    from pipeline.report.page import AFTER_RUN, place, write

    try:
        write(settings, place(settings), AFTER_RUN)
    except PipelineError as error:
        complain(f"pipeline: report: {error}", Colour.WARNING)
