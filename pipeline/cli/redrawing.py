"""A line on a terminal that is drawn again and again in its place, also while the terminal's width changes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from tqdm import tqdm


_TYPED = 3  # columns


def redrawn(title: str, form: str, **more: Any) -> tqdm[None]:
    """A tqdm bar on standard error, erased when it is closed. tqdm is imported here: 40 ms, and few runs need it."""
    from tqdm import tqdm

    bar = tqdm(desc=title, leave=False, dynamic_ncols=True, bar_format=form, **more)
    bar.dynamic_ncols = _room
    if os.environ.get("TERM", "dumb") != "dumb":
        bar.sp = Line(bar.fp)
    return bar


def _room(file: TextIO) -> tuple[int | None, int | None]:
    """Columns and rows of the terminal, less the columns in which it echoes a typed `^C`: that would begin another row,
    and the line could no longer be erased.
    """
    try:
        columns, rows = os.get_terminal_size(file.fileno())
    except OSError:
        return None, None
    return max(1, columns - _TYPED), rows


class Line:
    """Replaces its last text. tqdm overwrites with spaces, which wrap where the terminal has become narrower.

    A terminal that becomes narrower than the line breaks it in several rows and leaves the cursor in the last of them.
    On the few that cut it off instead (xterm), as many rows above it are erased.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._drawn = 0  # columns

    def __call__(self, text: str) -> None:
        """Draw `text`, which has no line break."""
        from tqdm.utils import disp_len

        broken = (self._drawn - 1) // self._columns() if self._drawn else 0
        erased = "\x1b[K" + "\x1b[A\x1b[K" * broken  # row by row: tmux keeps a copy of what an erased screen held
        self._file.write(f"\r{erased}{text}")
        self._file.flush()
        self._drawn = int(disp_len(text))

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self._file.fileno()).columns or self._drawn
        except OSError:
            return self._drawn
