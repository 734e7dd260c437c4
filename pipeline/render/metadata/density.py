"""The density of a picture on paper: dots to an inch, across and down."""

from __future__ import annotations

import math
from fractions import Fraction
from numbers import Real

from pipeline.model.spec import AS_SOURCE, Metadata, Spec
from pipeline.render.metadata import exif

Density = tuple[float, float]

_ACROSS, _DOWN, _UNIT = 0x011A, 0x011B, 0x0128  # EXIF tags
_INCH, _CENTIMETRE = 2, 3
_RATIONAL, _SHORT = 5, 3  # EXIF types
_MOST = 65_535


def stated(dpi: object, block: exif.Exif) -> Density | None:
    """The density that a source states: `dpi` from Pillow, else its EXIF. None if there is none or it is absurd."""
    if not isinstance(dpi, tuple) or len(dpi) != 2:
        dpi = _of_exif(block)
    pair = tuple(float(side) for side in dpi if isinstance(side, Real)) if dpi else ()
    if len(pair) != 2 or not all(math.isfinite(side) and 1 <= side <= _MOST for side in pair):
        return None
    return pair[0], pair[1]


def wanted(spec: Spec, source: Density | None, orientation: int) -> Density | None:
    """The density to write for `spec`, from a source of density `source` that is turned by `orientation`."""
    if spec.density is None and spec.metadata is not Metadata.KEEP:
        return None
    if spec.density not in (None, AS_SOURCE):
        return float(spec.density), float(spec.density)
    return source[::-1] if source is not None and orientation >= 5 else source


def entries(density: Density) -> dict[int, exif.Entry]:
    """`density` as EXIF entries of the main directory."""
    written = {_UNIT: exif.Entry(_SHORT, _INCH.to_bytes(2))}
    for tag, side in zip((_ACROSS, _DOWN), density, strict=True):
        parts = Fraction(side).limit_denominator(1000)
        written[tag] = exif.Entry(_RATIONAL, parts.numerator.to_bytes(4) + parts.denominator.to_bytes(4))
    return written


def _of_exif(block: exif.Exif) -> Density | None:
    sides = [block.main.get(tag) for tag in (_ACROSS, _DOWN)]
    unit = block.main.get(_UNIT)
    numbers = [
        int.from_bytes(entry.value[:4]) / int.from_bytes(entry.value[4:])
        for entry in sides
        if entry is not None and entry.kind == _RATIONAL and len(entry.value) == 8 and any(entry.value[4:])
    ]
    if len(numbers) != 2:
        return None
    scale = 2.54 if unit is not None and unit.number == _CENTIMETRE else 1
    return numbers[0] * scale, numbers[1] * scale
