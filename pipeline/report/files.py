"""Small files that others read while we replace them."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from pipeline.folder import FILE_MODE


def replace(path: Path, text: str, mode: int | None = None) -> None:
    """Put a new file with `text` at `path`, at once and whole; its folder must be there. Raises `OSError`.

    `mode` holds whatever the umask says; None: 0664 less umask.
    """
    new = path.with_name(f".{path.name}.new")  # a hidden name without the suffix that node_exporter looks for
    with contextlib.suppress(FileNotFoundError):
        new.unlink()  # left by a kill
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE)
    try:
        with open(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
            file.flush()
            if mode is not None:
                os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        os.rename(new, path)
    except BaseException:
        with contextlib.suppress(OSError):
            new.unlink()
        raise
