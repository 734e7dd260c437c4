"""Files in memory that are sealed once they are written. Threads and children exchange them."""

from __future__ import annotations

import errno
import fcntl
import os

_NOEXEC_SEAL = 0x8  # MFD_NOEXEC_SEAL, Linux 6.3: without it the kernel logs a warning


def create(name: str) -> int:
    """A new empty file, as a descriptor that is not inherited and that the caller closes. Raises `OSError`.

    `name` appears in /proc only. Where the kernel has no files in memory, it is a temporary file without a name.
    """
    if not hasattr(os, "memfd_create"):
        import tempfile  # noqa: PLC0415 - 3 ms, and not needed on Linux

        with tempfile.TemporaryFile(buffering=0) as unlinked:
            return os.dup(unlinked.fileno())
    flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
    try:
        return os.memfd_create(name, flags | _NOEXEC_SEAL)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return os.memfd_create(name, flags)


def seal(descriptor: int) -> int:
    """End the writing: rewind, and seal the content where the kernel can. Returns the size in bytes."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    if hasattr(os, "memfd_create") and hasattr(fcntl, "F_ADD_SEALS"):
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    return os.fstat(descriptor).st_size
