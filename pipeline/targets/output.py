"""One file on its way into the target: a temporary one beside its place, synced, then put there in one step."""

from __future__ import annotations

import contextlib
import os

from pipeline.errors import ErrorKind, PictureError
from pipeline.folder import FILE_MODE, Descriptor
from pipeline.model import Written
from pipeline.targets import placing


class Output:
    """Used by one thread. `drop` has to be called whatever happens; it removes what was not put into its place.

    Its methods raise `OSError`, and `put` also `PictureError` (not ours).
    """

    def __init__(self, folder: Descriptor, temporary: str) -> None:
        """A new file named `temporary` in `folder`."""
        self.folder = folder
        self._temporary = temporary
        self._descriptor = os.open(temporary, placing.NEW, FILE_MODE, dir_fd=folder.number)
        self._open = True
        self._waiting = True  # for its name

    def fill(self, descriptor: int, sha256: bytes | None = None) -> None:
        """Copy all of `descriptor` into it. Raises `PictureError` where that cannot be read or has another hash."""
        self._size, self._sha256 = placing.copy(descriptor, self._descriptor)
        if sha256 is not None and self._sha256 != sha256:
            raise PictureError(ErrorKind.CHANGED, "what was to be copied has other bytes than before")

    def hurry(self) -> None:
        """Have the kernel begin to write it, and do not wait: what is synced later takes less time then."""
        with contextlib.suppress(OSError, AttributeError):  # it is advice, which a system need not know or take
            os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_DONTNEED)

    def sync(self) -> None:
        """Wait until its bytes survive a power cut."""
        os.fsync(self._descriptor)

    def put(self, path: str, *, replace: bool) -> Written:
        """Give it the last name of `path`; it is in the target then. `replace`: also where that name is taken."""
        found = os.fstat(self._descriptor)
        self._close()
        name = path.rpartition("/")[2]
        if replace:
            os.rename(self._temporary, name, src_dir_fd=self.folder.number, dst_dir_fd=self.folder.number)
        else:
            placing.put(self._temporary, name, self.folder.number)
        self._waiting = False
        return Written(path, self._size, found.st_mtime_ns, self._sha256)

    def drop(self) -> None:
        """Nothing is left of it but what has its place."""
        self._close()
        if self._waiting:
            self._waiting = False
            with contextlib.suppress(OSError):
                os.unlink(self._temporary, dir_fd=self.folder.number)

    def _close(self) -> None:
        if self._open:
            self._open = False
            os.close(self._descriptor)
