"""Exports: the same rows from run to run, exact names, safe cells, whole files."""

from __future__ import annotations

import csv
import io
import json
import os
import random
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest

from pipeline.errors import ErrorKind, PictureError, TargetTrouble
from pipeline.manifest import export
from pipeline.manifest.store import Manifest
from pipeline.model.record import Record, Status
from pipeline.model.source import Stat
from tests.manifest.builders import not_made, opened, record, rendition, start
from tests.manifest.test_store import HOSTILE


def _made(folder: Path, seed: int) -> Path:
    """The same pictures as any other seed, in another order, time and run."""
    names = [parent + name for parent in ("", "a/", "a-b/", "a/b/") for name in HOSTILE]
    random.Random(seed).shuffle(names)
    with opened(folder) as manifest:
        manifest.begin_run(start(f"run-{seed}"))
        for name in names:
            renditions = [rendition(name, "small"), not_made(name, "large")]
            manifest.add(record(name, *renditions[:: random.Random(seed).choice([1, -1])], mtime=seed))
        manifest.add(Record("notes.txt", Stat(1, seed, seed), Status.UNSUPPORTED, peak_memory=seed))
        error = PictureError(ErrorKind.UNREADABLE, "no permission")
        manifest.add(Record("z.jpg", Stat(1, seed, seed), Status.FAILED, (), error, seconds_read=seed))
        manifest.end_run(0, {})
    return folder / "manifest.sqlite"


def _rows(path: Path, *, measured: bool = False) -> list[dict[str, export.Value]]:
    with Manifest.reader_at(path) as reader:
        return list(export.rows(reader, measured=measured))


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_equal_runs_export_equal_bytes(tmp_path: Path, form: str) -> None:
    write = {"jsonl": export.write_jsonl, "csv": export.write_csv}[form]
    exports = []
    for seed in (1, 2, 3):
        folder = tmp_path / str(seed)
        folder.mkdir()
        rows = _rows(_made(folder, seed))
        write(rows, folder / "export")
        exports.append((folder / "export").read_bytes())
    assert exports[0] == exports[1] == exports[2]


def test_rows_are_in_the_order_of_their_bytes_and_measured_columns_come_when_asked(tmp_path: Path) -> None:
    path = _made(tmp_path, 1)
    rows, measured = _rows(path), _rows(path, measured=True)
    assert len(rows) == len(measured) == 4 * len(HOSTILE) * 2 + 2
    assert {key: value for key, value in measured[0].items() if key in rows[0]} == rows[0]
    assert {"run", "at", "seconds_decode", "mtime_ns", "reason"} <= set(measured[0]) - set(rows[0])
    exact = [_exact(row, "source") for row in rows]
    assert exact == sorted(exact)
    assert [row["rendition"] for row in rows[:2]] == ["large", "small"]


def _exact(row: dict[str, export.Value], name: str) -> bytes:
    raw = row.get(f"{name}_raw")
    return unquote_to_bytes(str(raw)) if raw else str(row[name]).encode()


def test_every_name_can_be_had_back_from_either_form(tmp_path: Path) -> None:
    rows = _rows(_made(tmp_path, 1))
    stream = io.StringIO()
    assert export.write_jsonl(rows, stream) == len(rows)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    table = io.StringIO()
    export.write_csv(rows, table)
    cells = list(csv.DictReader(io.StringIO(table.getvalue(), newline="")))
    names = {os.fsencode(name) for name in HOSTILE} | {b"notes.txt", b"z.jpg"}
    for back in (lines, cells):
        assert {name for row in back if b"/" not in (name := _exact(row, "source"))} == names
    assert len(stream.getvalue().split("\n")) == len(rows) + 1, "a line break in a name breaks no line"
    assert all(text.isprintable() for row in lines for text in row.values() if isinstance(text, str))


def test_a_spreadsheet_takes_no_cell_for_a_formula(tmp_path: Path) -> None:
    with opened(tmp_path) as manifest:
        for name in ("=1+1.jpg", "+1.jpg", "-1.jpg", "@x.jpg"):
            manifest.add(record(name))
    stream = io.StringIO()
    export.write_csv(_rows(tmp_path / "manifest.sqlite"), stream)
    cells = list(csv.DictReader(io.StringIO(stream.getvalue(), newline="")))
    assert [row["source"] for row in cells] == ["'+1.jpg", "'-1.jpg", "'=1+1.jpg", "'@x.jpg"]
    assert not [cell for row in cells for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]
    assert [unquote_to_bytes(row["source_raw"]) for row in cells] == [b"+1.jpg", b"-1.jpg", b"=1+1.jpg", b"@x.jpg"]


@pytest.mark.parametrize(
    "name", ["a;=1.jpg", "a; =1.jpg", 'a;"=1.jpg', ";@x.jpg", " +1.jpg", '"-1.jpg', "\uff1d1.jpg", "a;\uff0b1.jpg"]
)
def test_neither_does_one_with_semicolons_between_its_cells_or_signs_of_full_width(tmp_path: Path, name: str) -> None:
    with opened(tmp_path) as manifest:
        manifest.add(record(name))
    stream = io.StringIO()
    export.write_csv(_rows(tmp_path / "manifest.sqlite"), stream)
    for line in stream.getvalue().splitlines():
        for cell in line.split(";"):
            assert not cell.lstrip(' "').startswith(tuple("=+-@\uff1d\uff0b\uff0d\uff20"))
    (row,) = csv.DictReader(io.StringIO(stream.getvalue(), newline=""))
    assert unquote_to_bytes(row["source_raw"]) == name.encode()


def test_a_row_tells_what_the_manifest_knows(tmp_path: Path) -> None:
    with opened(tmp_path) as manifest:
        manifest.add(record("a.jpg", rendition("a.jpg"), not_made("a.jpg", "web")))
    done, failed = _rows(tmp_path / "manifest.sqlite")
    assert (done["target"], done["status"], done["bytes"], done["width"]) == ("a.jpg-thumb.jpg", "done", 4, 32)
    assert done["libraries"] == "pillow=1"
    assert len(str(done["sha256"])) == len(str(done["source_sha256"])) == 64
    assert (failed["status"], failed["error"], failed["detail"]) == ("failed", "truncated", "3 bytes short")


def test_an_export_that_fails_leaves_the_earlier_one_and_no_leftovers(tmp_path: Path) -> None:
    target = tmp_path / "export.csv"
    target.write_text("earlier")

    def rows() -> object:
        yield {"source": "a"}
        raise RuntimeError

    with pytest.raises(RuntimeError):
        export.write_csv(rows(), target)  # type: ignore[arg-type]
    assert target.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [target]
    with pytest.raises(TargetTrouble, match="cannot write the export: No such file"):
        export.write_csv([], tmp_path / "missing" / "export.csv")
