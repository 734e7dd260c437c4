"""Stats as plain numbers, for the plan: it compares hundreds of thousands, and nearly all are as they were."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from pipeline.folder import Descriptor

Mark = tuple[int, int]
"""Size and mtime (nanoseconds since 1970) of a file."""

NOTHING: Mark = (-1, -1)  # not there, or it cannot be told


def marks(find: Callable[[str], Descriptor], paths: Sequence[str]) -> list[Mark]:
    """Those of `paths`, in folders that `find` opens; quick where neighbours share one. A link is looked at itself."""
    stat = os.stat
    found: list[Mark] = []
    last: str | None = None
    opened: Descriptor | None = None
    for path in paths:
        folder, _, name = path.rpartition("/")
        try:
            if folder != last:
                last, opened = folder, None
                opened = find(folder)
            if opened is not None:
                one = stat(name, dir_fd=opened.number, follow_symlinks=False)
        except OSError:
            found.append(NOTHING)
            continue
        found.append((one.st_size, one.st_mtime_ns) if opened is not None else NOTHING)
    return found
