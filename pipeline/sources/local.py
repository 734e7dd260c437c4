"""A local folder as a source."""

from __future__ import annotations

import errno
import os
import stat as modes
import time
from collections.abc import Container, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.config.settings import SourceSettings
from pipeline.errors import ConfigError, ErrorKind, PictureError, SourceTrouble
from pipeline.folder import CHUNK, Descriptor, first_read
from pipeline.model.source import Stat
from pipeline.model.spec import Limits
from pipeline.sources import exclusion, magic, reading, sidecar
from pipeline.sources.descent import Descent, Links
from pipeline.sources.globs import Globs
from pipeline.sources.source import NO_FILE, Folder, Grown, Picture, RawStat, Unsupported, Vanished
from pipeline.sources.walk import Walk
from pipeline.workers.exchange import Held

_GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.ESTALE})  # ENXIO: a socket, by now
_LATEST = 2**63 - 1  # nanoseconds, in the year 2262; ext4 goes on to 2446
_GRAIN = 2.0  # seconds: the coarsest time stamps in use (FAT's) are that far apart


class LocalSource:
    """The files below one folder; a `Source`. The folder is opened at the first call and stays open."""

    def __init__(self, settings: SourceSettings) -> None:
        self._settings = settings
        self._include = Globs(settings.include)
        self._exclude = Globs(settings.exclude)
        self._unfinished = exclusion.unfinished(settings.include)
        self._opened: Descent | None = None
        self._follow = bool(settings.follow_symlinks)
        self._links: Links | None = None  # how far they are followed
        follow = 0 if self._follow else os.O_NOFOLLOW
        self._flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY | follow

    def check(self) -> None:
        """Raises `SourceTrouble` where there is no such folder, or none on the same disk any more."""
        opened = os.fstat(self._descent().to("").number)
        path = self._settings.path
        try:
            now = os.stat(path)
        except OSError as error:
            raise SourceTrouble(f"the source {path} has gone: {error.strerror} (is its disk still mounted?)") from error
        if now.st_dev != opened.st_dev:
            raise SourceTrouble(f"the source {path} has gone: another disk is in its place (is its own still mounted?)")

    def folders(self, apart: Sequence[Path]) -> Iterator[Folder]:
        """Everything there is by name; see `Source`. Raises `ConfigError` where the source is one of those `apart`."""
        identities, paths = self._passed_over(apart)
        descent = self._descent()
        walk = Walk(descent, self._include, self._exclude, links=self._links, unfinished=self._unfinished)
        for folder in walk.folders(identities, paths):
            if folder.error and not folder.path:
                raise SourceTrouble(f"the source {self._settings.path} cannot be listed: {folder.error.detail}")
            yield folder

    def stats(self, folder: str, names: Sequence[str], sidecars: Container[str] = frozenset()) -> list[Stat | None]:
        """The stat of each name; None for what has gone, cannot be looked at, or is no regular file. See `Source`."""
        try:
            opened = self._descent().to(folder)
        except OSError:
            return [None] * len(names)
        return [self._stat(name, opened, has_sidecar=name in sidecars) for name in names]

    def raw_stats(self, folder: str, names: Sequence[str]) -> list[RawStat]:
        """The stats of names without a sidecar as plain numbers; see `Source`."""
        try:
            opened = self._descent().to(folder)  # kept: it is closed when nobody holds it
        except OSError:
            return [NO_FILE] * len(names)
        stat, regular, number, follow = os.stat, modes.S_ISREG, opened.number, self._follow
        found: list[RawStat] = []
        for name in names:
            try:
                one = stat(name, dir_fd=number, follow_symlinks=follow)
            except OSError:
                found.append(NO_FILE)
                continue
            found.append((one.st_size, one.st_mtime_ns, one.st_ctime_ns) if regular(one.st_mode) else NO_FILE)
        return found

    def sniff(self, source: str) -> str | None:
        """The format by the first bytes; None also for what cannot be read."""
        try:
            descriptor = self._open(source)
        except OSError:
            return None
        try:
            if not modes.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            return magic.recognise(source, os.read(descriptor, magic.HEAD))
        except OSError:
            return None
        finally:
            os.close(descriptor)

    def skips(self, source: str) -> bool:
        """Whether its sidecar says to leave it alone; see `Source`."""
        try:
            text, _ = self._sidecar(source)
            return sidecar.overrides(text, "").skip
        except (OSError, PictureError, Vanished):
            return False

    def read(self, source: str, stat: Stat, limits: Limits) -> Picture:
        """Copy the bytes of `source`. See `Source`; runs in an I/O thread."""
        try:
            picture = self._picture(source, stat, limits)
            if stat.sidecar is None:
                return picture
            try:
                text, found = self._sidecar(source)
            except BaseException:
                picture.let_go()
                raise
            return replace(picture, sidecar=text, stat=replace(picture.stat, sidecar=found))
        except OSError as error:
            if error.errno in _GONE:
                raise Vanished(error.strerror or str(error)) from error
            raise (
                reading.out_of_resources(error) or PictureError(ErrorKind.UNREADABLE, error.strerror or str(error))
            ) from error

    def _picture(self, source: str, stat: Stat, limits: Limits) -> Picture:
        began = time.perf_counter()
        descriptor = self._open(source)
        try:
            for _ in range(2):
                found = os.fstat(descriptor)
                check_same(found, stat)
                picture = self._copy(source, descriptor, found, stat, limits, began)
                if picture is not None:
                    return picture
                os.lseek(descriptor, 0, os.SEEK_SET)
            raise PictureError(ErrorKind.CHANGED, "it changed each of the two times it was read")
        finally:
            os.close(descriptor)

    def _sidecar(self, source: str) -> tuple[bytes, Stat]:
        """The text of the sidecar as it is now, whichever file that is, and its stat; as safely as pictures are read.

        Raises `OSError`, `Vanished` and `PictureError`.
        """
        name = source.rpartition("/")[2] + sidecar.SUFFIX
        descriptor = self._open(source + sidecar.SUFFIX)
        try:
            for _ in range(2):
                found = os.fstat(descriptor)
                if not modes.S_ISREG(found.st_mode):
                    raise Vanished(f"{name} is no longer a regular file")
                text = reading.up_to(descriptor, sidecar.LIMIT + 1)
                if len(text) > sidecar.LIMIT:
                    raise PictureError(ErrorKind.BAD_SIDECAR, f"{name} is larger than {sidecar.LIMIT // 1024} KiB")
                stat = fingerprint(found)
                if len(text) == stat.size and stat.same_content(fingerprint(os.fstat(descriptor))):
                    return text, stat
                os.lseek(descriptor, 0, os.SEEK_SET)
            raise PictureError(ErrorKind.CHANGED, f"{name} changed each of the two times it was read")
        finally:
            os.close(descriptor)

    def settled(self, stat: Stat, now: float) -> bool:
        """False for a file read within two seconds of its ctime: a write in the same tick would leave no trace."""
        return now - stat.changed_ns / 1e9 >= _GRAIN

    def _passed_over(self, apart: Sequence[Path]) -> tuple[list[tuple[int, int]], list[str]]:
        """The folders `apart`, by device and inode, and by path below the source: they may not be there yet."""
        here = os.fstat(self._descent().to("").number)
        root = os.path.realpath(self._settings.path)
        identities = []
        paths = []
        for real in map(os.path.realpath, apart):
            if real.startswith(root.rstrip("/") + "/"):
                paths.append(os.path.relpath(real, root))
            try:
                found = os.stat(real)
            except OSError:
                continue
            if (found.st_dev, found.st_ino) == (here.st_dev, here.st_ino):
                raise ConfigError(f"source and target are the same folder: {self._settings.path}")
            identities.append((found.st_dev, found.st_ino))
        return identities, paths

    def _descent(self) -> Descent:
        """Opens the root; a link in the root's own path is the user's and is followed."""
        if self._opened is None:
            path = self._settings.path
            try:
                number = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            except FileNotFoundError as error:
                raise SourceTrouble(f"the source {path} does not exist (is its disk mounted?)") from error
            except NotADirectoryError as error:
                raise SourceTrouble(f"the source {path} is not a folder") from error
            except OSError as error:
                raise SourceTrouble(f"the source {path} cannot be opened: {error.strerror}") from error
            if self._follow:
                self._links = Links(number, anywhere=self._settings.follow_symlinks == "anywhere")
            self._opened = Descent(Descriptor(number), follow=self._follow)
        return self._opened

    def _open(self, source: str) -> int:
        """The file's descriptor. O_NONBLOCK keeps a FIFO that took the file's place from blocking the thread."""
        folder, _, name = source.rpartition("/")
        descent = self._descent()
        try:
            return self._open_in(descent.to(folder), name)
        except OSError as error:
            if error.errno not in _GONE:
                raise
            descent.forget(folder)  # it may have been replaced since it was opened
            return self._open_in(descent.to(folder), name)

    def _open_in(self, folder: Descriptor, name: str) -> int:
        """As `os.open`; the folder stays open as long as it is held. Raises ELOOP where a link leads out of reach."""
        descriptor = os.open(name, self._flags, dir_fd=folder.number)
        if self._links is not None and (why := self._links.refused(descriptor)):
            os.close(descriptor)
            raise OSError(errno.ELOOP, why)
        return descriptor

    def _stat(self, name: str, opened: Descriptor, *, has_sidecar: bool = False) -> Stat | None:
        try:
            found = os.stat(name, dir_fd=opened.number, follow_symlinks=self._follow)
        except OSError:
            return None
        if not modes.S_ISREG(found.st_mode):
            return None
        stat = fingerprint(found)
        return replace(stat, sidecar=self._stat(name + sidecar.SUFFIX, opened)) if has_sidecar else stat

    def _copy(
        self, source: str, descriptor: int, found: os.stat_result, listed: Stat, limits: Limits, began: float
    ) -> Picture | None:
        """The picture, or None when it changed while it was read. Its kind and size are judged before it is copied."""
        chunk, room = reading.read(descriptor, first_read(found.st_size)), max(listed.size, CHUNK)
        head = chunk[: magic.HEAD]
        kind = _kind(source, head, found, listed)
        if found.st_size > limits.file_size:
            raise reading.too_many_bytes(found.st_size, limits.file_size)
        if found.st_size > room:
            raise Grown(found.st_size)
        try:
            copied = reading.copy(descriptor, chunk, min(room, limits.file_size), found.st_size)
        except PictureError as error:
            if error.kind is ErrorKind.TOO_MANY_BYTES and room < limits.file_size:
                return None  # it grows
            raise
        stat = fingerprint(found)
        held = Held(copied.descriptor, copied.size)
        picture = Picture(held, copied.sha256, stat, head, kind, time.perf_counter() - began)
        try:
            same = copied.size == stat.size and stat.same_content(fingerprint(os.fstat(descriptor)))
        except BaseException:
            picture.let_go()
            raise
        if not same:
            picture.let_go()
            return None
        return picture


def _kind(source: str, head: bytes, found: os.stat_result, listed: Stat) -> str:
    """The format by the first bytes. Raises `PictureError` where a picture's name promises one, else `Unsupported`."""
    kind = magic.recognise(source, head)
    if kind is not None:
        return kind
    if magic.has_picture_name(source):
        raise PictureError(ErrorKind.NOT_A_PICTURE, f"it starts with {head[:16]!r}" if head else "it is empty")
    raise Unsupported(replace(fingerprint(found), sidecar=listed.sidecar))


def fingerprint(found: os.stat_result) -> Stat:
    """The part of a stat that the program keeps. Times that no manifest can hold count as the last one that it can."""
    modified, changed = found.st_mtime_ns, found.st_ctime_ns
    if not (-_LATEST <= modified <= _LATEST and -_LATEST <= changed <= _LATEST):
        modified, changed = (max(-_LATEST, min(when, _LATEST)) for when in (modified, changed))
    return Stat(found.st_size, modified, changed, found.st_dev, found.st_ino)


def check_same(found: os.stat_result, listed: Stat) -> None:
    """Raise `Vanished` unless this is the file that was listed.

    Network file systems in user space hand out new inode numbers as they like: there size and both times must do, and
    nobody can set a ctime.
    """
    if not modes.S_ISREG(found.st_mode):
        raise Vanished("no longer a regular file")
    if (found.st_dev, found.st_ino) == (listed.device, listed.inode):
        return
    if not replace(listed, sidecar=None).same_content(fingerprint(found)):
        raise Vanished("replaced by another file since it was listed")
