"""Other storage through fsspec: SFTP, the Hugging Face hub, archives, and what else its packages know.

What these promise differs: a put here is a new file that is renamed, and there are no conditions. Time-outs, retries
and credentials are those of each package. Each thread has a connection of its own, because not all of them share.
"""

from __future__ import annotations

import datetime
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import fsspec

from pipeline.config.settings import StoreSettings
from pipeline.errors import printable
from pipeline.extras import how_to_install
from pipeline.folder import CHUNK
from pipeline.stores.store import Body, Entry, Fault, StoreFailure, counted, version_of

_TAGS = (
    "ETag",
    "etag",
    "sha256",
    "md5",
    "blob_id",
    "oid",
    "CRC",
)  # what changes with the content
_PACKAGES = {"smbclient": "smbprotocol", "libarchive": "libarchive-c"}  # that are not named like their module
_TIMES = ("mtime", "LastModified", "last_modified", "modified", "created")


class FileStore:
    """A place in a file system of fsspec's; a `Store`."""

    def __init__(self, settings: StoreSettings) -> None:
        """Nothing is asked yet."""
        self._url = settings.url
        self._of_thread = threading.local()

    def entries(self) -> Iterator[Sequence[Entry]]:
        """See `Store`. Folder by folder: `walk` of fsspec passes over folders that cannot be listed."""
        with self._failures():
            fs, root = self._opened()
            if not fs.exists(root):
                raise StoreFailure(Fault.MISSING, "does not exist")
        waiting = [""]
        while waiting:
            folder = waiting.pop()
            entries, below = self.entries_in(folder)
            yield entries
            waiting += [path for path in below if path != folder]  # some list a folder in itself

    def entries_in(self, folder: str) -> tuple[list[Entry], list[str]]:
        """See `Store`."""
        with self._failures():
            fs, root = self._opened()
            try:
                infos = fs.ls(_joined(root, folder), detail=True)
            except FileNotFoundError:
                return [], []
        below = [self._name(info, root) for info in infos if info["type"] == "directory"]
        return [self._entry(info, root) for info in infos if info["type"] == "file"], below

    def look(self, name: str) -> Entry | None:
        """See `Store`."""
        with self._failures():
            fs, root = self._opened()
            try:
                info = fs.info(_joined(root, name))
            except FileNotFoundError:
                return None
        return self._entry(info, root) if info["type"] == "file" else None

    def get(self, name: str) -> Body:
        """See `Store`."""
        with self._failures():
            fs, root = self._opened()
            path = _joined(root, name)
            entry = self._entry(fs.info(path), root)
        return counted(entry, self._pieces(fs, path))

    def put(
        self,
        name: str,
        content: memoryview,
        headers: Mapping[str, str],
        *,
        replace: bool = True,
        over: Entry | None = None,
    ) -> Entry:
        """See `Store`: without conditions, and without headers."""
        del headers, replace, over
        parts = name.split("/")
        if not all(part.isprintable() and part not in ("", ".", "..") for part in parts):
            raise StoreFailure(Fault.BAD_NAME, "cannot have an object of this name")
        with self._failures():
            fs, root = self._opened()
            path = _joined(root, name)
            folder = path.rpartition("/")[0]
            temporary = f"{folder}/.pipeline-{uuid.uuid4().hex}"
            fs.makedirs(folder, exist_ok=True)
            try:
                fs.pipe_file(temporary, bytes(content))
                fs.mv(temporary, path)
            except BaseException:
                if fs.exists(temporary):
                    fs.rm_file(temporary)
                raise
            return self._entry(fs.info(path), root)

    def remove(self, name: str) -> None:
        """See `Store`."""
        with self._failures():
            fs, root = self._opened()
            if fs.exists(path := _joined(root, name)):
                fs.rm_file(path)

    def _opened(self) -> tuple[Any, str]:
        """The file system of this thread, and the path of the place in it."""
        known: tuple[Any, str] | None = getattr(self._of_thread, "opened", None)
        if known is None:
            fs, root = fsspec.core.url_to_fs(self._url, skip_instance_cache=True, use_listings_cache=False)
            self._of_thread.opened = known = fs, root.rstrip("/")
        return known

    def _pieces(self, fs: Any, path: str) -> Iterator[bytes]:
        """Opens the file with the first piece: one that nobody reads is never open."""
        with self._failures(), fs.open(path, "rb") as file:
            while piece := file.read(CHUNK):
                yield piece

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
        except StoreFailure:
            raise
        except Exception as error:  # noqa: BLE001 - each package raises its own
            raise _failure_of(error) from None  # its text may hold what is secret


def _failure_of(error: Exception) -> StoreFailure:
    if isinstance(error, ImportError):
        return StoreFailure(Fault.NO_STORE, _lacking(error))
    if isinstance(error, FileNotFoundError):
        return StoreFailure(Fault.MISSING, "has no such file")
    if isinstance(error, PermissionError):
        return StoreFailure(Fault.DENIED, "denies it: no permission")
    return StoreFailure(Fault.UNREACHABLE, f"fails ({type(error).__name__})")


def _lacking(error: ImportError) -> str:
    """What to say where the package of a scheme is not installed. fsspec raises an error of its own from the first."""
    cause = error if error.name or not isinstance(error.__cause__, ImportError) else error.__cause__
    module = (cause.name or "").partition(".")[0]
    if not module:
        return f"needs a library that is not installed: {printable(str(error))}"
    package = _PACKAGES.get(module, module.replace("_", "-"))
    return f"needs {package}, which is not installed; {how_to_install(package)}"


def _joined(root: str, name: str) -> str:
    return f"{root}/{name}" if name else root


def _seconds(when: object) -> float:
    if isinstance(when, datetime.datetime):
        return when.timestamp()
    return float(when) if isinstance(when, int | float) else 0.0
