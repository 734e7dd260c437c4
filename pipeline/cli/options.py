"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path

import click

config_argument = click.argument("config", type=click.Path(path_type=Path))
only_option = click.option(
    "--only", multiple=True, metavar="GLOB", help="Only sources that match, for example 'holiday/**'. May be repeated."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON lines on standard output.")
