"""What the models of a config are built from: mappings with their fields, and kinds of values that parse themselves.

A mapping is a `Section`. A value is a number, a word of an enum or a switch, bounded by pydantic's own constraints, or
a `Kind` for everything with a meaning of its own (see `kinds` and `texts`). `messages` makes sentences of all errors.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections import defaultdict
from dataclasses import dataclass
from typing import Annotated, Any, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

Json = dict[str, Any]

WRONG = "wrong"  # the type of errors whose message ends with the value that was found: (got ...)
RULE = "rule"  # of errors about keys that do not go together: the value by itself is fine

Flag = Annotated[bool, Field(strict=True)]
Side = Annotated[int, Field(strict=True, ge=1, le=65_535)]  # pixels


def wrong(text: str, choices: str = "") -> PydanticCustomError:
    """The error for a value that is not allowed where it stands. `choices`: words that may have been meant."""
    return PydanticCustomError(WRONG, "{text}", {"text": text, "choices": choices})


def rule(text: str) -> PydanticCustomError:
    """The error for a value that does not go with others."""
    return PydanticCustomError(RULE, "{text}", {"text": text})


def field_of(owner: type, name: str, description: str) -> Any:
    """A field whose default is that of the dataclass `owner`."""
    default = next(known.default for known in dataclasses.fields(owner) if known.name == name)
    return Field(default=list(default) if isinstance(default, tuple) else default, description=description)


class Section(BaseModel):
    """A mapping in the config. Unknown keys and keys without a value are errors."""

    model_config = ConfigDict(extra="forbid")

    @field_validator("*", mode="before")
    @classmethod
    def _not_empty(cls, value: object, info: ValidationInfo) -> object:
        if value is None:
            hint = ' (an unquoted # starts a comment: write "#ffffff")' if info.field_name == "background" else ""
            raise rule(f"has no value{hint}; remove the key to have its default")
        return value


@dataclass(slots=True)
class Reading:
    """The context of a config's one validation."""

    folder: str  # paths in the config are relative to it
    sections: defaultdict[str, list[Section | None]]  # by key of the document; None for a section that is wrong


def noted(value: object, validate: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Section:
    """Validate a section and note it in the context, so that checks across sections can use it if others are wrong."""
    return _noted(info.field_name or "", value, validate, info)


def noted_of_rules(value: object, validate: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Section:
    """The same for a rendition of a rule, noted under `rules`."""
    return _noted("rules", value, validate, info)


def _noted(key: str, value: object, validate: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Section:
    sections = cast(Reading, info.context).sections[key]
    try:
        section: Section = validate(value)
    except ValidationError:
        sections.append(None)
        raise
    sections.append(section)
    return section


class Kind(ABC):
    """A marker in `Annotated[...]` that tells pydantic how a value is parsed and how editors see it."""

    @abstractmethod
    def parse(self, value: object) -> Any:
        """The value as the program uses it. Raises `PydanticCustomError` for a value that is not allowed."""

    @abstractmethod
    def json(self) -> Json:
        """The JSON Schema of what may be written in a config."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> Json:
        return self.json()
