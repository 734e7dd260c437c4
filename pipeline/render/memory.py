"""Memory of a child: files to encode into, and whether it could still allocate more."""

from __future__ import annotations

import mmap
import os

from pipeline.workers import sealed


def create() -> int:
    """A new empty file in memory to encode into, as a descriptor that the caller closes; see `sealed.create`."""
    return sealed.create("pipeline-rendition")


def is_there(size: int) -> bool:
    """Whether this process could still allocate `size` bytes. None of them is touched."""
    try:
        with mmap.mmap(-1, max(1, size), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS):
            return True
    except (OSError, OverflowError):
        return False


def close_all(descriptors: list[int]) -> None:
    """Closes each of `descriptors`."""
    for descriptor in descriptors:
        os.close(descriptor)
