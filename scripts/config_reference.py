"""The reference of config keys, `docs/config.md`, from the JSON Schema of configs: a table for each section.

What a key means is its description in the models (`pipeline/config/`), and so is written there. `make_schema.py` writes
the page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]

HEAD = """\
# Config reference

<!-- Written by scripts/make_schema.py from the models in pipeline/config; change it there. -->

A config is one YAML file. `pipeline init` writes a commented one to start from, and the schema beside it, by which
editors that know YAML schemas complete and check the keys (`pipeline schema` prints it). Four that run are in
[configs](../configs). Paths are relative to the config file. Scalars are those of YAML 1.2: `no` is text, `010` is ten.
A wrong config is refused before anything is touched, every error at once, each with its place:

```console
$ cat wrong.yaml
source: photos
target: thumbs
renditions:
  thumb:
    widht: 320
    quality: 182
$ scripts/pipeline run wrong.yaml
wrong.yaml:5:5: renditions.thumb.widht: is no key that is known; did you mean "width"?
wrong.yaml:6:14: renditions.thumb.quality: must be a whole number from 1 to 100 (got 182)
```

`pipeline explain` prints every value that a config comes to, with the line that sets it, and what `auto` is here.

*Allowed* has the forms that a value may take; text with `#` or a colon belongs in quotes. A key without a default may
be left out.
"""
NOTES = {
    "source": "Which files of a folder are pictures, globs, and what is left out: [sources](sources.md).",
    "target": "How files are named and whose they are: [manifest](manifest.md).",
    "renditions.NAME": "In which order all this is done: [renditions](renditions.md). `widths` and `formats` make "
    "[families](families.md); [colour](colour.md) and [metadata](metadata.md) have pages of their own.",
    "workers": "How to find better values than `auto`: [tuning](tuning.md).",
    "notify": "When and how: [operations](operations.md#notices).",
}
_BYTES = "a size such as `2 GiB`"
_FORMS = (  # part of a pattern -> what it allows
    ("hmins", "a duration such as `10m`"),
    ("GiB", _BYTES),
    ("Mpx", "a count such as `100 Mpx`"),
    ("%$", "per cent such as `25%`"),
    ("[:/]", "a ratio such as `16:9`"),
    ("[0-5][0-9]", "a time such as `06:00`"),
    ("^#", "`#rrggbb`"),
    (".prom", "a path that ends with `.prom`"),
    ("^[^~]", "a path"),
    ("A-Za-z_", "a name"),
)
_UNITS = {"MiB": 2**20, "Mpx": 10**6}


def reference(schema: Json) -> str:
    """The page."""
    return "\n".join([HEAD, *_Page(schema["$defs"]).section("", schema)])


class _Page:
    def __init__(self, definitions: Json) -> None:
        self._definitions = definitions
        self._places: dict[str, str] = {}  # by title of a section: the heading of its only table
        self._tables: dict[str, Json] = {}  # by heading: the keys

    def section(self, path: str, schema: Json) -> Iterator[str]:
        """The lines about a section: a table of its keys, then the sections in it."""
        below = []
        if path:
            yield f"## {path}\n"
            yield " ".join(filter(None, [schema.get("description", ""), NOTES.get(path, "")])) + "\n"
        else:
            yield "## The whole\n"
        keys = schema["properties"]
        for other, known in self._tables.items():
            if known.items() < keys.items():
                yield f"It has all keys of [{other}](#{_anchor(other)}), and\n"
                keys = {key: value for key, value in keys.items() if key not in known}
                break
        self._tables[path] = keys
        yield "| key | allowed | default | means |\n|---|---|---|---|"
        for key, described in keys.items():
            value = self._resolved(described)
            section = self._section_in(value)
            inner = f"{path}.{key}" if path else key
            if section is not None:
                inner += ".NAME" if "patternProperties" in value else "[]" if value.get("type") == "array" else ""
                place = self._places.setdefault(section["title"], inner)
                below += [(inner, section)] * (place == inner)
            default = "*required*" if key in schema.get("required", ()) else self._default(value)
            told = described.get("description") or value.get("description") or (section or {}).get("description", "")
            link = "" if section is None else f" See [{place}](#{_anchor(place)})."
            yield f"| `{key}` | {self._allowed(value)} | {default} | {_cell(told)}{link} |"
        yield ""
        for inner, nested in below:
            yield from self.section(inner, nested)

    def _resolved(self, schema: Json) -> Json:
        name = str(schema.get("$ref", "")).rpartition("/")[2]
        return {**self._definitions[name], **schema} if name else schema

    def _section_in(self, schema: Json) -> Json | None:
        """The section that is the value, one of its forms, its entries or its elements; sections have a title."""
        if schema.get("properties"):
            return schema if "title" in schema else None
        parts = [*schema.get("anyOf", ()), *schema.get("patternProperties", {}).values()]
        parts += [schema["items"]] if "items" in schema else []
        sections = (self._section_in(self._resolved(part)) for part in parts)
        return next((section for section in sections if section is not None), None)

    def _allowed(self, schema: Json) -> str:
        """The forms of a value, in words."""
        schema = self._resolved(schema)
        if "anyOf" in schema:
            forms = list(dict.fromkeys(self._allowed(part) for part in schema["anyOf"]))
            if _BYTES in forms:  # the bounds in bytes tell nobody anything
                forms = ["`auto`"] * ("`auto`" in forms) + [_BYTES, "bytes"]
            return ", ".join(forms[:-1]) + " or " * (len(forms) > 1) + forms[-1]
        if schema.get("type") == "array":
            exact = schema.get("minItems") == schema.get("maxItems", 0)
            each = schema["maxItems"] if exact else self._allowed(schema["items"])
            return f"a list of {'mappings' if each == 'a mapping' else each}"
        return _one_form(schema)

    def _default(self, schema: Json) -> str:
        if "default" not in schema:
            return ""
        default = schema["default"]
        if isinstance(default, bool):
            return f"`{str(default).lower()}`"
        if isinstance(default, list) and not default:
            return "none"
        if isinstance(default, int | float):
            patterns = " ".join(part.get("pattern", "") for part in schema.get("anyOf", ()))
            unit = next((unit for unit, size in _UNITS.items() if unit in patterns and default % size == 0), "")
            return f"`{default // _UNITS[unit]} {unit}`" if unit else f"`{default:g}`"
        return f"`{_cell(str(default))}`"


def _one_form(schema: Json) -> str:
    words = [f"`{word}`" for word in schema.get("enum", [schema["const"]] if "const" in schema else [])]
    if "`fuchsia`" in words:
        words = ["a basic colour of CSS", *words[words.index("`yellow`") + 1 :]]
    if words:
        return ", ".join(words)
    kind = schema.get("type")
    if kind in {"integer", "number"}:
        return _range(schema)
    if kind == "string":
        return next((words for part, words in _FORMS if part in schema.get("pattern", "")), "text")
    return {"boolean": "`true`, `false`", "object": "a mapping"}[str(kind)]


def _range(schema: Json) -> str:
    least, most = schema.get("minimum", schema.get("exclusiveMinimum")), schema.get("maximum")
    known = "number" if schema["type"] == "number" else "whole number"
    if least is None:
        return f"a {known}"
    above = "more than " if "exclusiveMinimum" in schema else ""
    return f"{above}{least:,} to {most:,}" if most is not None else f"a {known} from {least:,}"


def _anchor(title: str) -> str:
    """What GitHub makes of a title."""
    return re.sub(r"[^\w-]", "", title.lower().replace(" ", "-"))


def _cell(text: str) -> str:
    """`text` for a cell of a table; what looks like HTML is shown as it is."""
    return re.sub(r"\s+", " ", text).replace("|", "\\|").replace("<", "&lt;")
