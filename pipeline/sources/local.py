"""A local folder as a source."""

from __future__ import annotations

import errno
import os
import stat as modes
import time
from collections.abc import Container, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

from pipeline.config.settings import SourceSettings, StoreSettings
from pipeline.errors import ConfigError, ErrorKind, PictureError, SourceTrouble
from pipeline.folder import CHUNK, Descriptor, first_read
from pipeline.model.source import Stat
from pipeline.model.spec import Limits
from pipeline.sources import exclusion, magic, reading, sidecar
from pipeline.sources.descent import Descent, Links
from pipeline.sources.globs import Globs
from pipeline.sources.source import NO_FILE, Folder, Grown, Origins, Picture, RawStat, Unsupported, Vanished
from pipeline.sources.walk import Walk
from pipeline.workers.exchange import Held
from pipeline.workers.token import Token

_GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.ESTALE})  # ENXIO: it is a socket now
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
        self._links: Links | None = None  # which links are followed; None: none are
        follow = 0 if self._follow else os.O_NOFOLLOW
        self._flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY | follow

    def check(self) -> None:
        """Raise `SourceTrouble` where the folder is missing, or is no longer on the disk that it was opened on."""
        opened = os.fstat(self._descent().to("").number)
        path = self._settings.local
        try:
            now = os.stat(path)
        except OSError as error:
            raise SourceTrouble(f"the source {path} has gone: {error.strerror} (is its disk still mounted?)") from error
        if now.st_dev != opened.st_dev:
            raise SourceTrouble(f"the source {path} has gone: another disk is in its place (is its own still mounted?)")

    def folders(self, apart: Sequence[Path | StoreSettings]) -> Iterator[Folder]:
        """List all names; see `Source`. Raises `ConfigError` where the source is one of the folders `apart`."""
        identities, paths = self._apart(apart)
        descent = self._descent()
        walk = Walk(descent, self._include, self._exclude, links=self._links, unfinished=self._unfinished)
        for folder in walk.folders(identities, paths):
            if folder.error and not folder.path:
                raise SourceTrouble(f"the source {self._settings.local} cannot be listed: {folder.error.detail}")
            yield folder

    def list_types(self) -> dict[str, set[str]]:
        """None; see `Source`."""
        return {}

    def stats(self, folder: str, names: Sequence[str], sidecars: Container[str] = frozenset()) -> list[Stat | None]:
        """The stat of each name; None for what is gone, has no stat, or is no regular file. See `Source`."""
        try:
            opened = self._descent().to(folder)
        except OSError:
            return [None] * len(names)
        return [self._stat(name, opened, has_sidecar=name in sidecars) for name in names]

    def raw_stats(self, folder: str, names: Sequence[str]) -> list[RawStat]:
        """The stats of names without a sidecar as plain numbers; see `Source`."""
        try:
            opened = self._descent().to(folder)  # in a variable, because it is closed when the last one goes
        except OSError:
            return [NO_FILE] * len(names)
        stat, regular, number, follow = os.stat, modes.S_ISREG, opened.number, self._follow
        stats: list[RawStat] = []
        for name in names:
            try:
                result = stat(name, dir_fd=number, follow_symlinks=follow)
            except OSError:
                stats.append(NO_FILE)
                continue
            is_file = regular(result.st_mode)
            stats.append((result.st_size, result.st_mtime_ns, result.st_ctime_ns) if is_file else NO_FILE)
        return stats

    def sniff(self, source: str) -> str | None:
        """Read the first bytes and return their format; see `Source`."""
        try:
            descriptor = self._open(source)
        except OSError:
            return None
        try:
            if not modes.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            return magic.recognise(source, os.read(descriptor, magic.HEAD), raw=self._settings.takes_raw)
        except OSError:
            return None
        finally:
            os.close(descriptor)

    def skips(self, source: str) -> bool:
        """Read the sidecar and return whether it says `skip`; see `Source`."""
        try:
            text, _ = self._sidecar(source)
            return sidecar.overrides(text, "").skip
        except (OSError, PictureError, Vanished):
            return False

    def close(self) -> None:
        """Nothing: folders are closed with their last reference."""

    def remember(self, origins: Origins) -> None:
        """Nothing: a file has a stat of its own."""

    def turn(self, source: str, stat: Stat, token: Token) -> AbstractContextManager[None]:  # noqa: ARG002 - see `Source`
        """At any time."""
        return nullcontext()

    def read(self, source: str, stat: Stat, limits: Limits) -> Picture:
        """Copy the bytes of `source` and of its sidecar; see `Source`. Runs in an I/O thread."""
        try:
            picture = self._picture(source, stat, limits)
            return picture if stat.sidecar is None else picture.joined(lambda: self._sidecar(source))
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
                now = os.fstat(descriptor)
                check_same(now, stat)
                picture = self._copy(source, descriptor, now, stat, limits, began)
                if picture is not None:
                    return picture
                os.lseek(descriptor, 0, os.SEEK_SET)
            raise PictureError(ErrorKind.CHANGED, "it changed each of the two times it was read")
        finally:
            os.close(descriptor)

    def _sidecar(self, source: str) -> tuple[bytes, Stat]:
        """Read the sidecar as it is now, as safely as a picture; returns its text and its stat.

        Raises `OSError`, `Vanished` and `PictureError`.
        """
        name = source.rpartition("/")[2] + sidecar.SUFFIX
        descriptor = self._open(source + sidecar.SUFFIX)
        try:
            for _ in range(2):
                now = os.fstat(descriptor)
                if not modes.S_ISREG(now.st_mode):
                    raise Vanished(f"{name} is no longer a regular file")
                text = reading.up_to(descriptor, sidecar.LIMIT + 1)
                if len(text) > sidecar.LIMIT:
                    raise PictureError(ErrorKind.BAD_SIDECAR, f"{name} is larger than {sidecar.LIMIT // 1024} KiB")
                stat = fingerprint(now)
                if len(text) == stat.size and stat.same_content(fingerprint(os.fstat(descriptor))):
                    return text, stat
                os.lseek(descriptor, 0, os.SEEK_SET)
            raise PictureError(ErrorKind.CHANGED, f"{name} changed each of the two times it was read")
        finally:
            os.close(descriptor)

    def settled(self, source: str, stat: Stat, now: float) -> bool:  # noqa: ARG002 - the stat is enough
        """False for a file read within two seconds of its ctime: a write in the same tick would leave no trace."""
        return now - stat.changed_ns / 1e9 >= _GRAIN

    def _apart(self, apart: Sequence[Path | StoreSettings]) -> tuple[list[tuple[int, int]], list[str]]:
        """The folders `apart`, by device and inode, and by path below the source, because they may not be made yet."""
        here = os.fstat(self._descent().to("").number)
        root = os.path.realpath(self._settings.local)
        identities = []
        paths = []
        for real in (os.path.realpath(place) for place in apart if isinstance(place, Path)):
            if real.startswith(root.rstrip("/") + "/"):
                paths.append(os.path.relpath(real, root))
            try:
                stat = os.stat(real)
            except OSError:
                continue
            if (stat.st_dev, stat.st_ino) == (here.st_dev, here.st_ino):
                raise ConfigError(f"source and target are the same folder: {self._settings.local}")
            identities.append((stat.st_dev, stat.st_ino))
        return identities, paths

    def _descent(self) -> Descent:
        """The folders below the root, which is opened at the first call. Links in the root's own path are followed.

        Raises `SourceTrouble`.
        """
        if self._opened is None:
            path = self._settings.local
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
        """Open the file; returns its descriptor. Raises `OSError`.

        O_NONBLOCK keeps a FIFO that took the file's place from blocking the thread.
        """
        folder, _, name = source.rpartition("/")
        descent = self._descent()
        try:
            return self._open_in(descent.to(folder), name)
        except OSError as error:
            if error.errno not in _GONE:
                raise
            descent.forget(folder)  # the folder may have been replaced since it was opened
            return self._open_in(descent.to(folder), name)

    def _open_in(self, folder: Descriptor, name: str) -> int:
        """As `os.open`, in an open folder. Raises `OSError`; ELOOP also for a link that is not followed."""
        descriptor = os.open(name, self._flags, dir_fd=folder.number)
        if self._links is not None and (why := self._links.refused(descriptor)):
            os.close(descriptor)
            raise OSError(errno.ELOOP, why)
        return descriptor

    def _stat(self, name: str, opened: Descriptor, *, has_sidecar: bool = False) -> Stat | None:
        try:
            result = os.stat(name, dir_fd=opened.number, follow_symlinks=self._follow)
        except OSError:
            return None
        if not modes.S_ISREG(result.st_mode):
            return None
        stat = fingerprint(result)
        return replace(stat, sidecar=self._stat(name + sidecar.SUFFIX, opened)) if has_sidecar else stat

    def _copy(
        self, source: str, descriptor: int, now: os.stat_result, listed: Stat, limits: Limits, began: float
    ) -> Picture | None:
        """Copy the open file, whose stat is `now`; None when it changed while it was read.

        Its format and size are checked before it is copied. Raises as `read` does.
        """
        chunk, most = reading.read(descriptor, first_read(now.st_size)), max(listed.size, CHUNK)
        head = chunk[: magic.HEAD]
        image_format = reading.format_of(source, head, raw=self._settings.takes_raw)
        if image_format is None:
            raise Unsupported(replace(fingerprint(now), sidecar=listed.sidecar))
        if now.st_size > limits.file_size:
            raise reading.too_many_bytes(now.st_size, limits.file_size)
        if now.st_size > most:
            raise Grown(now.st_size)
        try:
            copied = reading.copy(descriptor, chunk, min(most, limits.file_size), now.st_size)
        except PictureError as error:
            if error.kind is ErrorKind.TOO_MANY_BYTES and most < limits.file_size:
                return None  # it is growing
            raise
        stat = fingerprint(now)
        held = Held(copied.descriptor, copied.size)
        picture = Picture(held, copied.sha256, stat, head, image_format, time.perf_counter() - began)
        try:
            same = copied.size == stat.size and stat.same_content(fingerprint(os.fstat(descriptor)))
        except BaseException:
            picture.close()
            raise
        if not same:
            picture.close()
            return None
        return picture


def fingerprint(result: os.stat_result) -> Stat:
    """The part of a stat that the program keeps. Times beyond what a manifest can hold become the last one."""
    modified, changed = result.st_mtime_ns, result.st_ctime_ns
    if not (-_LATEST <= modified <= _LATEST and -_LATEST <= changed <= _LATEST):
        modified, changed = (max(-_LATEST, min(when, _LATEST)) for when in (modified, changed))
    return Stat(result.st_size, modified, changed, result.st_dev, result.st_ino)


def check_same(now: os.stat_result, listed: Stat) -> None:
    """Raise `Vanished` unless the open file, whose stat is `now`, is the one that was listed.

    Network file systems in user space may give a file a new inode number at any time. For these, an equal size, mtime
    and ctime are enough: no program can set a ctime.
    """
    if not modes.S_ISREG(now.st_mode):
        raise Vanished("no longer a regular file")
    if (now.st_dev, now.st_ino) == (listed.device, listed.inode):
        return
    if not replace(listed, sidecar=None).same_content(fingerprint(now)):
        raise Vanished("replaced by another file since it was listed")
