"""Times and shares as people write them: `50m`, `06:00`, `5 %`. The command line reads them in the same way."""

from __future__ import annotations

import datetime
import re

_UNITS = {"d": 86_400, "h": 3600, "min": 60, "m": 60, "s": 1}
_NUMBER = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,3})?")
_PART = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?) ?(d|h|min|m|s)")
_TIME = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")
_SHARE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,3})?) ?%")


def duration(text: str) -> float | None:
    """Seconds of `90`, `90s`, `50m`, `1h30m`, `2.5 h` or `7d`; None for any other text."""
    words = text.strip()
    if _NUMBER.fullmatch(words):
        return float(words)
    parts = _PART.findall(words)
    if _PART.sub("", words).strip() or not parts:
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def shown(seconds: float) -> str:
    """The shortest text that `duration` reads as this: `90s`, `10m`, `24h`."""
    unit = next((unit for unit in ("h", "m") if seconds and seconds % _UNITS[unit] == 0), "s")
    return f"{seconds / _UNITS[unit]:g}{unit}"


def time_of_day(text: str) -> datetime.time | None:
    """`06:00` of the local clock; None for any other text."""
    match = _TIME.fullmatch(text)
    return datetime.time(int(match[1]), int(match[2])) if match else None


def share(text: str) -> float | None:
    """`5 %` as 0.05; None for any other text and for more than 100 %."""
    match = _SHARE.fullmatch(text)
    value = float(match[1]) / 100 if match else 2.0
    return value if value <= 1 else None
