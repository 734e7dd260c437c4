"""What every mapping in a config is: strict about its keys, and with the program's own defaults."""

from __future__ import annotations

import dataclasses
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from pipeline.config.kinds import rule


def field_of(owner: type, name: str, description: str) -> Any:
    """A field whose default is that of the dataclass `owner`."""
    default = next(field.default for field in dataclasses.fields(owner) if field.name == name)
    return Field(default=list(default) if isinstance(default, tuple) else default, description=description)


class Section(BaseModel):
    """A mapping in the config. Keys that it does not know and values left empty are errors."""

    model_config = ConfigDict(extra="forbid")

    @field_validator("*", mode="before")
    @classmethod
    def _not_empty(cls, value: object, info: ValidationInfo) -> object:
        if value is None:
            hint = ' (an unquoted # starts a comment: write "#ffffff")' if info.field_name == "background" else ""
            raise rule(f"has no value{hint}; remove the key to have its default")
        return value
