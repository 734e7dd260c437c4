"""Where symbolic links may lead, once they are followed: by default to nothing outside of the source, and never into
what the kernel shows as files, which has no end and is no picture's place.
"""

from __future__ import annotations

import fcntl
import os
import sys

from pipeline.errors import SourceTrouble

SYSTEM = ("/proc", "/sys", "/dev")
_NO_READING = getattr(os, "O_PATH", os.O_RDONLY | os.O_NONBLOCK)  # a file opened so is only pointed at
_F_GETPATH = 50  # macOS
_LONGEST = 1024  # bytes that it may fill


class Links:
    """What may be reached by links from the folder with the descriptor `root`. Any thread may ask."""

    def __init__(self, root: int, *, anywhere: bool) -> None:
        """Raises `SourceTrouble` where the kernel does not tell where files are."""
        try:
            self._root = _place(root)
        except OSError as error:
            raise SourceTrouble(f"links cannot be followed safely: no /proc here ({error.strerror})") from error
        self._anywhere = anywhere
        self._system = tuple(path for path in SYSTEM if not _within(self._root, path))

    def refused(self, descriptor: int) -> str:
        """Why an opened file or folder is out of reach, by the place where it really is; "" where it is not."""
        try:
            real = _place(descriptor)
        except OSError:
            return "a symbolic link whose end cannot be told"
        for path in self._system:
            if _within(real, path):
                return f"a symbolic link into {path}"
        if self._anywhere or _within(real, self._root):
            return ""
        return "a symbolic link that leads out of the source"

    def refused_name(self, name: str, folder: int) -> str:
        """The same of a link in an open folder. Raises `OSError` where it leads nowhere."""
        descriptor = os.open(name, _NO_READING | os.O_CLOEXEC, dir_fd=folder)
        try:
            return self.refused(descriptor)
        finally:
            os.close(descriptor)


def _place(descriptor: int) -> str:
    """The path of an open file without links, as the kernel knows it."""
    if sys.platform == "darwin":
        return os.fsdecode(fcntl.fcntl(descriptor, _F_GETPATH, bytes(_LONGEST)).rstrip(b"\0"))
    return os.readlink(f"/proc/self/fd/{descriptor}")


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
