"""The target's folders: opened without following links, made where missing, and synced before anything counts.

Every folder is opened relative to its parent's descriptor, and `..` is refused. So nothing is written or deleted
outside of the target, whatever links are in it and whatever paths a manifest holds. Jobs come sorted by folder, so with
a small cache this costs one dictionary look-up for each file.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections import OrderedDict

from pipeline.folder import FOLDER_MODE, Descriptor, sync_folder

KEPT = 64  # open folders in each cache
_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Folders:
    """The folders below `root`. Any thread may call any method."""

    def __init__(self, root: Descriptor, *, durable: bool) -> None:
        self.root = root
        self._durable = durable
        self._lock = threading.Lock()
        # Two caches: the name of a folder that was only opened need not be synced, that of one for a new file must.
        self._opened: OrderedDict[str, Descriptor] = OrderedDict()
        self._made: OrderedDict[str, Descriptor] = OrderedDict()
        self._unsynced: dict[str, Descriptor] = {}
        self._new: list[str] = []  # paths of folders that this program has made
        self._syncing = threading.Lock()
        self.cannot_sync = ""  # why the file system of a folder cannot sync it

    def find(self, folder: str) -> Descriptor:
        """Open `folder`.

        Raises `OSError`: ENOENT where it is missing, ELOOP or ENOTDIR for a link in the way, ENOTDIR for a path with
        an empty part, `.` or `..`.
        """
        return self._get(folder, self._opened)

    def make(self, folder: str) -> Descriptor:
        """Open `folder`; it and its parents are made if missing. The next `sync` makes their names durable, too."""
        return self._get(folder, self._made)

    def forget(self, folder: str) -> None:
        """Open `folder` and its parents anew next time: they may have been replaced."""
        with self._lock:
            while folder:
                self._opened.pop(folder, None)
                self._made.pop(folder, None)
                folder = folder.rpartition("/")[0]

    def changed(self, folder: str, opened: Descriptor) -> None:
        """Note that `folder` has a new or a removed name, so that the next `sync` covers it."""
        if self._durable:
            with self._lock:
                self._unsynced[folder] = opened

    def sync(self) -> None:
        """Sync every folder that changed before this call. Raises `OSError`.

        A second caller waits for the first, so that no change from before the call is still unsynced when it returns.
        After an error, the folders that were not synced wait for the next call. A file system that cannot sync folders
        is no error; see `cannot_sync`.
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
        """The paths of folders that were made since the last call."""
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
            if (cached := cache.get(folder)) is not None:
                cache.move_to_end(folder)
                return cached
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
        """Open the sub-folder `path` of the open folder `parent`, whose path is `above`."""
        with self._lock:
            if (cached := cache.get(path)) is not None:
                return cached
        part = path[len(above) :].lstrip("/")
        try:
            opened = Descriptor(os.open(part, _FLAGS, dir_fd=parent.number))
        except FileNotFoundError:
            if cache is not self._made:
                raise
            with contextlib.suppress(FileExistsError):  # another thread has made it
                os.mkdir(part, FOLDER_MODE, dir_fd=parent.number)
                self._new.append(path)
            opened = Descriptor(os.open(part, _FLAGS, dir_fd=parent.number))
        if cache is self._made:
            # Also where it was there: another thread, or a run that was killed, may have made it a moment ago, and the
            # record of a file in it must not be committed before the folder's own name is durable.
            self.changed(above, parent)
        return opened
