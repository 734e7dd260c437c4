"""How much memory this process and its children may use: the machine's, bounded by the control groups'."""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.workers import cgroup

_SHARE = 0.6  # of what there is: the rest is for the page cache and for whatever else runs on the machine


def available(root: Path = cgroup.ROOT, own: Path = cgroup.SELF) -> int:
    """Bytes that pictures in flight may take together when the config does not say."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for text in cgroup.files("memory", "memory.max", "memory.limit_in_bytes", root, own):
        if text.isdecimal():  # and not "max"
            limits.append(int(text))
    return int(min(limits) * _SHARE)
