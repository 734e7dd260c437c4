"""The progress bar: on standard error, on a terminal only, and timed by the bytes of the work, not by its count.

The time left is that of the last minute's pace: pictures that are copied, or small, come in stretches.
"""

from __future__ import annotations

import signal
import time
from collections import deque
from types import FrameType, TracebackType
from typing import TYPE_CHECKING

from pipeline.amounts import count, duration, pace, size
from pipeline.cli.console import complain, on_terminal
from pipeline.cli.redrawing import redrawn

if TYPE_CHECKING:
    from tqdm import tqdm

    from pipeline.run.options import Progress

_MINUTE, _STEP = 60.0, 1.0  # seconds that count for the pace, and between two looks
_FORMAT = "{desc} {percentage:3.0f}% {bar} {unit}"
_BY_BYTES = "{desc} {percentage:3.0f}% of the bytes {bar} {unit}"


class _Question:
    """A request for a line about the progress: set by SIGUSR1, at any time."""

    def __init__(self) -> None:
        self._asked = False

    def ask(self, _number: int, _frame: FrameType | None) -> None:
        self._asked = True

    def take(self) -> bool:
        """Whether a request came since the last call."""
        asked, self._asked = self._asked, False
        return asked


_question = _Question()


def listen() -> None:
    """Make SIGUSR1, which would end the process, a request for a line about the progress. Main thread only."""
    if hasattr(signal, "SIGUSR1"):
        signal.signal(signal.SIGUSR1, _question.ask)


class ProgressBar:
    """Shown while a run lasts; `watch` is called by the run's main thread about every tick."""

    def __init__(self, title: str, *, wanted: bool) -> None:
        self._bar: tqdm[None] | None = None
        self._title = title
        self._wanted = wanted and on_terminal()
        self._started = time.monotonic()
        self._pace = Pace()
        self._waiting = False

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def stopping(self, in_flight: int) -> None:
        """Report at once that a signal has arrived; in any thread."""
        if not on_terminal():
            return
        self._wanted = False
        if self._bar is not None:
            self._bar.clear()
        complain(f"finishing {count(in_flight, 'picture')} in flight; again to stop now" if in_flight else "stopping")

    def watch(self, progress: Progress) -> None:
        """Draw the progress, and print it as a line if that was requested."""
        if _question.take():
            if self._bar is not None:
                self._bar.clear()
            complain(_line(self._title, progress))
        if progress.waiting and not self._waiting:
            complain(f"{self._title}: {progress.waiting}; the run waits")
        self._waiting = bool(progress.waiting)
        if not self._wanted:
            return
        if self._bar is None:
            self._bar = redrawn(self._title, _FORMAT)
        now = time.monotonic()
        self._bar.bar_format = _BY_BYTES if progress.by_bytes else _FORMAT
        self._bar.n, self._bar.total = progress.work
        self._bar.unit = position(progress, now - self._started, self._pace.left(now, *progress.work))
        self._bar.refresh()


class Pace:
    """How fast the work goes on: by what has been done in the last minute."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()  # when how much was done

    def left(self, now: float, done: int, total: int) -> float | None:
        """Seconds until all is done; None where nothing has been done in that minute. `now`: by the monotonic clock."""
        if not self._seen or now - self._seen[-1][0] >= _STEP:
            self._seen.append((now, done))
        while len(self._seen) > 2 and now - self._seen[1][0] > _MINUTE:
            self._seen.popleft()
        since, before = self._seen[0]
        return (total - done) * (now - since) / (done - before) if done > before else None


def position(progress: Progress, seconds: float, left: float | None) -> str:
    """`1,200/2,400 pictures, 5.3/s, 3 min 20 s left, 2 failed`: so far in `seconds`, with so many seconds `left`."""
    parts = [f"{progress.jobs_done:,}/{max(progress.jobs_expected, progress.jobs_done):,} pictures"]
    if progress.jobs_done and seconds:
        parts.append(pace(progress.jobs_done, seconds, "/s"))
    if left is not None:
        parts.append(f"{duration(left)} left")
    if progress.failed:
        parts.append(f"{progress.failed:,} failed")
    if progress.waiting:
        parts.append(progress.waiting)
    return ", ".join(parts)


def _line(title: str, progress: Progress) -> str:
    done, total = progress.work
    share = f" ({done / total:.0%})" if total else ""
    return (
        f"{title}: {progress.pictures_done:,} pictures dealt with, {progress.failed:,} failed; "
        f"{size(progress.bytes_done)} of about {size(progress.bytes_expected)}{share}"
    )
