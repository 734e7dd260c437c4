"""A line on a terminal that is drawn again and again in its place, also while the terminal's width changes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TextIO

from pipeline.cli.console import on_terminal

if TYPE_CHECKING:
    from types import TracebackType

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


class ShareBar:
    """The share of some work that is done, on a terminal; without one nothing is shown."""

    def __init__(self, title: str, form: str) -> None:
        self._title = title
        self._form = form
        self._bar: tqdm[None] | None = None

    def __enter__(self) -> ShareBar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, share: float, *, title: str = "", postfix: str = "") -> None:
        """Draw it anew: `share` from 0 to 1, another title if there is one, and words behind the bar."""
        if not on_terminal():
            return
        if self._bar is None:
            self._bar = redrawn(self._title, self._form, total=1.0)
        if title:
            self._bar.set_description_str(title, refresh=False)
        self._bar.n = min(1.0, share)
        self._bar.set_postfix_str(postfix, refresh=True)


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
