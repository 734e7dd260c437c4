"""The time of a run: when it must end, and which pictures still fit.

Only the start of a run reads the wall clock. Everything after uses the monotonic one, so that setting the clock, by
hand or by summer time, ends no run early and fails no picture.
"""

from __future__ import annotations

import datetime
import threading
import time

_ENOUGH = 5  # pictures of this run after which its own pace counts, and not that of earlier runs


def seconds_until(moment: datetime.time, now: datetime.datetime) -> float:
    """Seconds from `now` (local, without a zone) until the local clock shows `moment` next."""
    then = now.replace(hour=moment.hour, minute=moment.minute, second=moment.second, microsecond=0)
    if then <= now:
        then += datetime.timedelta(days=1)
    return max(0.0, then.timestamp() - now.timestamp())  # as timestamps: a day of 23 or 25 hours has its length


def deadline(max_runtime: float | None, until: datetime.time | None) -> float | None:
    """The end of a run that starts now, by the monotonic clock; None: it has no end."""
    ends = [] if max_runtime is None else [max_runtime]
    if until is not None:
        ends.append(seconds_until(until, datetime.datetime.now()))
    return time.monotonic() + min(ends) if ends else None


class Pace:
    """Predicts how long a picture takes: its bytes times the mean seconds a byte. Thread-safe."""

    def __init__(self, deadline: float | None, remembered: float | None) -> None:
        """`remembered`: seconds a byte in earlier runs, if there were any."""
        self._deadline = deadline
        self._remembered = remembered
        self._lock = threading.Lock()
        self._pictures = 0
        self._bytes = 0
        self._seconds = 0.0

    def took(self, size: int, seconds: float) -> None:
        """A picture of so many bytes has taken so long, by the wall."""
        with self._lock:
            self._pictures += 1
            self._bytes += size
            self._seconds += seconds

    def fits(self, size: int) -> bool:
        """Whether a picture of so many bytes would be done in time, by what is known."""
        if self._deadline is None:
            return True
        with self._lock:
            own = self._seconds / self._bytes if self._pictures >= _ENOUGH and self._bytes else None
            pace = self._remembered if own is None else own
            return time.monotonic() + size * (pace or 0.0) < self._deadline
