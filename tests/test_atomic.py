from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from pipeline import atomic


def test_a_reader_finds_the_old_file_or_the_new_one_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "x.prom"
    path.write_text("old")
    with atomic.replacing(path) as stream:
        stream.write("new\r\n")
        stream.flush()
        assert path.read_text() == "old"
        assert all(name.startswith(".") and name.endswith(".new") for name in os.listdir(tmp_path) if name != path.name)
    assert path.read_bytes() == b"new\r\n"
    assert os.listdir(tmp_path) == ["x.prom"]


@pytest.mark.parametrize("call", ["write", "fsync", "rename"])
def test_what_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    path = tmp_path / "x.json"
    path.write_text("old")

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if call != "write":
        monkeypatch.setattr(os, call, fail)
    with pytest.raises(OSError, match="No space left"), atomic.replacing(path) as stream:
        stream.write("new")
        if call == "write":
            fail()
    monkeypatch.undo()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["x.json"]


def test_a_mode_that_is_asked_for_holds_whatever_the_umask_says(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        atomic.write_text(tmp_path / "theirs", "x", 0o644)
        atomic.write_text(tmp_path / "mine", "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "theirs").stat().st_mode) == 0o644
    assert stat.S_IMODE((tmp_path / "mine").stat().st_mode) == 0o600


def test_a_link_in_the_way_of_the_new_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / f".x.{os.getpid()}.new").symlink_to(tmp_path / "elsewhere")
    atomic.write_text(tmp_path / "x", "new")
    assert os.listdir(tmp_path) == ["x"]


def test_a_folder_that_has_no_sync_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    really = os.fsync

    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        really(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    atomic.write_text(tmp_path / "x", "new")
    assert (tmp_path / "x").read_text() == "new"


@pytest.mark.parametrize("kind", ["pipe", "folder", "link to a pipe", "link to an open file"])
def test_what_is_no_regular_file_is_not_replaced(tmp_path: Path, kind: str) -> None:
    """For root, /dev/null and /dev/stdout are such."""
    path = tmp_path / "x"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "link to a pipe":
        os.mkfifo(tmp_path / "pipe")
        path.symlink_to("pipe")
    with open(tmp_path / "open", "w") as file:
        if kind == "link to an open file":
            path.symlink_to(f"/proc/self/fd/{file.fileno()}")
        before = path.lstat()
        with pytest.raises(OSError, match="no regular file"):
            atomic.write_text(path, "new")
        after = path.lstat()  # its access time may change: the link was followed
        assert (after.st_ino, after.st_mode, after.st_mtime_ns) == (before.st_ino, before.st_mode, before.st_mtime_ns)
