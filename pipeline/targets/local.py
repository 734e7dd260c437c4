"""A local folder as a target: its files are written whole or not at all, synced, looked up and opened again."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import re
import stat as modes
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import BinaryIO

from pipeline.config.settings import Durability, Mtime, TargetSettings
from pipeline.errors import ErrorKind, PictureError, TargetTrouble
from pipeline.folder import FOLDER_MODE, Descriptor, is_gone, opened_folder
from pipeline.manifest.shards import Shards
from pipeline.model.record import Written
from pipeline.model.source import Stat
from pipeline.targets.folders import Folders
from pipeline.targets.output import Output, equal, try_out
from pipeline.targets.paths import RESERVED, check_path
from pipeline.targets.target import NOTHING, RawStat, ToWrite
from pipeline.targets.trouble import cause, trouble

TOGETHER = 32  # files that one thread has open at a time: those of a batch
_UNSYNCED = 200  # folders that may wait for a sync, each with an open descriptor; one more, and all are synced
_PERMISSION = frozenset({errno.EACCES, errno.EPERM})
_EACH = 10**12  # temporary files of one process
_TEMPORARY = re.compile(r"\.pipeline-(.+)-([0-9]{1,18})")


class LocalTarget:
    """The files below one folder; a `Target`. Used by many threads at once.

    A file is written beside its place as `.pipeline-<run>-<n>`, synced, and renamed. Measured on ext4 without the sync:
    0.1 ms for 15 kB with read, hash and write in turn, and no gain from sendfile, a mapping or O_TMPFILE.
    """

    def __init__(
        self,
        settings: TargetSettings,
        run_id: str,
        process: int = 0,
        before_renames: Callable[[], None] = lambda: None,
    ) -> None:
        """`run_id` is in the names of temporary files: without slashes, and never the same twice for one target.

        `process` is the number of this process in the run; each process numbers its files in a range of its own.
        `before_renames` is called in I/O threads right before files get their names, and may raise `TargetTrouble`.
        """
        self._before_renames = before_renames
        self._root = settings.folder
        self._mode = settings.mode
        self._dated = settings.mtime is Mtime.SOURCE
        self._run = run_id
        self._durable = settings.durability is Durability.SYNC
        self._numbers = itertools.count(process * _EACH + 1)  # next() on it is atomic
        self._opening = threading.Lock()
        self._folders: Folders | None = None
        self._broken: TargetTrouble | None = None  # the kernel reports a failed sync only once, so it is kept here

    def prepare(self) -> None:
        """Make the folder if its parent exists, and write a file into it as a test. Raises `TargetTrouble`."""
        path = self._root
        try:
            made = self._make_root()
            folders = self._opened()
            if made:
                folders.changed("..", opened_folder(path.parent))
            try_out(folders.root.number, self._mode)
        except NotADirectoryError as error:
            raise TargetTrouble(f"the target {path} is not a folder") from error
        except ValueError as error:
            raise TargetTrouble(f"{path}: {error}, as target.mode says; leave it out") from error
        except OSError as error:
            raise trouble(path, error) from error

    def check(self) -> None:
        """Raise `TargetTrouble` where the folder is gone, though its descriptor still takes files; see `Target`."""
        if is_gone(self._root, self._opened().root):
            raise trouble(self._root, FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)))

    def remember(self, shards: Shards) -> None:
        """See `Target`."""

    def stat(self, path: str) -> Stat | None:
        """The stat of the file at `path`, or of the link itself if it is one; None where there is nothing."""
        return self.stats((path,))[0]

    def stats(self, paths: Sequence[str]) -> list[Stat | None]:
        """The stat of each path, quick where neighbours share a folder; see `Target`. Raises `TargetTrouble`."""
        stats: list[Stat | None] = []
        last: str | None = None
        opened: Descriptor | None = None
        for path in paths:
            folder, _, name = path.rpartition("/")
            try:
                if folder != last:
                    last, opened = folder, None
                    opened = self._opened().find(folder)
                stats.append(None if opened is None else _stat(name, opened))
            except (FileNotFoundError, NotADirectoryError):
                stats.append(None)
            except OSError as error:
                failure = self._cause(folder, error)
                if isinstance(failure, TargetTrouble):
                    raise failure from error
                stats.append(None)  # there can be no file of this name, and writing it will say why
        return stats

    def raw_stats(self, paths: Sequence[str]) -> list[RawStat]:
        """The stats of many as plain numbers, quick where neighbours share a folder; see `Target`."""
        stat = os.stat
        stats: list[RawStat] = []
        last: str | None = None
        opened: Descriptor | None = None
        for path in paths:
            folder, _, name = path.rpartition("/")
            try:
                if folder != last:
                    last, opened = folder, None
                    opened = self._opened().find(folder)
                if opened is not None:
                    result = stat(name, dir_fd=opened.number, follow_symlinks=False)
            except OSError:
                stats.append(NOTHING)
                continue
            stats.append((result.st_size, result.st_mtime_ns) if opened is not None else NOTHING)
        return stats

    def names(self) -> Iterator[list[str]]:
        """The paths of all files, folder by folder; see `Target`."""
        for folder, folders, names in os.walk(self._root):
            folders[:] = sorted(name for name in folders if not name.startswith(RESERVED))
            relative = os.path.relpath(folder, self._root)
            prefix = "" if relative == "." else relative + "/"
            yield [prefix + name for name in sorted(names) if not name.startswith(RESERVED)]

    def open_for_reading(self, path: str, recorded: RawStat | None = None) -> BinaryIO:
        """The file at `path`, opened without following links; see `Target`."""
        check_path(path)
        folder, _, name = path.rpartition("/")
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
        try:
            opened_folder = self._opened().find(folder)  # in a variable, because it is closed when the last one goes
            descriptor = os.open(name, flags, dir_fd=opened_folder.number)
        except OSError as error:
            failure = self._cause(folder, error)
            if isinstance(failure, PictureError) and error.errno not in _PERMISSION:
                raise failure from error
            raise
        opened = os.fdopen(descriptor, "rb", buffering=0)
        stat = os.fstat(descriptor)
        if modes.S_ISREG(stat.st_mode) and recorded in (None, (stat.st_size, stat.st_mtime_ns)):
            return opened
        opened.close()
        if modes.S_ISREG(stat.st_mode):
            raise FileNotFoundError(errno.ENOENT, "it was changed since it was made")
        raise PictureError(ErrorKind.BAD_NAME, "no regular file")

    def write_all(self, files: Sequence[ToWrite]) -> list[Written | PictureError]:
        """Store each of `files`; see `Target`. Runs in I/O threads.

        Up to `TOGETHER` files are copied, then all of these are synced: a disk that gets 16 small files at once takes
        half the time that it takes for one after the other. A file that fails on the way is written again alone.
        """
        parts = [files[start : start + TOGETHER] for start in range(0, len(files), TOGETHER)]
        return [outcome for part in parts for outcome in self._together(part)]

    def sync(self) -> None:
        """Make the names of all written files survive a power cut, right before they are recorded; see `Target`."""
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
    def lacks(self) -> str:
        """See `Target`."""
        if not self._folders or not self._folders.cannot_sync:
            return ""
        why = f"folders cannot be synced on the target's file system ({self._folders.cannot_sync})"
        return f"{why}: after a power cut the last files may be missing, and the next run makes them again"

    def take_new_folders(self) -> list[str]:
        """See `Target`."""
        return self._folders.take_new() if self._folders else []

    def sweep(self, dead: Collection[str], folders: Iterable[str] | None = None, process: int | None = None) -> int:
        """Remove temporary files that dead runs have left; see `Target`. Raises nothing."""
        removed = 0
        waiting = [""] if folders is None else sorted(set(folders), reverse=True)
        while waiting:
            folder = waiting.pop()
            with contextlib.suppress(OSError):
                opened = self._opened().find(folder)
                with os.scandir(opened.number) as listing:
                    entries = list(listing)
                for entry in entries:
                    temporary = _TEMPORARY.fullmatch(entry.name)
                    left = temporary and temporary[1] in dead and process in (None, int(temporary[2]) // _EACH)
                    if left and entry.is_file(follow_symlinks=False):
                        os.unlink(entry.name, dir_fd=opened.number)
                        removed += 1
                    elif folders is None and entry.is_dir(follow_symlinks=False):
                        waiting.append(f"{folder}/{entry.name}" if folder else entry.name)
        return removed

    def _together(self, files: Sequence[ToWrite]) -> list[Written | PictureError]:
        if self._broken is not None:
            raise self._broken
        if len(files) == 1:
            return [self._alone(files[0])]
        outputs: list[Output | None] = []
        try:
            for file in files:
                outputs.append(self._filled(file))
            errors = self._sync_outputs(files, outputs) if self._durable else [None] * len(files)
            self._before_renames()
            return [
                error or self._placed(file, output) for file, output, error in zip(files, outputs, errors, strict=True)
            ]
        finally:
            for output in filter(None, outputs):
                output.drop()

    def _filled(self, file: ToWrite) -> Output | None:
        """A temporary file that holds the bytes; None where that fails, because it will fail again alone."""
        output: Output | None = None
        try:
            check_path(file.path)
            output = self._output(file)
            output.fill(file.descriptor, file.sha256, self._date(file))
        except (PictureError, OSError):
            if output is not None:
                output.drop()
            return None
        return output

    def _sync_outputs(self, files: Sequence[ToWrite], outputs: Sequence[Output | None]) -> list[PictureError | None]:
        """Sync all outputs; returns the error of each that could not be synced. Raises `TargetTrouble`."""
        for output in filter(None, outputs):
            output.hurry()
        errors: list[PictureError | None] = []
        for file, each in zip(files, outputs, strict=True):
            error: PictureError | TargetTrouble | None = None
            try:
                if each is not None:
                    each.sync()
            except OSError as failure:
                error = self._cause(file.path.rpartition("/")[0], failure)
            if isinstance(error, TargetTrouble):
                raise error
            errors.append(error)
        return errors

    def _placed(self, file: ToWrite, output: Output | None) -> Written | PictureError:
        """Put the filled output in its place; where that fails, or there is none, write the file again alone."""
        if output is not None:
            with contextlib.suppress(PictureError, OSError):
                return self._put(output, file.path, replace=file.replace)
        return self._alone(file)

    def _alone(self, file: ToWrite) -> Written | PictureError:
        try:
            return self._stored(file)
        except PictureError as error:
            return error

    def _stored(self, file: ToWrite) -> Written:
        folder = file.path.rpartition("/")[0]
        check_path(file.path)
        if self._broken is not None:
            raise self._broken
        try:
            folders = self._opened()
            try:
                return self._write(file)
            except FileNotFoundError:
                folders.forget(folder)  # it was removed after it was opened: it is made again, once
                return self._write(file)
        except PictureError as refused:
            equal = self._equal(file.path, file.descriptor) if refused.kind is ErrorKind.NOT_OURS else None
            if equal is None:
                raise
            return equal
        except OSError as error:
            raise self._cause(folder, error) from error

    def _opened(self) -> Folders:
        """The folders below the root, which is opened at the first call. Links in the root's own path are followed."""
        with self._opening:
            if self._folders is None:
                self._folders = Folders(opened_folder(self._root), durable=self._durable)
            return self._folders

    def _cause(self, folder: str, error: OSError) -> PictureError | TargetTrouble:
        """What `error`, met in `folder`, is raised as. A root that cannot be written to is the target's trouble."""
        if error.errno in _PERMISSION and not os.access(self._root, os.W_OK | os.X_OK):
            folder = ""
        return cause(self._root, folder, error)

    def _equal(self, path: str, descriptor: int) -> Written | None:
        """The file that is in the way, if it holds the very bytes of `descriptor`: it is kept and may become ours.

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
                stat = os.fstat(file.fileno())
        except (OSError, PictureError):
            return None
        return Written(path, stat.st_size, stat.st_mtime_ns, sha256)

    def _temporary(self) -> str:
        return f".pipeline-{self._run}-{next(self._numbers)}"

    def _output(self, file: ToWrite) -> Output:
        return Output(self._opened().make(file.path.rpartition("/")[0]), self._temporary(), self._mode)

    def _date(self, file: ToWrite) -> int | None:
        return file.mtime_ns if self._dated else None

    def _write(self, file: ToWrite) -> Written:
        output = self._output(file)
        try:
            output.fill(file.descriptor, file.sha256, self._date(file))
            if self._durable:
                output.sync()
            self._before_renames()
            return self._put(output, file.path, replace=file.replace)
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
        """Make the root; returns False where it was there. Raises `TargetTrouble` where its parent is missing."""
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
    stat = os.stat(name, dir_fd=opened.number, follow_symlinks=False)
    return Stat(stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_dev, stat.st_ino)
