"""Which part of a picture a rendition shows, and how it is resampled: values of fields of `Spec`."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Gravity(enum.StrEnum):
    """The part that a crop keeps, and the place of a picture on a larger canvas."""

    CENTRE = "centre"
    NORTH = "north"
    NORTH_EAST = "northeast"
    EAST = "east"
    SOUTH_EAST = "southeast"
    SOUTH = "south"
    SOUTH_WEST = "southwest"
    WEST = "west"
    NORTH_WEST = "northwest"
    ATTENTION = "attention"  # measured: edges, saturated colours and skin
    ENTROPY = "entropy"  # measured: the most detail
    FACES = "faces"  # measured: the most heads that are whole; without a face as `attention`

    @property
    def anchor(self) -> tuple[float, float]:
        """From left and top, each 0, 0.5 or 1. The centre for gravities that are measured."""
        across = 0.0 if "west" in self else 1.0 if "east" in self else 0.5
        return across, 0.0 if "north" in self else 1.0 if "south" in self else 0.5

    @property
    def measured(self) -> bool:
        """Whether the place is found by measuring the pixels."""
        return self in (Gravity.ATTENTION, Gravity.ENTROPY, Gravity.FACES)


class Resampler(enum.StrEnum):
    """The library whose Lanczos filter makes pictures smaller."""

    AUTO = "auto"  # libvips where it is installed and the picture is large enough for it to be faster
    PILLOW = "pillow"
    LIBVIPS = "libvips"


@dataclass(frozen=True, slots=True)
class Length:
    """`value` pixels, or per cent of a length that the user of the value defines."""

    value: float
    percent: bool = False

    def __str__(self) -> str:
        return f"{self.value:g}{'%' * self.percent}"

    def of(self, whole: float, scale: float = 1.0) -> int:
        """The length in whole pixels, rounded half up. `scale` multiplies a length in pixels, not per cent."""
        return int((whole * self.value / 100 if self.percent else self.value * scale) + 0.5)


@dataclass(frozen=True, slots=True)
class Extract:
    """A part of the upright picture. Per cent are of the picture's width or height."""

    left: Length
    top: Length
    width: Length
    height: Length
