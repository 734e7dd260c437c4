from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.errors import ErrorKind, PictureError
from pipeline.sources import reading
from pipeline.sources.buffers import CAPACITY, Buffer, Buffers
from pipeline.sources.copying import Copied, begun

pytestmark = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="memfds are Linux's")

_MIB = 2**20


@pytest.fixture
def files(tmp_path: Path) -> Iterator[list[int]]:
    opened: list[int] = []
    yield opened
    for descriptor in opened:
        os.close(descriptor)


def copied(pool: Buffers, path: Path, content: bytes, files: list[int]) -> Copied:
    path.write_bytes(content)
    files.append(os.open(path, os.O_RDONLY))
    return begun(pool, files[-1], len(content)).rest(2**30)


def held(one: Copied) -> bytes:
    return os.pread(one.held.descriptor, one.held.size, 0)


def test_memory_is_used_again_and_only_what_was_read_counts(tmp_path: Path, files: list[int]) -> None:
    pool = Buffers()
    first = copied(pool, tmp_path / "a", b"long" * 1000, files)
    first.let_go()
    second = copied(pool, tmp_path / "b", b"short", files)
    assert second.held.descriptor == first.held.descriptor
    assert held(second) == b"short"
    assert second.sha256 == hashlib.sha256(b"short").digest()
    assert os.pread(second.held.descriptor, 2**20, len(b"short")).strip(b"\0") == b""
    second.let_go()


def test_two_pictures_in_flight_share_nothing(tmp_path: Path, files: list[int]) -> None:
    pool = Buffers()
    one, other = (copied(pool, tmp_path / name, name.encode() * 5000, files) for name in "ab")
    assert (held(one), held(other)) == (b"a" * 5000, b"b" * 5000)


def test_what_is_larger_than_a_buffer_has_a_file_of_its_own(tmp_path: Path, files: list[int]) -> None:
    one = copied(Buffers(), tmp_path / "a", bytes(CAPACITY + 1), files)
    assert os.fstat(one.held.descriptor).st_size == one.held.size == CAPACITY + 1
    one.let_go()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(one.held.descriptor)


def test_so_many_bytes_are_kept_and_no_more(tmp_path: Path, files: list[int]) -> None:
    pool = Buffers(3 * _MIB)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        together = [copied(pool, tmp_path / "a", bytes(2 * _MIB), files) for _ in range(4)]
        for one in together:
            one.let_go()
        del one, together  # a buffer's file and its mapping are closed with it
        assert len(os.listdir("/proc/self/fd")) - len(files) == before + 2


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EPERM])
def test_where_the_kernel_cannot_protect_it_each_picture_has_a_file_of_its_own(
    tmp_path: Path, files: list[int], monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Before Linux 5.1 there is no such seal."""
    asked: list[int] = []
    really = fcntl.fcntl

    def old(descriptor: int, command: int, argument: int = 0) -> int:
        if command == fcntl.F_ADD_SEALS and argument & 0x10:
            asked.append(descriptor)
            raise OSError(number, os.strerror(number))
        return really(descriptor, command, argument)

    monkeypatch.setattr(fcntl, "fcntl", old)
    pool = Buffers()
    for name in "ab":
        one = copied(pool, tmp_path / name, name.encode() * 100, files)
        assert (held(one), os.fstat(one.held.descriptor).st_size) == (name.encode() * 100, 100)
        one.let_go()
    assert len(asked) == 1


def test_a_buffer_of_which_little_was_used_holds_little() -> None:
    one = Buffer()
    with open("/dev/zero", "rb", buffering=0) as zeros:
        assert one.fill(zeros.fileno(), 0, 5000) == 5000
    assert os.fstat(one.descriptor).st_blocks * 512 <= 8192
    assert os.fstat(one.descriptor).st_size == CAPACITY


def test_what_a_read_that_failed_has_brought_is_counted_and_cleared(
    tmp_path: Path, files: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = Buffers()
    really, left = reading.read_into, [1]

    def fails_in_the_middle(descriptor: int, room: memoryview) -> int:
        if not left[0]:
            raise PictureError(ErrorKind.UNREADABLE, "as asked")
        left[0] -= 1
        return really(descriptor, room[:100_000])

    with monkeypatch.context() as patched, pytest.raises(PictureError):
        patched.setattr(reading, "read_into", fails_in_the_middle)
        copied(pool, tmp_path / "a", b"x" * 200_000, files)
    one = copied(pool, tmp_path / "b", b"short", files)
    assert os.pread(one.held.descriptor, 2**20, len(b"short")).strip(b"\0") == b""
    one.let_go()
    assert pool._taken >= 100_000


def test_memory_that_somebody_else_has_touched_counts(tmp_path: Path, files: list[int]) -> None:
    pool = Buffers(_MIB)
    one = copied(pool, tmp_path / "a", b"short", files)
    os.posix_fallocate(one.held.descriptor, 0, CAPACITY)  # as a child that was taken over might, were it not confined
    one.let_go()
    assert pool._idle == []


def test_where_files_may_not_be_so_large_each_picture_has_one_of_its_own(
    tmp_path: Path, files: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`ulimit -f` counts the size that a buffer could have."""

    def refused(descriptor: int, size: int) -> None:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))

    monkeypatch.setattr(os, "ftruncate", refused)
    one = copied(Buffers(), tmp_path / "a", b"short", files)
    assert (held(one), os.fstat(one.held.descriptor).st_size) == (b"short", 5)
    one.let_go()


def test_a_file_that_is_longer_than_it_says_is_not_taken_for_whole(tmp_path: Path, files: list[int]) -> None:
    """Some file systems in user space say any size."""
    (tmp_path / "a").write_bytes(b"longer")
    files.append(os.open(tmp_path / "a", os.O_RDONLY))
    one = begun(Buffers(), files[-1], 3).rest(2**30)
    assert one.held.size > 3
    one.let_go()
