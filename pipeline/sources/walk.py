"""The names pass: what a folder and all its sub-folders hold, without a stat of any file.

Iterative, because a tree may be deeper than Python's stack, and by descriptors, because paths may be longer than the
kernel's limit and links may appear at any time. One folder in memory at a time; the caller keeps what it wants.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Collection, Iterator

from pipeline.errors import ErrorKind, PictureError
from pipeline.folder import Descriptor
from pipeline.sources.descent import Descent
from pipeline.sources.globs import Globs
from pipeline.sources.sidecar import SUFFIX, is_sidecar_name
from pipeline.sources.source import Folder

# What storage boxes and file systems put beside the pictures. It is never looked at, nor is anything hidden.
_NEVER = frozenset({"@eaDir", "#recycle", "lost+found"})
_GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
_KINDS = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
}


class Walk:
    """One pass over the tree below the folder that `descent` starts from.

    `apart` holds folders, by device and inode and by relative path, that are passed over: the target, above all.
    With `follow`, links to files are files, and a linked folder is walked where no other way led to it: every folder
    is listed once, in its own place if that is in the tree. That ends every loop, and it keeps ten links to each other
    from making ten thousand folders.
    """

    def __init__(self, descent: Descent, include: Globs, exclude: Globs, *, follow: bool) -> None:
        self._descent = descent
        self._include = include
        self._exclude = exclude
        self._follow = follow

    def folders(self, apart: Collection[tuple[int, int]], apart_paths: Collection[str]) -> Iterator[Folder]:
        """Every folder with its names, a parent before its children. One that cannot be listed carries its error."""
        seen = set(apart)
        waiting = [""]
        links: list[str] = []  # linked folders, walked when all real ones are known
        while waiting or links:
            if not waiting:
                links.sort(key=os.fsencode, reverse=True)
                waiting.append(links.pop())
            path = waiting.pop()
            if path in apart_paths:
                continue
            try:
                opened = self._descent.to(path)
                found = os.fstat(opened.number)
                identity = (found.st_dev, found.st_ino)
                if identity in seen:
                    continue
                if self._follow:
                    seen.add(identity)
                folder, below, linked = self._list(path, opened)
            except OSError as error:
                if error.errno not in _GONE or not path:
                    yield Folder(path, error=_unreadable(error))
                continue
            yield folder
            waiting += reversed(below)
            links += linked

    def _list(self, path: str, opened: Descriptor) -> tuple[Folder, list[str], list[str]]:
        """One folder's names, its sub-folders, and linked sub-folders; each sorted by bytes, excluded ones left out.

        What is included are pictures: their sidecars come with them, unless they are excluded.
        """
        prefix = f"{path}/" if path else ""
        files: list[str] = []
        below: list[str] = []
        linked: list[str] = []
        skipped: dict[str, str] = {}
        entries = 0
        everything = not self._include and not self._exclude
        with os.scandir(opened.number) as listing:
            for entry in listing:
                entries += 1
                name = entry.name
                if name[0] == "." or name in _NEVER:
                    continue
                if entry.is_file(follow_symlinks=False):
                    kind = None
                elif entry.is_dir(follow_symlinks=False):
                    if not self._exclude.covers(f"{prefix}{name}/"):
                        below.append(prefix + name)
                    continue
                else:
                    kind = self._kind(entry)
                    if kind == "":
                        if not self._exclude.covers(f"{prefix}{name}/"):
                            linked.append(prefix + name)
                        continue
                if everything or self._wanted(prefix + name) or (kind is None and is_sidecar_name(name)):
                    files.append(name)
                    if kind is not None:
                        skipped[name] = kind
        sidecars = self._sidecars(prefix, files, skipped)
        below.sort(key=os.fsencode)
        return Folder(path, _joined(files), skipped, entries, sidecars), below, linked

    def _sidecars(self, prefix: str, files: list[str], skipped: dict[str, str]) -> frozenset[str]:
        """Take from `files` those that are sidecars, and those that would be one of a picture that is not wanted.

        Gives the names that have one. What looks like a sidecar and has no picture beside it is a file like any other.
        """
        beside = {name for name in files if name.endswith(SUFFIX) and is_sidecar_name(name) and name not in skipped}
        if not beside:
            return frozenset()
        excluded = {name for name in beside if self._exclude.covers(prefix + name)}
        pictures = {name for name in files if name + SUFFIX in beside - excluded}
        gone = excluded | {name + SUFFIX for name in pictures}
        gone |= {
            name
            for name in beside - gone
            if not self._wanted(prefix + name) or not self._wanted(prefix + name.removesuffix(SUFFIX))
        }
        files[:] = [name for name in files if name not in gone]
        return frozenset(pictures)

    def _wanted(self, path: str) -> bool:
        if self._include and not self._include.covers(path):
            return False
        return not self._exclude.covers(path)

    def _kind(self, entry: os.DirEntry[str]) -> str | None:
        """What an entry is that is neither a file nor a folder: None for a link to a file, "" for one to a folder."""
        link = entry.is_symlink()
        if link and not self._follow:
            return "a symbolic link"
        try:
            mode = entry.stat(follow_symlinks=link).st_mode
        except OSError:
            return "a broken symbolic link" if link else "gone"
        if stat.S_ISREG(mode):
            return None
        return "" if stat.S_ISDIR(mode) else _KINDS.get(stat.S_IFMT(mode), "no regular file")


def _joined(names: list[str]) -> bytes:
    """The names in the order of their bytes, with NUL between them. ASCII, nearly all there is, sorts as is."""
    names.sort()
    joined = "\0".join(names)
    return joined.encode() if joined.isascii() else b"\0".join(sorted(map(os.fsencode, names)))


def _unreadable(error: OSError) -> PictureError:
    return PictureError(ErrorKind.UNREADABLE, f"the folder cannot be listed: {error.strerror}")
