"""By what a file is known again without being read."""

from __future__ import annotations

import os
import stat as modes
from dataclasses import replace

from pipeline.model import Stat
from pipeline.sources.source import Vanished

_LATEST = 2**63 - 1  # nanoseconds, in the year 2262; ext4 goes on to 2446
_GRAIN = 2.0  # seconds: the coarsest time stamps in use (FAT's) are that far apart


def fingerprint(found: os.stat_result) -> Stat:
    """The part of a stat that the program keeps. Times that no manifest can hold count as the last one that it can."""
    modified, changed = found.st_mtime_ns, found.st_ctime_ns
    if not (-_LATEST <= modified <= _LATEST and -_LATEST <= changed <= _LATEST):
        modified, changed = (max(-_LATEST, min(when, _LATEST)) for when in (modified, changed))
    return Stat(found.st_size, modified, changed, found.st_dev, found.st_ino)


def check_same(found: os.stat_result, listed: Stat) -> None:
    """Raise `Vanished` unless this is the file that was listed.

    Network file systems in user space hand out new inode numbers as they like: there size and both times must do, and
    nobody can set a ctime.
    """
    if not modes.S_ISREG(found.st_mode):
        raise Vanished("no longer a regular file")
    if (found.st_dev, found.st_ino) == (listed.device, listed.inode):
        return
    if not replace(listed, sidecar=None).same_content(fingerprint(found)):
        raise Vanished("replaced by another file since it was listed")


def settled(stat: Stat, now: float) -> bool:
    """Whether a file that was read at `now` had rested for long enough: a write in the same tick leaves no trace."""
    return now - stat.changed_ns / 1e9 >= _GRAIN
