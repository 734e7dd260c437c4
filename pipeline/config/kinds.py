"""The kinds of values that a config holds (those that are text: `texts`): each checks a value, says what is allowed,
and describes itself to editors.

They stand in `Annotated[...]` in `pipeline.config.schema`. Whatever is wrong with a value, the message names everything
that is allowed: pydantic's own wording never reaches a reader.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from pipeline.config.spans import duration, shown

Json = dict[str, Any]

WRONG = "wrong"  # the type of errors that end with what was found instead: (got ...)
RULE = "rule"  # of errors that do not, because the value is fine by itself


def wrong(text: str, choices: str = "") -> PydanticCustomError:
    """The error for a value that is not allowed where it stands. `choices`: words that may have been meant."""
    return PydanticCustomError(WRONG, "{text}", {"text": text, "choices": choices})


def rule(text: str) -> PydanticCustomError:
    """The error for a value that does not go with others."""
    return PydanticCustomError(RULE, "{text}", {"text": text})


def _one_error(inner: CoreSchema, text: str, choices: str = "") -> CoreSchema:
    context: dict[str, str | int | float] = {"text": text, "choices": choices}
    return core_schema.custom_error_schema(inner, WRONG, custom_error_message="{text}", custom_error_context=context)


@dataclass(frozen=True, slots=True)
class Says:
    """Any type; `text` is what is said of a wrong value."""

    text: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return _one_error(handler(source), self.text)


Flag = Annotated[bool, Field(strict=True), Says("must be true or false")]
OptionalFlag = Annotated[bool | None, Field(strict=True), Says("must be true or false")]


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number from `low` to `high`; with `auto`, also that word, which becomes None."""

    low: int
    high: int
    auto: bool = False

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        number: CoreSchema = core_schema.int_schema(strict=True, ge=self.low, le=self.high)
        text = f"must be a whole number from {self.low} to {self.high}"
        if self.auto:
            number = core_schema.no_info_wrap_validator_function(_auto, number)
            text += ", or auto"
        return _one_error(number, text, "auto" if self.auto else "")

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> Json:
        return _with_auto(handler(schema)) if self.auto else handler(schema)


def _auto(value: Any, number: Callable[[Any], Any]) -> Any:
    return None if value == "auto" else number(value)


def _with_auto(json: Json) -> Json:
    choices = json.get("anyOf", [json])
    return {"anyOf": [{"const": "auto"}, *choices], "default": "auto"}


@dataclass(frozen=True, slots=True)
class Seconds:
    """A number of seconds, or a duration such as `1h30m`, from `low` to `high` seconds. Becomes a float."""

    low: float
    high: float

    def parse(self, value: object) -> float:
        """Raises `PydanticCustomError` for what is none."""
        seconds = duration(value) if isinstance(value, str) else value
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not self.low <= seconds <= self.high:
            bounds = f"from {shown(self.low)} to {shown(self.high)}"
            raise wrong(f"must be seconds, or a duration such as 10m or 1h30m, {bounds}")
        return float(seconds)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> Json:
        number = {"type": "number", "minimum": self.low, "maximum": self.high}
        return {"anyOf": [number, {"type": "string", "pattern": "^[0-9. hmins]+$"}]}


@dataclass(frozen=True)
class Amount:
    """A whole number, or text with a unit: `2 GiB`. Becomes an int; with `auto`, that word becomes None."""

    units: Mapping[str, int]
    like: str  # examples for people
    low: int
    high: int
    auto: bool = False
    unit: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        names = "|".join(self.units)
        object.__setattr__(self, "unit", re.compile(rf"([0-9]{{1,15}}(?:\.[0-9]{{1,6}})?) ?({names})"))

    def parse(self, value: object) -> int | None:
        """Raises `PydanticCustomError` for what is no such amount."""
        if self.auto and value == "auto":
            return None
        amount = value if type(value) is int else None
        found = self.unit.fullmatch(value) if isinstance(value, str) else None
        if found:
            amount = round(float(found[1]) * self.units[found[2]])
        if amount is None or not self.low <= amount <= self.high:
            bounds = f"from {self._shown(self.low)} to {self._shown(self.high)}"
            raise wrong(f"must be {self.like}, {bounds}{', or auto' * self.auto}")
        return amount

    def _shown(self, amount: int) -> str:
        """`amount` in the largest unit that fits it."""
        name, size = max((pair for pair in self.units.items() if amount % pair[1] == 0), key=lambda pair: pair[1])
        return f"{amount // size} {name}"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> Json:
        number = {"type": "integer", "minimum": self.low, "maximum": self.high}
        json = {"anyOf": [number, {"type": "string", "pattern": f"^(?:{self.unit.pattern})$"}]}
        return _with_auto(json) if self.auto else json


BYTES = {
    name: base**power
    for power, prefix in enumerate(("", "k", "M", "G", "T"))
    for name, base in ((f"{prefix}B", 1000), (f"{'K' if prefix == 'k' else prefix}iB", 1024))
    if name != "iB"
}
LIKE_BYTES = 'a size such as "2 GiB", "500 MB" or a number of bytes'
PIXELS = {"px": 1, "kpx": 10**3, "Mpx": 10**6, "Gpx": 10**9}


@dataclass(frozen=True, slots=True)
class OneOf:
    """A member of an enum, by its value."""

    members: type[enum.StrEnum]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        names = [member.value for member in self.members]
        inner = core_schema.no_info_after_validator_function(self.members, core_schema.literal_schema(list(names)))
        return _one_error(inner, f"must be one of {', '.join(names)}", " ".join(names))


@dataclass(frozen=True, slots=True)
class SomeOf:
    """A list of members of an enum, by their values. Becomes a tuple in the enum's order: theirs means nothing."""

    members: type[enum.StrEnum]

    def parse(self, value: object) -> tuple[enum.StrEnum, ...]:
        """Raises `PydanticCustomError` for what is no such list."""
        names = [member.value for member in self.members]
        if not isinstance(value, list | tuple) or not all(name in names for name in value):
            raise wrong(f"must be a list of {', '.join(names)}")
        return tuple(member for member in self.members if member.value in value)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> Json:
        return {"type": "array", "items": {"enum": [member.value for member in self.members]}}


@dataclass(frozen=True, slots=True)
class WholeOr:
    """A whole number from `least`, or a `word`, which becomes the number `meaning`."""

    least: int
    word: str
    meaning: int
    most: int = 65_535

    def parse(self, value: object) -> int:
        """Raises `PydanticCustomError` for what is neither."""
        if value == self.word:
            return self.meaning
        if type(value) is not int or not self.least <= value <= self.most:
            raise wrong(f"must be a whole number from {self.least} to {self.most}, or {self.word}", self.word)
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> Json:
        return {"anyOf": [{"const": self.word}, {"type": "integer", "minimum": self.least, "maximum": self.most}]}
