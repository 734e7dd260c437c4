"""How many CPUs this process may use: its affinity, bounded by the quotas of its control groups."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

from pipeline.workers import cgroup


def available(root: Path = cgroup.ROOT, own: Path = cgroup.SELF) -> int:
    """Whole CPUs, at least 1. A quota of 1.5 CPUs counts as 2: the half would otherwise stay idle."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([count, *(math.ceil(quota) for quota in _quotas(root, own))]))


def _quotas(root: Path, own: Path) -> Iterator[float]:
    """CPUs that each control group grants, from version 2 (`cpu.max`) or version 1 (`cpu.cfs_quota_us`)."""
    for text in cgroup.files("cpu", "cpu.max", "cpu.cfs_quota_us", root, own):
        quota, _space, period = text.partition(" ")
        if quota.isdecimal() and (not period or period.isdecimal()):  # and not "max", or -1
            yield int(quota) / int(period or 100_000)  # version 1 keeps the period elsewhere; it is hardly ever changed
