"""The kinds of values that measure a picture: lengths, points, shares, shapes. See `kinds`."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from pipeline.config.kinds import Json, wrong
from pipeline.model.shape import Gravity, Length

_PERCENT = r"(?:[0-9]{1,3}(?:\.[0-9]{1,4})?) ?%"
_SYNONYMS = {"center": Gravity.CENTRE}


def _number(value: object) -> float | None:
    """Whole or not; not a truth value, not infinite."""
    fits = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if fits and isinstance(value, int | float) else None


def _share(value: object) -> float | None:
    """What `"25%"` says of the whole."""
    return float(value[:-1]) / 100 if isinstance(value, str) and re.fullmatch(_PERCENT, value) else None


class _Parsed:
    """A kind that is all in its `parse`."""

    def parse(self, value: object) -> Any:
        """Raises `PydanticCustomError` for what is not allowed."""
        raise NotImplementedError

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.parse)


@dataclass(frozen=True, slots=True)
class Number(_Parsed):
    """From `low` to `high`, whole or not. Becomes a float."""

    low: float
    high: float

    def parse(self, value: object) -> float:
        """See `_Parsed`."""
        number = _number(value)
        if number is None or not self.low <= number <= self.high:
            raise wrong(f"must be a number from {self.low:g} to {self.high:g}")
        return number

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> Json:
        return {"type": "number", "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True, slots=True)
class Share(_Parsed):
    """A part of a whole, `0.25` or `"25%"`, more than nothing. Becomes a float up to 1."""

    def parse(self, value: object) -> float:
        """See `_Parsed`."""
        share = _number(value) if _share(value) is None else _share(value)
        if share is None or not 0 < share <= 1:
            raise wrong("must be a share such as 25% or 0.25, up to 100% or 1")
        return share

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> Json:
        return {"anyOf": [{"type": "number", "exclusiveMinimum": 0, "maximum": 1}, _percent_json()]}


@dataclass(frozen=True, slots=True)
class LengthOf(_Parsed):
    """Whole pixels or per cent. Becomes a `Length`; `least` is that of the pixels."""

    least: int = 0
    most = 65_535

    def parse(self, value: object) -> Length:
        """See `_Parsed`."""
        share = _share(value)
        if share is not None and share <= 1 and (share > 0 or self.least == 0):
            return Length(round(share * 100, 4), percent=True)
        if type(value) is not int or not self.least <= value <= self.most:
            raise wrong(f"must be a number of pixels from {self.least} to {self.most}, or per cent such as 5%")
        return Length(value)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> Json:
        return {"anyOf": [{"type": "integer", "minimum": self.least, "maximum": self.most}, _percent_json()]}


@dataclass(frozen=True, slots=True)
class Sides(_Parsed):
    """A length for all sides; or two (above and below, left and right) or four (clockwise from the top), as in CSS."""

    def parse(self, value: object) -> tuple[Length, Length, Length, Length]:
        """See `_Parsed`. Top, right, bottom, left."""
        one = LengthOf()
        if not isinstance(value, list):
            length = one.parse(value)
            return length, length, length, length
        lengths = [one.parse(each) for each in value]
        if len(lengths) not in (2, 4):
            raise wrong("must be a length for all sides, or a list of two or four: [top, right, bottom, left]")
        top, right = lengths[:2]
        bottom, left = lengths[2:] or (top, right)
        return top, right, bottom, left

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> Json:
        one = LengthOf().__get_pydantic_json_schema__(schema, handler)
        several = [{"type": "array", "items": one, "minItems": count, "maxItems": count} for count in (2, 4)]
        return {"anyOf": [*one["anyOf"], *several]}


@dataclass(frozen=True, slots=True)
class Point(_Parsed):
    """`[x, y]`, from left and top, each 0 to 1 or per cent."""

    def parse(self, value: object) -> tuple[float, float]:
        """See `_Parsed`."""
        each = value if isinstance(value, list) else []
        found = [_number(one) if _share(one) is None else _share(one) for one in each]
        if len(found) != 2 or any(one is None or not 0 <= one <= 1 for one in found):
            raise wrong("must be two numbers from 0 to 1 such as [0.5, 0.3]: from the left, from the top")
        x, y = (float(one) for one in found if one is not None)
        return x, y

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> Json:
        one = {"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, _percent_json()]}
        return {"type": "array", "items": one, "minItems": 2, "maxItems": 2}


@dataclass(frozen=True, slots=True)
class Ratio(_Parsed):
    """`16:9`. Becomes the two numbers, without a common divisor."""

    def parse(self, value: object) -> tuple[int, int]:
        """See `_Parsed`."""
        found = re.fullmatch(r"([1-9][0-9]{0,4}) ?[:/] ?([1-9][0-9]{0,4})", value) if isinstance(value, str) else None
        if not found:
            raise wrong("must be width and height such as 16:9")
        width, height = int(found[1]), int(found[2])
        common = math.gcd(width, height)
        return width // common, height // common

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> Json:
        return {"type": "string", "pattern": "^[1-9][0-9]{0,4} ?[:/] ?[1-9][0-9]{0,4}$"}


@dataclass(frozen=True, slots=True)
class Turn(_Parsed):
    """A right angle, or several."""

    def parse(self, value: object) -> int:
        """See `_Parsed`."""
        if type(value) is not int or value not in (0, 90, 180, 270):
            raise wrong("must be 0, 90, 180 or 270 degrees, clockwise")
        return value

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> Json:
        return {"enum": [0, 90, 180, 270]}


@dataclass(frozen=True, slots=True)
class Somewhere(_Parsed):
    """A gravity; of those that are measured only where they make sense."""

    measured: bool = True

    def parse(self, value: object) -> Gravity:
        """See `_Parsed`."""
        known = [one.value for one in Gravity if self.measured or not one.measured]
        if not isinstance(value, str) or value not in (*known, *_SYNONYMS):
            raise wrong(f"must be one of {', '.join(known)}", " ".join(known))
        return _SYNONYMS.get(value) or Gravity(value)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> Json:
        return {"enum": [*(one.value for one in Gravity if self.measured or not one.measured), *_SYNONYMS]}


@dataclass(frozen=True, slots=True)
class Tolerance(_Parsed):
    """`true` for the usual one, `false` for None, or a number of levels."""

    usual = 10

    def parse(self, value: object) -> int | None:
        """See `_Parsed`."""
        if isinstance(value, bool):
            return self.usual if value else None
        if not isinstance(value, int) or not 0 <= value <= 254:
            raise wrong(f"must be true ({self.usual}), false, or a whole number from 0 to 254")
        return value

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> Json:
        return {"anyOf": [{"type": "boolean"}, {"type": "integer", "minimum": 0, "maximum": 254}]}


def _percent_json() -> Json:
    return {"type": "string", "pattern": f"^{_PERCENT}$"}
