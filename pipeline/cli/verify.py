"""`pipeline verify`: whether the files of the target are still what was written."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.amounts import count, size
from pipeline.cli.console import Colour, complain, on_terminal, tell
from pipeline.cli.options import config_argument
from pipeline.cli.redrawing import ShareBar
from pipeline.errors import ExitStatus
from pipeline.program import to_copy

if TYPE_CHECKING:
    from pipeline.run.originals import Originals
    from pipeline.run.verify import Problem, Verdict


@click.command("verify")
@config_argument
@click.option("--sources", is_flag=True, help="Read every source again, too, and compare it with what was recorded.")
@click.option("--json", "as_json", is_flag=True, help="Print findings, then totals, as JSON lines on standard output.")
@click.option("-v", "--verbose", is_flag=True, help="Say what was read, even without a terminal.")
def command(config: Path, sources: bool, as_json: bool, verbose: bool) -> int:
    """Read every file of CONFIG's target again and compare it with the manifest; changes nothing.

    Reports files that are missing, damaged or foreign (not made by this config) and gives status 1 if there are any.
    With --sources also originals whose content is another although size and times are the same, as bit rot leaves them;
    those that were changed since the last run are the next run's.
    """
    from pipeline.config.load import load
    from pipeline.run.verify import line, verify

    with ShareBar("verify", "{desc} {percentage:3.0f}% {bar}") as bar:
        verdict = verify(load(config), bar.show, sources=sources)
    for problem in verdict.problems:
        if as_json:
            key = "source" if problem.of_source else "target"
            fields = {key: problem.path, "finding": problem.finding, "detail": problem.detail}
            tell(json.dumps(fields, ensure_ascii=True))
        else:
            complain(line(problem), Colour.FAILURE)
    if as_json:
        tell(json.dumps(_totals(verdict)))
    else:
        for remedy in _remedies(config, verdict.problems):
            complain(remedy)
    if verbose or verdict.problems or on_terminal():
        wrong = count(len(verdict.problems), "problem") if verdict.problems else "all as written"
        of_sources = _of_sources(verdict.originals) if verdict.originals else ""
        read = f"{count(verdict.files, 'file')} read ({size(verdict.bytes_read)})"
        complain(f"{config.stem}: {read}{of_sources}, {wrong}")
    return ExitStatus.FAILED if verdict.problems else ExitStatus.OK


def _totals(verdict: Verdict) -> dict[str, int]:
    """The last line of `--json`; what is said of sources only where they were asked for."""
    totals = {"problems": len(verdict.problems), "files": verdict.files, "bytes": verdict.bytes_read}
    if (originals := verdict.originals) is not None:
        totals |= {"sources": originals.files, "source_bytes": originals.bytes_read}
        totals |= {"sources_changed": originals.changed, "sources_remote": originals.remote}
    return totals


def _of_sources(originals: Originals) -> str:
    """`, 24 sources read (30.2 MB), 2 changed since the last run`."""
    text = f", {count(originals.files, 'source')} read ({size(originals.bytes_read)})"
    if originals.changed:
        text += f", {originals.changed:,} changed or gone since the last run"
    return text + (f", {originals.remote:,} of lists of URLs not fetched" if originals.remote else "")


def _remedies(config: Path, problems: Sequence[Problem]) -> Iterator[str]:
    """A line for each way to mend what was found."""
    from pipeline.run.verify import Finding

    run = to_copy("run", str(config))
    found = {problem.finding for problem in problems}
    if Finding.MISSING in found or any(problem.finding is Finding.DAMAGED and problem.is_seen for problem in problems):
        yield f"missing and damaged files are made again by: {run}"
    if hidden := sum(not problem.is_seen for problem in problems):
        files = "1 damaged file has its" if hidden == 1 else f"{hidden:,} damaged files have their"
        yield f"{files} recorded size and date, by which a run takes it for intact: delete, then {run}"
    if Finding.FOREIGN in found:
        yield "foreign files were not made by this config: move them elsewhere if they do not belong there"
    if Finding.UNREADABLE in found or Finding.SOURCE_UNREADABLE in found:
        yield "unreadable files: let this user read them, or see to their disk"
    if Finding.SOURCE_DAMAGED in found:
        yield "damaged sources: put them back from a backup; what was made of them before is left as it is"
