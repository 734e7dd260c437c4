"""The names pass: what a folder and all its sub-folders hold, without a stat of any file.

Iterative, because a tree may be deeper than Python's stack, and by descriptors, because paths may be longer than the
kernel's limit and links may appear at any time. One folder in memory at a time; the caller keeps what it wants.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from pipeline.errors import ErrorKind, PictureError
from pipeline.folder import Descriptor
from pipeline.sources import exclusion
from pipeline.sources.descent import Descent, Links
from pipeline.sources.globs import Globs
from pipeline.sources.sidecar import SUFFIX, is_sidecar_name
from pipeline.sources.source import Folder

_GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
_KINDS = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
}

_Rules = tuple[tuple[int, Globs], ...]
"""What `.pipelineignore` files say, of a folder and those above, each with the length of its folder's path."""


class Walk:
    """One pass over the tree below the folder that `descent` starts from.

    `apart` holds folders, by device and inode and by relative path, that are passed over: the target, above all.
    Where links are followed, those to files are files, and a linked folder is walked where no other way led to it:
    every folder is listed once, in its own place if that is in the tree. That ends every loop, and it keeps ten links
    to each other from making ten thousand folders.
    """

    def __init__(
        self,
        descent: Descent,
        include: Globs,
        exclude: Globs,
        *,
        links: Links | None = None,
        unfinished: tuple[str, ...] = exclusion.UNFINISHED,
    ) -> None:
        """`links`: how far they are followed; None: nowhere. Files whose names end like one of `unfinished` are passed
        over.
        """
        self._descent = descent
        self._include = include
        self._exclude = exclude
        self._links = links
        self._unfinished = unfinished
        # Asking for the last letter first saves half a microsecond for nearly every name.
        self._last = frozenset("".join(ending[-1] + ending[-1].upper() for ending in unfinished))
        self._rules: dict[str, _Rules] = {}  # by the path of a folder, where there are any for what lies below

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
                if self._links is not None:
                    if path and self._links.refused(opened.number):  # something else by now than when it was listed
                        continue
                    seen.add(identity)
                folder, below, linked = self._list(path, opened)
            except OSError as error:
                if error.errno not in _GONE or not path:
                    yield Folder(path, error=_unreadable(error.strerror or str(error)))
                continue
            except exclusion.IgnoreError as error:
                yield Folder(path, error=_unreadable(str(error)))
                continue
            yield folder
            waiting += reversed(below)
            links += linked

    def _list(self, path: str, opened: Descriptor) -> tuple[Folder, list[str], list[str]]:
        """One folder's names, its sub-folders, and linked sub-folders; each sorted by bytes, excluded ones left out.

        What is included are pictures: their sidecars come with them, unless they are excluded.
        """
        prefix = f"{path}/" if path else ""
        rules = self._rules.get(path.rpartition("/")[0], ())
        wanted = self._wanted(prefix, rules)
        found = self._entries(opened, wanted)
        if path and (why := exclusion.left_out(opened.number, found.markers)):
            return Folder(path, entries=found.entries, left_out=why), [], []
        if exclusion.IGNORE in found.markers:
            rules = (*rules, (len(prefix), exclusion.ignored(opened.number)))
            wanted = self._wanted(prefix, rules)
            found.leave({name for name in found.files if wanted.excludes(name)})
            found.skipped = {name: why for name, why in found.skipped.items() if not wanted.excludes(name)}
        if rules:
            self._rules[path] = rules
        sidecars = _sidecars(wanted, found.files, found.skipped)
        below, linked = (
            sorted((prefix + name for name in names if not wanted.excludes(f"{name}/")), key=os.fsencode)
            for names in (found.folders, found.linked)
        )
        folder = Folder(
            path,
            _joined(found.files),
            found.skipped,
            found.entries,
            sidecars,
            unmatched=found.unmatched,
            example=found.example,
        )
        return folder, below, linked

    def _entries(self, opened: Descriptor, wanted: _Wanted) -> _Entries:
        """What is in the folder: all its sub-folders, and of the files those that are wanted, and all sidecars."""
        found = _Entries()
        entries, everything, last = 0, not wanted, self._last
        with os.scandir(opened.number) as listing:
            for entry in listing:
                entries += 1
                name = entry.name
                if name[0] == "." or name in exclusion.NEVER:
                    found.markers |= exclusion.MARKERS & {name}
                    continue
                if entry.is_dir(follow_symlinks=False):
                    found.folders.append(name)
                    continue
                kind = None if entry.is_file(follow_symlinks=False) else self._kind(entry, opened)
                if kind == "":
                    found.linked.append(name)
                elif name[-1] in last and name.lower().endswith(self._unfinished):
                    continue
                elif everything or wanted.includes(name) or (kind is None and is_sidecar_name(name)):
                    found.files.append(name)
                    if kind is not None:
                        found.skipped[name] = kind
                else:
                    found.pass_over(name)
        found.entries = entries
        return found

    def _wanted(self, prefix: str, rules: _Rules) -> _Wanted:
        excluding = [(prefix, self._exclude)] if self._exclude else []
        return _Wanted(prefix, self._include, [*excluding, *((prefix[above:], globs) for above, globs in rules)])

    def _kind(self, entry: os.DirEntry[str], opened: Descriptor) -> str | None:
        """What an entry is that is neither a file nor a folder: None for a link to a file, "" for one to a folder."""
        link = entry.is_symlink()
        if link and self._links is None:
            return "a symbolic link"
        try:
            mode = entry.stat(follow_symlinks=link).st_mode
            if self._links is not None and (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                refused = self._links.refused_name(entry.name, opened.number)
                if refused:
                    return refused
        except OSError:
            return "a broken symbolic link" if link else "gone"
        if stat.S_ISREG(mode):
            return None
        return "" if stat.S_ISDIR(mode) else _KINDS.get(stat.S_IFMT(mode), "no regular file")


@dataclass(slots=True)
class _Entries:
    """What one folder holds, by name and kind."""

    files: list[str] = field(default_factory=list)  # those in `skipped`, too
    folders: list[str] = field(default_factory=list)
    linked: list[str] = field(default_factory=list)  # links to folders
    skipped: dict[str, str] = field(default_factory=dict)  # what is no file, and what it is
    markers: set[str] = field(default_factory=set)  # of `exclusion.MARKERS`
    entries: int = 0  # of every kind, excluded ones too
    unmatched: int = 0  # files that are not wanted
    example: str = ""  # the first of them

    def pass_over(self, name: str) -> None:
        """Count a file that is not wanted."""
        self.unmatched += 1
        self.example = min(self.example or name, name)

    def leave(self, names: Collection[str]) -> None:
        """Take these from the files."""
        self.files = [name for name in self.files if name not in names]
        for name in names:
            if not is_sidecar_name(name):
                self.pass_over(name)


class _Wanted:
    """The patterns that hold in one folder."""

    def __init__(self, prefix: str, include: Globs, excluding: Collection[tuple[str, Globs]]) -> None:
        """`prefix` goes before a name for `include`; each of `excluding` has its own."""
        self._prefix = prefix
        self._include = include
        self._excluding = excluding

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._include or self._excluding)

    def includes(self, name: str) -> bool:
        """Whether the file is wanted."""
        return (not self._include or self._include.covers(self._prefix + name)) and not self.excludes(name)

    def excludes(self, name: str) -> bool:
        """Whether the file, or the folder with a last slash, is left out by a pattern."""
        return bool(self._excluding) and any(globs.covers(prefix + name) for prefix, globs in self._excluding)


def _sidecars(wanted: _Wanted, files: list[str], skipped: Collection[str]) -> frozenset[str]:
    """Take from `files` those that are sidecars, and those that would be one of a picture that is not wanted.

    Gives the names that have one. What looks like a sidecar and has no picture beside it is a file like any other.
    """
    beside = {name for name in files if name.endswith(SUFFIX) and is_sidecar_name(name) and name not in skipped}
    if not beside:
        return frozenset()
    excluded = {name for name in beside if wanted.excludes(name)}
    pictures = {name for name in files if name + SUFFIX in beside - excluded}
    gone = excluded | {name + SUFFIX for name in pictures}
    gone |= {
        name for name in beside - gone if not wanted.includes(name) or not wanted.includes(name.removesuffix(SUFFIX))
    }
    files[:] = [name for name in files if name not in gone]
    return frozenset(pictures)


def _joined(names: list[str]) -> bytes:
    """The names in the order of their bytes, with NUL between them. ASCII, nearly all there is, sorts as is."""
    names.sort()
    joined = "\0".join(names)
    return joined.encode() if joined.isascii() else b"\0".join(sorted(map(os.fsencode, names)))


def _unreadable(why: str) -> PictureError:
    return PictureError(ErrorKind.UNREADABLE, f"the folder cannot be listed: {why}")
