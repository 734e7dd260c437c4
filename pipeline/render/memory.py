"""Memory that a rendition needs: files for what is encoded, and whether there is room for pixels."""

from __future__ import annotations

import mmap
import os

from pipeline.workers import sealed


def create() -> int:
    """A new empty file to encode into; see `sealed.create`."""
    return sealed.create("pipeline-rendition")


def is_there(size: int) -> bool:
    """Whether this process could still get `size` bytes, none of which is touched."""
    try:
        with mmap.mmap(-1, max(1, size), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS):
            return True
    except (OSError, OverflowError):
        return False


def close_all(descriptors: list[int]) -> None:
    """Closes each of `descriptors`."""
    for descriptor in descriptors:
        os.close(descriptor)
