"""Tables of rows and bars of characters that fit the terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from pipeline.amounts import count
from pipeline.cli.console import tell
from pipeline.errors import printable

if TYPE_CHECKING:
    from pipeline.manifest.query import Answer

_LONGEST, _NARROWEST = 60, 6  # characters of a cell
_PATHS = frozenset({"source", "target"})  # columns


def table(answer: Answer, wanted: Collection[str], *, cut: bool) -> None:
    """Print the `wanted` columns (none: all) without those that are empty throughout: a table of twenty mostly empty
    ones reads badly. With `cut`, long values are cut off, and on a terminal as many more as it takes for rows to fit.
    """
    rows = [["" if value is None else _word(value) for value in row] for row in answer.rows]
    shown = [
        index
        for index, name in enumerate(answer.columns)
        if (not wanted or name in wanted) and any(row[index] for row in rows)
    ]
    cells = [[row[index] for index in shown] for row in ([*answer.columns], *rows)] if rows else []
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    if cut:
        widths = fitted(widths, _columns())
    heads = [_head(answer.columns[index]) for index in shown]
    for row in cells:
        cut_cells = map(_cut, row, widths, heads)
        tell("  ".join(cell.ljust(width) for cell, width in zip(cut_cells, widths, strict=True)).rstrip())
    tell(f"({count(len(rows), 'row')})")


def fitted(widths: Sequence[int], most: int | None) -> list[int]:
    """Widths of columns with two spaces between them; the widest are narrowed until a row fits into `most`."""
    widths = [min(width, _LONGEST) for width in widths]
    while most is not None and sum(widths) + 2 * (len(widths) - 1) > most and max(widths) > _NARROWEST:
        widths[widths.index(max(widths))] -= 1
    return widths


def _columns() -> int | None:
    """Columns of the terminal that the table goes to; None where it goes elsewhere."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns if sys.stdout.isatty() else None
    except (AttributeError, OSError, ValueError):
        return None


def _head(column: str) -> float:
    """The share of a long value that is shown of its beginning: the end of a path says more."""
    return 0.25 if column in _PATHS else 1.0


def _cut(text: str, width: int, head: float) -> str:
    if len(text) <= width:
        return text
    before = round((width - 3) * head)
    return text[:before] + "..." + text[len(text) - (width - 3 - before) :]


def _word(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    return printable(value.hex() if isinstance(value, bytes) else str(value))


_EIGHTHS = " ▏▎▍▌▋▊▉█"


def bar(share: float, width: int, encoding: str | None = None) -> str:
    """A bar of `share` (0 to 1) of `width` characters, nothing behind it. `encoding`: that of standard output."""
    share = min(1.0, max(0.0, share))
    if not _has_blocks(encoding or getattr(sys.stdout, "encoding", None) or "ascii"):
        return "#" * round(share * width)
    whole, eighth = divmod(round(share * width * 8), 8)
    return "█" * whole + _EIGHTHS[eighth].strip()


def _has_blocks(encoding: str) -> bool:
    try:
        _EIGHTHS.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
