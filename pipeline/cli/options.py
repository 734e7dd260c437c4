"""Arguments and options that several commands share."""

from __future__ import annotations

import datetime
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.config.braces import alternatives
from pipeline.config.node import quoted
from pipeline.config.spans import duration, shown, time_of_day

if TYPE_CHECKING:
    from pipeline.plan.shard import Shard

CONFIG = "pipeline.yaml"
"""The config of a command that names none."""


class Duration(click.ParamType[float]):
    """Seconds, or a duration such as `1h30m`, as in a config; from `low` to `high` seconds. Becomes a float."""

    name = "duration"

    def __init__(self, low: float, high: float) -> None:
        self._low = low
        self._high = high

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The seconds of a text; a default is a number already."""
        seconds = duration(value) if isinstance(value, str) else value
        if not isinstance(seconds, int | float) or not self._low <= seconds <= self._high:
            bounds = f"from {shown(self._low)} to {shown(self._high)}"
            self.fail(f"{quoted(str(value))} is no duration such as 50m, 1h30m or 90s, {bounds}", param, ctx)
        return float(seconds)


def _time(_context: click.Context, _parameter: click.Parameter, value: str | None) -> datetime.time | None:
    moment = None if value is None else time_of_day(value)
    if value is not None and moment is None:
        raise click.BadParameter(f"{quoted(value)} is no time of day such as 06:00")
    return moment


def _globs(_context: click.Context, _parameter: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    for glob in value:
        try:
            alternatives(glob)
        except ValueError as error:
            raise click.BadParameter(f"{quoted(glob)} {error}") from None
    return value


def published_at(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:  # noqa: ARG001
    """`value` with a slash at its end. Raises `BadParameter` for what would break out of a srcset."""
    if value and not re.fullmatch(r"[!$&'()*+./:;=@~%\w\[\]-]+", value, re.ASCII):
        raise click.BadParameter("must be an address such as /img/ or https://example.org/img/, percent-encoded")
    return f"{value.removesuffix('/')}/" if value else value


def _after_config(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    _globs(context, parameter, parted(value)[1])
    return value


def parted(words: tuple[str, ...]) -> tuple[Path, tuple[str, ...]]:
    """The config and the words after it; both may be left out. A first word that ends in .yaml or .yml, or is the name
    of a file, is the config.
    """
    if words and (words[0].endswith((".yaml", ".yml")) or os.path.isfile(words[0])):
        return Path(words[0]), words[1:]
    return Path(CONFIG), words


_SLURM = "SLURM_ARRAY_TASK_"
_ARRAYS = (  # of schedulers: variables of a task's number, of how many there are, of the first, the last, and the step
    (f"{_SLURM}ID", f"{_SLURM}COUNT", f"{_SLURM}MIN", f"{_SLURM}MAX", f"{_SLURM}STEP"),
    ("AWS_BATCH_JOB_ARRAY_INDEX", "AWS_BATCH_JOB_ARRAY_SIZE", "", "", ""),
    ("JOB_COMPLETION_INDEX", "JOB_COMPLETIONS", "", "", ""),
)
_MOST_SHARDS = 100_000
_NUMBER = re.compile(r"[0-9]{1,18}")  # Python refuses to read more than 4,300 digits


class ShardOf(click.ParamType["Shard"]):
    """`3/16`, or `auto` for that of an array job; `auto/16` where its scheduler does not say how many there are."""

    name = "shard"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Shard:
        """The shard of a text."""
        from pipeline.plan.shard import Shard

        if isinstance(value, Shard):
            return value
        number, _, count = str(value).partition("/")
        if number == "auto":
            number, count = self._of_array(count, param, ctx)
        if not all(map(_NUMBER.fullmatch, (number, count))):
            self.fail(f"{quoted(str(value))} is no shard such as 3/16, auto or auto/16", param, ctx)
        shard = Shard(int(number), int(count))
        if not 1 <= shard.number <= shard.count <= _MOST_SHARDS:
            self.fail(f"{shard} is no shard from 1/N to N/N, N up to {_MOST_SHARDS:,}", param, ctx)
        return shard

    def _of_array(self, count: str, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Number, from 1, and count of the array job that this process is a task of, as texts.

        A part of an array (Slurm's `--array=3,5`, to run two of its tasks again) would count its tasks from 1: refused.
        """
        for names in _ARRAYS:
            index, counted, first, last, step = (os.environ.get(name, "") for name in names)
            if not index:
                continue
            if not (count or counted):
                self.fail(f"{names[0]} is set but not {names[1]}: say how many there are, as in auto/16", param, ctx)
            if not all(map(_NUMBER.fullmatch, filter(None, (index, counted, first, last, step, count)))):
                self.fail(f"{names[0]} is {quoted(index)}, which is no number of a task", param, ctx)
            begin, each, all_of_it = int(first or 0), max(1, int(step or 1)), int(count or counted)
            there = (int(last) - begin) // each + 1 if first and last else all_of_it
            if {there, int(counted or there)} != {all_of_it}:
                says = f"the {count} that auto/{count} says" if count else "an array without gaps"
                say = f"name the shard, as in --shard ${names[0]}/{count or 16}"
                self.fail(f"this array has {counted or there} tasks, which are not {says}: {say}", param, ctx)
            return str((int(index) - begin) // each + 1), count or counted
        known = ", ".join(names[0] for names in _ARRAYS)
        return self.fail(f"auto is for tasks of array jobs, and none of {known} is set", param, ctx)


class Adopting(click.Command):
    """A command with `adopt_option`: click would take the argument after a lone `--adopt` for its value."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click's."""
        return super().parse_args(ctx, ["--adopt=equal" if word == "--adopt" else word for word in args])


adopt_option = click.option(
    "--adopt",
    type=click.Choice(["equal", "replace"]),
    metavar="[=replace]",
    help="Take over files in the way that equal what would be made, and a manifest that was lost or another config's; "
    "with =replace write over those that differ, if format and size are the same.",
)
config_argument = click.argument("config", type=click.Path(path_type=Path), default=CONFIG)
only_option = click.option(
    "--only",
    multiple=True,
    metavar="GLOB",
    callback=_globs,
    help="Only sources that match, for example 'holiday/**'. May be repeated.",
)
shard_option = click.option(
    "--shard",
    type=ShardOf(),
    metavar="K/N",
    help="Only the K-th of N parts of all pictures, beside runs of the other parts; auto in array jobs.",
)
globs_argument = click.argument("words", nargs=-1, metavar="[CONFIG] [GLOB]...", callback=_after_config)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON lines on standard output.")
duration_option = click.option(
    "--max-runtime",
    metavar="TIME",
    type=Duration(0.1, 366 * 86_400),
    help="How long it may take, such as 50m or 1h30m; status 4 where work is left, and the next run goes on.",
)
until_option = click.option(
    "--until", metavar="HH:MM", callback=_time, help="The same, as the time of day at which it must have ended."
)
