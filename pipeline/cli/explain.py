"""`pipeline explain`: every value of a config, defaults included, and where it is from."""

from __future__ import annotations

import json
from pathlib import Path

import click

from pipeline.cli.console import tell
from pipeline.cli.options import config_argument

_COLUMN = 46  # in which the origins begin


@click.command("explain")
@config_argument
@click.option("--set", "only_set", is_flag=True, help="Only what the file says, without the defaults.")
@click.option("--json", "as_json", is_flag=True, help="A JSON object for each value on standard output.")
def command(config: Path, only_set: bool, as_json: bool) -> None:
    """Print every value that CONFIG comes to, with the line that says it, or `default`.

    Paths are absolute, families are taken apart, and `auto` says what it is on this machine.
    """
    from pipeline.config.explained import explained
    from pipeline.run.options import RunOptions, workers

    settings, values = explained(config)
    chosen = workers(settings, RunOptions())
    here = {("workers", name): getattr(chosen, name) for name in ("threads", "processes", "memory")}
    before: tuple[str, ...] = ()
    for one in values:
        if only_set and one.line is None:
            continue
        if as_json:
            tell(json.dumps({"key": ".".join(one.path), "value": one.value, "line": one.line}, ensure_ascii=True))
            continue
        for depth, part in enumerate(one.path[:-1]):
            if one.path[: depth + 1] != before[: depth + 1]:
                tell(f"{'  ' * depth}{part}:")
        before = one.path
        origin = "default" if one.line is None else f"{config.name}:{one.line}"
        value = _said(one.value)
        if one.value is None and one.path in here:
            value, origin = "auto", f"{origin}, {here[one.path]:,} here"
        tell(f"{'  ' * (len(one.path) - 1)}{one.path[-1]}: {value}".ljust(_COLUMN) + f"  # {origin}")


def _said(value: object) -> str:
    """`value` as the file could have it."""
    from pipeline.config.yaml12 import scalar
    from pipeline.errors import printable

    if value is None:
        return "none"
    if isinstance(value, str) and value and scalar(value) == value and value.replace("/", "").isalnum():
        return printable(value)
    return json.dumps(value, ensure_ascii=True)
