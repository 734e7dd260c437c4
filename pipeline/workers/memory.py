"""How much memory this process and its children may use: the machine's, bounded by the control group's."""

from __future__ import annotations

import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_SHARE = 0.6  # of what there is: the rest is for the page cache and for whatever else runs on the machine


def available(root: Path = _CGROUP) -> int:
    """Bytes that pictures in flight may take together when the config does not say."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for name in ("memory.max", "memory/memory.limit_in_bytes"):  # version 2, version 1
        try:
            limits.append(int((root / name).read_text()))
        except (OSError, ValueError):  # not there, or "max"
            continue
    return int(min(limits) * _SHARE)
