"""One file on its way into the target: a temporary one beside its place, synced, then put there in one step."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import hashlib
import os
import stat
import sys
from collections.abc import Callable

from pipeline.errors import ErrorKind, PictureError
from pipeline.folder import CHUNK, FILE_MODE, Descriptor, first_read
from pipeline.model.record import Written

_PROBE = ".pipeline-probe"
_PRIVATE = 0o600  # until a file has its permissions
NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC  # for a file that must not exist yet
_RENAME_NOREPLACE = 1  # renameat2(2)
_NO_SUCH_RENAME = frozenset({errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS, errno.EPERM})  # NFS, old kernels, seccomp
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})  # FAT has no hard links
_IN_THE_WAY = (
    "a file that this config did not make has this name, and is another: move it away, or run --adopt=replace writes "
    "over it if format and size are the same"
)


class Output:
    """A temporary file beside its place. Used by one thread; its caller calls `drop` in any case.

    Its methods raise `OSError`, and `put` also `PictureError` (not ours).
    """

    def __init__(self, folder: Descriptor, temporary: str, mode: int | None = None) -> None:
        """Make a new file named `temporary` in `folder`. `mode`: its permissions; None: as the umask leaves them."""
        self.folder = folder
        self._temporary = temporary
        self._descriptor = os.open(temporary, NEW, FILE_MODE if mode is None else _PRIVATE, dir_fd=folder.number)
        self._open = True
        self._temporary_is_there = True
        self._mode = mode

    def fill(self, descriptor: int, sha256: bytes | None = None, mtime_ns: int | None = None) -> None:
        """Copy all of `descriptor` into the file, then set its permissions and, unless it is None, its mtime.

        Raises `PictureError` where `descriptor` cannot be read, or its bytes do not hash to `sha256`.
        """
        self._size, self._sha256 = copy(descriptor, self._descriptor)
        if sha256 is not None and self._sha256 != sha256:
            raise PictureError(ErrorKind.CHANGED, "what was to be copied has other bytes than before")
        if self._mode is not None:
            os.fchmod(self._descriptor, self._mode)
        if mtime_ns is not None:
            os.utime(self._descriptor, ns=(mtime_ns, mtime_ns))

    def hurry(self) -> None:
        """Make the kernel begin to write the file, without waiting: the sync that comes later takes less time."""
        with contextlib.suppress(OSError, AttributeError):  # only advice, which a system need not know or take
            os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_DONTNEED)

    def sync(self) -> None:
        """Wait until the file's bytes survive a power cut."""
        os.fsync(self._descriptor)

    def put(self, path: str, *, replace: bool) -> Written:
        """Give the file the last name of `path`. `replace`: it takes the place of a file that has this name."""
        mtime_ns = os.fstat(self._descriptor).st_mtime_ns
        self._close()
        name = path.rpartition("/")[2]
        if replace:
            os.rename(self._temporary, name, src_dir_fd=self.folder.number, dst_dir_fd=self.folder.number)
        else:
            put(self._temporary, name, self.folder.number)
        self._temporary_is_there = False
        return Written(path, self._size, mtime_ns, self._sha256)

    def drop(self) -> None:
        """Close the file, and remove it if it was not put in its place. Raises nothing; may be called again."""
        self._close()
        if self._temporary_is_there:
            self._temporary_is_there = False
            with contextlib.suppress(OSError):
                os.unlink(self._temporary, dir_fd=self.folder.number)

    def _close(self) -> None:
        if self._open:
            self._open = False
            os.close(self._descriptor)


def copy(descriptor: int, output: int) -> tuple[int, bytes]:
    """Copy all of `descriptor` without moving its offset; returns the size and SHA-256 of what was written.

    Raises `PictureError` where it cannot be read, and `OSError` where `output` cannot be written.
    """
    digest = hashlib.sha256()
    size = 0
    asked = first_read(os.fstat(descriptor).st_size)
    while chunk := _read(descriptor, asked, size):
        digest.update(chunk)
        write(output, chunk)
        size += len(chunk)
        if len(chunk) < asked:  # a regular file has no more, so a read that would bring nothing is saved
            break
        asked = CHUNK
    return size, digest.digest()


def _read(descriptor: int, most: int, at: int) -> bytes:
    try:
        return os.pread(descriptor, most, at)
    except OSError as error:
        raise PictureError(ErrorKind.UNREADABLE, error.strerror or str(error)) from error


def equal(descriptor: int, other: int) -> bytes | None:
    """The SHA-256 of both files if they hold the same bytes, else None. Moves no offset. Raises `OSError`."""
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


def write(output: int, chunk: bytes | memoryview) -> None:
    """Write all of `chunk`: a nearly full disk or a signal may cut a write short. Raises `OSError`."""
    written = os.write(output, chunk)
    while written < len(chunk):
        written += os.write(output, memoryview(chunk)[written:])


def put(temporary: str, name: str, folder: int) -> None:
    """Rename `temporary` to a `name` that must be free, so that no file that appears meanwhile is ever lost.

    Linux has a rename that refuses a taken name, on most file systems. Otherwise a hard link is made, which every
    kernel refuses where the name is taken. Without hard links, the name is reserved with an empty file first; if the
    program dies there, the claim in the manifest says that the empty file is ours.

    Raises `PictureError` (not ours) where the name is taken, and `OSError`.
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
        raise PictureError(ErrorKind.NOT_OURS, _IN_THE_WAY) from error
    os.unlink(temporary, dir_fd=folder)


def _renamed(temporary: str, name: str, folder: int) -> bool:
    """Rename in one system call; False where kernel or file system has no such call. Raises `OSError`."""
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
    """The C library's `renameat2`; None where it has none."""
    libc = ctypes.CDLL(None, use_errno=True)
    if sys.platform != "linux" or not hasattr(libc, "renameat2"):
        return None
    libc.renameat2.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    rename: Callable[[int, bytes, int, bytes, int], int] = libc.renameat2
    return rename


def try_out(folder: int, mode: int | None = None) -> None:
    """Write a file and remove it again. Raises `OSError`, and `ValueError` where a file cannot have the `mode`.

    Its name is always the same: it is written before the run is recorded, so no later run could know the name of a run
    that was killed here. The next call removes what a kill has left.
    """
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_PROBE, dir_fd=folder)
    try:
        probe = os.open(_PROBE, NEW, _PRIVATE, dir_fd=folder)
    except FileExistsError:  # another run tries the same at this moment
        return
    try:
        write(probe, bytes(4096))
        if mode is not None and not _has_mode(probe, mode):
            raise ValueError(f"files there cannot have the mode {mode:04o}")
    finally:
        os.close(probe)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(_PROBE, dir_fd=folder)


def _has_mode(descriptor: int, mode: int) -> bool:
    """Set the mode of a file; returns whether it has it then. FAT and some network file systems know few modes."""
    with contextlib.suppress(PermissionError):
        os.fchmod(descriptor, mode)
    return stat.S_IMODE(os.fstat(descriptor).st_mode) == mode
