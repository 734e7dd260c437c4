"""The recipe: everything in the config that can change the bytes of a rendition, in canonical form.

Fields at their default are left out, so that a new field of `Spec` with a default changes no recipe that was made
before it. So are the rendition's name and everything outside of `Spec`: workers, limits, order and comments.

Renditions share a decode: how far a JPEG is shrunk while it is decoded follows from the largest rendition, and a small
rendition is made from a larger one's pixels. So a recipe holds the shapes of the larger renditions beside it. Adding or
dropping a size makes the smaller renditions anew and leaves the larger ones alone; formats and qualities of the others
do not matter.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable

from pipeline.model.spec import DEFAULT_QUALITY, Fit, Spec
from pipeline.model.steps import Asset
from pipeline.render.version import VERSION

_NOT_BYTES = frozenset({"name", "family", "verify"})
_OWN = _NOT_BYTES | {  # fields that change nothing about the renditions beside it
    "format",
    "quality",
    "background",
    "lossless",
    "effort",
    "subsampling",
    "progressive",
    "colors",
    "dither",
    "max_bytes",
    "optimize",
    "keep_smaller",
    "metadata",
    "private",
    "density",
    "depth",
    "hdr",
    "cmyk_profile",
    "animation",
    "pad",
    "steps",
}
_SIDES = frozenset({"width", "height"})


def recipe_text(spec: Spec, beside: Iterable[Spec] = ()) -> str:
    """The canonical form: one line of JSON in ASCII with sorted keys, as `{"version":2,"width":320}`.

    A quality that equals the format's default is left out. `beside` holds the other renditions of the config.
    """
    chosen: dict[str, object] = {"version": VERSION, **_chosen(spec, _NOT_BYTES)}
    if spec.quality == DEFAULT_QUALITY.get(spec.format):
        chosen.pop("quality", None)
    own = _written(_chosen(spec, _OWN))
    shapes = {_written(_chosen(other, _OWN)) for other in beside if not _is_no_larger(other, spec)} - {own}
    if shapes:
        chosen["beside"] = [json.loads(shape) for shape in sorted(shapes)]
    return _written(chosen)


def _is_no_larger(other: Spec, spec: Spec) -> bool:
    """Whether `other` is no larger than `spec` for every picture. Then it needs no finer decode, and `spec` is not made
    from its pixels, which would have to be twice the size. Known only where both use `fit: inside` and agree in all
    else.
    """
    if spec.fit is not Fit.INSIDE or spec.aspect or _chosen(other, _OWN | _SIDES) != _chosen(spec, _OWN | _SIDES):
        return False
    sides = ((other.width, spec.width), (other.height, spec.height))
    return all(bound is None or (side is not None and side <= bound) for side, bound in sides)


def _chosen(spec: Spec, left_out: frozenset[str]) -> dict[str, object]:
    """The fields that differ from their defaults, as plain values."""
    default = Spec(name=spec.name)
    return {
        field.name: _canonical(getattr(spec, field.name))
        for field in dataclasses.fields(spec)
        if field.name not in left_out and getattr(spec, field.name) != getattr(default, field.name)
    }


def _written(chosen: dict[str, object]) -> str:
    return json.dumps(chosen, sort_keys=True, separators=(",", ":"))


def _canonical(value: object) -> object:
    """A value for JSON: an asset becomes its hash, another dataclass its name and what differs from the defaults."""
    if isinstance(value, Asset):
        return value.sha256.hex()
    if isinstance(value, tuple):
        return [_canonical(part) for part in value]
    if not dataclasses.is_dataclass(value):
        return value
    fields = {field.name: (getattr(value, field.name), field.default) for field in dataclasses.fields(value)}
    chosen = {name: _canonical(part) for name, (part, default) in fields.items() if part != default}
    return {type(value).__name__.lower(): chosen}


def recipe_id(spec: Spec, beside: Iterable[Spec] = ()) -> str:
    """The first 32 hex digits of the SHA-256 of `recipe_text`."""
    return hashlib.sha256(recipe_text(spec, beside).encode("ascii")).hexdigest()[:32]
