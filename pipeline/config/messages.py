"""pydantic's errors -> problems in words for people, each at its place in the file."""

from __future__ import annotations

import typing
from collections.abc import Mapping

from pydantic import BaseModel

from pipeline.config.kinds import RULE, WRONG
from pipeline.config.node import KeyPath, Node, Position, Problem, did_you_mean, got, key_path

_CONCEPTS = {  # words of other programs: ours
    "blurhash": "placeholder: true",
    "colours": "colors",
    "compression": "effort",
    "compression_level": "effort",
    "crop": "fit: cover",
    "dpi": "density",
    "exif": "metadata",
    "grayscale": "steps: [greyscale]",
    "greyscale": "steps: [greyscale]",
    "icc": "profile",
    "input": "source",
    "interpolation": "resampler",
    "max_height": "height",
    "max_width": "width",
    "method": "effort",
    "mode": "fit",
    "output": "target",
    "position": "gravity",
    "sizes": "widths",
    "speed": "effort",
    "strip": "metadata: strip",
    "type": "format",
    "upscale": "enlarge",
    "without_enlargement": "enlarge: false",
}


def complaint(error: Mapping[str, typing.Any], root: Node, document: type[BaseModel]) -> Problem:
    """One of `ValidationError.errors()`, met while `root` was read as a `document`."""
    loc: KeyPath = tuple(error["loc"])
    kind = error["type"]
    if loc and loc[-1] == "[key]":  # pydantic's mark for an error in the key of a mapping
        return _bad_name(root, loc[:-1])
    if kind == "extra_forbidden":
        return _unknown(root, loc, document)
    if kind == "missing":
        return _missing(root, loc)
    node, path = root.deepest(loc)
    return Problem(node.position, key_path(path), _about_the_value(kind, error.get("ctx", {}), node))


def _about_the_value(kind: str, context: Mapping[str, typing.Any], node: Node) -> str:
    text = str(context.get("text", ""))
    if kind == RULE:
        return text
    if kind == WRONG:
        choices = str(context.get("choices", "")).split()
        hint = did_you_mean(node.value, choices) if isinstance(node.value, str) else ""
        return f"{text} ({got(node)}{hint})"
    if kind == "too_short":
        return 'must hold at least one rendition, such as "thumb: {width: 320}"'
    if kind == "list_type":
        return f'must be a list of patterns such as ["*.jpg"] ({got(node)})'
    return f"must be a mapping with keys below it ({got(node)})"


def _bad_name(root: Node, loc: KeyPath) -> Problem:
    parent, _ = root.deepest(loc[:-1])
    position = parent.keys.get(str(loc[-1]), parent.position)
    text = "must be a name of letters, digits, dot, _ and - that starts with a letter or digit (64 at most)"
    return Problem(position, key_path(loc), text)


def _missing(root: Node, loc: KeyPath) -> Problem:
    node, _ = root.deepest(loc)
    return Problem(node.position if len(loc) > 1 else Position(1, 1), key_path(loc), "is missing")


def _unknown(root: Node, loc: KeyPath, document: type[BaseModel]) -> Problem:
    parent, above = root.deepest(loc[:-1])
    key = str(loc[-1])
    position = parent.keys.get(key, parent.position)
    if key == "<<":
        return Problem(position, key_path(loc), "merging is not part of YAML 1.2; write the keys out")
    here = _model(document, above)
    homes = [path[:-1] for path in _everywhere(document) if path[-1] == key and path[:-1] != above]
    if len(homes) == 1:  # the very word says more than a similar one
        hint = f'; it belongs under "{key_path(homes[0])}"' if homes[0] else "; it belongs at the left margin"
    else:
        hint = _elsewhere(key, here) or did_you_mean(key, here.model_fields)
    known = "" if hint else f"; known here: {', '.join(here.model_fields)}"
    return Problem(position, key_path(loc), f"is no key that is known{hint}{known}")


def _elsewhere(key: str, here: type[BaseModel]) -> str:
    """Where other programs' word for something that the model `here` has under another key."""
    ours = _CONCEPTS.get(key.lower().replace("-", "_"), "")
    return f"; here that is `{ours}`" if ours.partition(":")[0] in here.model_fields else ""


def _model(document: type[BaseModel], path: KeyPath) -> type[BaseModel]:
    """The model that describes what stands at `path`."""
    model = document
    for part in path:
        annotation = model.model_fields[str(part)].annotation if str(part) in model.model_fields else None
        for candidate in (annotation, *typing.get_args(annotation)):
            if isinstance(candidate, type) and issubclass(candidate, BaseModel):
                model = candidate
    return model


def _everywhere(document: type[BaseModel]) -> list[tuple[str, ...]]:
    """The paths of all keys; what stands under a name of the user's choice is under `NAME`."""
    found: list[tuple[str, ...]] = []
    for name, field in document.model_fields.items():
        found.append((name,))
        section = _model(document, (name,))
        between = ("NAME",) if typing.get_origin(field.annotation) is dict else ()
        if section is not document:
            found += [(name, *between, key) for key in section.model_fields]
    return found
