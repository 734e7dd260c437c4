"""How many CPUs this process may use: its affinity, bounded by the quota of its control group."""

from __future__ import annotations

import math
import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def available(root: Path = _CGROUP) -> int:
    """Whole CPUs, at least 1. A quota of 1.5 CPUs counts as 2: the half would otherwise stay idle."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota(root)
    return max(1, min(count, math.ceil(quota))) if quota else max(1, count)


def _quota(root: Path) -> float | None:
    """CPUs that the control group grants, from version 2 (`cpu.max`) or version 1 (`cpu.cfs_quota_us`)."""
    try:
        limit, period = (root / "cpu.max").read_text().split()
        return None if limit == "max" else int(limit) / int(period)
    except (OSError, ValueError):
        pass
    try:
        limit_us = int((root / "cpu" / "cpu.cfs_quota_us").read_text())
        return limit_us / int((root / "cpu" / "cpu.cfs_period_us").read_text()) if limit_us > 0 else None
    except (OSError, ValueError):
        return None
