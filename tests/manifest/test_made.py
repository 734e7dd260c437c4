"""What was made of some content before is found at once, however many pictures have that content."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

from pipeline.manifest import made
from pipeline.manifest.database import connect
from tests.manifest.builders import opened, record


def test_equal_pictures_are_not_all_read_to_find_one(tmp_path: Path) -> None:
    with opened(tmp_path) as manifest:
        for number in range(100):
            manifest.add(record(f"{number:02d}.jpg"))
    asked: list[str] = []
    with contextlib.closing(connect(tmp_path / "manifest.sqlite", "ro")) as connection:
        connection.set_trace_callback(asked.append)
        found = made.of_content(connection, hashlib.sha256(b"content").digest(), ["r1"])
        connection.set_trace_callback(None)
        plan = connection.execute(f"EXPLAIN QUERY PLAN {asked[0]}").fetchall()
    assert [one.source for one in found] == [f"{number:02d}.jpg" for number in range(64)]
    assert not [step for *_, step in plan if "TEMP B-TREE" in step]  # a sort would go through all of them
