"""The manifest's rows as Parquet: the same rows and columns as the other exports, each column of one type.

Row groups are written as they fill, so that memory stays flat, and the same rows give the same bytes with the same
pyarrow.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipeline import atomic
from pipeline.errors import TargetTrouble, printable
from pipeline.manifest.export import Kind, Value

MARK = b"image-pipeline"  # a key of a file's metadata
_GROUP = 10_000  # rows: some megabytes


def write_parquet(rows: Iterable[Mapping[str, Value]], to: Path, kinds: Mapping[str, Kind]) -> int:
    """Write `rows` with the columns `kinds` to `to`, atomically; returns the number of rows. Raises `TargetTrouble`.

    Needs pyarrow.
    """
    import pyarrow  # noqa: PLC0415 - an extra
    import pyarrow.parquet  # noqa: PLC0415

    types: Mapping[Kind, Any] = {
        Kind.TEXT: pyarrow.string(),
        Kind.INTEGER: pyarrow.int64(),
        Kind.REAL: pyarrow.float64(),
        Kind.BOOLEAN: pyarrow.bool_(),
        Kind.TEXTS: pyarrow.list_(pyarrow.string()),
    }
    schema = pyarrow.schema([(name, types[kind]) for name, kind in kinds.items()], metadata={MARK: b"rows"})
    count, following = 0, iter(rows)
    try:
        with atomic.replacing(to) as stream, pyarrow.parquet.ParquetWriter(stream.buffer, schema) as writer:
            for group in iter(lambda: list(itertools.islice(following, _GROUP)), []):
                count += len(group)
                cells = [{name: _cell(row.get(name), kind) for name, kind in kinds.items()} for row in group]
                writer.write_table(pyarrow.Table.from_pylist(cells, schema))
    except OSError as error:
        raise TargetTrouble(f"{printable(str(to))}: cannot write the export: {error.strerror or error}") from error
    return count


def _cell(value: Value, kind: Kind) -> Value:
    """`value` as its column has it: numbers among texts become texts."""
    if value is None or isinstance(value, list):
        return value
    match kind:
        case Kind.TEXT:
            return value if isinstance(value, str) else json.dumps(value)
        case Kind.REAL:
            return float(value)
        case _:
            return value
