"""Every value of a config, defaults included, with the line of the file that sets it."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path

from pipeline.config.load import checked, read_text
from pipeline.config.node import KeyPath, Node
from pipeline.config.settings import Config, RuleSettings
from pipeline.config.yaml12 import parse
from pipeline.model.spec import Spec

_ALONE = ("order", "placeholder", "manifest", "lock", "shared", "max_runtime", "until")  # at the left margin
_AS_WRITTEN = ("failures", "notify", "report")  # sections that are shown as they are in the file
_NO_KEYS = ("name", "family")  # of a spec
_LISTED = {"width": "widths", "format": "formats"}  # of a family


@dataclass(frozen=True, slots=True)
class Explained:
    """One value. `path` is that of its key in the config; `value` suits JSON, None is "as it comes"."""

    path: tuple[str, ...]
    value: object
    line: int | None  # of the file; None: the default


def explained(file: Path) -> tuple[Config, list[Explained]]:
    """The config in `file`, and each of its values. Raises `ConfigError`."""
    text = read_text(file)
    config = checked(text, file)
    root, _problems = parse(text)
    assert root is not None  # noqa: S101 - it has been checked
    return config, list(_all(config, root))


def _all(config: Config, root: Node) -> Iterator[Explained]:
    for number, source in enumerate(config.sources):
        written: KeyPath = ("sources", number) if source.prefix else ("source",)
        yield from _section(root, ("sources", source.prefix) if source.prefix else ("source",), source, written)
    yield from _section(root, ("target",), config.target)
    for spec in config.specs:
        yield from _rendition(root, ("renditions", spec.name), spec, [("renditions",)])
    for number, rule in enumerate(config.rules):
        yield from _rule(root, number, config.specs, rule)
    yield from _section(root, ("workers",), config.workers)
    yield from _section(root, ("limits",), config.limits)
    for key in _ALONE:
        yield Explained((key,), plain(getattr(config, key)), _line(root, (key,)))
    for section in _AS_WRITTEN:
        if (node := root.child(section)) is not None:
            yield Explained((section,), node.plain(), node.position.line)


def _section(
    root: Node, path: tuple[str, ...], settings: object, written: KeyPath | None = None
) -> Iterator[Explained]:
    """A section, which may be written as its path alone. `written`: where it is in the file, if not at `path`."""
    written = written or path
    node, _ = root.deepest(written)
    short = not isinstance(node.value, dict)
    store = getattr(settings, "store", None)
    for field in fields(settings):  # type: ignore[arg-type]
        if field.name in ("prefix", "store") or (store is not None and field.name == "path"):
            continue  # it is in the path, follows, or is none
        at = written if short and field.name == "path" else (*written, field.name)
        yield Explained((*path, field.name), plain(getattr(settings, field.name)), _line(root, at))
    for field in fields(store) if store is not None else ():
        at = written if short and field.name == "url" else (*written, field.name)
        yield Explained((*path, field.name), plain(getattr(store, field.name)), _line(root, at))


def _rule(root: Node, number: int, common: Sequence[Spec], rule: RuleSettings) -> Iterator[Explained]:
    """What differs for the pictures of a rule from what the config has for all. `false`: they do not get it."""
    here: KeyPath = ("rules", number, "renditions")
    path = ("rules", ", ".join(rule.match))
    for name, node in _entries(root, here):
        if node.value is False:
            yield Explained((*path, name), value=False, line=node.position.line)
    before = {spec.name: spec for spec in common}
    for spec in rule.specs:
        at = (*path, spec.name)
        usual = {key.path: key.value for key in _rendition(root, at, before.get(spec.name), [("renditions",)])}
        for key in _rendition(root, at, spec, [here, ("renditions",)]):
            if key.path not in usual or key.value != usual[key.path]:
                yield key


def _entries(root: Node, path: KeyPath) -> list[tuple[str, Node]]:
    """The keys and nodes of the mapping at `path`."""
    node, _ = root.deepest(path)
    return list(node.value.items()) if isinstance(node.value, dict) else []


def _rendition(root: Node, path: tuple[str, ...], spec: Spec | None, written: Sequence[KeyPath]) -> Iterator[Explained]:
    """The keys of `spec`, which the first of the sections at `written` sets that has them."""
    for field in fields(spec) if spec is not None else ():
        key = field.name
        if spec is None or key in _NO_KEYS:
            continue
        value = getattr(spec, key)
        if key == "quality" and value is None:
            value = spec.effective_quality
        words = (key, _LISTED.get(key, key))
        places: list[KeyPath] = []
        for section in written:
            rendition = (*section, spec.family or spec.name)
            places.append((*rendition, "formats", spec.format.value, *([] if key == "format" else [key])))
            places += [(*rendition, word) for word in words]
        places += [(key,)] * (key == "resampler")
        line = next((line for place in places if (line := _line(root, place))), None)
        yield Explained((*path, key), plain(value), line)


def _line(root: Node, path: KeyPath) -> int | None:
    node, reached = root.deepest(path)
    return node.position.line if reached == path else None


def plain(value: object) -> object:
    """A value of a config as JSON has it."""
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, tuple | list):
        return [plain(part) for part in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
