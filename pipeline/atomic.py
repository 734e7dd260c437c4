"""Small files that are replaced at once: other programs read the old one or the new one, whole."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from pipeline.folder import FILE_MODE, sync_folder


@contextlib.contextmanager
def replacing(path: Path, mode: int | None = None) -> Iterator[TextIO]:
    """A new text file, which takes the place of `path` when the block ends, synced; if the block raises, it is removed.

    It is UTF-8 without translation of line ends; surrogates are escaped. `mode` applies whatever the umask; None is
    0664 less the umask. While the block runs, the file has a hidden name with this process's number, without the suffix
    that a reader of the folder (node_exporter, say) looks for. Raises `OSError`, also where `path` is a device or a
    pipe: root would replace /dev/null by a file.
    """
    _check_replaceable(path)
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    with contextlib.suppress(FileNotFoundError):
        new.unlink()  # left by a killed process with the same number
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(new, flags, FILE_MODE if mode is None else 0o600)
    try:
        with open(descriptor, "w", encoding="utf-8", errors="backslashreplace", newline="") as stream:
            yield stream
            stream.flush()
            if mode is not None:
                os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        rename(new, path)
    except BaseException:
        with contextlib.suppress(OSError):
            new.unlink()
        raise


def write_text(path: Path, text: str, mode: int | None = None) -> None:
    """Put a new file with `text` at `path`; see `replacing`. Raises `OSError`."""
    with replacing(path, mode) as stream:
        stream.write(text)


def _check_replaceable(path: Path) -> None:
    """Raise `OSError` unless `path` is a regular file, or a link to one, or there is nothing."""
    try:
        is_file = stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return
    if not is_file or (path.is_symlink() and os.readlink(path).startswith("/proc/")):  # as /dev/stdout
        raise OSError(errno.EINVAL, "what is there is no regular file", str(path))


def rename(new: Path, path: Path) -> None:
    """Give `new` the name of `path`, in the same folder; the name survives a power cut. Raises `OSError`."""
    os.rename(new, path)
    sync_path(path.parent)


def sync_path(folder: Path) -> None:
    """Make names created in, renamed into or removed from `folder` survive a power cut, where its file system can.

    A folder that may be written to but not read cannot be opened for that, and is left to the kernel. Raises `OSError`.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except PermissionError:
        return
    try:
        sync_folder(descriptor)
    finally:
        os.close(descriptor)
