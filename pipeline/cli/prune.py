"""`pipeline prune`: delete files of the target whose source or rendition is gone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.amounts import count, size
from pipeline.cli.console import Colour, complain, on_terminal, tell
from pipeline.cli.options import config_argument, json_option
from pipeline.program import to_copy

if TYPE_CHECKING:
    from pipeline.run.prune import Verdict


@click.command("prune")
@config_argument
@click.option("--delete", "--yes", "delete", is_flag=True, help="Delete them; without it, only show what would be.")
@click.option("--force", is_flag=True, help="However many they are; without it, not more than ten and a fifth of all.")
@json_option
def command(config: Path, delete: bool, force: bool, as_json: bool) -> None:
    """Show, or delete, the files of CONFIG's target whose source or rendition is gone.

    Only files that the manifest says were made, and that are still as they were made, are deleted, once a run has seen
    that nothing asks for them: the files of a picture that was removed go with the second run after that at the
    earliest. Nothing is deleted where the source is missing, empty, or cannot be listed as a whole.
    """
    from pipeline.config.load import load
    from pipeline.run.prune import Fate, look, prune

    settings = load(config)
    pruned = prune(settings, force=force) if delete else look(settings)
    for verdict in pruned.verdicts:
        tell(_json(verdict) if as_json else _line(verdict))
    for warning in pruned.warnings:
        complain(f"pipeline: {warning}", Colour.WARNING)
    if pruned.refused and not force:
        complain(f"pipeline: nothing would be deleted: {pruned.refused}", Colour.WARNING)
    if not as_json and (pruned.verdicts or not delete or on_terminal()):  # cron mails it
        fate = Fate.REMOVED if delete else Fate.DUE
        gone = [verdict.orphan for verdict in pruned.verdicts if verdict.fate is fate]
        words = f"{count(len(gone), 'file')} ({size(sum(orphan.size for orphan in gone))}) {fate}"
        left = len(pruned.verdicts) - len(gone)
        also = f", {count(left, 'other orphan')}" if left else ""
        remedy = (
            f"; {to_copy('prune', str(config), '--delete')} deletes them"
            if gone and not delete and not pruned.refused
            else ""
        )
        complain(f"{config.stem}: {words}{also}{remedy}")


def _line(verdict: Verdict) -> str:
    from pipeline.errors import printable

    detail = f"; {verdict.detail}" if verdict.detail else ""
    return f"{verdict.fate:<13} {printable(verdict.orphan.target)} ({verdict.orphan.why}{detail})"


def _json(verdict: Verdict) -> str:
    orphan = verdict.orphan
    fields = {
        "target": orphan.target,
        "source": orphan.source,
        "rendition": orphan.rendition,
        "size": orphan.size,
        "why": orphan.why,
        "fate": verdict.fate.value,
        "detail": verdict.detail,
    }
    return json.dumps(fields, ensure_ascii=True)
