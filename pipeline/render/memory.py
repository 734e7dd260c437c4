"""Files that live in memory: where renditions are encoded to, and how they reach whoever writes them."""

from __future__ import annotations

import fcntl
import mmap
import os

_SEALS = 0
if hasattr(fcntl, "F_SEAL_WRITE"):
    _SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL


def create() -> int:
    """A new empty file without a name, as a descriptor that is not inherited and is the caller's to close."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("pipeline-rendition", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    import tempfile  # noqa: PLC0415 - 3 ms, and not needed on Linux

    descriptor, path = tempfile.mkstemp(prefix="pipeline-")
    os.unlink(path)
    return descriptor


def seal(descriptor: int) -> int:
    """Ends the writing: rewinds, forbids any change of the content where the kernel can; returns the size in bytes."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    if _SEALS and hasattr(os, "memfd_create"):
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
    return os.fstat(descriptor).st_size


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
