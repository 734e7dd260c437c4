"""`pipeline verify`: whether the files of the target are still what was written."""

from __future__ import annotations

import json
from pathlib import Path

import click

from pipeline.amounts import count, size
from pipeline.cli.console import Colour, complain, on_terminal, tell
from pipeline.cli.options import config_argument
from pipeline.errors import ExitStatus


@click.command("verify")
@config_argument
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON lines on standard output.")
@click.option("-v", "--verbose", is_flag=True, help="Say what was read, even without a terminal.")
def command(config: Path, as_json: bool, verbose: bool) -> int:
    """Read every file of CONFIG's target again and compare it with the manifest; changes nothing.

    Reports files that are missing, damaged or foreign (not made by this config) and gives status 1 if there are any.
    """
    from pipeline.config.load import load
    from pipeline.run.verify import line, verify

    verdict = verify(load(config), lambda _bytes: None)
    for problem in verdict.problems:
        if as_json:
            fields = {"target": problem.target, "finding": problem.finding, "detail": problem.detail}
            tell(json.dumps(fields, ensure_ascii=True))
        else:
            complain(line(problem), Colour.FAILURE)
    if verbose or verdict.problems or on_terminal():
        wrong = count(len(verdict.problems), "problem") if verdict.problems else "all as written"
        complain(f"{config.stem}: {count(verdict.files, 'file')} read ({size(verdict.bytes_read)}), {wrong}")
    return ExitStatus.FAILED if verdict.problems else ExitStatus.OK
