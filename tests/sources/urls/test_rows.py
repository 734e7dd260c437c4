"""Lists of URLs in their forms."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow.parquet
import pytest

from pipeline.config.settings import UrlSettings
from pipeline.errors import SourceTrouble
from pipeline.sources.urls.rows import Row, rows

SETTINGS = UrlSettings(url="link", name="id", columns=("caption",))
TABLE = 'id,link,caption\n7,http://a/1,"two\nlines, and a comma"\n8,http://a/2,\n'
EXPECTED = [
    Row(3, "http://a/1", "7", {"caption": "two\nlines, and a comma"}),
    Row(4, "http://a/2", "8", {"caption": ""}),
]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("kind", "text"), [("csv", "\ufeff" + TABLE), ("tsv", TABLE.replace(",", "\t"))])
def test_tables_are_read(tmp_path: Path, kind: str, text: str, packed: bool) -> None:
    path = tmp_path / f"list.{kind}{'.gz' * packed}"
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    expected = EXPECTED if kind == "csv" else [Row(3, "http://a/1", "7", {"caption": "two\nlines\t and a comma"})]
    assert list(rows(path, SETTINGS))[: len(expected)] == expected


def test_json_lines_are_read(tmp_path: Path) -> None:
    path = tmp_path / "LIST.JSONL"
    entries = [{"id": 7, "link": "http://a/1", "caption": {"deep": [1]}}, {"link": None}]
    path.write_text("\n".join(map(json.dumps, entries)))
    assert list(rows(path, SETTINGS)) == [
        Row(1, "http://a/1", "7", {"caption": {"deep": [1]}}),
        Row(2, "", "", {"caption": None}),
    ]


def test_numbers_that_json_cannot_say_are_no_values(tmp_path: Path) -> None:
    path = tmp_path / "list.jsonl"
    path.write_text('{"id": 1, "link": "http://a/1", "caption": {"a": [1e999, 1.5, NaN]}}')
    (row,) = rows(path, SETTINGS)
    assert row.columns == {"caption": {"a": [None, 1.5, None]}}


@pytest.mark.parametrize("packed", [False, True])
def test_parquet_is_read(tmp_path: Path, packed: bool) -> None:
    path = tmp_path / f"list.parquet{'.gz' * packed}"
    table = pyarrow.table({"id": [7, 8], "link": ["http://a/1", "http://a/2"], "caption": ["x", None]})
    with gzip.open(path, "wb") if packed else path.open("wb") as file:
        pyarrow.parquet.write_table(table, file)
    assert [(row.url, row.name, row.columns["caption"]) for row in rows(path, SETTINGS)] == [
        ("http://a/1", "7", "x"),
        ("http://a/2", "8", None),
    ]


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a.csv", b"url,caption\nhttp://a/1,x\n", "has no column link; its columns are: url, caption"),
        ("a.csv", b"", "has no column link; its columns are: none"),
        ("a.jsonl", b'{"link": 1}\n[]\n', "has no column id; its columns are: link"),
        ("a.jsonl", b'\n{"link": 1}\n', "has no column id; its columns are: link"),
        ("a.jsonl", b"[]\n", "cannot be read: line 1 is no JSON object"),
        ("a.txt", b"http://a/\xff\n", "is not UTF-8"),
        ("a.txt", b"x" * 2**20, "is no list: line 1 has more than 1,048,576 characters"),
        ("a.txt.gz", b"http://a/\n", "is cut off, or not gzipped as its name says"),
        ("a.csv", b"id,link,caption\n" + b'"' + b"y\n" * 100_000, "cannot be read: line"),
    ],
)
def test_a_file_that_is_no_such_list_is_refused_as_a_whole(
    tmp_path: Path, name: str, content: bytes, what: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(SourceTrouble, match=f"^the source {path} {what}"):
        list(rows(path, SETTINGS))
