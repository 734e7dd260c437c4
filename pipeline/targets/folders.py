"""The target's folders: opened without following links, made where missing, and synced before anything counts.

Every folder is opened relative to its parent's descriptor, and `..` is no folder of a target: whatever stands in it and
whatever paths a manifest holds, none leads out of it, to write or to delete there. Jobs come sorted by folder: a small
cache makes that one dictionary look-up a file.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections import OrderedDict

from pipeline.folder import FOLDER_MODE, Descriptor, sync_folder

KEPT = 64  # open folders
_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Folders:
    """The folders below `root`. Any thread may call any method."""

    def __init__(self, root: Descriptor, *, durable: bool) -> None:
        self.root = root
        self._durable = durable
        self._lock = threading.Lock()
        # Two caches, because a folder that was only found says nothing about whether its own name is to be synced.
        self._found: OrderedDict[str, Descriptor] = OrderedDict()
        self._made: OrderedDict[str, Descriptor] = OrderedDict()
        self._unsynced: dict[str, Descriptor] = {}
        self._new: list[str] = []  # folders that were not there
        self._syncing = threading.Lock()
        self.cannot_sync = ""  # why the file system of a folder cannot sync it

    def find(self, folder: str) -> Descriptor:
        """Open `folder`. Raises `OSError`: ENOENT where it is missing, ELOOP or ENOTDIR for a link in the way, and
        ENOTDIR for a path that no target has.
        """
        return self._get(folder, self._found)

    def make(self, folder: str) -> Descriptor:
        """Open `folder`, making it and its parents where missing; the next `sync` makes their names durable too."""
        return self._get(folder, self._made)

    def forget(self, folder: str) -> None:
        """Open it and its parents anew next time: somebody may have replaced them."""
        with self._lock:
            while folder:
                self._found.pop(folder, None)
                self._made.pop(folder, None)
                folder = folder.rpartition("/")[0]

    def changed(self, folder: str, opened: Descriptor) -> None:
        """A name in this folder is new: sync it before the manifest speaks of it."""
        if self._durable:
            with self._lock:
                self._unsynced[folder] = opened

    def sync(self) -> None:
        """Sync every folder that changed before this call; what changes meanwhile stays for the next. Raises `OSError`.

        A second caller waits for the first: when this returns, no change from before the call is still on its way.
        Folders that were not synced when an error came stay. That there is no sync of folders is no error.
        """
        with self._syncing:
            with self._lock:
                waiting, self._unsynced = self._unsynced, {}
            try:
                while waiting:
                    folder = next(iter(waiting))
                    self.cannot_sync = sync_folder(waiting[folder].number) or self.cannot_sync
                    del waiting[folder]
            finally:
                if waiting:
                    with self._lock:
                        self._unsynced = waiting | self._unsynced

    def take_new(self) -> list[str]:
        """The folders that were made since this was last asked."""
        with self._lock:
            new, self._new = self._new, []
        return new

    @property
    def unsynced(self) -> int:
        """How many folders wait for `sync`; each holds a descriptor."""
        return len(self._unsynced)

    def _get(self, folder: str, cache: OrderedDict[str, Descriptor]) -> Descriptor:
        if not folder:
            return self.root
        with self._lock:
            if (known := cache.get(folder)) is not None:
                cache.move_to_end(folder)
                return known
        parts = folder.split("/")
        if any(part in ("", ".", "..") for part in parts):
            raise NotADirectoryError(errno.ENOTDIR, "no path inside the target")
        opened = self.root
        path = ""
        for part in parts:
            above, path = path, f"{path}/{part}" if path else part
            opened = self._step(opened, above, path, cache)
        with self._lock:
            cache[folder] = opened
            if len(cache) > KEPT:
                cache.popitem(last=False)
        return opened

    def _step(self, parent: Descriptor, above: str, path: str, cache: OrderedDict[str, Descriptor]) -> Descriptor:
        """The sub-folder `path` of `parent`, which is `above`."""
        with self._lock:
            if (known := cache.get(path)) is not None:
                return known
        part = path[len(above) :].lstrip("/")
        try:
            opened = Descriptor(os.open(part, _FLAGS, dir_fd=parent.number))
        except FileNotFoundError:
            if cache is not self._made:
                raise
            with contextlib.suppress(FileExistsError):  # another thread was quicker
                os.mkdir(part, FOLDER_MODE, dir_fd=parent.number)
                self._new.append(path)
            opened = Descriptor(os.open(part, _FLAGS, dir_fd=parent.number))
        if cache is self._made:
            # Also when it was there: another thread, or a run that was killed, may have made it a moment ago, and our
            # file's record must not come before its name is safe.
            self.changed(above, parent)
        return opened
