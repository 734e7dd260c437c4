"""What is left out of every source, whatever its config says.

There are three kinds: files that are no pictures or not yet (what storage boxes keep beside pictures, uploads in
progress, backups of editors); the targets of other configs, because two configs that read each other's targets would
never end; and what the marker files `.nomedia` and `.pipelineignore` leave out of their folders.
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
"""Files and folders of storage boxes and file systems. They are never listed, like everything hidden."""

UNFINISHED = (
    *(".part", ".partial", ".filepart", ".crdownload", ".download", ".tmp"),  # uploads and downloads in progress
    *(".bak", ".swp", "~"),  # what editors keep
)
"""Endings, in either case, of files that are not finished or are backups."""

IGNORE = ".pipelineignore"
NO_MEDIA = ".nomedia"

_FOLDER, _MANIFEST = os.path.split(manifest_in(""))
MARKERS = frozenset({_FOLDER, IGNORE, NO_MEDIA})  # names that decide about their folder

LIMIT = 16 * 1024  # bytes of an `IGNORE`, and characters of its patterns; a usual one has a hundred
_LONGEST = 1000  # characters of a pattern
_NO_FOLDER = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


class IgnoreError(ValueError):
    """An `IGNORE` cannot be read or used. Its text is one line with the reason."""


def unfinished(include: Iterable[str]) -> tuple[str, ...]:
    """The endings in `UNFINISHED`, without those that a pattern of `include` ends with."""
    asked = tuple(pattern.lower() for pattern in include)
    return tuple(ending for ending in UNFINISHED if not any(pattern.endswith(ending) for pattern in asked))


def left_out(folder: int, markers: Collection[str]) -> str:
    """Why the open `folder`, in which `markers` of `MARKERS` were listed, is left out; "" where it is not.

    Not for the source's own root, which the user has named. Raises `IgnoreError`.
    """
    if NO_MEDIA in markers:
        return f"it holds {NO_MEDIA}"
    if IGNORE in markers and not _text(folder).strip():
        return f"it holds an empty {IGNORE}"
    if _FOLDER in markers and _is_target(folder):
        return "it is the target of another config"
    return ""


def ignored(folder: int) -> Globs:
    """The patterns of the folder's `IGNORE`, for paths relative to the folder. Raises `IgnoreError`."""
    return patterns(_text(folder))


def patterns(text: str) -> Globs:
    """Those in the text of an `IGNORE`. Raises `IgnoreError`."""
    lines = enumerate((line.strip() for line in text.splitlines()), start=1)
    written = {number: line for number, line in lines if line and not line.startswith("#")}
    expanded: list[str] = []
    for number, pattern in written.items():
        if pattern.startswith("!"):
            raise IgnoreError(f"{IGNORE}:{number}: a pattern cannot begin with ! (for the character itself: \\!)")
        if len(pattern) > _LONGEST:
            raise IgnoreError(f"{IGNORE}:{number}: a pattern may have {_LONGEST:,} characters")
        try:
            expanded += alternatives(pattern)
        except ValueError as error:
            raise IgnoreError(f"{IGNORE}:{number}: the pattern {error}") from None
        if sum(map(len, expanded)) > LIMIT:
            raise IgnoreError(f"{IGNORE}:{number}: its patterns stand for too much")
    return Globs(expanded)


def _is_target(folder: int) -> bool:
    """Whether the folder holds a manifest, its lock or its backup. One that cannot be read counts as if it did."""
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
            return text_of(file.read(LIMIT + 1))
    except OSError as error:
        raise IgnoreError(f"{IGNORE}: {error.strerror}") from error


def text_of(content: bytes) -> str:
    """The text of an `IGNORE`, of which no more than `LIMIT` and one bytes need be given. Raises `IgnoreError`."""
    if len(content) > LIMIT:
        raise IgnoreError(f"{IGNORE} is larger than {LIMIT // 1024} KiB")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise IgnoreError(f"{IGNORE} is not UTF-8") from None
