"""`pipeline failures`: lists the known failures, or lets the next run try them again."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.amounts import count
from pipeline.cli.console import Colour, complain, tell
from pipeline.cli.options import config_argument, globs_argument, json_option, parted

if TYPE_CHECKING:
    from pipeline.config.settings import Config
    from pipeline.manifest.remarks import Remark
    from pipeline.run.failures import Listed

_RETRY = "retry"


class _ListOrRetry(click.Group):
    """`failures CONFIG` lists; `failures retry CONFIG` is a command of its own."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or args[0] not in (_RETRY, "-h", "--help"):
            args = ["list", *args]
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        listing.format_options(ctx, formatter)
        self.format_commands(ctx, formatter)


@click.group("failures", cls=_ListOrRetry, subcommand_metavar="[CONFIG] | retry [CONFIG] [GLOB]...")
def command() -> None:
    """List what has failed, or let the next run try it again.

    A failure that a run has reported is known: it is not tried again, and does not change the exit status again, until
    the picture, its recipe, the limits or the versions of the libraries change.
    """


@command.command("list", hidden=True)
@config_argument
@click.option("--warnings", is_flag=True, help="What was lost in pictures that were made, instead: pages, frames ...")
@json_option
def listing(config: Path, warnings: bool, as_json: bool) -> None:
    """List the failures of CONFIG: source, rendition, error and since when."""
    from pipeline.config.load import load
    from pipeline.run.failures import counted, failures

    if warnings:
        _list_remarks(load(config), as_json=as_json)
        return
    listing = failures(load(config))
    for listed in listing:
        tell(_json(listed) if as_json else _line(listed))
    if not as_json:
        failed = counted(listing)
        words = f"{count(failed.pictures, 'picture')} failed" if listing else "no failures"
        lines = f", in {len(listing):,} lines" if len(listing) > failed.pictures else ""
        new = f", {count(failed.new, 'picture')} not reported yet" if failed.new else ""
        complain(f"{config.stem}: {words}{lines}{new}")


def _list_remarks(config: Config, *, as_json: bool) -> None:
    """A line for each picture and kind of warning; in JSON one for each source and each rendition, with all words."""
    from pipeline.errors import printable
    from pipeline.manifest.remarks import remarks
    from pipeline.manifest.store import Manifest

    pictures = 0
    with Manifest.reader(config) as reader:
        for source, several in groupby(remarks(reader, config.rendition_names), lambda remark: remark.source):
            pictures += 1
            if as_json:
                for remark in several:
                    tell(json.dumps({**remark._asdict(), "rendition": remark.rendition or None}))
            else:
                for line in _by_kind(several):
                    tell(f"{printable(source)}{printable(line)}")
    if not as_json:
        words = f"{count(pictures, 'picture')} with warnings" if pictures else "no warnings"
        complain(f"{config.path.stem}: {words}")


def _by_kind(several: Iterable[Remark]) -> Iterator[str]:
    """Of one picture's warnings: ` (2 renditions): first of 2 frames only`, a line for each kind."""
    from pipeline.model.remarks import kind

    kinds: dict[str, list[tuple[str, str]]] = {}
    for remark in several:
        for warning in remark.warnings:
            kinds.setdefault(kind(warning), []).append((remark.rendition, warning))
    for of_kind in kinds.values():
        names = {name: None for name, _ in of_kind if name}  # without a name: of the picture itself
        of = next(iter(names)) if len(names) == 1 else count(len(names), "rendition")
        words = "; ".join({warning: None for _, warning in of_kind})
        yield f"{f' ({of})' if names else ''}: {words}"


@command.command(_RETRY)
@globs_argument
def retry(words: tuple[str, ...]) -> None:
    """Let the next run of CONFIG try the failed pictures that match again; all of them, without a GLOB."""
    from pipeline.config.load import load
    from pipeline.errors import printable
    from pipeline.run.failures import retry as forget

    config, globs = parted(words)
    number = forget(load(config), globs)
    if globs and not number:
        complain(f"{config.stem}: no picture that has failed matches {' '.join(map(printable, globs))}", Colour.WARNING)
        return
    complain(f"{config.stem}: the next run tries {count(number, 'picture')} again")


def _line(listed: Listed) -> str:
    from pipeline.errors import printable

    failure = listed.failure
    since = datetime.datetime.fromtimestamp(failure.since).astimezone().strftime("%Y-%m-%d %H:%M")
    rendition = f" ({failure.rendition})" if failure.rendition else ""
    state = "known" if listed.known else "new"
    return f"{state:<5} since {since}  {printable(failure.source)}{rendition}: {failure.error}"


def _json(listed: Listed) -> str:
    failure = listed.failure
    fields = {
        "source": failure.source,
        "rendition": failure.rendition or None,
        "error": failure.kind.value,
        "detail": failure.detail,
        "since": failure.since,
        "known": listed.known,
    }
    return json.dumps(fields, ensure_ascii=True)
