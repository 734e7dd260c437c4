from __future__ import annotations

import dataclasses
import json
import re
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pytest

from pipeline.config.load import load
from pipeline.config.node import Plain
from pipeline.config.starter import starter
from pipeline.config.yaml12 import parse
from pipeline.errors import ConfigError
from pipeline.model.spec import Limits, Spec
from scripts import make_schema
from tests.config.test_load import LONG, SHORT
from tests.config.test_wrong_configs import WRONG

CONFIGS = Path(__file__).parents[2] / "configs"
SCHEMA = json.loads((CONFIGS / "pipeline.schema.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", make_schema.texts(), ids=lambda path: path.name)
def test_what_is_written_from_the_models_is_current(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == make_schema.texts()[path], "run scripts/make_schema.py"


NONE = type(None)
KINDS: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "null": (NONE,),
}


KNOWN = {
    "$schema",
    "$defs",
    "$ref",
    "title",
    "description",
    "default",
    "anyOf",
    "oneOf",
    "const",
    "enum",
    "type",
    "items",
}
KNOWN |= {"pattern", "minItems", "minLength", "minimum", "maximum", "properties", "required", "minProperties"}
KNOWN |= {"additionalProperties", "propertyNames", "patternProperties"}


def accepts(schema: dict[str, Any], value: Any) -> bool:
    """As much of JSON Schema as our schema uses; an unknown keyword is an error."""
    assert set(schema) <= KNOWN, set(schema) - KNOWN
    return (
        ("$ref" not in schema or accepts(reduce(getitem, schema["$ref"].split("/")[1:], SCHEMA), value))
        and ("anyOf" not in schema or any(accepts(part, value) for part in schema["anyOf"]))
        and ("oneOf" not in schema or sum(accepts(part, value) for part in schema["oneOf"]) == 1)
        and ("const" not in schema or value == schema["const"])
        and ("enum" not in schema or value in schema["enum"])
        and ("type" not in schema or is_a(schema["type"], value))
        and in_bounds(schema, value)
    )


def is_a(kind: str, value: Any) -> bool:
    return isinstance(value, KINDS[kind]) and (kind == "boolean" or not isinstance(value, bool))


def in_bounds(schema: dict[str, Any], value: Any) -> bool:
    if isinstance(value, str):
        return re.search(schema.get("pattern", ""), value) is not None and len(value) >= schema.get("minLength", 0)
    if isinstance(value, int | float):
        return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))
    if isinstance(value, list):
        return len(value) >= schema.get("minItems", 0) and all(
            accepts(schema.get("items", {}), element) for element in value
        )
    return not isinstance(value, dict) or accepts_mapping(schema, value)


def accepts_mapping(schema: dict[str, Any], value: dict[str, Any]) -> bool:
    if not set(schema.get("required", [])) <= set(value) or len(value) < schema.get("minProperties", 0):
        return False
    for key, below in value.items():
        if key in schema.get("properties", {}):
            fitting = schema["properties"][key]
        else:
            patterns = schema.get("patternProperties", {})
            fitting = next(
                (inner for pattern, inner in patterns.items() if re.search(pattern, key)),
                schema.get("additionalProperties", {}),
            )
        if fitting is False or not accepts(schema.get("propertyNames", {}), key):
            return False
        if fitting is not True and not accepts(fitting, below):
            return False
    return True


def plain(text: str) -> Plain:
    root, _ = parse(text)
    return None if root is None else root.plain()


@pytest.mark.parametrize(
    "text",
    [
        SHORT,
        LONG,
        starter("photos", "made"),
        SHORT + "workers: {threads: auto, processes: auto, memory: auto}\n",
        *(path.read_text(encoding="utf-8") for path in sorted(CONFIGS.glob("*.yaml"))),
    ],
)
def test_editors_accept_what_the_loader_accepts(text: str) -> None:
    assert accepts(SCHEMA, plain(text))


# What an editor cannot know: what two values mean together, and what a text means.
ONLY_THE_LOADER = """
a key twice|a rendition twice|a source without its path|a URL of nothing that is known|a store with a password
a file system with a password|an archive on a file system with a password|a password that holds a slash
a password of a file system that is cached|a bucket with a signature|an endpoint of a file system
a store that leads out of itself|a store as a path|an endpoint of a folder|a store that settles
a store without a manifest|a report on a store|a store over its source
a target that is a folder and a store
headers of a folder|durability of a store|a type of objects
an absolute pattern|a pattern that takes back another|target is source
source inside target|a field nobody knows|a format spec|an attribute|a brace left open|no field of the source
an absolute name|a name that climbs|the manifest's folder|a last part that may be empty|one name for two renditions
a width that is not there|names that differ in capitals|too wide for WebP|too high for JPEG|cover with one side
fill with no side|quality for PNG|lossless JPEG|lossless with a quality|effort for JPEG|more effort than WebP knows
no effort for JPEG XL|subsampling for WebP|a progressive PNG
keys of a list for a folder|keys of a folder for a list|columns of a text
optimize for WebP|optimize with chroma between|optimize without progressive|a palette for JPEG
a wide profile with steps|dither for WebP|dither without a palette
depth for JPEG|a depth that steps do not have|a depth that a palette does not have
inks by another file|HDR in PNG|HDR with steps|HDR with a background|HDR with chroma between|a depth with chroma between
max_bytes for PNG|max_bytes without loss|keep_smaller for TIFF|a profile in a GIF|a profile in a JPEG XL
a density for GIF
workers of a scheduler that is elsewhere
memory that is too little|a name whose last part has no extension at its end|a manifest that is the root
a lock that is the manifest
a manifest that is a folder|a manifest that is a device|a lock among the devices|a status file among the targets
a report among the targets|a report over the manifest|a status file over the config|a target that is one of the sources
rules without end
only that no picture meets|pictures without shards|a name in shards|dates in shards|an order in shards
"""


def test_editors_refuse_what_the_loader_refuses_but_for_what_they_cannot_know(tmp_path: Path) -> None:
    accepted = []
    for name, (text, _) in WRONG.items():
        (tmp_path / "it.yaml").write_text(text, encoding="utf-8", newline="")
        try:
            load(tmp_path / "it.yaml")
        except ConfigError as error:
            if re.match(r".*it\.yaml:[0-9:]+: [a-z]+(\.|:)", str(error)) and accepts(SCHEMA, plain(text)):
                accepted.append(name)
    assert accepted == ONLY_THE_LOADER.strip().replace("\n", "|").split("|")


def test_every_default_is_that_of_the_program() -> None:
    for owner, section in ((Spec, "Rendition"), (Limits, "PictureLimits")):
        properties = SCHEMA["$defs"][section]["properties"]
        defaults = {
            field.name: list(field.default) if isinstance(field.default, tuple) else field.default
            for field in dataclasses.fields(owner)
            if field.default is not None and field.name not in ("name", "truncated")  # the latter is `tolerate`
        }
        assert {name: value["default"] for name, value in properties.items() if "default" in value} == defaults


def test_every_key_is_described() -> None:
    for section in [SCHEMA, *SCHEMA["$defs"].values()]:
        for branch in section.get("anyOf", [section]):
            for name, value in branch.get("properties", {}).items():
                assert "description" in value or "$ref" in value, name
