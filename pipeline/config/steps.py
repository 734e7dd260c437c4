"""The steps of a rendition in the config: a model for each, named like its key.

A step is written as its name alone, or as a mapping of its name to its settings. The files that it needs are read here,
once, relative to the config's folder: a child has no file system, and their content is part of the recipe.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import Annotated, Any, cast

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo, model_validator
from pydantic_core import CoreSchema, core_schema

from pipeline.config.geometry import GravityOf, LengthOf, Share
from pipeline.config.section import Json, Reading, Section, field_of, rule, wrong
from pipeline.config.texts import Colour, LocalPath
from pipeline.model import steps
from pipeline.model.shape import Gravity, Length
from pipeline.model.steps import Asset, Step

MOST_BYTES = 16 * 2**20  # of an asset: it travels to a child with every picture
MOST_STEPS = 20


@dataclass(frozen=True, slots=True)
class File:
    """A file that is read with the config, relative to the config's folder. Becomes an `Asset`."""

    def read(self, value: object, info: ValidationInfo) -> Asset:
        """The file's content. Raises `PydanticCustomError` where it cannot be read, or is larger than `MOST_BYTES`."""
        path = LocalPath().parse(value)
        try:
            place = os.path.join(cast(Reading, info.context).folder, path)
            if not stat.S_ISREG(os.stat(place).st_mode):
                raise wrong("must be a regular file")
            with open(place, "rb", opener=_without_waiting) as file:
                content = file.read(MOST_BYTES + 1)
        except OSError as error:
            raise wrong(f"must be a file that can be read: {error.strerror}") from None
        if len(content) > MOST_BYTES:
            raise wrong(f"must be a file of at most {MOST_BYTES // 2**20} MiB")
        return Asset.of(path, content)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> Json:
        return LocalPath().json()


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a FIFO would wait for its writer for ever


def _mapping(value: object, allowed: str) -> object:
    """`value`. Raises `PydanticCustomError` where it is not a mapping."""
    if not isinstance(value, dict):
        raise wrong(f"must be {allowed}")
    return value


class Sharpen(Section):
    """Unsharp masking."""

    radius: Annotated[float, Field(strict=True, ge=0.1, le=100)] = field_of(steps.Sharpen, "radius", "Pixels.")
    amount: Annotated[int, Field(strict=True, ge=1, le=1000)] = field_of(steps.Sharpen, "amount", "Per cent.")
    threshold: Annotated[int, Field(strict=True, ge=0, le=255)] = field_of(
        steps.Sharpen, "threshold", "Levels, of 255; what differs by less is left alone."
    )

    @model_validator(mode="before")
    @classmethod
    def _is_a_mapping(cls, value: object) -> object:
        return _mapping(value, "left out or {radius: 1, amount: 60, threshold: 2}")


class Blur(Section):
    """Gaussian blur."""

    radius: Annotated[float, Field(strict=True, ge=0.1, le=1000)] = field_of(
        steps.Blur, "radius", "Its standard deviation, in pixels."
    )

    @model_validator(mode="before")
    @classmethod
    def _from_a_number(cls, value: object) -> object:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return {"radius": value}
        return _mapping(value, "a number of pixels or {radius: 3}")


class Greyscale(Section):
    """Colours to greys."""


class Watermark(Section):
    """A picture or a text over the picture."""

    picture: Annotated[Asset | None, File()] = field_of(
        steps.Watermark, "picture", "The file of the mark, relative to this file; its transparency counts."
    )
    text: Annotated[str, Field(min_length=1, max_length=500)] | None = field_of(
        steps.Watermark, "text", "In place of a picture."
    )
    font: Annotated[Asset | None, File()] = field_of(
        steps.Watermark, "font", "The text's TrueType or OpenType file; left out: a sans serif for Latin letters."
    )
    color: Annotated[str, Colour()] = field_of(steps.Watermark, "color", "The text's.")
    gravity: Annotated[Gravity, GravityOf(measured=False)] = field_of(steps.Watermark, "gravity", "Where it stands.")
    opacity: Annotated[float, Share()] = field_of(steps.Watermark, "opacity", "1 or 100%: as it is.")
    scale: Annotated[float, Share()] = field_of(
        steps.Watermark, "scale", "Of the rendition's width and height: the mark is as large as fits into both."
    )
    margin: Annotated[Length, LengthOf()] = field_of(
        steps.Watermark, "margin", "From the edges it stands at: pixels, or per cent of the rendition's shorter side."
    )

    @model_validator(mode="before")
    @classmethod
    def _is_a_mapping(cls, value: object) -> object:
        return _mapping(value, "a mapping such as {picture: logo.png} or {text: Ada}")

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Watermark:
        if (self.picture is None) == (self.text is None):
            raise rule("must have either a picture or a text")
        if self.picture is not None and self.font is not None:
            raise rule("has a font, but no text")
        return self


class OneStep(Section):
    """One step: exactly one of these keys."""

    sharpen: Sharpen | None = Field(default=None, description="Makes edges crisper: unsharp masking.")
    blur: Blur | None = Field(default=None, description="Gaussian blur; a number is its radius.")
    greyscale: Greyscale | None = Field(default=None, description="Colours to greys; transparency stays.")
    watermark: Watermark | None = Field(default=None, description="A picture or a text over the picture.")

    @model_validator(mode="before")
    @classmethod
    def _one(cls, value: object) -> object:
        value = {value: {}} if isinstance(value, str) else value
        names = list(cls.model_fields)
        if not isinstance(value, dict) or len(value) != 1:
            raise wrong(f"must be one step, {', '.join(names)}, or one of these with its settings")
        ((name, settings),) = value.items()
        name = {"grayscale": "greyscale"}.get(name, name)
        if name not in names:
            raise wrong(f"must be one of {', '.join(names)}", " ".join(names))
        return {name: {} if settings is None else settings}

    @property
    def value(self) -> Step:
        """The step as a value of the model."""
        name = next(iter(self.model_fields_set))
        settings: Section = getattr(self, name)
        made: Step = getattr(steps, name.capitalize())(
            **{key: getattr(settings, key) for key in type(settings).model_fields}
        )
        return made

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> Json:
        long = handler.resolve_ref_schema(handler(schema))
        full = dict(long["properties"]["blur"])
        blur = {"description": full.pop("description"), "anyOf": [full, {"type": "number"}]}
        long = {**long, "properties": {**long["properties"], "blur": blur}}
        return {"anyOf": [{"enum": ["sharpen", "blur", "greyscale"]}, {**long, "minProperties": 1, "maxProperties": 1}]}
