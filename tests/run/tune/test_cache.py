"""The kernel is stood in for: it may keep the pages that it is asked to drop, as it likes."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from pipeline.run.tune.cache import Warmth, forget, warmth
from tests.descriptors import none_stays_open


class PageCache:
    """Every file is in it until its pages are dropped."""

    def __init__(self) -> None:
        self.dropped: set[int] = set()  # inodes
        self.tells = True  # whether the file system does

    def fadvise(self, descriptor: int, offset: int, length: int, advice: int) -> None:
        assert (offset, length, advice) == (0, 0, os.POSIX_FADV_DONTNEED)
        self.dropped.add(os.fstat(descriptor).st_ino)

    def preadv(self, descriptor: int, buffers: Sequence[bytearray], offset: int, flags: int) -> int:
        assert (offset, flags) == (0, os.RWF_NOWAIT)
        if not self.tells:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        if os.fstat(descriptor).st_ino in self.dropped:
            raise BlockingIOError
        return len(buffers[0])


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch) -> PageCache:
    cache = PageCache()
    monkeypatch.setattr(os, "posix_fadvise", cache.fadvise)
    monkeypatch.setattr(os, "preadv", cache.preadv)
    return cache


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / name for name in ("a.jpg", "b.jpg", "c.jpg")]
    for path in paths:
        path.write_bytes(b"x")
    return paths


def test_the_pages_of_each_file_are_dropped_and_what_is_not_there_is_passed_over(
    tmp_path: Path, files: list[Path], cache: PageCache
) -> None:
    assert warmth(files) is Warmth.WARM
    with none_stays_open():
        forget([tmp_path / "is not there.jpg", *files])
    assert cache.dropped == {path.stat().st_ino for path in files}
    assert warmth([tmp_path / "is not there.jpg", *files]) is Warmth.COLD


def test_pages_that_the_kernel_has_kept_of_most_files_are_told(
    tmp_path: Path, files: list[Path], cache: PageCache
) -> None:
    forget(files[:1])
    assert warmth(files) is Warmth.WARM
    forget(files[:2])
    assert warmth(files) is Warmth.COLD


def test_where_nothing_is_there_or_the_file_system_does_not_tell_it_is_unknown(
    tmp_path: Path, files: list[Path], cache: PageCache
) -> None:
    assert warmth([tmp_path / "is not there.jpg"]) is Warmth.UNKNOWN
    cache.tells = False
    assert warmth(files) is Warmth.UNKNOWN


def test_the_real_cache_is_asked_without_a_complaint(tmp_path: Path, files: list[Path]) -> None:
    forget(files)
    assert warmth(files) in Warmth
