"""An open folder, below which sources are read and targets written by descriptors instead of paths."""

from __future__ import annotations

import errno
import os
from pathlib import Path

# What fsync of a folder says on file systems without it: WSL's drives, old CIFS, some SMB and FUSE.
_NOT_THERE = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES, errno.EBADF})

# Of what is made, less the umask: whatever that is, not everybody may write to it.
FILE_MODE, FOLDER_MODE = 0o664, 0o775

CHUNK = 2**20  # bytes of a file that are read at once


def first_read(expected: int | None) -> int:
    """How many bytes to ask for first of a file that is said to have so many: one more, up to a chunk.

    To ask for a whole chunk of a file of 1.5 kB takes 40 us instead of 1: Python gets memory for it from the system,
    and gives it back.
    """
    return CHUNK if expected is None else min(expected + 1, CHUNK)


def make_folders(folder: Path) -> None:
    """Make it and the folders above it, as far as they are not there. Raises `OSError`."""
    for path in (*reversed(folder.parents), folder):
        path.mkdir(FOLDER_MODE, exist_ok=True)


def is_gone(path: Path) -> bool:
    """Whether there is nothing any more where `path` leads. What cannot be looked at counts as there."""
    try:
        path.stat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


class Descriptor:
    """Closed when the last thread that uses it lets go of it: a cache may drop one while others still open files."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number

    def __del__(self) -> None:
        os.close(self.number)


def sync_folder(number: int) -> str:
    """Make names in the open folder survive a power cut. Why its file system cannot do that; "" where it was done.

    Raises `OSError` for every other failure, EIO above all.
    """
    try:
        os.fsync(number)
    except OSError as error:
        if error.errno not in _NOT_THERE:
            raise
        return error.strerror or str(error)
    return ""
