"""The names pass: lists a folder and all its sub-folders, without a stat of any file.

It is iterative, because a tree may be deeper than Python's stack, and goes by descriptors, because paths may be longer
than the kernel's limit and links may appear at any time. One folder is in memory at a time.
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
from pipeline.sources.sidecar import is_sidecar_name, taken_out
from pipeline.sources.source import Folder

_GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
_KINDS = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
}

_Rules = tuple[tuple[int, Globs], ...]
"""The patterns of `.pipelineignore` in a folder and those above it, each with the length of that folder's path."""


class Walk:
    """One pass over the tree below the root of `descent`.

    Where links are followed, a link to a file counts as a file, and a linked folder is listed if no other way led to
    it. So every folder is listed once, in its own place if that is in the tree: loops end, and ten folders that link to
    each other do not become ten thousand.
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
        """`links` decides which links are followed; None: none. Files with an ending in `unfinished` are left out."""
        self._descent = descent
        self._include = include
        self._exclude = exclude
        self._links = links
        self._unfinished = unfinished
        # Testing the last letter first saves half a microsecond for nearly every name.
        self._last = frozenset("".join(ending[-1] + ending[-1].upper() for ending in unfinished))
        self._rules: dict[str, _Rules] = {}  # by the path of the folder below which they hold, where there are any

    def folders(self, apart: Collection[tuple[int, int]], apart_paths: Collection[str]) -> Iterator[Folder]:
        """Every folder with its names, a parent before its children; one that cannot be listed comes with its error.

        `apart` (device and inode) and `apart_paths` (relative) are folders that are left out: the target, above all.
        """
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
                stat = os.fstat(opened.number)
                identity = (stat.st_dev, stat.st_ino)
                if identity in seen:
                    continue
                if self._links is not None:
                    if path and self._links.refused(opened.number):  # it was replaced after it was listed
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
        """List one folder: its names, its sub-folders, and linked sub-folders, each sorted by bytes and without those
        that are excluded.

        `include` patterns are for pictures: a picture's sidecar comes with it, unless the sidecar is excluded. Raises
        `OSError` and `IgnoreError`.
        """
        prefix = f"{path}/" if path else ""
        rules = self._rules.get(path.rpartition("/")[0], ())
        wanted = self._wanted(prefix, rules)
        entries = self._entries(opened, wanted)
        if path and (why := exclusion.left_out(opened.number, entries.markers)):
            return Folder(path, entries=entries.count, left_out=why), [], []
        if exclusion.IGNORE in entries.markers:
            rules = (*rules, (len(prefix), exclusion.ignored(opened.number)))
            wanted = self._wanted(prefix, rules)
            entries.leave_out({name for name in entries.files if wanted.excludes(name)})
            entries.skipped = {name: why for name, why in entries.skipped.items() if not wanted.excludes(name)}
        if rules:
            self._rules[path] = rules
        sidecars = taken_out(entries.files, wanted.includes, wanted.excludes, entries.skipped)
        below, linked = (
            sorted((prefix + name for name in names if not wanted.excludes(f"{name}/")), key=os.fsencode)
            for names in (entries.folders, entries.linked)
        )
        folder = Folder(
            path,
            _joined(entries.files),
            entries.skipped,
            entries.count,
            sidecars,
            unmatched=entries.unmatched,
            example=entries.example,
        )
        return folder, below, linked

    def _entries(self, opened: Descriptor, wanted: _Wanted) -> _Entries:
        """List the open folder: its sub-folders, the files that are wanted, and all sidecars. Raises `OSError`."""
        entries = _Entries()
        count, everything, last = 0, not wanted, self._last
        with os.scandir(opened.number) as listing:
            for entry in listing:
                count += 1
                name = entry.name
                if name[0] == "." or name in exclusion.NEVER:
                    entries.markers |= exclusion.MARKERS & {name}
                    continue
                if entry.is_dir(follow_symlinks=False):
                    entries.folders.append(name)
                    continue
                kind = None if entry.is_file(follow_symlinks=False) else self._kind(entry, opened)
                if kind == "":
                    entries.linked.append(name)
                elif name[-1] in last and name.lower().endswith(self._unfinished):
                    continue
                elif everything or wanted.includes(name) or (kind is None and is_sidecar_name(name)):
                    entries.files.append(name)
                    if kind is not None:
                        entries.skipped[name] = kind
                else:
                    entries.count_unmatched(name)
        entries.count = count
        return entries

    def _wanted(self, prefix: str, rules: _Rules) -> _Wanted:
        excluding = [(prefix, self._exclude)] if self._exclude else []
        return _Wanted(prefix, self._include, [*excluding, *((prefix[above:], globs) for above, globs in rules)])

    def _kind(self, entry: os.DirEntry[str], opened: Descriptor) -> str | None:
        """What an entry is that is neither file nor folder, in words; None for a link to a file, "" for one to a
        folder.
        """
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
    """The names in one folder, by kind."""

    files: list[str] = field(default_factory=list)  # with those in `skipped`
    folders: list[str] = field(default_factory=list)
    linked: list[str] = field(default_factory=list)  # links to folders
    skipped: dict[str, str] = field(default_factory=dict)  # names that are no files, and what they are
    markers: set[str] = field(default_factory=set)  # of `exclusion.MARKERS`
    count: int = 0  # of entries of every kind, excluded ones too
    unmatched: int = 0  # files that are not wanted
    example: str = ""  # the first of them

    def count_unmatched(self, name: str) -> None:
        """Count a file that is not wanted."""
        self.unmatched += 1
        self.example = min(self.example or name, name)

    def leave_out(self, names: Collection[str]) -> None:
        """Remove `names` from the files."""
        self.files = [name for name in self.files if name not in names]
        for name in names:
            if not is_sidecar_name(name):
                self.count_unmatched(name)


class _Wanted:
    """The patterns that hold in one folder."""

    def __init__(self, prefix: str, include: Globs, excluding: Collection[tuple[str, Globs]]) -> None:
        """`prefix` comes before a name that is matched with `include`; each of `excluding` has its own prefix."""
        self._prefix = prefix
        self._include = include
        self._excluding = excluding

    def __bool__(self) -> bool:
        """Whether there are any patterns."""
        return bool(self._include or self._excluding)

    def includes(self, name: str) -> bool:
        """Whether the file is wanted."""
        return (not self._include or self._include.covers(self._prefix + name)) and not self.excludes(name)

    def excludes(self, name: str) -> bool:
        """Whether a pattern leaves out the file, or the folder if `name` ends with a slash."""
        return bool(self._excluding) and any(globs.covers(prefix + name) for prefix, globs in self._excluding)


def _joined(names: list[str]) -> bytes:
    """The names in the order of their bytes, joined by NUL. ASCII names, nearly all there are, sort as they are."""
    names.sort()
    joined = "\0".join(names)
    return joined.encode() if joined.isascii() else b"\0".join(sorted(map(os.fsencode, names)))


def _unreadable(why: str) -> PictureError:
    return PictureError(ErrorKind.UNREADABLE, f"the folder cannot be listed: {why}")
