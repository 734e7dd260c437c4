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
    for key in values:
        if only_set and key.line is None:
            continue
        if as_json:
            tell(json.dumps({"key": ".".join(key.path), "value": key.value, "line": key.line}, ensure_ascii=True))
            continue
        for depth, part in enumerate(key.path[:-1]):
            if key.path[: depth + 1] != before[: depth + 1]:
                tell(f"{'  ' * depth}{part}:")
        before = key.path
        origin = "default" if key.line is None else f"{config.name}:{key.line}"
        value = _said(key.value)
        if key.value is None and key.path in here:
            value, origin = "auto", f"{origin}, {here[key.path]:,} here"
        tell(f"{'  ' * (len(key.path) - 1)}{key.path[-1]}: {value}".ljust(_COLUMN) + f"  # {origin}")


def _said(value: object) -> str:
    """`value` as the file could have it."""
    from pipeline.config.yaml12 import scalar
    from pipeline.errors import printable

    if value is None:
        return "none"
    if isinstance(value, str) and value and scalar(value) == value and value.replace("/", "").isalnum():
        return printable(value)
    return json.dumps(value, ensure_ascii=True)
