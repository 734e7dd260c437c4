"""The part of a rendition in the config that says which part of a picture is shown, and what is done to its pixels."""

from __future__ import annotations

import importlib.util
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from pipeline import extras
from pipeline.config.kinds import Flag, OneOf, rule, wrong
from pipeline.config.measures import LengthOf, Number, Point, Ratio, Sides, Somewhere, Tolerance, Turn
from pipeline.config.section import Section, field_of
from pipeline.config.steps import MOST_STEPS, OneStep
from pipeline.model import shape
from pipeline.model.shape import Gravity, Length, Resampler
from pipeline.model.spec import Spec

LIBVIPS = "pyvips"


def check_resampler(value: Resampler) -> Resampler:
    """Raises `PydanticCustomError` for one that is not installed."""
    if value is Resampler.LIBVIPS and importlib.util.find_spec(LIBVIPS) is None:
        raise rule(extras.missing("fast"))
    return value


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


class Shape(Section):
    """Everything about geometry but the box itself, in the order in which it is carried out."""

    extract: Extract | None = field_of(
        Spec, "extract", "Only this part of the upright picture: left, top, width, height in pixels or per cent."
    )
    rotate: Annotated[int, Turn()] = field_of(Spec, "rotate", "Degrees clockwise, beyond what the camera said.")
    trim: Annotated[int | None, Tolerance()] = field_of(
        Spec,
        "trim",
        "Cuts off a border of one colour. true, or by how many levels (of 255) it may differ from its top left pixel. "
        "The picture is decoded at full size for that.",
    )
    aspect: Annotated[tuple[int, int] | None, Ratio()] = field_of(
        Spec,
        "aspect",
        "Width to height, as 16:9: gives the side of the box that is left out. Without both, the largest such box "
        "inside the picture (cover, fill) or the smallest around it (contain).",
    )
    dpr: Annotated[float, Number(0.1, 10)] = field_of(
        Spec, "dpr", "Device pixels for each pixel of width, height, pad, margins and radii."
    )
    gravity: Annotated[Gravity, Somewhere()] = field_of(
        Spec,
        "gravity",
        "What a crop keeps, and where a picture stands on a larger canvas. attention and entropy are measured: where "
        "edges, skin and strong colours are; where most detail is.",
    )
    focal_point: Annotated[tuple[float, float] | None, Point()] = field_of(
        Spec,
        "focal_point",
        "[x, y] of the upright picture, 0 to 1: what a crop has in its middle, in place of gravity. That of a "
        "picture's sidecar goes before.",
    )
    linear: Flag = field_of(
        Spec, "linear", "Whether pixels are averaged as light. Slower: pictures are decoded at full size for that."
    )
    resampler: Annotated[Resampler, OneOf(Resampler)] = field_of(
        Spec,
        "resampler",
        "Whose Lanczos makes pictures smaller: libvips' is five times as fast (the extra fast); auto takes it where it "
        "is installed.",
    )
    shrink_on_load: Flag = field_of(
        Spec, "shrink_on_load", "Whether a JPEG may be decoded at a half, a quarter or an eighth of its size."
    )
    steps: list[OneStep] = field_of(
        Spec, "steps", "What is done to the resized pixels, in this order: sharpen, blur, greyscale, watermark."
    )
    pad: Annotated[tuple[Length, Length, Length, Length] | None, Sides()] = field_of(
        Spec,
        "pad",
        "Background around everything, beyond the box: pixels, or per cent of its shorter side; one for all sides, or "
        "a list of two or four as in CSS.",
    )

    @field_validator("resampler")
    @classmethod
    def _is_installed(cls, value: Resampler) -> Resampler:
        return check_resampler(value)

    @field_validator("steps", mode="before")
    @classmethod
    def _is_a_list(cls, value: object) -> object:
        if not isinstance(value, list) or len(value) > MOST_STEPS:
            raise wrong(f"must be a list of at most {MOST_STEPS} steps such as [sharpen, blur: 3]")
        return value

    @field_validator("focal_point")
    @classmethod
    def _is_no_gravity(cls, value: tuple[float, float], info: ValidationInfo) -> tuple[float, float]:
        if info.data.get("gravity", Gravity.CENTRE) is not Gravity.CENTRE:
            raise rule("stands in the place of gravity; leave one of them out")
        return value
