"""Other storage through fsspec: SFTP, the Hugging Face hub, archives, and what else its packages know.

What these promise differs: a put here is a new file that is renamed, and there are no conditions. Time-outs and
credentials are those of each package. Each thread has a connection of its own, because not all of them share.
"""

from __future__ import annotations

import datetime
import errno
import logging
import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import fsspec
from fsspec.dircache import DirCache

from pipeline.config.settings import StoreSettings
from pipeline.errors import PipelineError
from pipeline.folder import CHUNK
from pipeline.stores import host_keys
from pipeline.stores.file_failures import failure_of, is_about_connection, is_missing
from pipeline.stores.store import UPLOAD, Body, Entry, Fault, StoreFailure, can_be_named, counted, version_of

_TAGS = (
    "ETag",
    "etag",
    "sha256",
    "md5",
    "blob_id",
    "oid",
    "CRC",
)  # what changes with the content
_SOME = threading.BoundedSemaphore(8)  # threads that connect at a time: sshd drops some of more than ten
_ONE_BY_ONE = threading.BoundedSemaphore(1)  # smbclient's table of connections is one, without a lock
for _package in ("paramiko", "smbprotocol"):  # which write what fails to stderr, with a traceback, unless told where
    logging.getLogger(_package).addHandler(logging.NullHandler())
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 10.0  # seconds between two tries to connect
_TIMES = ("mtime", "LastModified", "last_modified", "modified", "created")

_T = TypeVar("_T")


class FileStore:
    """A place in a file system of fsspec's; a `Store`."""

    def __init__(self, settings: StoreSettings) -> None:
        """Nothing is asked yet."""
        self._url = settings.url
        self._retry = settings.retry
        self._options = host_keys.options(settings.url)
        self._gate = _ONE_BY_ONE if settings.scheme == "smb" else _SOME
        self._of_thread = threading.local()

    def entries(self) -> Iterator[Sequence[Entry]]:
        """See `Store`. Folder by folder: `walk` of fsspec passes over folders that cannot be listed."""
        if self._asked(_info) is None:
            raise StoreFailure(Fault.MISSING, "does not exist")
        waiting = [""]
        while waiting:
            folder = waiting.pop()
            entries, below = self.entries_in(folder)
            yield entries
            waiting += [path for path in below if path != folder]  # some list a folder in itself

    def entries_in(self, folder: str) -> tuple[list[Entry], list[str]]:
        """See `Store`."""

        def listed(fs: Any, root: str) -> tuple[list[Entry], list[str]]:
            try:
                infos = fs.ls(_joined(root, folder), detail=True)
            except OSError as error:
                if not is_missing(error):
                    raise
                return [], []
            below = [self._name(info, root) for info in infos if info["type"] == "directory"]
            return [self._entry(info, root) for info in infos if info["type"] == "file"], below

        return self._asked(listed)

    def look(self, name: str) -> Entry | None:
        """See `Store`."""

        def looked(fs: Any, root: str) -> Entry | None:
            info = _info(fs, _joined(root, name))
            return self._entry(info, root) if info is not None and info["type"] == "file" else None

        return self._asked(looked)

    def get(self, name: str) -> Body:
        """See `Store`."""
        entry = self._asked(lambda fs, root: self._entry(fs.info(_joined(root, name)), root))
        return counted(entry, self._pieces(entry))

    def put(
        self,
        name: str,
        content: memoryview,
        headers: Mapping[str, str],
        *,
        replace: bool = True,
        over: Entry | None = None,
        before_rename: Callable[[], None] = lambda: None,
    ) -> Entry:
        """See `Store`: without conditions, and without headers."""
        del headers, replace, over
        if not can_be_named(name):
            raise StoreFailure(Fault.BAD_NAME, "cannot have an object of this name")

        def stored(fs: Any, root: str) -> Entry:
            path = _joined(root, name)
            fs.makedirs(path.rpartition("/")[0], exist_ok=True)
            if type(fs).mv is fsspec.AbstractFileSystem.mv:  # which copies: no better than to write at the place
                before_rename()
                fs.pipe_file(path, bytes(content))
            else:
                _renamed(fs, root, path, content, before_rename)
            return self._entry(fs.info(path), root)

        entry = self._asked(stored)
        if entry.size != len(content):
            raise StoreFailure(Fault.UNREACHABLE, f"has kept {entry.size:,} of {len(content):,} bytes")
        return entry

    def remove(self, name: str) -> None:
        """See `Store`."""

        def removed(fs: Any, root: str) -> None:
            if _info(fs, path := _joined(root, name)) is not None:
                fs.rm_file(path)

        self._asked(removed)

    def _asked(self, question: Callable[[Any, str], _T]) -> _T:
        """The answer to what is asked of the file system and its root. A connection that was lost, because it was idle
        or the server began anew, is made again once. Raises `StoreFailure`.
        """
        before = self._of_thread.__dict__.get("opened")
        try:
            with self._failures():
                return question(*self._opened())
        except StoreFailure as failure:
            if failure.fault is not Fault.UNREACHABLE or before is None:
                raise
        with self._failures():
            return question(*self._opened())

    def _opened(self) -> tuple[Any, str]:
        """The file system of this thread, and the path of the place in it. Raises `StoreFailure`."""
        known: tuple[Any, str] | None = self._of_thread.__dict__.get("opened")
        if known is None:
            known = self._of_thread.opened = self._connected()
        return known

    def _connected(self) -> tuple[Any, str]:
        """Connect; a server that cannot be reached may be there soon, or have had too many new connections.

        Raises `StoreFailure`.
        """
        end = time.monotonic() + self._retry
        pause = _FIRST_PAUSE
        while True:
            try:
                with self._gate:
                    fs, root = fsspec.core.url_to_fs(self._url, skip_instance_cache=True, **self._options)
            except Exception as error:  # noqa: BLE001 - each package raises its own
                if not is_about_connection(error) or time.monotonic() + pause > end:
                    failure = failure_of(error)
                    fault = Fault.NO_STORE if failure.fault is Fault.UNREACHABLE else failure.fault
                    raise StoreFailure(fault, failure.text) from None
                time.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - so that threads do not come together again
                pause = min(2 * pause, _LONGEST_PAUSE)
                continue
            if isinstance(cache := getattr(fs, "dircache", None), DirCache):
                cache.use_listings_cache = False  # as an option of theirs, SFTP would hand it on to paramiko
            return fs, root.rstrip("/") or root[:1]

    def _pieces(self, entry: Entry) -> Iterator[bytes]:
        """Opens the file with the first piece: one that nobody reads is never open. Goes on once where a connection was
        lost.
        """
        received, lost = 0, False
        while True:
            try:
                with self._failures():
                    fs, root = self._opened()
                    with fs.open(_joined(root, entry.name), "rb") as file:
                        file.seek(received)
                        while piece := file.read(CHUNK):
                            received += len(piece)
                            yield piece
                    return
            except StoreFailure as failure:
                if failure.fault is not Fault.UNREACHABLE or lost:
                    raise
                lost = True
                if self.look(entry.name) != entry:  # raises where the server is gone
                    raise

    def _name(self, info: Mapping[str, Any], root: str) -> str:
        path: str = info["name"]
        return path.strip("/").removeprefix(root.strip("/")).strip("/")

    def _entry(self, info: Mapping[str, Any], root: str) -> Entry:
        tag = next((str(info[key]) for key in _TAGS if info.get(key)), None)
        modified = next((_seconds(info[key]) for key in _TIMES if info.get(key)), 0.0)
        return Entry(self._name(info, root), int(info["size"] or 0), version_of(tag, modified), modified)

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except (StoreFailure, PipelineError):
            raise
        except Exception as error:  # noqa: BLE001 - each package raises its own
            failure = failure_of(error)
            if failure.fault is Fault.UNREACHABLE:
                self._of_thread.opened = None
            raise failure from None  # its text may hold what is secret


def _renamed(fs: Any, root: str, path: str, content: memoryview, before_rename: Callable[[], None]) -> None:
    """Put a file at `path` by way of another, which a later run removes where this one is killed."""
    temporary = _joined(root, f"{UPLOAD}{uuid.uuid4().hex}")
    fs.makedirs(temporary.rpartition("/")[0], exist_ok=True)
    try:
        fs.pipe_file(temporary, bytes(content))
        before_rename()
        try:
            fs.mv(temporary, path)
        except OSError as error:
            if error.errno != errno.EEXIST:
                raise
            fs.rm_file(path)  # SMB's does not replace: for a moment there is no file
            fs.mv(temporary, path)
    except BaseException:
        with suppress(Exception):  # the connection may be lost
            fs.rm_file(temporary)
        raise


def _info(fs: Any, path: str) -> Mapping[str, Any] | None:
    """What is at `path`; None where there is nothing. fsspec's `exists` says so whatever fails."""
    try:
        info: Mapping[str, Any] = fs.info(path)
    except OSError as error:
        if not is_missing(error):
            raise
        return None
    return info


def _joined(root: str, name: str) -> str:
    """The path of `name` in the file system. The root of an archive is "", and no path in it begins with a slash."""
    return f"{root.rstrip('/')}/{name}" if root and name else root or name


def _seconds(when: object) -> float:
    if isinstance(when, datetime.datetime):
        return when.timestamp()
    return float(when) if isinstance(when, int | float) else 0.0
