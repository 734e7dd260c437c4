from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.workers.cpus import available


def test_affinity_counts(tmp_path: Path) -> None:
    assert available(tmp_path) == len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("text", "expected"), [("max 100000", 8), ("150000 100000", 2), ("50000 100000", 1), ("rubbish", 8)]
)
def test_a_quota_of_a_control_group_bounds_the_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, expected: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    (tmp_path / "cpu.max").write_text(text)
    assert available(tmp_path) == expected


def test_version_one_of_control_groups_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("300000\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert available(tmp_path) == 3
