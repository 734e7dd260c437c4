"""`pipeline compare`: what two configs, or several qualities, make of a sample of the pictures."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.amounts import count, duration, size
from pipeline.cli.console import Colour, complain, tell
from pipeline.cli.options import CONFIG, only_option
from pipeline.cli.redrawing import ShareBar
from pipeline.cli.viewing import short
from pipeline.config.node import quoted
from pipeline.errors import printable

if TYPE_CHECKING:
    from pipeline.run.compare.comparing import Comparison
    from pipeline.run.compare.recipes import Recipe
    from pipeline.run.compare.totals import Estimate, Totals

_QUALITY = re.compile(r"[1-9][0-9]?|100")
_MANY = 6  # renditions, from which on the choice of one is pointed out
_FORMAT = "{desc} {percentage:3.0f}% {bar}"


def _qualities(_context: click.Context, _parameter: click.Parameter, value: str | None) -> tuple[int, ...]:
    parts = [] if value is None else [part.strip() for part in value.split(",")]
    if not all(_QUALITY.fullmatch(part) for part in parts):
        raise click.BadParameter(f"{quoted(value or '')} is no list of whole numbers from 1 to 100 such as 60,70,80")
    return tuple(dict.fromkeys(map(int, parts)))


@click.command("compare")
@click.argument("configs", nargs=-1, type=click.Path(path_type=Path), metavar="[CONFIG] [OTHER]...")
@click.option(
    "--quality",
    "qualities",
    callback=_qualities,
    metavar="N,N,...",
    help="Compare CONFIG with these qualities of its JPEG, WebP, AVIF and JPEG XL renditions.",
)
@click.option("--sample", type=click.IntRange(1, 1000), default=40, show_default=True, help="About so many pictures.")
@click.option(
    "--rendition", "renditions", multiple=True, metavar="NAME", help="Only this one, or this family. May be repeated."
)
@only_option
@click.option(
    "--output", type=click.Path(path_type=Path), help="Where the page goes; default: CONFIG-compare.html beside it."
)
@click.option("--json", "as_json", is_flag=True, help="JSON on standard output in place of the table.")
def command(
    configs: tuple[Path, ...],
    qualities: tuple[int, ...],
    sample: int,
    renditions: tuple[str, ...],
    only: tuple[str, ...],
    output: Path | None,
    as_json: bool,
) -> None:
    """Render a sample of the pictures of CONFIG by several configs or with several qualities, and write one HTML page
    to judge by: pictures to flip between, bytes, similarity to the source, seconds, and totals for the whole folder.

    No target and no manifest is touched. All pictures are those of the first CONFIG's source.
    """
    from pipeline.report.comparison import place, write
    from pipeline.run.compare.comparing import compared
    from pipeline.run.compare.totals import totals

    recipes = _recipes(configs or (Path(CONFIG),), qualities, renditions)
    path = place(recipes[0].config, output)
    names = ", ".join(recipe.name for recipe in recipes)
    complain(f"compare: about {count(sample, 'picture')}, each by {names}; this may take minutes")
    if (number := max(len(recipe.names) for recipe in recipes)) >= _MANY and not renditions:
        complain(f"all {number} renditions are compared; --rendition NAME takes one of them, or one family")
    with (
        ShareBar("compare", _FORMAT) as bar,
        compared(recipes, sample, only, lambda what, share: bar.show(share, title=what)) as comparison,
    ):
        estimated = totals(comparison)
        written = write(comparison, estimated, path)
    for warning in comparison.warnings:
        complain(f"pipeline: {warning}", Colour.WARNING)
    if as_json:
        tell(json.dumps(_plain(comparison, estimated)))
    else:
        doubtful = any(estimate.doubt for estimate in estimated.bytes)
        for line in [*_table(comparison, estimated), "", *_sentences(comparison, doubtful=doubtful)]:
            tell(line)
    for line in _failures(comparison):
        complain(line, Colour.FAILURE)
    if written.left_out:
        tiles, have = count(len(comparison.cases), "tile"), "has" if written.left_out == 1 else "have"
        complain(
            f"{written.left_out:,} of {tiles} {have} only figures: the page has no more room; "
            "--rendition NAME or a smaller --sample leaves more to each"
        )
    complain(f"wrote {short(path)} ({size(written.size)}); open it in a browser")


def _recipes(configs: tuple[Path, ...], qualities: tuple[int, ...], renditions: tuple[str, ...]) -> list[Recipe]:
    from pipeline.config.load import load
    from pipeline.run.compare.recipes import of_configs, of_qualities

    if qualities and len(configs) > 1:
        raise click.UsageError("--quality is for one CONFIG; two are compared as they are")
    if not qualities and len(configs) == 1:
        raise click.UsageError(f"with what? Name a second config, or qualities: {configs[0]} --quality 60,70,80")
    loaded = [load(config) for config in configs]
    return of_qualities(loaded[0], qualities, renditions) if qualities else of_configs(loaded, renditions)


def _table(comparison: Comparison, estimated: Totals) -> list[str]:
    """A column for each recipe; under the name of each rendition a line for each figure."""
    head = ["", *(recipe.name for recipe in comparison.recipes)]
    rows = [head]
    for name in comparison.renditions:
        of_it = {total.recipe: total for total in estimated.renditions if total.rendition == name}
        there = [of_it.get(number) for number in range(len(comparison.recipes))]
        rows.append([printable(name)])
        rows.append(["  bytes", *_against([None if total is None else total.bytes for total in there])])
        rows.append(["  similarity", *("" if total is None else _score(total.score) for total in there)])
        rows.append(["  worst", *("" if total is None else _score(total.worst and total.worst[0]) for total in there)])
        if any(total and total.failed for total in there):
            rows.append(["  failed", *("" if total is None else str(total.failed) for total in there)])
    if len(estimated.formats) > 1:
        for name, amounts in estimated.formats.items():
            rows.append([f"all {name}, bytes", *_against([amount if amount.value else None for amount in amounts])])
    if len(comparison.renditions) > 1:
        rows.append(["all, bytes", *_against(estimated.bytes)])
    rows.append(["work", *(duration(estimate.value) for estimate in estimated.seconds)])
    widths = [max(len(row[column]) for row in rows if column < len(row)) for column in range(len(head))]
    return [
        "  ".join(
            cell.ljust(width) if not column else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=False))
        ).rstrip()
        for row in rows
    ]


def _against(estimates: Sequence[Estimate | None]) -> list[str]:
    """Each amount with the doubt about it, the later ones with what they are of the first."""
    first = estimates[0]
    cells = []
    for number, estimate in enumerate(estimates):
        if estimate is None:
            cells.append("")
            continue
        doubt = f" ± {size(estimate.doubt)}" if estimate.doubt else ""
        change = f" ({estimate.value / first.value - 1:+.0%})" if number and first and first.value else ""
        cells.append(size(estimate.value) + doubt + change)
    return cells


def _score(score: float | None) -> str:
    return "unknown" if score is None else f"{score:.1f}"


def _sentences(comparison: Comparison, *, doubtful: bool) -> list[str]:
    from pipeline.report.comparison import basis, likeness

    return [
        *basis(comparison),
        *(["± is by how much a total may be off in 19 of 20 samples; changes are more certain"] if doubtful else []),
        likeness(),
        "work is the time of all children together",
    ]


def _failures(comparison: Comparison) -> list[str]:
    lines = [
        f"{recipe.name}: {printable(case.picture.source)}: {case.rendition}: {made.error}"
        for case in comparison.cases
        for recipe, made in zip(comparison.recipes, case.made, strict=True)
        if made is not None and made.error
    ]
    most = 10
    return lines[:most] + ([f"and {count(len(lines) - most, 'more failure')}"] if len(lines) > most else [])


def _plain(comparison: Comparison, estimated: Totals) -> dict[str, object]:
    sample = comparison.sample
    return {
        "recipes": [recipe.name for recipe in comparison.recipes],
        "pictures": sample.all_pictures,
        "sample": len(sample.pictures),
        "unreadable": [printable(source) for source in sample.unreadable],
        "strata": [asdict(stratum) for stratum in sample.strata],
        "renditions": [asdict(total) for total in estimated.renditions],
        "bytes": [asdict(estimate) for estimate in estimated.bytes],
        "formats": {name: [asdict(estimate) for estimate in some] for name, some in estimated.formats.items()},
        "seconds": [asdict(estimate) for estimate in estimated.seconds],
        "cases": [
            {
                "source": printable(case.picture.source),
                "stratum": case.picture.stratum,
                "rendition": case.rendition,
                "recipe": recipe.name,
                **{key: value for key, value in asdict(made).items() if key != "file"},
            }
            for case in comparison.cases
            for recipe, made in zip(comparison.recipes, case.made, strict=True)
            if made is not None
        ],
    }
