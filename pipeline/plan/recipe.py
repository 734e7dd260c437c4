"""The recipe: everything in the config that can change the bytes of a rendition, in canonical form.

Fields at their default are left out, so that a new field of `Spec` with a default changes no recipe that was made
before it. So are the rendition's name and everything outside of `Spec`: workers, limits, order and comments.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json

from pipeline.model import Spec
from pipeline.render.version import VERSION
from pipeline.steps import Asset

_NOT_BYTES = frozenset({"name", "family", "verify"})


def recipe_text(spec: Spec) -> str:
    """The canonical form: one line of JSON in ASCII with sorted keys, as `{"version":1,"width":320}`.

    A quality that is the format's default is left out, said or not.
    """
    default = Spec(name=spec.name)
    chosen: dict[str, object] = {"version": VERSION}
    for field in dataclasses.fields(spec):
        value = getattr(spec, field.name)
        if field.name not in _NOT_BYTES and value != getattr(default, field.name):
            chosen[field.name] = _canonical(value)
    if spec.effective_quality == dataclasses.replace(spec, quality=None).effective_quality:
        chosen.pop("quality", None)
    return json.dumps(chosen, sort_keys=True, separators=(",", ":"))


def _canonical(value: object) -> object:
    """Plain values for JSON: of a file its hash, of other values what differs from their defaults, by their name."""
    if isinstance(value, Asset):
        return value.sha256.hex()
    if isinstance(value, tuple):
        return [_canonical(one) for one in value]
    if not dataclasses.is_dataclass(value):
        return value
    fields = {field.name: (getattr(value, field.name), field.default) for field in dataclasses.fields(value)}
    chosen = {name: _canonical(one) for name, (one, default) in fields.items() if one != default}
    return {type(value).__name__.lower(): chosen}


def recipe_id(spec: Spec) -> str:
    """The first 32 hex digits of the SHA-256 of `recipe_text`."""
    return hashlib.sha256(recipe_text(spec).encode("ascii")).hexdigest()[:32]
