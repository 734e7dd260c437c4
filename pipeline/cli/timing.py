"""When a scheduled run starts, in words and in the notations of cron and systemd."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipeline.config.node import quoted
from pipeline.errors import UsageError

_WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")  # as cron counts them
EVERY = ("hour", "day", "weekday", *_WEEKDAYS, "month")


@dataclass(frozen=True, slots=True)
class Timing:
    """A time of day by the local clock that repeats `every` ... (one of `EVERY`)."""

    every: str
    hour: int
    minute: int

    @property
    def words(self) -> str:
        """`every day at 02:30`."""
        if self.every == "hour":
            return f"every hour at :{self.minute:02d}"
        when = {"month": "on the first of every month", "weekday": "from Monday to Friday"}.get(self.every)
        return f"{when or f'every {self.every}'} at {self.hour:02d}:{self.minute:02d}"

    @property
    def cron(self) -> str:
        """The first five columns of a crontab: `30 2 * * *`."""
        hour = "*" if self.every == "hour" else str(self.hour)
        day = "1" if self.every == "month" else "*"
        weekday = "*"
        if self.every == "weekday":
            weekday = "1-5"
        elif self.every in _WEEKDAYS:
            weekday = str(_WEEKDAYS.index(self.every))
        return f"{self.minute} {hour} {day} * {weekday}"

    @property
    def calendar(self) -> str:
        """The same for `OnCalendar=`: `*-*-* 02:30:00`."""
        hour = "*" if self.every == "hour" else f"{self.hour:02d}"
        day = "01" if self.every == "month" else "*"
        weekday = ""
        if self.every == "weekday":
            weekday = "Mon..Fri "
        elif self.every in _WEEKDAYS:
            weekday = f"{self.every[:3].capitalize()} "
        return f"{weekday}*-*-{day} {hour}:{self.minute:02d}:00"


def timing(at: str | None, every: str) -> Timing:
    """The `Timing` that the options describe. Raises `UsageError`."""
    if every == "hour":
        match = re.fullmatch(r":([0-5][0-9])", at or ":30")
        if not match:
            raise UsageError(f"--at {quoted(at or '')}: with --every hour it is a minute, such as :30")
        return Timing(every, 0, int(match[1]))
    match = re.fullmatch(r"([01]?[0-9]|2[0-3]):([0-5][0-9])", at or "02:30")
    if not match:
        raise UsageError(f"--at {quoted(at or '')}: must be a time of day such as 02:30")
    return Timing(every, int(match[1]), int(match[2]))
