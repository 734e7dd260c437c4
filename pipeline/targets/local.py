"""A local folder as a target: files written whole or not at all, synced, opened again."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import re
import stat as modes
import threading
from collections.abc import Collection, Iterable, Sequence
from typing import BinaryIO

from pipeline.config.settings import Durability, TargetSettings
from pipeline.errors import ErrorKind, PictureError, TargetTrouble
from pipeline.folder import FOLDER_MODE, Descriptor, is_gone
from pipeline.model.record import Written
from pipeline.model.source import Stat
from pipeline.targets.folders import Folders
from pipeline.targets.output import Output, equal, try_out
from pipeline.targets.target import NOTHING, RawStat, ToWrite
from pipeline.targets.trouble import judged, trouble

TOGETHER = 32  # files that are open at a time in one thread: those of a batch
_UNSYNCED = 200  # folders whose names wait for a sync, each with an open descriptor; more are synced at once
_PERMISSION = frozenset({errno.EACCES, errno.EPERM})
_EACH = 10**12  # temporary files of one process
_TEMPORARY = re.compile(r"\.pipeline-(.+)-([0-9]{1,18})")


class LocalTarget:
    """The files below one folder; a `Target`. Used by many threads at once.

    A file is written beside its place as `.pipeline-<run>-<n>`, synced, and renamed. Measured on ext4 without the sync:
    0.1 ms for 15 kB with read, hash and write in turn, and no gain from sendfile, a mapping or O_TMPFILE.
    """

    def __init__(self, settings: TargetSettings, run_id: str, process: int = 0) -> None:
        """`run_id` names the temporary files: never the same twice for one target, without slashes. `process` says
        which of the run's processes this is in: each numbers its files in a range of its own.
        """
        self._root = settings.path
        self._run = run_id
        self._durable = settings.durability is Durability.SYNC
        self._numbers = itertools.count(process * _EACH + 1)  # next() on it is atomic
        self._opening = threading.Lock()
        self._folders: Folders | None = None
        self._broken: TargetTrouble | None = None  # a failed sync is told by the kernel once, so it is kept here

    def prepare(self) -> None:
        """Make the folder where its parent is there, and try a file in it. Raises `TargetTrouble`."""
        path = self._root
        try:
            made = self._make_root()
            folders = self._opened()
            if made:
                parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                folders.changed("..", Descriptor(parent))
            try_out(folders.root.number)
        except NotADirectoryError as error:
            raise TargetTrouble(f"the target {path} is not a folder") from error
        except OSError as error:
            raise trouble(path, error) from error

    def check(self) -> None:
        """Raise `TargetTrouble` where the folder is gone: files are written below it all the same, and lost."""
        if is_gone(self._root):
            raise trouble(self._root, FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)))

    def stat(self, path: str) -> Stat | None:
        """How the file at `path` is; None where there is nothing. A link is looked at itself."""
        return self.stats((path,))[0]

    def stats(self, paths: Sequence[str]) -> list[Stat | None]:
        """`stat` for many, quick where neighbours share a folder. Raises `TargetTrouble` for all but absence."""
        found: list[Stat | None] = []
        last: str | None = None
        opened: Descriptor | None = None
        for path in paths:
            folder, _, name = path.rpartition("/")
            try:
                if folder != last:
                    last, opened = folder, None
                    opened = self._opened().find(folder)
                found.append(None if opened is None else _stat(name, opened))
            except (FileNotFoundError, NotADirectoryError):
                found.append(None)
            except OSError as error:
                judgement = self._judged(folder, error)
                if isinstance(judgement, TargetTrouble):
                    raise judgement from error
                found.append(None)  # such a name cannot be there, and writing it will say why
        return found

    def raw_stats(self, paths: Sequence[str]) -> list[RawStat]:
        """The stats of many as plain numbers, quick where neighbours share a folder; see `Target`."""
        stat = os.stat
        found: list[RawStat] = []
        last: str | None = None
        opened: Descriptor | None = None
        for path in paths:
            folder, _, name = path.rpartition("/")
            try:
                if folder != last:
                    last, opened = folder, None
                    opened = self._opened().find(folder)
                if opened is not None:
                    one = stat(name, dir_fd=opened.number, follow_symlinks=False)
            except OSError:
                found.append(NOTHING)
                continue
            found.append((one.st_size, one.st_mtime_ns) if opened is not None else NOTHING)
        return found

    def open_for_reading(self, path: str) -> BinaryIO:
        """The file at `path`, opened without following links; see `Target`."""
        _check(path)
        folder, _, name = path.rpartition("/")
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
        try:
            opened_folder = self._opened().find(folder)  # kept: it is closed when nobody holds it
            descriptor = os.open(name, flags, dir_fd=opened_folder.number)
        except OSError as error:
            judgement = self._judged(folder, error)
            if isinstance(judgement, PictureError) and error.errno not in _PERMISSION:
                raise judgement from error
            raise
        opened = os.fdopen(descriptor, "rb", buffering=0)
        if not modes.S_ISREG(os.fstat(descriptor).st_mode):
            opened.close()
            raise PictureError(ErrorKind.BAD_NAME, "no regular file")
        return opened

    def write_all(self, several: Sequence[ToWrite]) -> list[Written | PictureError]:
        """Store each of `several`; see `Target`. Runs in I/O threads.

        Up to `TOGETHER` are copied, then all of those are synced: a disk that is told of 16 small files at once takes
        half the time that it takes for one after the other. What does not go smoothly for one is seen to alone.
        """
        parts = [several[start : start + TOGETHER] for start in range(0, len(several), TOGETHER)]
        return [came for part in parts for came in self._together(part)]

    def write(self, path: str, descriptor: int, *, replace: bool, sha256: bytes | None = None) -> Written:
        """Store all bytes of `descriptor`, from offset 0, whole or not at all; see `Target`. Runs in I/O threads."""
        folder = path.rpartition("/")[0]
        _check(path)
        if self._broken is not None:
            raise self._broken
        try:
            folders = self._opened()
            try:
                return self._write(path, descriptor, sha256, replace=replace)
            except FileNotFoundError:
                folders.forget(folder)  # removed by somebody since it was opened: made again, once
                return self._write(path, descriptor, sha256, replace=replace)
        except PictureError as refused:
            equal = self._equal(path, descriptor) if refused.kind is ErrorKind.NOT_OURS else None
            if equal is None:
                raise
            return equal
        except OSError as error:
            raise self._judged(folder, error) from error

    def sync(self) -> None:
        """Make the names of all written files survive a power cut; to be called right before they are recorded."""
        if self._broken is not None:
            raise self._broken
        if not self._durable or self._folders is None:
            return
        try:
            self._folders.sync()
        except OSError as error:
            self._broken = trouble(self._root, error)
            raise self._broken from error

    @property
    def cannot_sync(self) -> str:
        """Why the names of files that were written may be lost in a power cut; "" where nothing says so. Any thread."""
        return self._folders.cannot_sync if self._folders else ""

    def take_new_folders(self) -> list[str]:
        """The folders in it that were made since this was last asked, by path. Any thread."""
        return self._folders.take_new() if self._folders else []

    def sweep(self, dead: Collection[str], folders: Iterable[str] | None = None, process: int | None = None) -> int:
        """Remove temporary files that the runs `dead` left in `folders` (None: anywhere); those of one `process` of
        theirs only, where it is named. How many it removed.

        For the holder of the run's lock only, and when the last run, or that process, did not end by itself. Files of
        runs that are not named, of other configs above all, are left alone. Never raises: what cannot be listed or
        removed stays.
        """
        removed = 0
        waiting = [""] if folders is None else sorted(set(folders), reverse=True)
        while waiting:
            folder = waiting.pop()
            with contextlib.suppress(OSError):
                opened = self._opened().find(folder)
                with os.scandir(opened.number) as listing:
                    entries = list(listing)
                for entry in entries:
                    mark = _TEMPORARY.fullmatch(entry.name)
                    left = mark and mark[1] in dead and process in (None, int(mark[2]) // _EACH)
                    if left and entry.is_file(follow_symlinks=False):
                        os.unlink(entry.name, dir_fd=opened.number)
                        removed += 1
                    elif folders is None and entry.is_dir(follow_symlinks=False):
                        waiting.append(f"{folder}/{entry.name}" if folder else entry.name)
        return removed

    def _together(self, several: Sequence[ToWrite]) -> list[Written | PictureError]:
        if self._broken is not None:
            raise self._broken
        if len(several) == 1:
            return [self._alone(several[0])]
        outputs: list[Output | None] = []
        try:
            for one in several:
                outputs.append(self._begun(one))
            refused = self._synced(several, outputs) if self._durable else [None] * len(several)
            return [
                error or self._ended(one, output) for one, output, error in zip(several, outputs, refused, strict=True)
            ]
        finally:
            for begun in filter(None, outputs):
                begun.drop()

    def _begun(self, one: ToWrite) -> Output | None:
        """A file that holds its bytes; None where that fails: it will fail again, alone."""
        output: Output | None = None
        try:
            _check(one.path)
            output = Output(self._opened().make(one.path.rpartition("/")[0]), self._temporary())
            output.fill(one.descriptor, one.sha256)
        except (PictureError, OSError):
            if output is not None:
                output.drop()
            return None
        return output

    def _synced(self, several: Sequence[ToWrite], outputs: Sequence[Output | None]) -> list[PictureError | None]:
        """Sync all outputs; the error of each that could not be synced. Raises `TargetTrouble`."""
        for begun in filter(None, outputs):
            begun.hurry()
        refused: list[PictureError | None] = []
        for one, output in zip(several, outputs, strict=True):
            error: PictureError | TargetTrouble | None = None
            try:
                if output is not None:
                    output.sync()
            except OSError as failure:
                error = self._judged(one.path.rpartition("/")[0], failure)
            if isinstance(error, TargetTrouble):
                raise error
            refused.append(error)
        return refused

    def _ended(self, one: ToWrite, output: Output | None) -> Written | PictureError:
        """It is in its place, or it is seen to alone."""
        if output is not None:
            with contextlib.suppress(PictureError, OSError):
                return self._put(output, one.path, replace=one.replace)
        return self._alone(one)

    def _alone(self, one: ToWrite) -> Written | PictureError:
        try:
            return self.write(one.path, one.descriptor, replace=one.replace, sha256=one.sha256)
        except PictureError as error:
            return error

    def _opened(self) -> Folders:
        """The folders below the root. A link in the root's own path is the user's and is followed."""
        with self._opening:
            if self._folders is None:
                number = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                self._folders = Folders(Descriptor(number), durable=self._durable)
            return self._folders

    def _judged(self, folder: str, error: OSError) -> PictureError | TargetTrouble:
        """Whose fault it is; a root that may no longer be written to is not the fault of the folders below it."""
        if error.errno in _PERMISSION and not os.access(self._root, os.W_OK | os.X_OK):
            folder = ""
        return judged(self._root, folder, error)

    def _equal(self, path: str, descriptor: int) -> Written | None:
        """The file in the way, where it holds the very bytes that were to be written: kept, it may become ours.

        None where it differs or cannot be read.
        """
        try:
            with self.open_for_reading(path) as file:
                sha256 = equal(descriptor, file.fileno())
                if sha256 is None:
                    return None
                if self._durable:
                    os.fsync(file.fileno())
                    folder = path.rpartition("/")[0]
                    self._opened().changed(folder, self._opened().make(folder))
                found = os.fstat(file.fileno())
        except (OSError, PictureError):
            return None
        return Written(path, found.st_size, found.st_mtime_ns, sha256)

    def _temporary(self) -> str:
        return f".pipeline-{self._run}-{next(self._numbers)}"

    def _write(self, path: str, descriptor: int, sha256: bytes | None, *, replace: bool) -> Written:
        output = Output(self._opened().make(path.rpartition("/")[0]), self._temporary())
        try:
            output.fill(descriptor, sha256)
            if self._durable:
                output.sync()
            return self._put(output, path, replace=replace)
        finally:
            output.drop()

    def _put(self, output: Output, path: str, *, replace: bool) -> Written:
        written = output.put(path, replace=replace)
        if self._durable:
            folders = self._opened()
            folders.changed(path.rpartition("/")[0], output.folder)
            if folders.unsynced > _UNSYNCED:
                self.sync()
        return written

    def _make_root(self) -> bool:
        """Whether the root had to be made."""
        try:
            os.mkdir(self._root, FOLDER_MODE)
        except FileExistsError:
            return False
        except FileNotFoundError as error:
            raise TargetTrouble(
                f"the folder {self._root.parent} that is to hold the target {self._root.name} does not exist"
                " (is its disk mounted? make it first)"
            ) from error
        return True


def _stat(name: str, opened: Descriptor) -> Stat:
    found = os.stat(name, dir_fd=opened.number, follow_symlinks=False)
    return Stat(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_dev, found.st_ino)


def _check(path: str) -> None:
    """Refuse what would lead out of the target or into what the program keeps there for itself."""
    parts = path.split("/")
    if "\0" in path or any(part in ("", ".", "..") or part.startswith(".pipeline") for part in parts):
        raise PictureError(ErrorKind.BAD_NAME, f"not a path inside the target: {path}")
