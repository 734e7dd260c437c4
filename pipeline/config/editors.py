"""The JSON Schema of config files, by which editors complete and check their keys."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema

from pipeline.config.formats import ONLY_FOR
from pipeline.config.rendition import Rendition
from pipeline.config.schema import Document
from pipeline.config.section import Json
from pipeline.model.shape import Length
from pipeline.model.spec import Format


class _ForEditors(GenerateJsonSchema):
    """Leaves out titles, which repeat the keys, and null: in the models it stands for a key that is left out."""

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002 - pydantic's signature
        return False

    def dict_schema(self, schema: core_schema.DictSchema) -> Json:
        json = super().dict_schema(schema)
        if "patternProperties" in json:  # pydantic would allow any other name
            json["additionalProperties"] = False
        return json

    def nullable_schema(self, schema: core_schema.NullableSchema) -> Json:
        return self.generate_inner(schema["schema"])

    def encode_default(self, dft: object) -> object:
        """A default as it is written in a config."""
        return str(dft) if isinstance(dft, Length) else super().encode_default(dft)

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> Json:
        if schema.get("default", ...) is None:
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)


def json_schema() -> Json:
    """The JSON Schema of a config file, complete, in a stable order."""
    schema = Document.model_json_schema(schema_generator=_ForEditors)
    words = {name: definition["enum"] for name, definition in schema["$defs"].items() if "enum" in definition}
    schema["$defs"] = {name: definition for name, definition in schema["$defs"].items() if name not in words}
    schema = _in_place(schema, words)
    _allow_changes(schema["$defs"]["Rule"]["properties"]["renditions"])
    _allow_mapping(schema["$defs"]["Rendition"]["properties"]["formats"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "pipeline config",
    }


def _allow_changes(renditions: Json) -> None:
    """Allow what is written in a rule in the place of whole renditions: keys without a value, and `false`.

    The models know only what a rule comes to.
    """
    changed = {"title": Rendition.__name__, **_changing(Rendition.model_fields)}
    for name in renditions["patternProperties"]:
        renditions["patternProperties"][name] = {"anyOf": [changed, {"const": False}]}


def _allow_mapping(formats: Json) -> None:
    """Allow a mapping of formats in the place of their list. The models know only what a family is taken apart into."""
    listed = {key: formats.pop(key) for key in ("items", "minItems", "type")}
    own = {
        name: {"anyOf": [_changing(key for key, known in ONLY_FOR.items() if name in known), {"type": "null"}]}
        for name in Format
    }
    mapping = {"additionalProperties": False, "minProperties": 1, "properties": own, "type": "object"}
    formats["anyOf"] = [listed, mapping]


def _changing(keys: Iterable[str]) -> Json:
    """A mapping of these keys of a rendition, each of which may be left without a value."""
    each = {key: {"anyOf": [{"$ref": f"#/$defs/Rendition/properties/{key}"}, {"type": "null"}]} for key in keys}
    return {"type": "object", "additionalProperties": False, "properties": each}


def _in_place(schema: Any, words: Json) -> Any:
    """`schema` with the words of enums in place of references: some editors ignore a description beside a reference."""
    if isinstance(schema, list):
        return [_in_place(part, words) for part in schema]
    if not isinstance(schema, dict):
        return schema
    copy = {key: _in_place(part, words) for key, part in schema.items()}
    name = str(copy.get("$ref", "")).rpartition("/")[2]
    if name in words:
        del copy["$ref"]
        copy |= {"enum": words[name], "type": "string"}
    return copy


def schema_text() -> str:
    """`json_schema` as the text of a file."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
