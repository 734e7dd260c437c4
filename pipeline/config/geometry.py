"""Lengths, shares, points, turns and boxes of a config: what is said of a picture's geometry."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from pipeline.config.section import Json, Kind, Section, wrong
from pipeline.model import shape
from pipeline.model.shape import Gravity, Length

_PERCENT = r"(?:[0-9]{1,3}(?:\.[0-9]{1,4})?) ?%"
_SYNONYMS = {"center": Gravity.CENTRE}


@dataclass(frozen=True, slots=True)
class Share(Kind):
    """A part of a whole, `0.25` or `"25%"`, above 0. Becomes a float up to 1."""

    def parse(self, value: object) -> float:
        """See `Kind`."""
        part = _fraction(value)
        if part is None or not 0 < part <= 1:
            raise wrong("must be a share such as 25% or 0.25, up to 100% or 1")
        return part

    def json(self) -> Json:
        """See `Kind`."""
        return {"anyOf": [{"type": "number", "exclusiveMinimum": 0, "maximum": 1}, _percent_json()]}


@dataclass(frozen=True, slots=True)
class LengthOf(Kind):
    """Whole pixels, at least `least`, or per cent. Becomes a `Length`."""

    least: int = 0
    most = 65_535

    def parse(self, value: object) -> Length:
        """See `Kind`."""
        part = _percentage(value)
        if part is not None and part <= 1 and (part > 0 or self.least == 0):
            return Length(round(part * 100, 4), percent=True)
        if type(value) is not int or not self.least <= value <= self.most:
            raise wrong(f"must be a number of pixels from {self.least} to {self.most}, or per cent such as 5%")
        return Length(value)

    def json(self) -> Json:
        """See `Kind`."""
        return {"anyOf": [{"type": "integer", "minimum": self.least, "maximum": self.most}, _percent_json()]}


@dataclass(frozen=True, slots=True)
class Sides(Kind):
    """A length for all sides; or two (above and below, left and right) or four (clockwise from the top), as in CSS."""

    def parse(self, value: object) -> tuple[Length, Length, Length, Length]:
        """See `Kind`. The lengths are those at the top, right, bottom and left."""
        if not isinstance(value, list):
            length = LengthOf().parse(value)
            return length, length, length, length
        lengths = [LengthOf().parse(side) for side in value]
        if len(lengths) not in (2, 4):
            raise wrong("must be a length for all sides, or a list of two or four: [top, right, bottom, left]")
        top, right = lengths[:2]
        bottom, left = lengths[2:] or (top, right)
        return top, right, bottom, left

    def json(self) -> Json:
        """See `Kind`."""
        length = LengthOf().json()
        lists = [{"type": "array", "items": length, "minItems": count, "maxItems": count} for count in (2, 4)]
        return {"anyOf": [*length["anyOf"], *lists]}


@dataclass(frozen=True, slots=True)
class Point(Kind):
    """`[x, y]`, from left and top, each 0 to 1 or per cent."""

    def parse(self, value: object) -> tuple[float, float]:
        """See `Kind`."""
        fractions = [_fraction(part) for part in value] if isinstance(value, list) else []
        inside = [fraction for fraction in fractions if fraction is not None and 0 <= fraction <= 1]
        if len(fractions) != 2 or len(inside) != 2:
            raise wrong("must be two numbers from 0 to 1 such as [0.5, 0.3]: from the left, from the top")
        return inside[0], inside[1]

    def json(self) -> Json:
        """See `Kind`."""
        fraction = {"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, _percent_json()]}
        return {"type": "array", "items": fraction, "minItems": 2, "maxItems": 2}


@dataclass(frozen=True, slots=True)
class Ratio(Kind):
    """`16:9`. Becomes the two numbers, without a common divisor."""

    def parse(self, value: object) -> tuple[int, int]:
        """See `Kind`."""
        match = re.fullmatch(r"([1-9][0-9]{0,4}) ?[:/] ?([1-9][0-9]{0,4})", value) if isinstance(value, str) else None
        if not match:
            raise wrong("must be width and height such as 16:9")
        width, height = int(match[1]), int(match[2])
        common = math.gcd(width, height)
        return width // common, height // common

    def json(self) -> Json:
        """See `Kind`."""
        return {"type": "string", "pattern": "^[1-9][0-9]{0,4} ?[:/] ?[1-9][0-9]{0,4}$"}


@dataclass(frozen=True, slots=True)
class Turn(Kind):
    """A right angle, or several."""

    def parse(self, value: object) -> int:
        """See `Kind`."""
        if type(value) is not int or value not in (0, 90, 180, 270):
            raise wrong("must be 0, 90, 180 or 270 degrees, clockwise")
        return value

    def json(self) -> Json:
        """See `Kind`."""
        return {"enum": [0, 90, 180, 270]}


@dataclass(frozen=True, slots=True)
class GravityOf(Kind):
    """A gravity. Without `measured`, not those that are found by measuring the pixels."""

    measured: bool = True

    def parse(self, value: object) -> Gravity:
        """See `Kind`."""
        known = self._known()
        if not isinstance(value, str) or value not in (*known, *_SYNONYMS):
            raise wrong(f"must be one of {', '.join(known)}", " ".join(known))
        return _SYNONYMS.get(value) or Gravity(value)

    def json(self) -> Json:
        """See `Kind`."""
        return {"enum": [*self._known(), *_SYNONYMS]}

    def _known(self) -> list[str]:
        return [gravity.value for gravity in Gravity if self.measured or not gravity.measured]


@dataclass(frozen=True, slots=True)
class Tolerance(Kind):
    """`true` for the usual tolerance, `false` for None, or a number of levels."""

    usual = 10

    def parse(self, value: object) -> int | None:
        """See `Kind`."""
        if isinstance(value, bool):
            return self.usual if value else None
        if not isinstance(value, int) or not 0 <= value <= 254:
            raise wrong(f"must be true ({self.usual}), false, or a whole number from 0 to 254")
        return value

    def json(self) -> Json:
        """See `Kind`."""
        return {"anyOf": [{"type": "boolean"}, {"type": "integer", "minimum": 0, "maximum": 254}]}


class Extract(Section):
    """A part of the upright picture."""

    left: Annotated[Length, LengthOf()] = Field(default=Length(0), description="Pixels, or per cent of its width.")
    top: Annotated[Length, LengthOf()] = Field(default=Length(0), description="Pixels, or per cent of its height.")
    width: Annotated[Length, LengthOf(1)] = Field(
        default=Length(100.0, percent=True), description="Pixels or per cent; left out: all to the right of it."
    )
    height: Annotated[Length, LengthOf(1)] = Field(
        default=Length(100.0, percent=True), description="Pixels or per cent; left out: all below it."
    )

    @property
    def value(self) -> shape.Extract:
        """The part as the renderer knows it."""
        return shape.Extract(self.left, self.top, self.width, self.height)


def _fraction(value: object) -> float | None:
    """A number as it is, `"25%"` as 0.25; None for anything else, infinities and truth values included."""
    part = _percentage(value)
    if part is not None:
        return part
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if is_number and isinstance(value, int | float) else None


def _percentage(value: object) -> float | None:
    return float(value[:-1]) / 100 if isinstance(value, str) and re.fullmatch(_PERCENT, value) else None


def _percent_json() -> Json:
    return {"type": "string", "pattern": f"^{_PERCENT}$"}
