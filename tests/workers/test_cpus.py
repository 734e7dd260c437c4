from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.workers import cpus, memory


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """As /proc/self/cgroup says it of a service in a slice, on a machine with both versions."""
    path = tmp_path / "self"
    path.write_text("3:memory:/jobs/night\n2:cpu,cpuacct:/jobs/night\n0::/system.slice/thumbs.service\n")
    return path


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n")


def test_affinity_counts_where_nothing_else_is_said(tmp_path: Path) -> None:
    assert cpus.available(tmp_path, tmp_path / "none") == len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("group", "text", "expected"),
    [
        ("system.slice/thumbs.service", "max 100000", 8),
        ("system.slice/thumbs.service", "150000 100000", 2),
        ("system.slice/thumbs.service", "50000 100000", 1),
        ("system.slice", "300000 100000", 3),
        ("", "400000 100000", 4),
        ("system.slice/another.service", "100000 100000", 8),
        ("system.slice", "rubbish", 8),
    ],
)
def test_the_quota_of_any_group_above_bounds_the_count(
    tmp_path: Path, own: Path, monkeypatch: pytest.MonkeyPatch, group: str, text: str, expected: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    _put(tmp_path / group / "cpu.max", text)
    assert cpus.available(tmp_path, own) == expected


@pytest.mark.parametrize(("text", "expected"), [("300000", 3), ("-1", 8)])
def test_version_one_of_control_groups_is_understood(
    tmp_path: Path, own: Path, monkeypatch: pytest.MonkeyPatch, text: str, expected: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    _put(tmp_path / "cpu/jobs/night/cpu.cfs_quota_us", text)
    assert cpus.available(tmp_path, own) == expected


def test_memory_is_a_share_of_the_least_that_any_group_or_the_machine_allows(tmp_path: Path, own: Path) -> None:
    whole = memory.available(tmp_path, tmp_path / "none")
    assert 0 < whole < os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    _put(tmp_path / "system.slice/thumbs.service/memory.max", "max")
    assert memory.available(tmp_path, own) == whole
    _put(tmp_path / "system.slice/memory.max", str(10 * 2**20))
    assert memory.available(tmp_path, own) == 6 * 2**20
    _put(tmp_path / "memory/jobs/memory.limit_in_bytes", str(5 * 2**20))
    assert memory.available(tmp_path, own) == 3 * 2**20
