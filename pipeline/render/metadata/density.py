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


def stated(dpi: object, found: exif.Exif) -> Density | None:
    """The density that a source states: `dpi` from Pillow, else its EXIF. None if there is none or it is absurd."""
    if not isinstance(dpi, tuple) or len(dpi) != 2:
        dpi = _of_exif(found)
    pair = tuple(float(one) for one in dpi if isinstance(one, Real)) if dpi else ()
    if len(pair) != 2 or not all(math.isfinite(one) and 1 <= one <= _MOST for one in pair):
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
    found = {_UNIT: exif.Entry(_SHORT, _INCH.to_bytes(2))}
    for tag, one in zip((_ACROSS, _DOWN), density, strict=True):
        parts = Fraction(one).limit_denominator(1000)
        found[tag] = exif.Entry(_RATIONAL, parts.numerator.to_bytes(4) + parts.denominator.to_bytes(4))
    return found


def _of_exif(found: exif.Exif) -> Density | None:
    sides = [found.main.get(tag) for tag in (_ACROSS, _DOWN)]
    unit = found.main.get(_UNIT)
    numbers = [
        int.from_bytes(one.value[:4]) / int.from_bytes(one.value[4:])
        for one in sides
        if one is not None and one.kind == _RATIONAL and len(one.value) == 8 and any(one.value[4:])
    ]
    if len(numbers) != 2:
        return None
    scale = 2.54 if unit is not None and unit.number == _CENTIMETRE else 1
    return numbers[0] * scale, numbers[1] * scale
