"""What a config says of its runs, beside pictures: when they give up, and how long they may take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from pipeline.config.kinds import Json, Seconds, wrong
from pipeline.config.section import Section
from pipeline.config.spans import share, time_of_day


@dataclass(frozen=True, slots=True)
class StopAfter:
    """A share of the pictures such as `5 %`, or a number of them. Becomes a float (0 to 1) or an int."""

    def parse(self, value: object) -> float | int:
        """Raises `PydanticCustomError` for what is neither."""
        if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 10**9:
            return value
        part = share(value) if isinstance(value, str) else None
        if part is None:
            raise wrong('must be a share of the pictures such as "5 %", or a number of them such as 100')
        return part

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> Json:
        return {
            "anyOf": [
                {"type": "integer", "minimum": 1},
                {"type": "string", "pattern": r"^[0-9]{1,3}(?:\.[0-9]{1,3})? ?%$"},
            ]
        }


@dataclass(frozen=True, slots=True)
class TimeOfDay:
    """`06:00` by the local clock. Stays text."""

    def parse(self, value: object) -> str:
        """Raises `PydanticCustomError` for what is none."""
        if not isinstance(value, str) or time_of_day(value) is None:
            raise wrong('must be a time of day such as "06:00"')
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> Json:
        return {"type": "string", "pattern": "^(?:[01]?[0-9]|2[0-3]):[0-5][0-9]$"}


class Failures(Section):
    """When failures end a run."""

    stop_after: Annotated[float | int | None, StopAfter()] = Field(
        default=None,
        description='A share of the pictures tried ("5 %", of twenty at least) or a number: when so many newly failed, '
        "the run stops and leaves the rest to the next one. Left out: it never does.",
    )


MaxRuntime = Annotated[float | None, Seconds(0.1, 366 * 86_400)]
Until = Annotated[str | None, TimeOfDay()]
