"""Changes `workers:` in the text of a config, and nothing else: comments, order, quotes and line breaks stay.

YAML's parser gives the position of each value, and only those characters are replaced. The result is read as a config
before it replaces the file.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import yaml

from pipeline import atomic
from pipeline.config.load import checked, read_text
from pipeline.config.settings import Config, WorkerSettings
from pipeline.errors import ConfigError, printable

_LINE_BREAK = re.compile(r"\r\n|\n|\r")
_BY_HAND = "its workers are written in a way that only a person can change; set them by hand"


@dataclass(frozen=True, slots=True)
class _Value:
    """The position of a value in the text. `entries` are those of a mapping, by key."""

    start: int
    end: int
    flow: bool = False
    entries: Mapping[str, _Entry] | None = None


@dataclass(frozen=True, slots=True)
class _Entry:
    key: int  # where the key starts
    column: int
    quote: str  # around the key
    value: _Value


def write_workers(config: Config, text: str, wanted: WorkerSettings) -> bool:
    """Write `wanted` into the file of `config`, which was read from `text`. False where it has these values already.

    The file is replaced atomically and keeps its mode; a symbolic link stays one. Raises `ConfigError` where the file
    is not `text` any more, where the edit would change other settings too, or where the file cannot be written.
    """
    there, asked = asdict(config.workers), asdict(wanted)
    edited = with_workers(text, {key: value for key, value in asked.items() if value != there[key]})
    if edited == text:
        return False
    try:
        meant: Config | None = checked(edited, config.path)
    except ConfigError:
        meant = None
    if meant != replace(config, workers=wanted):
        raise ConfigError(f"{printable(str(config.path))}: {_BY_HAND}")
    _replace(config.path, text, edited)
    return True


def with_workers(text: str, wanted: Mapping[str, int | None]) -> str:
    """The valid config `text` with these workers (None: auto). Raises `ConfigError` where they are not in a mapping."""
    if not wanted:
        return text
    root = _root(text)
    values = {key: "auto" if value is None else str(value) for key, value in wanted.items()}
    section = root.entries["workers"].value if root.entries and "workers" in root.entries else None
    if section is None:
        if root.flow:
            return _added_in_line(text, root, {"workers": _in_braces(values, _quote(root))})
        return _added_section(text, root, values)
    if section.entries is None:
        raise ConfigError(_BY_HAND)
    present = {key: section.entries[key].value for key in values if key in section.entries}
    absent = {key: value for key, value in values.items() if key not in present}
    edits = [(value.start, value.end, values[key]) for key, value in present.items()]
    if absent and section.flow:
        text = _added_in_line(text, section, absent)  # after all others, so that their positions stay valid
    elif absent:
        text = _added_lines(text, section, absent)
    for start, end, value in sorted(edits, reverse=True):
        text = text[:start] + value + text[end:]
    return text


def _added_section(text: str, root: _Value, values: Mapping[str, str]) -> str:
    entries = list((root.entries or {}).values())
    if not entries:
        raise ConfigError(_BY_HAND)
    indent, quote, end = " " * entries[0].column, entries[0].quote, _line_break(text)
    lines = [f"{indent}{quote}workers{quote}:", *(f"{indent}  {_entry(key, values[key], quote)}" for key in values)]
    ending = re.search(r"^(\.\.\.|---)[ \t]*(?=[\r\n]|\Z)", text[root.end :], re.MULTILINE)
    at = len(text) if ending is None else root.end + ending.start()
    before = text[:at] + ("" if text[:at].endswith(("\n", "\r")) else end)
    return before + end.join(lines) + end + text[at:]


def _added_lines(text: str, section: _Value, values: Mapping[str, str]) -> str:
    entries = list((section.entries or {}).values())
    last, end = entries[-1], _line_break(text)
    line_break = _LINE_BREAK.search(text, last.value.end)
    at = len(text) if line_break is None else line_break.end()
    lines = "".join(" " * last.column + _entry(key, value, last.quote) + end for key, value in values.items())
    return text[:at] + ("" if line_break else end) + lines + text[at:]


def _added_in_line(text: str, mapping: _Value, values: Mapping[str, str]) -> str:
    """Add to a mapping in braces, behind its last value or its opening brace."""
    quote = _quote(mapping)
    new = ", ".join(_entry(key, value, quote) for key, value in values.items())
    entries = list((mapping.entries or {}).values())
    if not entries:
        at = text.index("{", mapping.start) + 1
        return text[:at] + new + text[at:]
    at = entries[-1].value.end
    return f"{text[:at]}, {new}{text[at:]}"


def _in_braces(values: Mapping[str, str], quote: str) -> str:
    return "{" + ", ".join(_entry(key, value, quote) for key, value in values.items()) + "}"


def _entry(key: str, value: str, quote: str) -> str:
    if quote and value == "auto":  # where keys are quoted, the file may be JSON
        value = f"{quote}{value}{quote}"
    return f"{quote}{key}{quote}: {value}"


def _quote(mapping: _Value) -> str:
    return next((entry.quote for entry in (mapping.entries or {}).values()), "")


def _line_break(text: str) -> str:
    match = _LINE_BREAK.search(text)
    return "\n" if match is None else match.group()


def _root(text: str) -> _Value:
    """The positions of all values in `text`. A list is one value."""
    unwanted = (yaml.StreamStartEvent, yaml.DocumentStartEvent)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the loader that has read the config; both count characters
    events = [event for event in yaml.parse(text, Loader=loader) if not isinstance(event, unwanted)]
    value, _rest = _value(events, 0)
    return value


def _value(events: list[yaml.Event], at: int) -> tuple[_Value, int]:
    """The value whose first event is the one at `at`, and where the next one starts. `load` has bounded the depth."""
    first = events[at]
    at += 1
    entries: dict[str, _Entry] = {}
    if isinstance(first, yaml.MappingStartEvent):
        while not isinstance(events[at], yaml.MappingEndEvent):
            key = events[at]
            value, at = _value(events, at + 1)
            if isinstance(key, yaml.ScalarEvent) and key.start_mark is not None:
                quote = key.style if key.style in ("'", '"') else ""
                entries[key.value] = _Entry(key.start_mark.index, key.start_mark.column, quote, value)
    elif isinstance(first, yaml.SequenceStartEvent):
        while not isinstance(events[at], yaml.SequenceEndEvent):
            _, at = _value(events, at)
    else:
        return _Value(_start(first), _end(first)), at
    flow = bool(first.flow_style)
    mapping = isinstance(first, yaml.MappingStartEvent)
    return _Value(_start(first), _end(events[at]), flow, entries if mapping else None), at + 1


def _start(event: yaml.Event) -> int:
    return event.start_mark.index if event.start_mark is not None else 0


def _end(event: yaml.Event) -> int:
    return event.end_mark.index if event.end_mark is not None else 0


def _replace(path: Path, before: str, after: str) -> None:
    """Replace `before`, the content of the file, by `after`, atomically."""
    shown = printable(str(path))
    real = Path(os.path.realpath(path))
    try:
        old = os.stat(real)
        with atomic.replacing(real, stat.S_IMODE(old.st_mode)) as file:
            file.write(after)
            file.flush()
            with suppress(OSError):  # only root may give files away
                os.fchown(file.fileno(), old.st_uid, old.st_gid)
            os.fsync(file.fileno())  # takes time, so it comes before the last look
            if read_text(path) != before:
                raise ConfigError(f"{shown}: was changed meanwhile and is left as it is")
    except OSError as error:
        raise ConfigError(f"{shown}: cannot be written: {error.strerror}") from error
