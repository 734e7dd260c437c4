"""The page cache: drops the sample's pages, so that each trial reads from the storage."""

from __future__ import annotations

import enum
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NOCTTY


class Warmth(enum.StrEnum):
    """Where the bytes of the sample came from while it was measured."""

    COLD = "cold"  # the storage: the kernel dropped the pages
    WARM = "warm"  # memory: it kept them
    UNKNOWN = "unknown"  # this file system does not say


def forget(files: Iterable[Path]) -> None:
    """Ask the kernel to drop the cached pages of these files. It may not: others map them, or it lacks the call."""
    if not hasattr(os, "posix_fadvise"):
        return
    for file in files:
        with suppress(OSError):
            descriptor = os.open(file, _FLAGS)
            try:
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(descriptor)


def warmth(files: Iterable[Path]) -> Warmth:
    """Whether the first pages of most of these files are in the cache."""
    shares = [cached for file in files if (cached := _cached(file)) is not None]
    if not shares:
        return Warmth.UNKNOWN
    return Warmth.WARM if sum(shares) * 2 > len(shares) else Warmth.COLD


def _cached(path: Path) -> bool | None:
    """Whether a byte can be read without waiting; None where that is unknown."""
    if not hasattr(os, "RWF_NOWAIT"):
        return None
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError:
        return None
    try:
        os.preadv(descriptor, [bytearray(1)], 0, os.RWF_NOWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return True
