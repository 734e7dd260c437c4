"""The progress bar: on standard error, on a terminal only, and timed by the bytes of the work, not by its count."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import TYPE_CHECKING

from pipeline.amounts import size
from pipeline.cli.console import complain, on_terminal
from pipeline.cli.redrawing import redrawn

if TYPE_CHECKING:
    from tqdm import tqdm

    from pipeline.run.options import Progress

_FORMAT = "{desc} {percentage:3.0f}% {bar} {n_fmt}/{total_fmt}, {remaining} left{postfix}"


class _Question:
    """Whether somebody wants to know how far the run is: asked by SIGUSR1, at any time."""

    def __init__(self) -> None:
        self._asked = False

    def ask(self, _number: int, _frame: FrameType | None) -> None:
        self._asked = True

    def take(self) -> bool:
        """Whether it was asked since it was last taken."""
        asked, self._asked = self._asked, False
        return asked


_question = _Question()


def listen() -> None:
    """From now on SIGUSR1, which would end the process, asks for a line about the progress. Main thread only."""
    if hasattr(signal, "SIGUSR1"):
        signal.signal(signal.SIGUSR1, _question.ask)


class ProgressBar:
    """Shown while a run lasts; `watch` is called by the run's main thread about every tick."""

    def __init__(self, title: str, *, wanted: bool) -> None:
        self._bar: tqdm[None] | None = None
        self._title = title
        self._wanted = wanted and on_terminal()

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def watch(self, progress: Progress) -> None:
        """Draw where the run is, and say it if somebody has asked."""
        if _question.take():
            if self._bar is not None:
                self._bar.clear()
            complain(_line(self._title, progress))
        if not self._wanted:
            return
        if self._bar is None:
            self._bar = redrawn(self._title, _FORMAT, unit="B", unit_scale=True)
        self._bar.total = max(progress.bytes_expected, progress.bytes_done)
        self._bar.n = progress.bytes_done
        failed = f", {progress.failed} failed" if progress.failed else ""
        self._bar.set_postfix_str(f"{progress.pictures_done:,} pictures{failed}", refresh=True)


def _line(title: str, progress: Progress) -> str:
    share = f" ({progress.bytes_done / progress.bytes_expected:.0%})" if progress.bytes_expected else ""
    return (
        f"{title}: {progress.pictures_done:,} pictures dealt with, {progress.failed:,} failed; "
        f"{size(progress.bytes_done)} of about {size(progress.bytes_expected)}{share}"
    )
