"""A place in object storage as a target. A put is atomic: an object is there as a whole, or it is not."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import BinaryIO

from pipeline.config.settings import StoreSettings, TargetSettings
from pipeline.errors import ErrorKind, PictureError, TargetTrouble
from pipeline.manifest.shards import Shards
from pipeline.model.record import Written
from pipeline.model.source import Stat
from pipeline.stores.opening import OnDemand
from pipeline.stores.store import Body, Entry, Fault, Store, StoreFailure
from pipeline.targets.objects.index import Index, everything
from pipeline.targets.output import write
from pipeline.targets.paths import RESERVED, check_path
from pipeline.targets.target import NOTHING, RawStat, ToWrite
from pipeline.workers import sealed

KEPT = f"{RESERVED}/"  # where runs keep what is no rendition
_IN_MEMORY = 2**26  # bytes of an object that is read back; a larger one goes into a temporary file
_TYPES = {
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "avif": "image/avif",
    "gif": "image/gif",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "jxl": "image/jxl",
}


class ObjectTarget:
    """The objects below a place; a `Target`. Used by many threads at once.

    A rendition's `mtime_ns` stands for its ETag, as that of a source does.
    """

    def __init__(
        self,
        settings: TargetSettings,
        place: StoreSettings,
        run_id: str,
        process: int = 0,
        before_writes: Callable[[], None] = lambda: None,
    ) -> None:
        """`before_writes` is called in I/O threads right before each put, and may raise `TargetTrouble`."""
        self._place = place
        self._headers = dict(settings.headers)
        self._before_writes = before_writes
        self._probe = f"{KEPT}probe-{run_id}-{process}"
        self._lock = threading.Lock()
        self._on_demand = OnDemand(place, self._trouble)
        self._index: Index | None = None
        self._has_conditions: bool | None = None

    def prepare(self) -> None:
        """Write an object as a test, and find out whether the store has conditions. Raises `TargetTrouble`."""
        _ = self._conditions

    def check(self) -> None:
        """Raise `TargetTrouble` where nothing may be written any more; see `Target`."""
        self._before_writes()

    def remember(self, shards: Shards) -> None:
        """Nothing: each rendition is an object."""

    def stats(self, paths: Sequence[str]) -> list[Stat | None]:
        """As listed when the first ones were asked for; see `Target`. Raises `TargetTrouble`."""
        found = self._listed().stats(paths)
        return [Stat(*found[path], 0) if path in found else None for path in paths]

    def raw_stats(self, paths: Sequence[str]) -> list[RawStat]:
        """See `Target`. Raises `TargetTrouble`, because a store that cannot be listed holds nothing that is known."""
        found = self._listed().stats(paths)
        return [found.get(path, NOTHING) for path in paths]

    def names(self) -> Iterator[list[str]]:
        """See `Target`."""
        try:
            for entries in everything(self._store):
                yield sorted(entry.name for entry in entries if not entry.name.startswith(RESERVED))
        except StoreFailure as failure:
            raise self._trouble(failure) from None

    def open_for_reading(self, path: str, recorded: RawStat | None = None) -> BinaryIO:
        """The object, read into memory or, if it is large, into a temporary file; see `Target`."""
        check_path(path)
        try:
            body = self._store.get(path)
            if recorded not in (None, (body.entry.size, body.entry.version)):
                raise FileNotFoundError(errno.ENOENT, "it was changed since it was made")
            return _held(body)
        except StoreFailure as failure:
            if failure.fault is Fault.MISSING:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)) from None
            if failure.fault is Fault.BAD_NAME:
                raise PictureError(ErrorKind.BAD_NAME, failure.text) from None
            raise OSError(errno.EIO, f"the store {failure.text}") from None

    def write_all(self, files: Sequence[ToWrite]) -> list[Written | PictureError]:
        """Store each of `files`; see `Target`. Runs in I/O threads."""
        return [self._written(file) for file in files]

    def sync(self) -> None:
        """Nothing: what a store has confirmed is there."""

    @property
    def lacks(self) -> str:
        """See `Target`."""
        if self._has_conditions is not False:
            return ""
        return (
            f"{self._place.shown} has no conditional writes (If-None-Match): an object that appears there while a run "
            "writes one of its name is written over, and two machines are kept apart less strictly"
        )

    def take_new_folders(self) -> list[str]:
        """None: a store has no folders."""
        return []

    def sweep(self, dead: Collection[str], folders: Iterable[str] | None = None, process: int | None = None) -> int:
        """Remove the tests of dead runs; see `Target`. Nothing else of them is there: a put is atomic."""
        del folders, process
        removed = 0
        try:
            for entry in self._store.entries_in(RESERVED)[0]:
                parts = entry.name.removeprefix(f"{KEPT}probe-").rpartition("-")
                if parts[0] in dead:
                    self._store.remove(entry.name)
                    removed += 1
        except (StoreFailure, TargetTrouble):
            return removed
        return removed

    @property
    def _store(self) -> Store:
        return self._on_demand.store

    @property
    def _conditions(self) -> bool:
        """Whether a put can ask for a name to be free. Raises `TargetTrouble`."""
        store = self._store
        with self._lock:  # each test would remove the other's object
            if self._has_conditions is None:
                try:
                    self._has_conditions = self._tried(store)
                except StoreFailure as failure:
                    raise self._trouble(failure) from None
            return self._has_conditions

    def _tried(self, store: Store) -> bool:
        """Put an object twice, the second time on the condition that it is new. Raises `StoreFailure`."""
        content = memoryview(b"a test of pipeline\n")
        store.put(self._probe, content, {})
        refused = False
        try:
            store.put(self._probe, content, {}, replace=False)
        except StoreFailure as failure:
            if failure.fault is not Fault.TAKEN:
                raise
            refused = True
        store.remove(self._probe)
        return refused

    def _listed(self) -> Index:
        if self._index is None:
            try:
                self._index = Index(self._store)
            except StoreFailure as failure:
                raise self._trouble(failure) from None
        return self._index

    def _written(self, file: ToWrite) -> Written | PictureError:
        try:
            check_path(file.path)
            content = _content(file.descriptor)
            sha256 = hashlib.sha256(content).digest()
            if file.sha256 is not None and sha256 != file.sha256:
                return PictureError(ErrorKind.CHANGED, "what was to be copied has other bytes than before")
            self._before_writes()
            entry = self._put(file, content, sha256)
        except PictureError as error:
            return error
        except StoreFailure as failure:
            if failure.fault in (Fault.BAD_NAME, Fault.OTHER):
                return PictureError(ErrorKind.BAD_NAME, f"the store {failure.text}")
            raise self._trouble(failure) from None
        return Written(file.path, entry.size, entry.version, sha256)

    def _put(self, file: ToWrite, content: memoryview, sha256: bytes) -> Entry:
        """Raises `PictureError` (not ours) and `StoreFailure`."""
        headers = {"Content-Type": _type(file.path)} | self._headers
        if not file.replace and (not self._conditions) and self._store.look(file.path) is not None:
            return self._equal(file, sha256)
        try:
            return self._store.put(
                file.path,
                content,
                headers,
                replace=file.replace or not self._conditions,
                before_rename=self._before_writes,
            )
        except StoreFailure as failure:
            if failure.fault is not Fault.TAKEN or file.replace:
                raise
            return self._equal(file, sha256)

    def _equal(self, file: ToWrite, sha256: bytes) -> Entry:
        """The object that is in the way, if it holds the very bytes: it may become ours. So may one that a put has made
        whose answer was lost. Raises `PictureError` (not ours) and `StoreFailure`.
        """
        body = self._store.get(file.path)
        digest = hashlib.sha256()
        if body.entry.size == os.fstat(file.descriptor).st_size:
            for piece in body.pieces:
                digest.update(piece)
        if digest.digest() != sha256:
            raise PictureError(ErrorKind.NOT_OURS, "an object that this config did not make has this name")
        return body.entry

    def _trouble(self, failure: StoreFailure) -> TargetTrouble:
        return TargetTrouble(f"cannot write to the target {self._place.shown}: it {failure.text}")


def _type(path: str) -> str:
    return _TYPES.get(path.rpartition(".")[2].lower(), "application/octet-stream")


def _content(descriptor: int) -> memoryview:
    """All bytes of a rendition. Raises `PictureError`."""
    try:
        return memoryview(os.pread(descriptor, os.fstat(descriptor).st_size, 0))
    except OSError as error:
        raise PictureError(ErrorKind.UNREADABLE, error.strerror or str(error)) from error


def _held(body: Body) -> BinaryIO:
    """The content in a file without a name. Raises `StoreFailure` and `OSError`."""
    file = os.fdopen(sealed.create("object") if body.entry.size <= _IN_MEMORY else _on_disk(), "rb", 0)
    try:
        for piece in body.pieces:
            write(file.fileno(), piece)
        os.lseek(file.fileno(), 0, os.SEEK_SET)
    except BaseException:
        file.close()
        raise
    return file


def _on_disk() -> int:
    descriptor, path = tempfile.mkstemp(prefix="pipeline-")
    os.unlink(path)
    return descriptor
