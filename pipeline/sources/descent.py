"""From the root of a source down to a folder, by descriptors: no link on the way is followed unless it is asked for.

Opening `root/a/b` by its path would follow a link that was put in the place of `a` since the scan. Opening each part
relative to its parent's descriptor cannot. Jobs come sorted by folder, so a small cache makes that one call a file.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict

from pipeline.folder import Descriptor

KEPT = 32  # open folders; with as many threads as that in as many folders it still serves each


class Descent:
    """Opens folders below `root` for reading. Any thread may ask."""

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
            if (found := self._open.get(folder)) is not None:
                self._open.move_to_end(folder)
                return found
        found = self._descend(folder)
        with self._lock:
            self._open[folder] = found
            if len(self._open) > KEPT:
                self._open.popitem(last=False)
        return found

    def forget(self, folder: str) -> None:
        """Open it anew next time: it has been replaced, or may have been."""
        with self._lock:
            self._open.pop(folder, None)

    def _descend(self, folder: str) -> Descriptor:
        parent, _, name = folder.rpartition("/")
        with self._lock:
            above = self._open.get(parent) if parent else self._root
        if above is not None:
            return Descriptor(os.open(name, self._flags, dir_fd=above.number))
        found = self._root
        for part in folder.split("/"):
            found = Descriptor(os.open(part, self._flags, dir_fd=found.number))
        return found
