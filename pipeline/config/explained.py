"""Every value of a config, defaults included, with the line of the file that sets it."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path

from pipeline.config.load import checked, read_text
from pipeline.config.node import KeyPath, Node
from pipeline.config.settings import Config
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
        yield from _rendition(root, spec)
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
    for field in fields(settings):  # type: ignore[arg-type]
        if field.name == "prefix":
            continue  # it is in the path
        at = written if short and field.name == "path" else (*written, field.name)
        yield Explained((*path, field.name), plain(getattr(settings, field.name)), _line(root, at))


def _rendition(root: Node, spec: Spec) -> Iterator[Explained]:
    written = ("renditions", spec.family or spec.name)
    for field in fields(spec):
        key = field.name
        if key in _NO_KEYS:
            continue
        value = spec.effective_quality if key == "quality" else getattr(spec, key)
        line = _line(root, (*written, key)) or _line(root, (*written, _LISTED.get(key, key)))
        if key == "resampler":
            line = line or _line(root, (key,))
        yield Explained(("renditions", spec.name, key), plain(value), line)


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
