"""pydantic's errors -> problems in sentences, each with its position. pydantic's own wording never reaches a reader."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator, Mapping

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from pipeline.config.node import KeyPath, Node, Position, Problem, did_you_mean, got, key_path
from pipeline.config.section import RULE, WRONG

_LISTS = {  # by key, what its list holds
    "include": 'patterns such as ["*.jpg"]',
    "exclude": 'patterns such as ["*.jpg"]',
    "match": 'patterns such as ["scans/**"]',
    "rules": 'rules such as [{match: "scans/**", renditions: {thumb: {quality: 90}}}]',
    "widths": "whole numbers such as [320, 640, 1280]",
    "sources": "folders such as [{path: photos, prefix: photos}]",
    "formats": "formats such as [avif, webp, jpeg]",
}

_CONCEPTS = {  # by the word of other programs: the key or setting here
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
    "inputs": "sources",
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


def problem_of(error: Mapping[str, typing.Any], root: Node, document: type[BaseModel]) -> Problem:
    """One of `ValidationError.errors()`, met while `root` was read as a `document`."""
    loc: KeyPath = tuple(error["loc"])
    kind, context = error["type"], error.get("ctx", {})
    if loc and loc[-1] == "[key]":  # how pydantic says that the key itself is wrong
        return _bad_name(root, loc[:-1])
    if kind == "extra_forbidden":
        return _unknown(root, loc, document)
    if kind == "missing":
        return _missing(root, loc)
    node, path = root.deepest(loc)
    if kind == RULE:
        return Problem(node.position, key_path(path), str(context["text"]))
    if kind == "too_short" and path == ("renditions",):
        text = 'must hold at least one rendition, such as "thumb: {width: 320}"'
        return Problem(node.position, key_path(path), text)
    if kind == WRONG:
        allowed, choices = str(context["text"]), str(context["choices"]).split()
    else:
        choices = re.findall("'([^']*)'", str(context.get("expected", "")))  # as in: 'fail' or 'keep_extension'
        allowed = _allowed(kind, path, choices, document)
    hint = did_you_mean(node.value, choices) if isinstance(node.value, str) else ""
    return Problem(node.position, key_path(path), f"{allowed} ({got(node)}{hint})")


def _allowed(kind: str, path: KeyPath, choices: list[str], document: type[BaseModel]) -> str:
    """The sentence for an error of one of pydantic's own constraints. It names all constraints of the field."""
    _model, field = _described(document, path)
    key = next((part for part in reversed(path) if isinstance(part, str)), "")
    if kind in ("enum", "literal_error"):
        return f"must be one of {', '.join(choices)}"
    if kind == "bool_type":
        return "must be true or false"
    if kind in ("list_type", "too_short"):
        return f"must be a list of {_LISTS.get(key, 'values')}"
    bounds = dict(_bounds(field))
    if "ge" in bounds:
        number = "number" if field is not None and _is_float(field.annotation) else "whole number"
        return f"must be a {number} from {bounds['ge']} to {bounds['le']}"
    if "min_length" in bounds and "max_length" in bounds:
        return f"must be a text of {bounds['min_length']} to {bounds['max_length']} characters"
    return "must be a mapping with keys below it"


def _is_float(annotation: object) -> bool:
    return annotation is float or any(map(_is_float, typing.get_args(annotation)))


def _is_list(annotation: object) -> bool:
    return typing.get_origin(annotation) is list or any(map(_is_list, typing.get_args(annotation)))


def _bounds(described: object) -> Iterator[tuple[str, float]]:
    """The names and values of the constraints in a field or its annotation, however deep."""
    for name in ("ge", "le", "min_length", "max_length"):
        value = getattr(described, name, None)
        if isinstance(value, int | float):
            yield name, value
    inner = typing.get_args(described)
    if isinstance(described, FieldInfo):
        inner = (*described.metadata, described.annotation)
    for part in inner:
        yield from _bounds(part)


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
    here, _field = _described(document, above)
    homes = [path[:-1] for path in _everywhere(document) if path[-1] == key and path[:-1] != above]
    if len(homes) == 1:  # the same word elsewhere is a better hint than a similar one here
        hint = f'; it belongs under "{key_path(homes[0])}"' if homes[0] else "; it belongs at the left margin"
    else:
        hint = _elsewhere(key, here) or did_you_mean(key, here.model_fields)
    known = "" if hint else f"; known here: {', '.join(here.model_fields)}"
    return Problem(position, key_path(loc), f"is no key that is known{hint}{known}")


def _elsewhere(key: str, here: type[BaseModel]) -> str:
    """A hint at the key of `here` that other programs call `key`, if there is one."""
    ours = _CONCEPTS.get(key.lower().replace("-", "_"), "")
    return f"; here that is `{ours}`" if ours.partition(":")[0] in here.model_fields else ""


def _described(document: type[BaseModel], path: KeyPath) -> tuple[type[BaseModel], FieldInfo | None]:
    """The model that describes the mapping at `path`, or the nearest one above it, and the field of the value there.

    A name of the user's choice, as those of renditions, has no field.
    """
    model, field = document, None
    is_name = False
    for part in path:
        if isinstance(part, int):
            continue
        field = None if is_name else model.model_fields.get(part)
        is_name = field is not None and typing.get_origin(field.annotation) is dict
        model = next(_models(field.annotation), model) if field is not None else model
    return model, field


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in typing.get_args(annotation):
        yield from _models(part)


def _everywhere(document: type[BaseModel]) -> list[tuple[str, ...]]:
    """The paths of all keys; those under a name of the user's choice are under `NAME`."""
    paths: list[tuple[str, ...]] = []
    for name, field in document.model_fields.items():
        paths.append((name,))
        if _is_list(field.annotation):  # what is in them has its home elsewhere, too
            continue
        section, _field = _described(document, (name,))
        between = ("NAME",) if typing.get_origin(field.annotation) is dict else ()
        if section is not document:
            paths += [(name, *between, key) for key in section.model_fields]
    return paths
