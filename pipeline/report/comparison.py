"""The page of a comparison: pictures to flip between, and figures. It holds its pictures, and so can be passed on."""

from __future__ import annotations

import base64
import importlib.util
import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import extras
from pipeline.amounts import count
from pipeline.config.settings import Config
from pipeline.errors import UsageError, printable
from pipeline.report import document
from pipeline.report.gallery import BROWSERS
from pipeline.run.compare.comparing import Case, Comparison
from pipeline.run.compare.recipes import QUALITY, backgrounds
from pipeline.run.compare.rendering import Made
from pipeline.run.compare.strata import WORDS
from pipeline.run.compare.totals import Estimate, Total, Totals

KIND = document.Kind("compare", "comparison", "data:", ("style.css", "compare.css"), ("shared.js", "compare.js"))
_NAMED = 10  # pictures that could not be read; JSON has them all
MOST = 64 * 2**20  # bytes of pictures: a page of 102 MB opened in 7.4 s on two busy CPUs (one of 13 MB in 2.1 s)


def place(config: Config, output: Path | None = None) -> Path:
    """Where the page goes: `output`, else beside the config. Raises as `document.place`, and `UsageError` where the
    folder cannot be written to: rendering may take minutes, and all of it would be lost.
    """
    path = output or config.path.with_name(f"{config.path.stem}-compare.html")
    path = document.place(KIND, path, config.target.folders)
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise UsageError(
            f"{printable(str(path))}: no comparison can be written to a folder that is missing or not yours to write "
            "to; name another place (--output)"
        )
    return path


@dataclass(frozen=True, slots=True)
class Written:
    """A page: its size in bytes, and of how many cases it has the figures only, because their pictures had no room."""

    size: int
    left_out: int


def write(comparison: Comparison, totals: Totals, path: Path) -> Written:
    """Write the page to `path`, atomically. Raises `TargetTrouble`."""
    pictures = _Pictures(comparison)
    text = _page(comparison, totals, pictures)
    return Written(document.write(KIND, path, text), pictures.left_out)


def basis(comparison: Comparison) -> list[str]:
    """What the totals rest on, in sentences."""
    sample = comparison.sample
    strata = ", ".join(f"{stratum.picked} {stratum.name}" for stratum in sample.strata)
    rendered = len(sample.pictures)
    if rendered == sample.all_pictures:
        return [f"all {count(rendered, 'picture')} rendered ({strata}): the totals are exact"]
    read = "every header was read" if sample.is_exact else f"{sample.candidates:,} headers were read"
    lines = [
        f"{rendered:,} of {count(sample.all_pictures, 'picture')} rendered ({strata}); {read}",
        "totals are for the whole folder, each stratum by the mean of its pictures",
    ]
    if sample.unreadable:
        names = [printable(source) for source in sample.unreadable[:_NAMED]]
        if (more := len(sample.unreadable) - _NAMED) > 0:
            names.append(f"and {more:,} more")
        lines.append(
            f"{count(len(sample.unreadable), 'picture')} could not be read, left out of the totals: {', '.join(names)}"
        )
    return lines


def likeness() -> str:
    """What the similarities are, or why there are none."""
    if importlib.util.find_spec(extras.PACKAGES["libvips"][0]) is None:
        return f"similarity {extras.missing('libvips')}"
    return "similarity is SSIMULACRA 2 against the source scaled to the same box: 100 is no difference"


@dataclass(frozen=True, slots=True)
class _Line:
    """A row of a table of totals."""

    recipe: str
    bytes: Estimate
    change: float | None  # against the first recipe of this rendition or format
    share: float  # of the largest of this rendition or format, 0 to 1
    total: Total | None  # of a rendition


def _page(comparison: Comparison, totals: Totals, pictures: _Pictures) -> str:
    recipes = [recipe.name for recipe in comparison.recipes]
    shown = pictures.plain()
    return document.text(
        KIND,
        "compare.html",
        title=f"{' / '.join(recipes)} · pipeline compare",
        config=printable(str(comparison.recipes[0].config.path)),
        recipes=recipes,
        headline=_headline(recipes, totals.bytes),
        basis=basis(comparison),
        likeness=likeness(),
        totals=totals,
        tables={name: _of_rendition(name, recipes, totals) for name in comparison.renditions},
        formats={name: _of_format(recipes, amounts) for name, amounts in totals.formats.items()},
        sample=comparison.sample,
        words=WORDS,
        printable=printable,
        left_out=pictures.left_out,
        comparison=document.script_safe(shown),
    )


def _headline(recipes: list[str], bytes_: tuple[Estimate, ...]) -> str:
    first, last = bytes_[0].value, bytes_[-1].value
    if len(recipes) != 2 or not first:
        names = f"{', '.join(recipes[:-1])} and {recipes[-1]}, side by side."
        return names[0].upper() + names[1:] if all(recipe.startswith(QUALITY) for recipe in recipes) else names
    change = last / first - 1
    how = f"{abs(change):.0%} {'smaller' if change < 0 else 'larger'} than" if abs(change) >= 0.005 else "as large as"
    return f"{recipes[1]} is {how} {recipes[0]}."


def _of_rendition(name: str, recipes: list[str], totals: Totals) -> list[_Line]:
    there = [total for total in totals.renditions if total.rendition == name]
    return list(_lines([(recipes[total.recipe], total.bytes, total) for total in there]))


def _of_format(recipes: list[str], amounts: tuple[Estimate, ...]) -> list[_Line]:
    named = zip(recipes, amounts, strict=True)
    return list(_lines([(recipe, amount, None) for recipe, amount in named if amount.value]))


def _lines(rows: list[tuple[str, Estimate, Total | None]]) -> Iterator[_Line]:
    first, largest = rows[0][1].value, max(amount.value for _, amount, _ in rows)
    for number, (recipe, amount, total) in enumerate(rows):
        change = amount.value / first - 1 if first and number else None
        yield _Line(recipe, amount, change, amount.value / largest if largest else 0.0, total)


class _Pictures:
    """The cases as values for JSON, and their files as `data:` addresses, each once, as far as they fit."""

    def __init__(self, comparison: Comparison) -> None:
        self._comparison = comparison
        self._backgrounds = [backgrounds(recipe.config) for recipe in comparison.recipes]
        self._files: dict[Path, int] = {}
        self._addresses: list[str] = []
        self.left_out = 0  # cases whose pictures would make the page too large

    def plain(self) -> dict[str, Any]:
        """What the script reads."""
        left, fitting = MOST, set()
        for case in _in_turns(self._comparison.cases):
            size = sum(file.stat().st_size for file in _files(case))
            if size <= left:
                left -= size
                fitting.add(id(case))
        self.left_out = len(self._comparison.cases) - len(fitting)
        cases = [self._case(case, embedded=id(case) in fitting) for case in self._comparison.cases]
        return {
            "recipes": [recipe.name for recipe in self._comparison.recipes],
            "cases": cases,
            "files": self._addresses,
        }

    def _case(self, case: Case, *, embedded: bool) -> dict[str, Any]:
        traits = case.picture.traits
        return {
            "source": printable(case.picture.source),
            "stratum": case.picture.stratum,
            "rendition": case.rendition,
            "bytes": case.picture.bytes,
            "size": [traits.width, traits.height],
            "sides": [self._side(number, case, embedded=embedded) for number in range(len(case.made))],
        }

    def _side(self, number: int, case: Case, *, embedded: bool) -> dict[str, Any] | None:
        made, reference = case.made[number], case.references[number]
        if made is None:
            return None
        return {
            "format": made.format,
            "size": [made.width, made.height],
            "bytes": made.bytes,
            "seconds": round(made.seconds, 3),
            "score": made.score,
            "error": made.error,
            "file": self._file(made) if embedded else -1,
            "reference": self._file(reference) if embedded and reference else -1,
            "background": self._backgrounds[number](case.picture.source, case.rendition),
        }

    def _file(self, made: Made) -> int:
        """The number of the file; -1 where there is none that browsers show."""
        if made.file is None or made.format not in BROWSERS:
            return -1
        if made.file not in self._files:
            content = base64.b64encode(made.file.read_bytes()).decode("ascii")
            self._files[made.file] = len(self._addresses)
            self._addresses.append(f"data:image/{made.format};base64,{content}")
        return self._files[made.file]


def _files(case: Case) -> set[Path]:
    return {made.file for made in (*case.made, *case.references) if made and made.file and made.format in BROWSERS}


def _in_turns(cases: tuple[Case, ...]) -> Iterator[Case]:
    """One case of each stratum after the other, so that every stratum is seen where not all cases are."""
    queues: defaultdict[str, list[Case]] = defaultdict(list)
    for case in cases:
        queues[case.picture.stratum].append(case)
    longest = max(map(len, queues.values()), default=0)
    for at in range(longest):
        yield from (queue[at] for queue in queues.values() if at < len(queue))
