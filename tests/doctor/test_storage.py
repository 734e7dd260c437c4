from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.doctor import storage
from pipeline.doctor.finding import Level
from pipeline.mounts import Mount

REAL_FSYNC, REAL_FLOCK, REAL_STAT = os.fsync, fcntl.flock, os.stat


def refusing(wanted: Callable[[int], bool]) -> Callable[[int], None]:
    def fsync(descriptor: int) -> None:
        if wanted(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")

    return fsync


def details(folder: Path) -> dict[Level, list[str]]:
    by_level: dict[Level, list[str]] = {}
    for finding in storage.abilities("target", folder):
        by_level.setdefault(finding.level, []).append(finding.detail)
    assert os.listdir(folder) == []
    return by_level


def test_a_good_folder_is_good_and_left_as_it_was(tmp_path: Path) -> None:
    assert set(details(tmp_path)) == {Level.OK}


def test_files_that_cannot_be_synced_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", refusing(stat.S_ISREG))
    assert "files cannot be synced" in details(tmp_path)[Level.FAIL][0]


def test_folders_that_cannot_be_synced_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", refusing(stat.S_ISDIR))
    assert "folders cannot be synced" in details(tmp_path)[Level.WARN][0]


def test_locks_that_do_not_lock_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "flock", lambda file, how: None)
    assert "do not keep others out" in details(tmp_path)[Level.FAIL][0]


def test_no_locks_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(file: object, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    assert "gives no locks: No locks available" in details(tmp_path)[Level.FAIL][0]


def test_a_clock_that_is_off_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.doctor.storage.time", SimpleNamespace(time=lambda: 0.0, perf_counter=lambda: 0.0))
    assert "clock" in details(tmp_path)[Level.WARN][0]


def test_a_folder_that_cannot_be_written_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    (finding,) = storage.abilities("target", tmp_path / "file")
    assert finding.level is Level.FAIL
    assert "Not a directory" in finding.detail


@pytest.mark.parametrize(
    ("blocks", "nodes", "levels"),
    [
        (10**9, 10**6, [Level.OK]),
        (1000, 10**6, [Level.WARN]),
        (0, 10**6, [Level.FAIL]),
        (10**9, 10, [Level.OK, Level.WARN]),
        (10**9, 0, [Level.OK, Level.FAIL]),
    ],
)
def test_little_room_is_a_warning_and_none_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blocks: int, nodes: int, levels: list[Level]
) -> None:
    free = SimpleNamespace(f_bavail=blocks, f_frsize=4096, f_files=10**7, f_favail=nodes)
    monkeypatch.setattr(os, "statvfs", lambda folder: free)
    assert [finding.level for finding in storage.room("target", tmp_path)] == levels


def test_a_file_system_without_inodes_lacks_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = SimpleNamespace(f_bavail=10**9, f_frsize=4096, f_files=0, f_favail=0)
    monkeypatch.setattr(os, "statvfs", lambda folder: free)
    assert len(list(storage.room("target", tmp_path))) == 1


@pytest.mark.parametrize(
    ("kind", "level"), [("ext4", Level.OK), ("nfs", Level.WARN), ("fuse.sshfs", Level.WARN), ("tmpfs", Level.WARN)]
)
def test_file_systems_that_promise_less_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, level: Level
) -> None:
    monkeypatch.setattr("pipeline.doctor.storage.mount_of", lambda path: Mount("/x", kind, "d"))
    (finding,) = storage.kind("target", tmp_path)
    assert finding.level is level
    assert kind in finding.detail


def test_without_a_table_of_mounts_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing: Any = lambda path: None  # noqa: E731
    monkeypatch.setattr("pipeline.doctor.storage.mount_of", nothing)
    assert list(storage.kind("target", tmp_path)) == []
