"""Stats as plain numbers, for the plan: it compares hundreds of thousands, and nearly all are as they were."""

from __future__ import annotations

import os
from collections.abc import Sequence
from stat import S_ISREG

Mark = tuple[int, int, int]
"""Size, mtime and ctime (nanoseconds since 1970) of a file."""

NO_FILE: Mark = (-1, -1, -1)  # gone, cannot be looked at, or no regular file


def marks(folder: int, names: Sequence[str], *, follow: bool) -> list[Mark]:
    """Those of `names` in the folder with this descriptor; links are followed where `follow` says so."""
    stat, regular = os.stat, S_ISREG
    found: list[Mark] = []
    for name in names:
        try:
            one = stat(name, dir_fd=folder, follow_symlinks=follow)
        except OSError:
            found.append(NO_FILE)
            continue
        found.append((one.st_size, one.st_mtime_ns, one.st_ctime_ns) if regular(one.st_mode) else NO_FILE)
    return found
