"""Rows about the pictures of a folder, as a `metadata` file beside them: what Hugging Face's `imagefolder` reads.

`file_name` is a picture's path from the file's folder. There is a row for each picture that is there as it should be:
none for what has failed, for orphans, and for pictures that are left out now.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote_to_bytes

from pipeline.errors import UsageError, printable
from pipeline.manifest.database import translated
from pipeline.manifest.export import Kind, Value, kinds, rows, write_jsonl
from pipeline.manifest.export_parquet import MARK, write_parquet
from pipeline.manifest.reader import Reader
from pipeline.manifest.values import to_bytes
from pipeline.model.record import Status

NAMES = ("metadata.jsonl", "metadata.parquet")
_READ = (*NAMES, "metadata.csv")  # imagefolder refuses a folder with two of them
_MADE = (Status.DONE, Status.KEPT)
_LEFT_OUT = (Status.SKIPPED, Status.FILTERED, Status.UNSUPPORTED)
_DROPPED = ("target", "target_raw", "error", "detail")  # file_name has the target, and the others are empty
_LONGEST = 2**24  # bytes of a line of ours: columns of a list of URLs may be long


def check_place(to: Path, target: Path) -> None:
    """Raise `UsageError` where a metadata file would describe nothing in `target`, take the place of a file that is no
    such export, or be read with one.
    """
    path = Path(os.path.abspath(to))
    shown = printable(str(path))
    if path.name not in NAMES:
        raise UsageError(f"{shown}: must be named {' or '.join(NAMES)}, which are the names that imagefolder reads")
    folder, root = os.path.realpath(path.parent), os.path.realpath(target)
    if os.path.commonpath([folder, root]) != root:
        raise UsageError(f"{shown}: must be in the target, beside its pictures ({printable(str(target))})")
    if os.path.lexists(path) and not is_export(path):
        raise UsageError(f"{shown}: is there and is no export of this program; name another place (--output)")
    for other in _others(path):
        if os.path.lexists(other) and not is_export(other):
            raise UsageError(
                f"{printable(str(other))}: is no export of this program, and imagefolder reads no folder with both "
                f"it and {path.name}; remove it, or name another place (--output)"
            )


def write_hf(reader: Reader, to: Path, target: Path, *, measured: bool = False) -> tuple[int, int]:
    """Write the rows to `to` (see `check_place`), atomically, in place of any such export beside it; returns how many,
    and how many pictures were left out because their names are not UTF-8. Raises `ManifestTrouble`, `TargetTrouble` and
    `OSError`.
    """
    below = os.path.relpath(os.path.realpath(to.parent), os.path.realpath(target))
    chosen = _Chosen(reader, "" if below == "." else f"{below}/", measured=measured)
    if to.suffix == ".parquet":
        columns = {name: kind for name, kind in kinds(reader, measured=measured).items() if name not in _DROPPED}
        written = write_parquet(chosen, to, {"file_name": Kind.TEXT, **columns})
    else:
        written = write_jsonl(chosen, to)
    for other in _others(to):
        if is_export(other):
            other.unlink()
    return written, chosen.unnamed


def _others(path: Path) -> list[Path]:
    """The metadata files of other kinds that may be beside one."""
    return [path.with_name(name) for name in _READ if name != path.name]


class _Chosen:
    """The rows of pictures below the folder `prefix`."""

    def __init__(self, reader: Reader, prefix: str, *, measured: bool) -> None:
        self._reader = reader
        self._prefix = to_bytes(prefix)
        self._measured = measured
        self.unnamed = 0

    def __iter__(self) -> Iterator[dict[str, Value]]:
        orphans = _orphans(self._reader)
        for row in rows(self._reader, measured=self._measured):
            if row["status"] not in _MADE or row["source_status"] in _LEFT_OUT:
                continue
            raw = row["target_raw"]
            target = unquote_to_bytes(raw) if isinstance(raw, str) else to_bytes(str(row["target"]))
            if target in orphans or not target.startswith(self._prefix):
                continue
            try:
                name = target.removeprefix(self._prefix).decode()
            except UnicodeDecodeError:
                self.unnamed += 1
                continue
            yield {"file_name": name, **{key: value for key, value in row.items() if key not in _DROPPED}}


def _orphans(reader: Reader) -> frozenset[bytes]:
    with translated(reader.path):
        return frozenset(path for (path,) in reader.connection.execute("SELECT path FROM orphan"))


def is_export(path: Path) -> bool:
    """Whether a file is one that `write_hf` has written; an empty one may be. False where that cannot be told."""
    try:
        if path.name not in NAMES or not stat.S_ISREG(os.lstat(path).st_mode):
            return False
        if path.suffix == ".parquet":
            return _is_our_parquet(path)
        with open(path, "rb") as file:
            line = file.readline(_LONGEST)
        return not line or _is_our_line(line)
    except OSError:
        return False


def _is_our_line(line: bytes) -> bool:
    try:
        row = json.loads(line)
    except ValueError:
        return False
    return isinstance(row, dict) and {"file_name", "source", "source_sha256", "recipe"} <= row.keys()


def _is_our_parquet(path: Path) -> bool:
    try:
        import pyarrow.parquet  # noqa: PLC0415 - an extra
    except ImportError:
        return False
    try:
        metadata = pyarrow.parquet.read_metadata(path).metadata
    except pyarrow.ArrowException:
        return False
    return MARK in (metadata or {})
