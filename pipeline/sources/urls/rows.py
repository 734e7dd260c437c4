"""The rows of a list of URLs: a text with a URL a line, CSV, TSV or JSON lines, each also gzipped, or Parquet."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import itertools
import json
import math
import os
import shutil
import stat
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TextIO

from pipeline.config.settings import UrlSettings
from pipeline.errors import SourceTrouble, printable

_LONGEST = 2**20  # characters of a line: a longer one is no list


@dataclass(frozen=True, slots=True)
class Row:
    """One entry of a list: the number of its line (or row), its URL, its name if a column has one, other columns."""

    line: int
    url: str
    name: str | None
    columns: dict[str, object]


class NoList(Exception):
    """The file is not the list that it is to be. The text shows nothing of its content."""


def check(path: Path) -> None:
    """Raise `SourceTrouble` unless there is a readable file."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise SourceTrouble(f"the source {printable(str(path))} is not a regular file")
        with open(path, "rb"):
            pass
    except FileNotFoundError:
        raise SourceTrouble(f"the source {printable(str(path))} does not exist (is its disk mounted?)") from None
    except OSError as error:
        raise SourceTrouble(f"the source {printable(str(path))} cannot be read: {error.strerror}") from error


def rows(path: Path, settings: UrlSettings) -> Iterator[Row]:
    """All rows of the list at `path`. Raises `SourceTrouble`."""
    try:
        yield from _READERS[_kind(path)](path, settings)
    except NoList as error:
        raise SourceTrouble(f"the source {printable(str(path))} {error}") from None
    except UnicodeDecodeError:
        raise SourceTrouble(f"the source {printable(str(path))} is not UTF-8") from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise SourceTrouble(f"the source {printable(str(path))} is cut off, or not gzipped as its name says") from None
    except OSError as error:
        raise SourceTrouble(f"the source {printable(str(path))} cannot be read: {error.strerror or error}") from error


def _kind(path: Path) -> str:
    return path.name.lower().removesuffix(".gz").rpartition(".")[2]


@contextlib.contextmanager
def _lines(path: Path) -> Iterator[Iterator[str]]:
    """The lines of a text, with their ends. Raises `NoList` for an endless one."""
    opened: Callable[[Path], TextIO] = _gunzipped if path.name.lower().endswith(".gz") else _plain
    with opened(path) as stream:
        yield _bounded(stream)


def _plain(path: Path) -> TextIO:
    return open(path, encoding="utf-8-sig", newline="")


def _gunzipped(path: Path) -> TextIO:
    return io.TextIOWrapper(gzip.open(path), encoding="utf-8-sig", newline="")  # closes what it wraps


def _bounded(stream: TextIO) -> Iterator[str]:
    for number in itertools.count(1):
        line = stream.readline(_LONGEST)
        if not line:
            return
        if len(line) == _LONGEST:
            raise NoList(f"is no list: line {number} has more than {_LONGEST:,} characters")
        yield line


def _of_text(path: Path, settings: UrlSettings) -> Iterator[Row]:
    del settings  # it has no columns
    with _lines(path) as lines:
        for number, line in enumerate(lines, 1):
            if (url := line.strip()) and not url.startswith("#"):
                yield Row(number, url, None, {})


def _of_table(separator: str) -> Callable[[Path, UrlSettings], Iterator[Row]]:
    def read(path: Path, settings: UrlSettings) -> Iterator[Row]:
        with _lines(path) as lines:
            table = csv.reader(lines, delimiter=separator)
            try:
                head = next(table, [])
                _check(head, settings)
                for cells in table:
                    if cells:
                        yield _row(table.line_num, dict(zip(head, cells, strict=False)), settings)
            except csv.Error as error:
                raise NoList(f"cannot be read: line {table.line_num}: {error}") from None

    return read


def _of_json(path: Path, settings: UrlSettings) -> Iterator[Row]:
    checked = False
    with _lines(path) as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                cells = json.loads(line)
            except (ValueError, RecursionError):
                cells = None
            if not isinstance(cells, dict):
                raise NoList(f"cannot be read: line {number} is no JSON object")
            if not checked:
                _check(cells, settings)
                checked = True
            yield _row(number, cells, settings)


def _of_parquet(path: Path, settings: UrlSettings) -> Iterator[Row]:
    import pyarrow.parquet  # noqa: PLC0415 - an extra

    with contextlib.ExitStack() as stack:
        whole: Path | IO[bytes] = path
        if path.name.lower().endswith(".gz"):
            whole = stack.enter_context(tempfile.TemporaryFile())
            shutil.copyfileobj(stack.enter_context(gzip.open(path)), whole)
        yield from _of_parquet_file(pyarrow, whole, settings)


def _of_parquet_file(pyarrow: Any, whole: Path | IO[bytes], settings: UrlSettings) -> Iterator[Row]:
    try:
        file = pyarrow.parquet.ParquetFile(whole)
        _check(file.schema_arrow.names, settings)
        number = 0
        for batch in file.iter_batches(columns=_wanted(settings)):
            for cells in batch.to_pylist():
                number += 1
                yield _row(number, cells, settings)
    except pyarrow.ArrowException as error:
        raise NoList(f"cannot be read as Parquet: {printable(str(error))[:100]}") from None


_READERS = {
    "txt": _of_text,
    "csv": _of_table(","),
    "tsv": _of_table("\t"),
    "jsonl": _of_json,
    "parquet": _of_parquet,
}


def _wanted(settings: UrlSettings) -> list[str]:
    """The columns that are read."""
    return list(dict.fromkeys(filter(None, (settings.url, settings.name, *settings.columns))))


def _check(columns: Iterable[str], settings: UrlSettings) -> None:
    """Raises `NoList` where a column is missing."""
    there = list(columns)
    for name in _wanted(settings):
        if name not in there:
            has = ", ".join(printable(str(column)) for column in there[:10]) or "none"
            raise NoList(f"has no column {printable(name)}; its columns are: {has}")


def _row(line: int, cells: Mapping[str, object], settings: UrlSettings) -> Row:
    name = cells.get(settings.name) if settings.name is not None else None
    url = cells.get(settings.url)
    return Row(
        line,
        url.strip() if isinstance(url, str) else "",
        None if settings.name is None else "" if name is None else str(name),
        {column: _finite(cells.get(column)) for column in settings.columns},
    )


def _finite(value: object) -> object:
    """The value with None for numbers that JSON cannot say: 1e999 is read as infinite, Parquet has NaN."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, list) else value
