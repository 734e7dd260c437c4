"""One file on its way into the target: a temporary one beside its place, synced, then put there in one step."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import hashlib
import os
import sys
from collections.abc import Callable

from pipeline.errors import ErrorKind, PictureError
from pipeline.folder import CHUNK, FILE_MODE, Descriptor, first_read
from pipeline.model.record import Written

_PROBE = ".pipeline-probe"
NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC  # flags of a file that must not exist yet
_RENAME_NOREPLACE = 1  # renameat2(2)
_NO_SUCH_RENAME = frozenset({errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS, errno.EPERM})  # NFS; old kernels; filters
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})  # FAT and its like: no hard links


class Output:
    """Used by one thread. `drop` has to be called whatever happens; it removes what was not put into its place.

    Its methods raise `OSError`, and `put` also `PictureError` (not ours).
    """

    def __init__(self, folder: Descriptor, temporary: str) -> None:
        """A new file named `temporary` in `folder`."""
        self.folder = folder
        self._temporary = temporary
        self._descriptor = os.open(temporary, NEW, FILE_MODE, dir_fd=folder.number)
        self._open = True
        self._waiting = True  # for its name

    def fill(self, descriptor: int, sha256: bytes | None = None) -> None:
        """Copy all of `descriptor` into it. Raises `PictureError` where that cannot be read or has another hash."""
        self._size, self._sha256 = copy(descriptor, self._descriptor)
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
            put(self._temporary, name, self.folder.number)
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


def copy(descriptor: int, output: int) -> tuple[int, bytes]:
    """Copy all of `descriptor` without moving its offset; size and SHA-256 of what was written.

    Raises `PictureError` where it cannot be read, and `OSError` where `output` cannot be written.
    """
    digest = hashlib.sha256()
    size = 0
    asked = first_read(os.fstat(descriptor).st_size)
    while chunk := _read(descriptor, asked, size):
        digest.update(chunk)
        write(output, chunk)
        size += len(chunk)
        if len(chunk) < asked:  # a regular file has no more then: the read that would bring nothing is spared
            break
        asked = CHUNK
    return size, digest.digest()


def _read(descriptor: int, most: int, at: int) -> bytes:
    try:
        return os.pread(descriptor, most, at)
    except OSError as error:
        raise PictureError(ErrorKind.UNREADABLE, error.strerror or str(error)) from error


def equal(descriptor: int, other: int) -> bytes | None:
    """The SHA-256 of both files if they hold the same bytes, else None; no offset is moved."""
    expected = os.fstat(descriptor).st_size
    if expected != os.fstat(other).st_size:
        return None
    digest = hashlib.sha256()
    size, asked = 0, first_read(expected)
    while chunk := os.pread(descriptor, asked, size):
        if chunk != os.pread(other, asked, size):
            return None
        digest.update(chunk)
        size += len(chunk)
    return digest.digest()


def write(output: int, chunk: bytes) -> None:
    """All of `chunk`: a nearly full disk or a signal may cut a write short."""
    written = os.write(output, chunk)
    while written < len(chunk):
        written += os.write(output, memoryview(chunk)[written:])


def put(temporary: str, name: str, folder: int) -> None:
    """Rename to a name that must be free, without a moment in which a file of somebody else could be lost.

    Linux has a rename that does so, on most of its file systems. Else a hard link is refused where the name is taken,
    by every kernel and file system that has hard links. Elsewhere the name is reserved with an empty file first; the
    claim in the manifest tells that it is ours should we die there.
    """
    try:
        try:
            if _renamed(temporary, name, folder):
                return
            os.link(temporary, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            os.close(os.open(name, NEW, FILE_MODE, dir_fd=folder))
            os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
            return
    except FileExistsError as error:
        raise PictureError(ErrorKind.NOT_OURS, "a file that this config did not make has this name") from error
    os.unlink(temporary, dir_fd=folder)


def _renamed(temporary: str, name: str, folder: int) -> bool:
    """Whether the kernel did it in one step (a system call, where link and unlink are two). Raises `OSError`."""
    rename = exclusive_rename()
    if rename is None:
        return False
    if rename(folder, os.fsencode(temporary), folder, os.fsencode(name), _RENAME_NOREPLACE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _NO_SUCH_RENAME:
        return False
    raise OSError(number, os.strerror(number))


@functools.cache
def exclusive_rename() -> Callable[[int, bytes, int, bytes, int], int] | None:
    """The C library's `renameat2`, where it has one."""
    libc = ctypes.CDLL(None, use_errno=True)
    if sys.platform != "linux" or not hasattr(libc, "renameat2"):
        return None
    libc.renameat2.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    rename: Callable[[int, bytes, int, bytes, int], int] = libc.renameat2
    return rename


def try_out(folder: int) -> None:
    """Write a file and remove it; raises `OSError`. Its name is always the same: no run has begun that could be known
    to have died with it, so the next one removes what a kill has left here.
    """
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_PROBE, dir_fd=folder)
    try:
        probe = os.open(_PROBE, NEW, 0o600, dir_fd=folder)
    except FileExistsError:  # another run tries the same at this moment
        return
    try:
        write(probe, bytes(4096))
    finally:
        os.close(probe)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(_PROBE, dir_fd=folder)
