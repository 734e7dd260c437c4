"""What is left out of every source, whatever its config says.

Three kinds: names that no picture has, or not yet (what storage boxes keep beside pictures, uploads in progress,
backups of editors); the targets of other configs, which would else be made into pictures of pictures without end; and
what `.nomedia` and `.pipelineignore` leave out where they lie.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Collection, Iterable

from pipeline.config.braces import alternatives
from pipeline.config.settings import manifest_in
from pipeline.sources.globs import Globs

NEVER = frozenset({"@eaDir", "#recycle", "lost+found"})
"""Files and folders of storage boxes and file systems. Like everything hidden they are never looked at."""

UNFINISHED = (
    *(".part", ".partial", ".filepart", ".crdownload", ".download", ".tmp"),  # uploads and downloads in progress
    *(".bak", ".swp", "~"),  # what editors keep
)
"""Endings, in any case, of files that are no pictures yet or any more."""

IGNORE = ".pipelineignore"
NO_MEDIA = ".nomedia"

_FOLDER, _MANIFEST = os.path.split(manifest_in(""))
MARKERS = frozenset({_FOLDER, IGNORE, NO_MEDIA})  # names that say something of the folder that they are in

_LIMIT = 16 * 1024  # bytes of an `IGNORE`, and characters of its patterns; an honest one has a hundred
_LONGEST = 1000  # characters of a pattern
_NO_FOLDER = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


class IgnoreError(ValueError):
    """An `IGNORE` cannot be obeyed. One line says why."""


def unfinished(include: Iterable[str]) -> tuple[str, ...]:
    """Those of `UNFINISHED` that no pattern of `include` asks for by ending like that."""
    asked = tuple(pattern.lower() for pattern in include)
    return tuple(ending for ending in UNFINISHED if not any(pattern.endswith(ending) for pattern in asked))


def left_out(folder: int, markers: Collection[str]) -> str:
    """Why the folder with this descriptor, which holds `markers` of `MARKERS`, is no input; "" for one that is.

    Not to be asked of the source itself: it was named by the user. Raises `IgnoreError`.
    """
    if NO_MEDIA in markers:
        return f"it holds {NO_MEDIA}"
    if IGNORE in markers and not _text(folder).strip():
        return f"it holds an empty {IGNORE}"
    if _FOLDER in markers and _is_target(folder):
        return "it is the target of another config"
    return ""


def ignored(folder: int) -> Globs:
    """What the folder's `IGNORE` says, for paths relative to the folder. Raises `IgnoreError`."""
    lines = enumerate((line.strip() for line in _text(folder).splitlines()), start=1)
    patterns = {number: line for number, line in lines if line and not line.startswith("#")}
    found: list[str] = []
    for number, pattern in patterns.items():
        if pattern.startswith("!"):
            raise IgnoreError(f"{IGNORE}:{number}: a pattern cannot begin with ! (for the character itself: \\!)")
        if len(pattern) > _LONGEST:
            raise IgnoreError(f"{IGNORE}:{number}: a pattern may have {_LONGEST:,} characters")
        try:
            found += alternatives(pattern)
        except ValueError as error:
            raise IgnoreError(f"{IGNORE}:{number}: the pattern {error}") from None
        if sum(map(len, found)) > _LIMIT:
            raise IgnoreError(f"{IGNORE}:{number}: its patterns stand for too much")
    return Globs(found)


def _is_target(folder: int) -> bool:
    """Whether there is a manifest, or its lock or backup. A folder that is closed to this user is taken for one."""
    try:
        inside = os.open(_FOLDER, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=folder)
    except OSError as error:
        return error.errno not in _NO_FOLDER
    try:
        return any(name.startswith(_MANIFEST) for name in os.listdir(inside))
    finally:
        os.close(inside)


def _text(folder: int) -> str:
    try:
        descriptor = os.open(IGNORE, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=folder)
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise IgnoreError(f"{IGNORE} is no regular file")
            text = file.read(_LIMIT + 1)
        if len(text) > _LIMIT:
            raise IgnoreError(f"{IGNORE} is larger than {_LIMIT // 1024} KiB")
        return text.decode("utf-8-sig")
    except OSError as error:
        raise IgnoreError(f"{IGNORE}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise IgnoreError(f"{IGNORE} is not UTF-8") from None
