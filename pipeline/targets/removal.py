"""Removing files that were made: only where they are still as they were made, never through links."""

from __future__ import annotations

import hashlib
import os
import stat as modes
from contextlib import suppress
from typing import Protocol

from pipeline.config.settings import Durability, TargetSettings
from pipeline.errors import TargetTrouble
from pipeline.folder import Descriptor, first_read
from pipeline.manifest.claims import ClaimedFile
from pipeline.targets.folders import Folders
from pipeline.targets.trouble import trouble

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


class Removal(Protocol):
    """Removes files and folders of a target. For one thread. Raises `TargetTrouble` where it cannot be used."""

    def obstacle(self, file: ClaimedFile) -> str | None:
        """Why `file` must not be removed (it is not what was made, say); "" if it may be; None if it is gone."""
        ...

    def remove(self, file: ClaimedFile) -> str | None:
        """Remove `file` if there is no obstacle; returns what `obstacle` does. `sync` makes the removal durable."""
        ...

    def remove_folder(self, path: str) -> bool:
        """Remove the folder if it is empty; returns whether it is gone now."""
        ...

    def sync(self) -> None:
        """Make removals survive a power cut."""
        ...

    def identity(self, path: str) -> object | None:
        """What is equal for two paths that lead to the same file; None where there is nothing."""
        ...


class LocalRemoval:
    """Removes files and folders of a local target; a `Removal`."""

    def __init__(self, settings: TargetSettings) -> None:
        self._root = settings.folder
        try:
            number = os.open(settings.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise trouble(settings.folder, error) from error
        self._folders = Folders(Descriptor(number), durable=settings.durability is Durability.SYNC)

    def obstacle(self, file: ClaimedFile) -> str | None:
        """See `Removal`."""
        return self._obstacle(file)[0]

    def remove(self, file: ClaimedFile) -> str | None:
        """See `Removal`."""
        obstacle, inode = self._obstacle(file)
        if obstacle != "":
            return obstacle
        folder, _, name = file.target.rpartition("/")
        try:
            opened = self._folders.find(folder)
            stat = os.stat(name, dir_fd=opened.number, follow_symlinks=False)
            if (stat.st_dev, stat.st_ino) != inode:
                return "it was replaced meanwhile"
            os.unlink(name, dir_fd=opened.number)
        except FileNotFoundError:
            return None
        except OSError as error:
            return f"it cannot be removed: {error.strerror}"
        self._folders.changed(folder, opened)
        return ""

    def remove_folder(self, path: str) -> bool:
        """See `Removal`."""
        above, _, name = path.rpartition("/")
        try:
            opened = self._folders.find(above)
            os.rmdir(name, dir_fd=opened.number)
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError:
            return False
        self._folders.forget(path)
        self._folders.changed(above, opened)
        return True

    def sync(self) -> None:
        """See `Removal`."""
        try:
            self._folders.sync()
        except OSError as error:
            raise trouble(self._root, error) from error

    def identity(self, path: str) -> object | None:
        """Device and inode; see `Removal`."""
        folder, _, name = path.rpartition("/")
        with suppress(OSError):
            opened = self._folders.find(folder)
            stat = os.stat(name, dir_fd=opened.number, follow_symlinks=False)
            return stat.st_dev, stat.st_ino
        return None

    def _obstacle(self, file: ClaimedFile) -> tuple[str | None, tuple[int, int]]:
        """What `obstacle` returns, with device and inode of the file that was read."""
        folder, _, name = file.target.rpartition("/")
        if any(part in ("", ".", "..") for part in file.target.split("/")):
            return "its path leads out of the target", (0, 0)
        try:
            opened = self._folders.find(folder)
            descriptor = os.open(name, _FLAGS, dir_fd=opened.number)
        except FileNotFoundError:
            return None, (0, 0)
        except OSError as error:
            if not os.path.isdir(self._root):
                raise TargetTrouble(f"the target {self._root} is gone") from error
            return f"it cannot be opened: {error.strerror}", (0, 0)
        try:
            stat = os.fstat(descriptor)
            return _difference(file, stat, descriptor), (stat.st_dev, stat.st_ino)
        except OSError as error:
            return f"it cannot be read: {error.strerror}", (0, 0)
        finally:
            os.close(descriptor)


def _difference(file: ClaimedFile, stat: os.stat_result, descriptor: int) -> str:
    """How the open file differs from the one that was made; "" if it does not. Raises `OSError`."""
    if not modes.S_ISREG(stat.st_mode):
        return "it is no regular file any more"
    if file.sha256 is None:
        return "it is not known whether it was finished"
    if (stat.st_size, stat.st_mtime_ns) != (file.size, file.mtime_ns):
        return "it was changed since it was made"
    return "" if _hash(descriptor, stat.st_size) == file.sha256 else "its content was changed since it was made"


def _hash(descriptor: int, size: int) -> bytes:
    digest = hashlib.sha256()
    while chunk := os.read(descriptor, first_read(size)):
        digest.update(chunk)
    return digest.digest()
