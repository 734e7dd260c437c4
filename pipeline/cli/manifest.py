"""`pipeline manifest`: the contents of a config's manifest, as rows."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from pipeline.cli.console import Colour, OutputTrouble, complain, on_terminal, tell
from pipeline.cli.options import config_argument, parted, published_at
from pipeline.errors import ExitStatus

if TYPE_CHECKING:
    from pipeline.config.settings import Config
    from pipeline.manifest.reader import Reader

_TEN = {
    "renditions": ["source", "rendition", "target", "status", "reason", "error", "format", "width", "height", "bytes"],
    "pictures": ["source", "status", "error", "detail", "format", "width", "height", "bytes", "alt", "warnings"],
    "runs": ["id", "started", "ended", "seconds", "status", "counts", "host", "config", "pid", "libraries"],
}


_FOR_PAGES = ("srcset", "html")


@click.group("manifest")
def command() -> None:
    """Export or query what the manifest of a config holds."""


@command.command("export")
@config_argument
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "csv", "parquet", "hf", "srcset", "html"]),
    default="jsonl",
    show_default=True,
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="File to write, atomically; default: standard output (hf: in the target).",
)
@click.option("--measured", is_flag=True, help="Also what differs between equal runs: times, seconds, memory, reasons.")
@click.option("--base-url", callback=published_at, help="Where the target is published, such as /img/ (srcset, html).")
@click.option(
    "--sizes",
    help="How wide the page that the markup goes into shows a picture, as HTML says it (html).  [default: 100vw]",
)
def export(
    config: Path, form: str, output: Path | None, measured: bool, base_url: str | None, sizes: str | None
) -> None:
    """Write a row for each rendition, in the order of the sources; the same rows from run to run.

    With --format hf the rows of the pictures that are there, with file_name, as metadata.jsonl in the target, or as the
    metadata.jsonl or metadata.parquet in a folder of it that --output names: for load_dataset("imagefolder").
    With --format srcset one JSON object for web pages: for each picture its families' sources, sizes, placeholder.
    With --format html a page with a <picture> for each picture and family, a line each.
    """
    from pipeline.config.load import load
    from pipeline.config.settings import families
    from pipeline.manifest import export_hf
    from pipeline.manifest.store import Manifest

    settings = load(config)
    _check(
        form, config.name if not families(settings.all_specs) else "", measured=measured, base_url=base_url, sizes=sizes
    )
    _check_parquet(form, output)
    if settings.target.shards is not None and form in (*_FOR_PAGES, "hf"):
        raise click.UsageError(f"{form} is about files, and {config.name} writes tar shards; their .json has the rows")
    if form == "hf":
        folder = settings.target.folder_for("manifest export --format hf")
        output = output or folder / export_hf.NAMES[0]
        export_hf.check_place(output, folder)
    with Manifest.reader(settings) as reader:
        to = output if output is not None else sys.stdout
        if to is None:
            return  # standard output is closed: the output is dropped, as by every command
        try:
            if form == "hf" and output is not None:
                _write_hf(reader, output, settings, measured=measured)
            elif form in _FOR_PAGES:
                _write_pictures(reader, settings, to, form, base_url or "", sizes or "100vw")
            else:
                _write_rows(reader, to, form, measured=measured)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputTrouble(error) from error


def _check(form: str, without_families: str, *, measured: bool, base_url: str | None, sizes: str | None) -> None:
    """Raise `UsageError` for options that say nothing about the format. `without_families`: a config's name, or ""."""
    if form in _FOR_PAGES and without_families:
        raise click.UsageError(f"{without_families} has no rendition with widths or formats, which {form} is made of")
    if form in _FOR_PAGES and measured:
        raise click.UsageError(f"--measured is for rows: {form} tells pages nothing that was measured")
    if form not in _FOR_PAGES and base_url is not None:
        raise click.UsageError(f"--base-url is for {' and '.join(_FOR_PAGES)}: rows have names, no addresses")
    if form != "html" and sizes is not None:
        raise click.UsageError("--sizes is for html: elsewhere it is the page's to say")


def _write_rows(reader: Reader, to: Path | TextIO, form: str, *, measured: bool) -> None:
    from pipeline.manifest.export import kinds, listed, rows, write_csv, write_jsonl
    from pipeline.manifest.export_parquet import write_parquet

    listing = rows(reader, measured=measured)
    if form == "parquet" and isinstance(to, Path):
        write_parquet(listing, to, kinds(reader, measured=measured))
    elif form == "csv":
        write_csv(listing, to, measured=measured, listed=listed(reader))
    else:
        write_jsonl(listing, to)


def _write_hf(reader: Reader, to: Path, config: Config, *, measured: bool) -> None:
    from pipeline.amounts import count
    from pipeline.errors import printable
    from pipeline.manifest.export_hf import write_hf

    rows, unnamed = write_hf(reader, to, config.target.folder, measured=measured)
    if on_terminal():  # cron mails it
        complain(f"wrote {printable(str(to))}: {count(rows, 'picture')}")
    if unnamed:
        complain(f"pipeline: {count(unnamed, 'picture')} left out, whose names are not UTF-8", Colour.WARNING)


def _check_parquet(form: str, output: Path | None) -> None:
    """Raise `UsageError` for Parquet to a terminal, or without the library that writes it."""
    from importlib.util import find_spec

    from pipeline import extras

    if form == "parquet" and output is None:
        raise click.UsageError("parquet is no text for standard output: name a file (--output)")
    if (form == "parquet" or (output is not None and output.suffix == ".parquet")) and find_spec("pyarrow") is None:
        raise click.UsageError(f"parquet {extras.missing('parquet')}")


def _write_pictures(reader: Reader, config: Config, to: Path | TextIO, form: str, base_url: str, sizes: str) -> None:
    from pipeline.amounts import size
    from pipeline.cli.viewing import how_to_see, short
    from pipeline.errors import printable
    from pipeline.manifest.srcset import pictures, write_srcset
    from pipeline.plan.rules import families_of
    from pipeline.report import document
    from pipeline.report.pictures import KIND, write_html

    for_pages = pictures(reader, families_of(config), base_url)
    if form == "html":
        if isinstance(to, Path):
            to = document.place(KIND, to, config.target.folders)
        write_html(for_pages, to, title=printable(Path(config.target.place).name), sizes=sizes)
        if isinstance(to, Path) and on_terminal():  # cron mails it
            seen = "".join(f"; {how_to_see(to, target, base_url)}" for target in config.target.folders)
            complain(f"wrote {short(to)} ({size(to.stat().st_size)}){seen}")
    else:
        write_srcset(for_pages, to)


@command.command("merge")
@config_argument
def merge(config: Path) -> ExitStatus:
    """Bring the parts that runs with --shard have written into the manifest, and remove them. Status 1 where shards
    have not run, died or did not finish: they may run, and be merged, later. Status 1, too, where none has run at all.
    """
    from pipeline.amounts import count
    from pipeline.cli.report import write_again
    from pipeline.cli.summary import unfinished_shards
    from pipeline.config.load import load
    from pipeline.errors import printable
    from pipeline.manifest import rounds
    from pipeline.run.merging import merge as merged

    settings = load(config)
    came = merged(settings)
    for name, pictures in came.items():
        tell(f"{printable(name)}: {count(pictures, 'picture')}")
    current = rounds.now(settings.manifest)
    if current is None:
        complain(
            f"nothing to merge: no shard of {printable(str(config))} has run since the last run without --shard "
            "(do they see the same manifest as this command?)",
            Colour.WARNING,
        )
        return ExitStatus.FAILED
    if not came:
        complain(f"nothing to merge: what the last {count(current.count, 'shard')} have written was brought in before")
    elif settings.report:
        write_again(settings)
    missing = unfinished_shards(config, current)
    for line in missing:
        complain(line, Colour.WARNING)
    return ExitStatus.FAILED if missing else ExitStatus.OK


@command.command("query")
@click.argument("words", nargs=-1, metavar="[CONFIG] [QUESTION]...")
@click.option(
    "--view",
    type=click.Choice(["renditions", "pictures", "runs"]),
    help="What filters are about.  [default: renditions]",
)
@click.option("--json", "as_json", is_flag=True, help="JSON lines.")
@click.option("--csv", "as_csv", is_flag=True, help="CSV.")
@click.option("--all", "every", is_flag=True, help="All columns of the view in the table, not ten; nothing is cut off.")
def query(words: tuple[str, ...], view: str | None, as_json: bool, as_csv: bool, every: bool) -> None:
    """Ask the manifest: filters, or one SQL SELECT on the views renditions, pictures and runs. Without a question all
    rows of the view.

    The table is made to fit the terminal; --all, --json and --csv have everything.

    \b
    pipeline manifest query CONFIG status=failed
    pipeline manifest query CONFIG format=webp 'bytes>100000'
    pipeline manifest query CONFIG 'SELECT error, COUNT(*) FROM pictures GROUP BY error'
    """  # noqa: D301 - \b is click's mark for "do not rewrap"
    from pipeline.cli.table import table
    from pipeline.config.load import load
    from pipeline.manifest.query import ask, is_sql, select
    from pipeline.manifest.store import Manifest

    config, question = parted(words)
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other")
    if view is not None and is_sql(question):
        raise click.UsageError("--view is for filters; a SELECT names its views itself")
    with Manifest.reader(load(config)) as reader:
        answer = ask(reader, question[0]) if is_sql(question) else select(reader, question, view=view or "renditions")
        if as_json:
            for row in answer.rows:
                tell(json.dumps(dict(zip(answer.columns, map(_plain, row), strict=True)), ensure_ascii=False))
        elif as_csv:
            _tell_csv([answer.columns, *answer.rows])
        else:
            table(answer, () if every or is_sql(question) else _TEN[view or "renditions"], cut=not every)


def _plain(value: object) -> object:
    return value.hex() if isinstance(value, bytes) else value


def _tell_csv(rows: Iterable[Iterable[object]]) -> None:
    from pipeline.manifest.export import guarded

    for row in rows:
        line = io.StringIO()
        cells = [guarded(cell) if isinstance(cell, str) else _plain(cell) for cell in row]
        csv.writer(line, lineterminator="").writerow(cells)
        tell(line.getvalue())
