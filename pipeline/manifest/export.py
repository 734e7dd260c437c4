"""The manifest as JSON lines or CSV: one row a rendition, by the source's bytes and then the rendition's name.

A source without renditions (unsupported, or failed before any was planned) has one row with `rendition` empty. Two
equal runs export equal rows. So what is measured, or belongs to one run only (times, peak memory, reason, run, times of
files), is left out unless asked for, as is what libraries printed, because only rendering children catch that.

Names are printable: control characters and undecodable bytes are escaped. Where that, or the guard against spreadsheet
formulas in CSV, has changed a name, `source_raw` or `target_raw` holds its exact bytes in URL escapes.
"""

from __future__ import annotations

import csv
import enum
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from pipeline import atomic
from pipeline.errors import TargetTrouble, printable
from pipeline.manifest.database import translated
from pipeline.manifest.reader import Reader
from pipeline.manifest.schema import tables
from pipeline.manifest.shards import shard_name
from pipeline.manifest.values import percent, to_name
from pipeline.model.rendering import CHATTER

Value = str | int | float | list[str] | None


class Kind(enum.Enum):
    """What the values of a column are, beside None."""

    TEXT = "TEXT"
    INTEGER = "INTEGER"
    REAL = "REAL"
    BOOLEAN = "BOOLEAN"
    TEXTS = "TEXTS"


FIELDS = {  # of a row -> the expression that it comes from
    "source": "s.path",
    "source_status": "s.status",
    "source_bytes": "s.size",
    "source_sha256": "s.sha256",
    "source_format": "s.format",
    "source_width": "s.width",
    "source_height": "s.height",
    "source_frames": "s.frames",
    "source_orientation": "s.orientation",
    "source_upright_width": "s.upright_width",
    "source_upright_height": "s.upright_height",
    "rendition": "r.name",
    "target": "r.target",
    "status": "COALESCE(r.status, s.status)",
    "error": "COALESCE(r.error, s.error)",
    "detail": "CASE WHEN r.error IS NULL THEN s.detail ELSE r.detail END",
    "recipe": "r.recipe",
    "format": "r.format",
    "width": "r.width",
    "height": "r.height",
    "quality": "r.quality",
    "score": "r.score",
    "box_left": "r.box_left",
    "box_top": "r.box_top",
    "box_width": "r.box_width",
    "box_height": "r.box_height",
    "turn": "r.turn",
    "place_left": "r.place_left",
    "place_top": "r.place_top",
    "place_width": "r.place_width",
    "place_height": "r.place_height",
    "bytes": "r.size",
    "sha256": "r.sha256",
    "libraries": "l.versions",
    "source_warnings": "s.warnings",
    "warnings": "r.warnings",
}
_MEASURED = {
    "reason": "r.reason",
    "source_mtime_ns": "s.mtime_ns",
    "mtime_ns": "r.mtime_ns",
    "seconds_read": "s.seconds_read",
    "seconds_decode": "s.seconds_decode",
    "seconds_resize": "r.seconds_resize",
    "seconds_encode": "r.seconds_encode",
    "seconds_write": "r.seconds_write",
    "peak_memory": "s.peak_memory",
    "run": "COALESCE(r.run, s.run)",
    "at": "COALESCE(r.at, s.at)",
}
_SHARD = "tar_shard"
_RAW = {"source": "source_raw", "target": "target_raw"}
_LISTS = frozenset({"source_warnings", "warnings"})
_HASHES = frozenset({"source_sha256", "sha256"})
# A cell is a formula if it begins with a sign, also of full width, perhaps after spaces and quotes. Where lists are
# separated by semicolons, a spreadsheet begins a cell after each one. (Printable text has no tabs or line breaks.)
_FORMULA = re.compile('(^|;)(?=[ "]*[=+\\-@\uff1d\uff0b\uff0d\uff20])')


def listed(reader: Reader) -> tuple[str, ...]:
    """The keys that rows have beside: where pictures come from lists of URLs `url`, and `list_NAME` for each column;
    where they are in tar shards `tar_shard`.

    Raises `ManifestTrouble`.
    """
    with translated(reader.path):
        names = reader.connection.execute("SELECT DISTINCT key FROM origin, json_each(origin.columns) ORDER BY key")
        columns = tuple(f"list_{name}" for (name,) in names)
        (any_there,) = reader.connection.execute("SELECT EXISTS (SELECT 1 FROM origin)").fetchone()
        (in_shards,) = reader.connection.execute("SELECT EXISTS (SELECT 1 FROM sample)").fetchone()
    return (*((_SHARD,) if in_shards else ()), *(("url", *columns) if any_there else ()))


def kinds(reader: Reader, *, measured: bool = False) -> dict[str, Kind]:
    """The columns of `rows` in order, and of which kind each is. Raises `ManifestTrouble`."""
    each = dict.fromkeys(columns(measured=measured), Kind.TEXT)
    of_table = tables()
    types = {(alias, column.name): column.type for alias, table in _ALIASES.items() for column in of_table[table]}
    for name, expression in (FIELDS | _MEASURED).items():
        column = _COLUMN.search(expression)
        if column is not None and name in each and types[column[1], column[2]] in ("INTEGER", "REAL"):
            each[name] = Kind(types[column[1], column[2]])
    each |= dict.fromkeys(_LISTS, Kind.TEXTS)
    return each | {name: kind_of_list(said) for name, said in _listed_kinds(reader).items()}


def kind_of_list(types: str) -> Kind:
    """The kind of a column of lists, from what `LIST_TYPES` says of it."""
    return _KINDS.get(types, Kind.TEXT)


_ALIASES = {"s": "source", "r": "rendition", "l": "library"}
_COLUMN = re.compile(r"\b([srl])\.(\w+)")  # of which table, and its name
_KINDS = {  # of the columns of lists, by the sorted types of their values
    "integer": Kind.INTEGER,
    "real": Kind.REAL,
    "integer,real": Kind.REAL,
    "boolean": Kind.BOOLEAN,
}
LIST_TYPES = (
    "SELECT key, GROUP_CONCAT(type) FROM (SELECT DISTINCT key, CASE WHEN type IN ('true', 'false') THEN 'boolean' "
    "WHEN type IN ('array', 'object') THEN 'text' ELSE TYPEOF(value) END AS type FROM origin, "
    "json_each(origin.columns) WHERE type <> 'null' ORDER BY key, 2) GROUP BY key"
)


def _listed_kinds(reader: Reader) -> dict[str, str]:
    with translated(reader.path):
        said = {f"list_{key}": types for key, types in reader.connection.execute(LIST_TYPES)}
    return {name: said.get(name, "text") for name in listed(reader)}


def rows(reader: Reader, *, measured: bool = False) -> Iterator[dict[str, Value]]:
    """All rows, read from one state of the manifest, also while a run writes. Every row has every key.

    Raises `ManifestTrouble`.
    """
    fields = FIELDS | (_MEASURED if measured else {})
    more = listed(reader)
    selected = ", ".join(f"{expression} AS {name}" for name, expression in fields.items())
    query = (
        f"SELECT o.url, o.columns, p.shard, {selected} "  # noqa: S608 - fields from above
        "FROM source s LEFT JOIN rendition r ON r.source = s.id LEFT JOIN library l ON l.id = r.library "
        "LEFT JOIN origin o ON o.source = s.id LEFT JOIN sample p ON p.source = s.path ORDER BY s.path, r.name"
    )
    with translated(reader.path):
        for url, said, shard, *values in reader.connection.execute(query):
            row = row_of(zip(fields, values, strict=True), measured=measured)
            if more:
                row |= dict.fromkeys(more) | said_of(url, said)
            if shard is not None:
                row[_SHARD] = shard_name(shard)
            yield row


def write_jsonl(rows: Iterable[Mapping[str, Value]], to: Path | TextIO) -> int:
    """Write one JSON object a line, in UTF-8, without `_raw` keys that are None. Returns the number of rows.

    A path is written atomically. Raises `TargetTrouble`.
    """

    def write(stream: TextIO) -> int:
        count = 0
        for row in rows:
            line = {key: value for key, value in row.items() if value is not None or not key.endswith("_raw")}
            stream.write(json.dumps(line, ensure_ascii=False) + "\n")
            count += 1
        return count

    return deliver(write, to)


def write_csv(
    rows: Iterable[Mapping[str, Value]], to: Path | TextIO, *, measured: bool = False, listed: Sequence[str] = ()
) -> int:
    """Write RFC 4180 CSV with a header line; warnings are joined by ` | `. Returns the number of rows.

    A text that a spreadsheet would take for a formula gets an apostrophe in front, because names come from anybody.
    `measured` as in `rows`, `listed` as of the function. A path is written atomically. Raises `TargetTrouble`.
    """

    def write(stream: TextIO) -> int:
        count = 0
        writer = csv.DictWriter(stream, [*columns(measured=measured), *listed], lineterminator="\r\n")
        writer.writeheader()
        for row in rows:
            writer.writerow(_cells(row))
            count += 1
        return count

    return deliver(write, to)


def columns(*, measured: bool) -> list[str]:
    """The keys of a row, in order."""
    names: list[str] = []
    for name in FIELDS | (_MEASURED if measured else {}):
        names.append(name)
        if name in _RAW:
            names.append(_RAW[name])
    return names


def row_of(values: Iterable[tuple[str, object]], *, measured: bool = False) -> dict[str, Value]:
    """A row as it is exported, from the values that SQLite has for `FIELDS`."""
    row: dict[str, Value] = {}
    for name, value in values:
        if name in _RAW:
            text = to_name(value) if isinstance(value, bytes) else None
            row[name] = None if text is None else printable(text)
            row[_RAW[name]] = None if text is None or text == row[name] else percent(text)
        elif name in _HASHES:
            row[name] = value.hex() if isinstance(value, bytes) else None
        elif name in _LISTS:
            warnings = json.loads(value) if isinstance(value, str) else []
            row[name] = [line for line in warnings if measured or not line.startswith(CHATTER)]
        else:
            row[name] = value if isinstance(value, (str, int, float)) else None
    return row


def said_of(url: str | None, said: str | None) -> dict[str, Value]:
    """What a list of URLs says of a picture, printable: texts, numbers, and JSON for all else; nothing without one."""
    columns: dict[str, Value] = {} if url is None else {"url": url}
    for name, value in (json.loads(said) if said else {}).items():
        if isinstance(value, str):
            columns[f"list_{name}"] = printable(value)
        elif value is None or isinstance(value, (int, float)):
            columns[f"list_{name}"] = value
        else:
            columns[f"list_{name}"] = json.dumps(value, ensure_ascii=False)
    return columns


def guarded(text: str) -> str:
    """`text` with an apostrophe wherever a spreadsheet would begin a formula."""
    return _FORMULA.sub(r"\1'", text)


def _cells(row: Mapping[str, Value]) -> dict[str, Value]:
    cells = dict(row)
    for name, value in row.items():
        text = " | ".join(value) if isinstance(value, list) else value
        if isinstance(text, str) and (safe := guarded(text)) != text:
            if name in _RAW and row[_RAW[name]] is None:
                cells[_RAW[name]] = percent(text).replace("-", "%2D") if text.startswith("-") else percent(text)
            text = safe
        if name not in _RAW.values() or value is not None:
            cells[name] = text
    return cells


def deliver(write: Callable[[TextIO], int], to: Path | TextIO) -> int:
    """Call `write` with the stream `to`, or with a new file that then takes the place of `to`; returns its result.

    Raises `TargetTrouble` where the file cannot be written.
    """
    if not isinstance(to, Path):
        return write(to)
    try:
        with atomic.replacing(to) as stream:
            return write(stream)
    except OSError as error:
        raise TargetTrouble(f"{printable(str(to))}: cannot write the export: {error.strerror}") from error
