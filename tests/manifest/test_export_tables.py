"""Parquet and Hugging Face exports: the rows of the other exports, as pyarrow reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from pipeline.manifest import export, export_hf, export_parquet
from pipeline.manifest.store import Manifest
from pipeline.model.record import Record, Status
from pipeline.model.source import Remote, Stat
from tests.manifest.builders import opened, record, rendition, start
from tests.manifest.test_export import _made, _rows


def _parquet(path: Path, to: Path, *, measured: bool = False) -> Any:
    with Manifest.reader_at(path) as reader:
        listing = export.rows(reader, measured=measured)
        export_parquet.write_parquet(listing, to, export.kinds(reader, measured=measured))
    return pyarrow.parquet.read_table(to)


@pytest.mark.parametrize("measured", [False, True])
def test_parquet_has_the_rows_of_the_other_exports_in_their_order(tmp_path: Path, measured: bool) -> None:
    path = _made(tmp_path, 1)
    table = _parquet(path, tmp_path / "rows.parquet", measured=measured)
    assert table.to_pylist() == _rows(path, measured=measured)
    assert str(table.schema.field("bytes").type) == "int64"
    assert str(table.schema.field("warnings").type).startswith("list<")


def test_equal_runs_give_equal_parquet(tmp_path: Path) -> None:
    exports = []
    for seed in (1, 2):
        (tmp_path / str(seed)).mkdir()
        _parquet(_made(tmp_path / str(seed), seed), tmp_path / f"{seed}.parquet")
        exports.append((tmp_path / f"{seed}.parquet").read_bytes())
    assert exports[0] == exports[1]


def test_row_groups_are_written_as_they_fill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_parquet, "_GROUP", 3)
    path = _made(tmp_path, 1)
    rows = _parquet(path, tmp_path / "rows.parquet").num_rows
    assert pyarrow.parquet.ParquetFile(tmp_path / "rows.parquet").num_row_groups == -(-rows // 3)


def test_columns_of_lists_have_the_type_of_their_values(tmp_path: Path) -> None:
    said: list[dict[str, object]] = [
        {"caption": "a cat", "score": 1, "likes": 3, "safe": True, "mixed": 1, "tags": ["x"], "none": None},
        {"caption": None, "score": 0.5, "likes": 10**30, "safe": False, "mixed": "two", "tags": {"y": 1}},
    ]
    with opened(tmp_path) as manifest:
        manifest.begin_run(start("one"))
        for number, columns in enumerate(said):
            remote = Remote("", f"https://example.org/{number}", json.dumps(columns))
            manifest.add(Record(f"{number}.jpg", Stat(1, 1, 1, remote=remote), Status.DONE))
        manifest.end_run(0, {})
    table = _parquet(tmp_path / "manifest.sqlite", tmp_path / "rows.parquet")
    assert {name: str(table.schema.field(f"list_{name}").type) for name in said[0]} == {
        "caption": "string",
        "score": "double",
        "likes": "double",
        "safe": "bool",
        "mixed": "string",
        "tags": "string",
        "none": "string",
    }
    assert table.column("list_mixed").to_pylist() == ["1", "two"]
    assert table.column("list_tags").to_pylist() == ['["x"]', '{"y": 1}']
    assert table.column("list_score").to_pylist() == [1.0, 0.5]
    assert table.column("url").to_pylist() == ["https://example.org/0", "https://example.org/1"]


def test_names_that_are_not_utf_8_are_left_out_and_counted(tmp_path: Path) -> None:
    with opened(tmp_path) as manifest:
        manifest.begin_run(start("one"))
        for name in ("caf\udce9", "line\nbreak", "plain"):
            manifest.add(record(f"{name}.jpg", rendition(f"{name}.jpg", "small")))
        manifest.end_run(0, {})
    with Manifest.reader_at(tmp_path / "manifest.sqlite") as reader:
        assert export_hf.write_hf(reader, tmp_path / "metadata.jsonl", tmp_path) == (2, 1)
    names = [json.loads(line)["file_name"] for line in (tmp_path / "metadata.jsonl").read_text().splitlines()]
    assert ["line\n" in name for name in names] == [True, False]


def test_an_export_is_known_by_its_first_line_however_long_that_is(tmp_path: Path) -> None:
    path = tmp_path / "metadata.jsonl"
    row = {"file_name": "a.jpg", "source": "a.jpg", "source_sha256": "0", "recipe": "1", "list_text": "x" * 100_000}
    path.write_text(json.dumps(row) + "\n")
    assert export_hf.is_export(path)
    path.write_text(json.dumps({"file_name": "a.jpg", "list_text": "x" * 100_000}) + "\n")
    assert not export_hf.is_export(path)
