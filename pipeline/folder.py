"""An open folder, below which sources are read and targets written by descriptors instead of paths."""

from __future__ import annotations

import errno
import os
from pathlib import Path

# Errors of fsync of a folder on file systems without it: WSL's drives, old CIFS, some SMB and FUSE.
_NOT_THERE = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES, errno.EBADF})

# Modes of new files and folders, less the umask. They are never world-writable, whatever the umask.
FILE_MODE, FOLDER_MODE = 0o664, 0o775

CHUNK = 2**20  # bytes of a file that are read at once


def first_read(expected: int | None) -> int:
    """Bytes to ask for in the first read of a file of the `expected` size: one more than that, up to a chunk.

    Asking for a whole chunk of a file of 1.5 kB takes 40 us instead of 1, because Python gets memory for it from the
    system and gives it back.
    """
    return CHUNK if expected is None else min(expected + 1, CHUNK)


def make_folders(folder: Path) -> None:
    """Make `folder` and the folders above it, where they are missing. Raises `OSError`."""
    for path in (*reversed(folder.parents), folder):
        path.mkdir(FOLDER_MODE, exist_ok=True)


class Descriptor:
    """Closed with its last reference: a cache may drop one while other threads still open files through it."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number

    def __del__(self) -> None:
        os.close(self.number)


def opened_folder(path: Path) -> Descriptor:
    """The folder at `path`, open; links in the path are followed. Raises `OSError`."""
    return Descriptor(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))


def is_gone(path: Path, opened: Descriptor) -> bool:
    """Whether `path` no longer leads to the folder that was opened there: it was removed or moved, and perhaps another
    was made in its place. A path that cannot be examined counts as there. While the folder is open, no other gets its
    number.
    """
    try:
        return not os.path.samestat(path.stat(), os.fstat(opened.number))
    except OSError as error:
        return error.errno in (errno.ENOENT, errno.ESTALE)


def sync_folder(number: int) -> str:
    """Make names in the open folder survive a power cut. Gives why its file system cannot do that, or "".

    Raises `OSError` for every other failure, EIO above all.
    """
    try:
        os.fsync(number)
    except OSError as error:
        if error.errno not in _NOT_THERE:
            raise
        return error.strerror or str(error)
    return ""
