"""How much memory this process and its children may use: the machine's, bounded by the control groups'.

Pictures in flight get what the processes do not use for themselves. Measured (proportional set sizes): this process
50 MiB, an idle child 28 to 45, and what it keeps for the next picture.
"""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.workers import cgroup

_SHARE = 0.6  # of what there is: the rest is for the page cache and other programs on the machine
_OURS = 96 * 2**20  # bytes of this process: interpreter, plan, manifest
_CHILD = 48 * 2**20  # bytes of a child that waits, beside what it keeps
KEPT = 96 * 2**20  # bytes: what photographs made smaller to 1200 px took at the most was 82 (72 of 3 to 16 Mpx)
_KEPT_SHARE = 1 / 16  # of all, at the most, for what all children keep
_LEAST = 0.25  # of all: pictures get this much at the least; the biggest then runs alone


def for_pictures(total: int, processes: int) -> int:
    """Bytes of the budget for pictures in flight, when all processes together are to stay below `total`."""
    return max(int(total * _LEAST), total - _OURS - processes * (_CHILD + kept(total, processes)))


def kept(total: int, processes: int) -> int:
    """Bytes that each child may keep between two pictures: getting them anew from the kernel takes longer."""
    return min(KEPT, int(total * _KEPT_SHARE / max(1, processes)))


def available(root: Path = cgroup.ROOT, own: Path = cgroup.SELF) -> int:
    """Bytes that all processes may take together when the config does not say."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for text in cgroup.files("memory", "memory.max", "memory.limit_in_bytes", root, own):
        if text.isdecimal():  # and not "max"
            limits.append(int(text))
    return int(min(limits) * _SHARE)
