"""A tar file whose bytes follow from its members alone: no times, owners or umask of the machine are in it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tarfile

from pipeline.errors import ErrorKind, PictureError
from pipeline.folder import FILE_MODE, Descriptor
from pipeline.targets.output import NEW, put, write

_BLOCK = tarfile.BLOCKSIZE
_RECORD = tarfile.RECORDSIZE
_MODE = 0o644  # of members
_BUFFER = 2**20  # bytes that are written at once


class TarOutput:
    """A new tar file under a temporary name. For one thread; its caller calls `drop` in any case.

    Its methods raise `OSError`.
    """

    def __init__(self, folder: Descriptor, temporary: str, mode: int | None) -> None:
        self._folder = folder
        self._temporary = temporary
        self._descriptor: int | None = os.open(temporary, NEW, FILE_MODE, dir_fd=folder.number)
        if mode is not None:
            os.fchmod(self._descriptor, mode)
        self._digest = hashlib.sha256()
        self._buffer = bytearray()
        self.size = 0

    def add(self, name: str, content: bytes) -> int:
        """Append a member; returns the offset of its bytes in the file."""
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(content), _MODE
        self._append(info.tobuf(tarfile.PAX_FORMAT))
        start = self.size
        self._append(content)
        self._append(bytes(-len(content) % _BLOCK))
        return start

    def finish(self, *, durable: bool) -> tuple[int, bytes]:
        """Write the end of the file and sync it; returns its mtime (nanoseconds since 1970) and SHA-256."""
        self._append(bytes(2 * _BLOCK))
        self._append(bytes(-self.size % _RECORD))
        self._flush()
        assert self._descriptor is not None  # noqa: S101 - it is not put yet
        if durable:
            os.fsync(self._descriptor)
        return os.fstat(self._descriptor).st_mtime_ns, self._digest.digest()

    def put(self, name: str, *, replace: bool) -> bool:
        """Give it its name. False where a file has it that may not be replaced."""
        self._close()
        if replace:
            os.rename(self._temporary, name, src_dir_fd=self._folder.number, dst_dir_fd=self._folder.number)
            return True
        try:
            put(self._temporary, name, self._folder.number)
        except PictureError as error:
            if error.kind is not ErrorKind.NOT_OURS:
                raise
            return False
        return True

    def drop(self) -> None:
        """Close the file, and remove it if it has not got its name. Raises nothing; may be called again."""
        self._close()
        with contextlib.suppress(OSError):
            os.unlink(self._temporary, dir_fd=self._folder.number)

    def _append(self, content: bytes) -> None:
        self._buffer += content
        self.size += len(content)
        if len(self._buffer) >= _BUFFER:
            self._flush()

    def _flush(self) -> None:
        if self._buffer and self._descriptor is not None:
            self._digest.update(self._buffer)
            write(self._descriptor, bytes(self._buffer))
            self._buffer.clear()

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
