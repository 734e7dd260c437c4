"""What a failed system call in a target means: one name is bad, which costs a rendition, or the run has to end."""

from __future__ import annotations

import errno
from pathlib import Path

from pipeline.errors import ErrorKind, PictureError, TargetTrouble

_NAME = frozenset(
    {
        errno.ENAMETOOLONG,
        errno.EISDIR,
        errno.ENOTDIR,
        errno.ELOOP,  # a link stands in the way: nothing is written through links
        errno.EEXIST,
        errno.ENOTEMPTY,
        errno.EBUSY,  # a mount point stands in the file's place
        errno.EMLINK,  # a folder with too many folders
        errno.EINVAL,  # a character that FAT does not know
        errno.EILSEQ,
    }
)
_PERMISSION = frozenset({errno.EACCES, errno.EPERM})
_TEXTS = {
    errno.ENOSPC: "no space left (or no inodes: see `df -h` and `df -i`)",
    errno.EDQUOT: "the quota is used up",
    errno.EFBIG: "a file is larger than this process's file-size limit (`ulimit -f`), or than its file system can hold",
    errno.EROFS: "it is on a read-only file system",
    errno.EMFILE: "too many open files (`ulimit -n`); fewer threads would need less",
    errno.ENOENT: "it has been removed or moved in the meantime; the next run makes again what is missing there",
}


def trouble(root: Path, error: OSError) -> TargetTrouble:
    """`error` as trouble of the target as a whole, in one line that says what to do."""
    text = _TEXTS.get(error.errno or 0, error.strerror or str(error))
    return TargetTrouble(f"cannot write to the target {root}: {text}")


def cause(root: Path, folder: str, error: OSError) -> PictureError | TargetTrouble:
    """What a failure below `folder` (relative to the root) is raised as: `PictureError` (bad name) or trouble."""
    if error.errno in _NAME:
        return PictureError(
            ErrorKind.BAD_NAME, f"{error.strerror}, below '{folder}'" if folder else str(error.strerror)
        )
    if error.errno in _PERMISSION and folder:
        return PictureError(ErrorKind.BAD_NAME, f"no permission to write in '{folder}'")
    return trouble(root, error)
