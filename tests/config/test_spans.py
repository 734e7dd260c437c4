"""Times and shares as they are written in a config and on the command line."""

from __future__ import annotations

import datetime

import pytest

from pipeline.config.spans import duration, share, shown, time_of_day


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("1.5", 1.5), ("50m", 3000), ("50 min", 3000), ("1h30m", 5400), (" 2.5 h ", 9000)],
)
def test_a_duration_is_read_in_seconds(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "5 w", "1h 30x", "-5", "1e3", "12345678901", "5m!"])
def test_any_other_text_is_no_duration(text: str) -> None:
    assert duration(text) is None


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (0.1, "0.1s"), (90, "90s"), (600, "10m"), (86_400, "24h"), (604_800, "168h")]
)
def test_what_is_shown_is_read_as_the_same_duration(seconds: float, text: str) -> None:
    assert shown(seconds) == text
    assert duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "time"),
    [("06:00", datetime.time(6)), ("6:00", datetime.time(6)), ("23:59", datetime.time(23, 59)), ("24:00", None)]
    + [(text, None) for text in ("6", "06:60", "06:00:00", "noon", "")],
)
def test_a_time_of_day_is_hours_and_minutes(text: str, time: datetime.time | None) -> None:
    assert time_of_day(text) == time


@pytest.mark.parametrize(
    ("text", "part"),
    [("5 %", 0.05), ("5%", 0.05), ("0.5%", 0.005), ("100%", 1.0), ("101%", None), ("5", None), ("", None)],
)
def test_a_share_is_per_cent_up_to_all(text: str, part: float | None) -> None:
    assert share(text) == part
