"""Stats as plain numbers say what stats say; names come in chunks that leave none out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.settings import SourceSettings
from pipeline.sources.local import LocalSource
from pipeline.sources.source import NO_FILE, Folder


@pytest.mark.parametrize("follow", [False, True])
def test_marks_are_the_stats_of_files_and_of_nothing_else(tmp_path: Path, follow: bool) -> None:
    (tmp_path / "a").mkdir()
    for name in ("one.jpg", os.fsdecode(b"\xff\n.jpg")):
        (tmp_path / "a" / name).write_bytes(name.encode("utf-8", "surrogateescape"))
    os.utime(tmp_path / "a" / "one.jpg", ns=(1, -5))
    os.mkfifo(tmp_path / "a" / "pipe.jpg")
    (tmp_path / "a" / "folder.jpg").mkdir()
    (tmp_path / "a" / "link.jpg").symlink_to("one.jpg")
    names = ["one.jpg", os.fsdecode(b"\xff\n.jpg"), "pipe.jpg", "folder.jpg", "link.jpg", "gone.jpg"]
    source = LocalSource(SourceSettings(tmp_path, follow_symlinks=follow))
    stats = source.stats("a", names)
    assert [stat is not None for stat in stats] == [True, True, False, False, follow, False]
    raw = source.raw_stats("a", names)
    assert raw == [NO_FILE if stat is None else (stat.size, stat.mtime_ns, stat.ctime_ns) for stat in stats]
    assert source.raw_stats("b", names) == [NO_FILE] * len(names)


_NAMES = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1), unique=True)


@given(_NAMES, st.integers(1, 5), st.integers(0, 300))
def test_chunks_hold_every_name_once_and_in_order(names: list[str], most: int, longer: int) -> None:
    names = sorted((name + "x" * (longer if len(name) % 2 else 0) for name in names), key=os.fsencode)
    folder = Folder("a", "\0".join(names).encode())
    chunks = list(folder.chunks(most))
    assert [name for chunk in chunks for name in chunk] == names == folder.names()
    assert max(map(len, chunks)) <= most
    assert all(chunks) or chunks == [[]]


def test_chunks_are_full_where_names_are_of_a_usual_length() -> None:
    folder = Folder("", b"\0".join(b"DSC_%05d.JPG" % number for number in range(2500)))
    assert list(map(len, folder.chunks(1000))) == [1000, 1000, 500]
