"""The values that say which part of a picture a rendition shows and how it is made smaller: fields of `Spec`."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Gravity(enum.StrEnum):
    """Which part stays when a picture is cropped, and where it stands on a larger canvas."""

    CENTRE = "centre"
    NORTH = "north"
    NORTH_EAST = "northeast"
    EAST = "east"
    SOUTH_EAST = "southeast"
    SOUTH = "south"
    SOUTH_WEST = "southwest"
    WEST = "west"
    NORTH_WEST = "northwest"
    ATTENTION = "attention"  # measured: where edges, saturated colours and skin are
    ENTROPY = "entropy"  # measured: where the most different greys are

    @property
    def anchor(self) -> tuple[float, float]:
        """From left and top, each 0, 0.5 or 1; the centre for those that are measured."""
        across = 0.0 if "west" in self else 1.0 if "east" in self else 0.5
        return across, 0.0 if "north" in self else 1.0 if "south" in self else 0.5

    @property
    def measured(self) -> bool:
        """Whether it takes a look at the pixels to tell."""
        return self in (Gravity.ATTENTION, Gravity.ENTROPY)


class Resampler(enum.StrEnum):
    """Whose Lanczos makes pictures smaller."""

    AUTO = "auto"  # libvips where it is installed and the picture is large enough for it to be quicker
    PILLOW = "pillow"
    LIBVIPS = "libvips"


@dataclass(frozen=True, slots=True)
class Length:
    """`value` pixels, or per cent of what the context names."""

    value: float
    percent: bool = False

    def __str__(self) -> str:
        return f"{self.value:g}{'%' * self.percent}"

    def of(self, whole: float, scale: float = 1.0) -> int:
        """In whole pixels, half upwards; `scale` multiplies what is said in pixels."""
        return int((whole * self.value / 100 if self.percent else self.value * scale) + 0.5)


@dataclass(frozen=True, slots=True)
class Extract:
    """A part of the upright picture; per cent are of its width or height."""

    left: Length
    top: Length
    width: Length
    height: Length
