"""Opens folders below the root of a source by descriptors, so that no link is followed unless the config says so.

Opening `root/a/b` by its path would follow a link that was put in the place of `a` since the scan. Opening each part
relative to its parent's descriptor does not. Jobs come sorted by folder, so a small cache makes that one call a file.

Links that are followed may lead, by default, to nothing outside of the source, and never into the file systems of the
kernel (`SYSTEM`), which have no end and hold no pictures.
"""

from __future__ import annotations

import fcntl
import os
import sys
import threading
from collections import OrderedDict

from pipeline.errors import SourceTrouble
from pipeline.folder import Descriptor

KEPT = 32  # open folders in the cache: enough for as many threads, each in a folder of its own
SYSTEM = ("/proc", "/sys", "/dev")
_NO_READING = getattr(os, "O_PATH", os.O_RDONLY | os.O_NONBLOCK)  # such a descriptor only names a file
_F_GETPATH = 50  # macOS
_LONGEST = 1024  # bytes of the path that F_GETPATH returns


class Descent:
    """Opens folders below `root` for reading. Any thread may call any method."""

    def __init__(self, root: Descriptor, *, follow: bool) -> None:
        self._root = root
        self._flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW)
        self._lock = threading.Lock()
        self._open: OrderedDict[str, Descriptor] = OrderedDict()

    def to(self, folder: str) -> Descriptor:
        """The folder's descriptor. Raises `OSError` as `open` does: ELOOP or ENOTDIR for a link in the way."""
        if not folder:
            return self._root
        with self._lock:
            if (cached := self._open.get(folder)) is not None:
                self._open.move_to_end(folder)
                return cached
        opened = self._descend(folder)
        with self._lock:
            self._open[folder] = opened
            if len(self._open) > KEPT:
                self._open.popitem(last=False)
        return opened

    def forget(self, folder: str) -> None:
        """Open `folder` anew next time: it may have been replaced."""
        with self._lock:
            self._open.pop(folder, None)

    def _descend(self, folder: str) -> Descriptor:
        parent, _, name = folder.rpartition("/")
        with self._lock:
            above = self._open.get(parent) if parent else self._root
        if above is not None:
            return Descriptor(os.open(name, self._flags, dir_fd=above.number))
        opened = self._root
        for part in folder.split("/"):
            opened = Descriptor(os.open(part, self._flags, dir_fd=opened.number))
        return opened


class Links:
    """Decides which links below the folder with the descriptor `root` are followed. Any thread may call any method."""

    def __init__(self, root: int, *, anywhere: bool) -> None:
        """`anywhere`: also out of the source. Raises `SourceTrouble` where the kernel does not say where files are."""
        try:
            self._root = _place(root)
        except OSError as error:
            raise SourceTrouble(f"links cannot be followed safely: no /proc here ({error.strerror})") from error
        self._anywhere = anywhere
        self._system = tuple(path for path in SYSTEM if not _within(self._root, path))

    def refused(self, descriptor: int) -> str:
        """Why an opened file or folder is not used, by its real place; "" where it may be."""
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
        """The same for the link `name` in the open `folder`. Raises `OSError` where the link leads nowhere."""
        descriptor = os.open(name, _NO_READING | os.O_CLOEXEC, dir_fd=folder)
        try:
            return self.refused(descriptor)
        finally:
            os.close(descriptor)


def _place(descriptor: int) -> str:
    """The real path of an open file, from the kernel. Raises `OSError`."""
    if sys.platform == "darwin":
        return os.fsdecode(fcntl.fcntl(descriptor, _F_GETPATH, bytes(_LONGEST)).rstrip(b"\0"))
    return os.readlink(f"/proc/self/fd/{descriptor}")


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
