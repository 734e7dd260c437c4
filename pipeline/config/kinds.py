"""Numbers of a config that are written in a way of their own: sizes, durations, times of day, numbers or a word."""

from __future__ import annotations

import datetime
import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.config.section import Json, Kind, wrong
from pipeline.config.spans import duration, share, shown, time_of_day
from pipeline.model.spec import AS_SOURCE, Similarity

_LEAST_SCORE, _MOST_SCORE = 10, 95  # of SSIMULACRA 2: from a mosaic to what no eye tells apart


@dataclass(frozen=True, slots=True)
class WholeOrAuto(Kind):
    """A whole number from `low` to `high`, or the word `auto`, which becomes None."""

    low: int
    high: int

    def parse(self, value: object) -> int | None:
        """See `Kind`."""
        if value == "auto":
            return None
        if type(value) is not int or not self.low <= value <= self.high:
            raise wrong(f"must be a whole number from {self.low} to {self.high}, or auto", "auto")
        return value

    def json(self) -> Json:
        """See `Kind`."""
        return _or_auto({"maximum": self.high, "minimum": self.low, "type": "integer"})


@dataclass(frozen=True, slots=True)
class WholeOr(Kind):
    """A whole number from `least`, or a `word`, which becomes the number `meaning`."""

    least: int
    word: str
    meaning: int
    most: int = 65_535

    def parse(self, value: object) -> int:
        """See `Kind`."""
        if value == self.word:
            return self.meaning
        if type(value) is not int or not self.least <= value <= self.most:
            raise wrong(f"must be a whole number from {self.least} to {self.most}, or {self.word}", self.word)
        return value

    def json(self) -> Json:
        """See `Kind`."""
        return {"anyOf": [{"const": self.word}, {"type": "integer", "minimum": self.least, "maximum": self.most}]}


@dataclass(frozen=True, slots=True)
class QualityOrSimilarity(Kind):
    """A whole number from 1 to 100, or a mapping with the similarity that is sought."""

    def parse(self, value: object) -> int | Similarity:
        """See `Kind`."""
        if type(value) is int:
            if not 1 <= value <= 100:
                raise wrong("must be a whole number from 1 to 100")
            return value
        if isinstance(value, dict) and list(value) == ["ssimulacra2"]:
            score = value["ssimulacra2"]
            if type(score) not in (int, float) or not _LEAST_SCORE <= score <= _MOST_SCORE:
                raise wrong(f"ssimulacra2 must be a number from {_LEAST_SCORE} to {_MOST_SCORE}")
            return Similarity(float(score))
        raise wrong("must be a whole number from 1 to 100, or a similarity such as {ssimulacra2: 75}")

    def json(self) -> Json:
        """See `Kind`."""
        score = {"type": "number", "minimum": _LEAST_SCORE, "maximum": _MOST_SCORE}
        similarity = {
            "type": "object",
            "properties": {"ssimulacra2": score},
            "required": ["ssimulacra2"],
            "additionalProperties": False,
        }
        return {"anyOf": [{"type": "integer", "minimum": 1, "maximum": 100}, similarity]}


@dataclass(frozen=True, slots=True)
class EightOrKeep(Kind):
    """The number 8, or the word `keep`, which becomes `AS_SOURCE`."""

    def parse(self, value: object) -> int:
        """See `Kind`."""
        if value == "keep":
            return AS_SOURCE
        if type(value) is not int or value != 8:
            raise wrong("must be 8 or keep", "keep")
        return value

    def json(self) -> Json:
        """See `Kind`."""
        return {"enum": [8, "keep"]}


@dataclass(frozen=True, slots=True)
class SwitchOr(Kind):
    """`true`, `false` or a `word`."""

    word: str

    def parse(self, value: object) -> bool | str:
        """See `Kind`."""
        if isinstance(value, bool):
            return value
        if value == self.word:
            return self.word
        raise wrong(f"must be true, false or {self.word}")

    def json(self) -> Json:
        """See `Kind`."""
        return {"anyOf": [{"type": "boolean"}, {"const": self.word, "type": "string"}]}


@dataclass(frozen=True, slots=True)
class SomeOf(Kind):
    """A list of members of an enum, by their values. Becomes a tuple in the order of the enum."""

    members: type[enum.StrEnum]

    def parse(self, value: object) -> tuple[enum.StrEnum, ...]:
        """See `Kind`."""
        names = [member.value for member in self.members]
        if not isinstance(value, list | tuple) or not all(name in names for name in value):
            raise wrong(f"must be a list of {', '.join(names)}")
        return tuple(member for member in self.members if member.value in value)

    def json(self) -> Json:
        """See `Kind`."""
        return {"type": "array", "items": {"enum": [member.value for member in self.members]}}


@dataclass(frozen=True, slots=True)
class Seconds(Kind):
    """A number of seconds, or a duration such as `1h30m`, from `low` to `high` seconds. Becomes a float."""

    low: float
    high: float

    def parse(self, value: object) -> float:
        """See `Kind`."""
        seconds = duration(value) if isinstance(value, str) else value
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not self.low <= seconds <= self.high:
            bounds = f"from {shown(self.low)} to {shown(self.high)}"
            raise wrong(f"must be seconds, or a duration such as 10m or 1h30m, {bounds}")
        return float(seconds)

    def json(self) -> Json:
        """See `Kind`."""
        number = {"type": "number", "minimum": self.low, "maximum": self.high}
        return {"anyOf": [number, {"type": "string", "pattern": "^[0-9. dhmins]+$"}]}


@dataclass(frozen=True, slots=True)
class TimeOfDay(Kind):
    """`06:00` by the local clock. Becomes a `datetime.time`."""

    def parse(self, value: object) -> datetime.time:
        """See `Kind`."""
        time = time_of_day(value) if isinstance(value, str) else None
        if time is None:
            raise wrong('must be a time of day such as "06:00"')
        return time

    def json(self) -> Json:
        """See `Kind`."""
        return {"type": "string", "pattern": "^(?:[01]?[0-9]|2[0-3]):[0-5][0-9]$"}


@dataclass(frozen=True)
class Amount(Kind):
    """A whole number, or text with a unit: `2 GiB`. Becomes an int; with `auto`, that word becomes None."""

    units: Mapping[str, int]
    like: str  # examples for the message
    low: int
    high: int
    auto: bool = False
    unit: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        names = "|".join(self.units)
        object.__setattr__(self, "unit", re.compile(rf"([0-9]{{1,15}}(?:\.[0-9]{{1,6}})?) ?({names})"))

    def parse(self, value: object) -> int | None:
        """See `Kind`."""
        if self.auto and value == "auto":
            return None
        amount = value if type(value) is int else None
        match = self.unit.fullmatch(value) if isinstance(value, str) else None
        if match:
            amount = round(float(match[1]) * self.units[match[2]])
        if amount is None or not self.low <= amount <= self.high:
            bounds = f"from {self._shown(self.low)} to {self._shown(self.high)}"
            raise wrong(f"must be {self.like}, {bounds}{', or auto' * self.auto}")
        return amount

    def _shown(self, amount: int) -> str:
        """`amount` in the largest unit that fits it."""
        name, size = max((pair for pair in self.units.items() if amount % pair[1] == 0), key=lambda pair: pair[1])
        return f"{amount // size} {name}"

    def json(self) -> Json:
        """See `Kind`."""
        number = {"type": "integer", "minimum": self.low, "maximum": self.high}
        text = {"type": "string", "pattern": f"^(?:{self.unit.pattern})$"}
        return _or_auto(number, text) if self.auto else {"anyOf": [number, text]}


BYTES = {
    name: base**power
    for power, prefix in enumerate(("", "k", "M", "G", "T"))
    for name, base in ((f"{prefix}B", 1000), (f"{'K' if prefix == 'k' else prefix}iB", 1024))
    if name != "iB"
}
LIKE_BYTES = 'a size such as "2 GiB", "500 MB" or a number of bytes'
PIXELS = {"px": 1, "kpx": 10**3, "Mpx": 10**6, "Gpx": 10**9}


@dataclass(frozen=True, slots=True)
class StopAfter(Kind):
    """A share of the pictures such as `5 %`, or a number of them. Becomes a float (0 to 1) or an int."""

    def parse(self, value: object) -> float | int:
        """See `Kind`."""
        if type(value) is int and 1 <= value <= 10**9:
            return value
        part = share(value) if isinstance(value, str) else None
        if part is None:
            raise wrong('must be a share of the pictures such as "5 %", or a number of them such as 100')
        return part

    def json(self) -> Json:
        """See `Kind`."""
        text = {"type": "string", "pattern": r"^[0-9]{1,3}(?:\.[0-9]{1,3})? ?%$"}
        return {"anyOf": [{"type": "integer", "minimum": 1}, text]}


def _or_auto(*choices: Json) -> Json:
    return {"anyOf": [{"const": "auto"}, *choices], "default": "auto"}
