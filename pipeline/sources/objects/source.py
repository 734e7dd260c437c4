"""A place in object storage as a source."""

from __future__ import annotations

import hashlib
import math
import os
import time
from collections.abc import Container, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

from pipeline.config.settings import SourceSettings, StoreSettings
from pipeline.errors import ErrorKind, PictureError, SourceTrouble
from pipeline.model.source import Stat
from pipeline.model.spec import Limits
from pipeline.sources import magic, reading, sidecar
from pipeline.sources.objects.listing import Listing
from pipeline.sources.source import NO_FILE, Folder, Origins, Picture, RawStat, Unsupported, Vanished
from pipeline.stores.opening import OnDemand
from pipeline.stores.store import Body, Entry, Fault, Store, StoreFailure, version_of
from pipeline.workers import sealed
from pipeline.workers.exchange import Held
from pipeline.workers.token import Token

_GRAIN = 2.0  # seconds


class ObjectSource:
    """The objects of a bucket, or below a prefix in one; a `Source`.

    The fingerprint of an object is its size and its ETag, for which `mtime_ns` stands (see `version_of`): the times of
    a store change where bytes do not.
    """

    def __init__(self, settings: SourceSettings, place: StoreSettings) -> None:
        self._settings = settings
        self._place = place
        self._listing: Listing | None = None
        self._on_demand = OnDemand(place, self._trouble)
        self._answered = -math.inf  # when an object was last read, by the monotonic clock

    def check(self) -> None:
        """Raise `SourceTrouble` where the store cannot be listed."""
        try:
            next(iter(self._store.entries()), None)
        except StoreFailure as failure:
            if failure.fault is not Fault.BAD_NAME:
                raise self._trouble(failure) from None

    def close(self) -> None:
        """Nothing: connections close with their last reference."""

    def remember(self, origins: Origins) -> None:
        """Nothing: an object has a fingerprint of its own."""

    def folders(self, apart: Sequence[Path | StoreSettings]) -> Iterator[Folder]:
        """The folders that the keys make up; see `Source`."""
        inside = [name for place in apart if isinstance(place, StoreSettings) and (name := self._place.name_of(place))]
        try:
            self._listing = Listing(self._store, self._settings, inside)
        except StoreFailure as failure:
            raise self._trouble(failure) from None
        for folder in self._listing.folders():
            if folder.error and not folder.path:
                raise SourceTrouble(f"the source {self._place.shown} cannot be listed: {folder.error.detail}")
            yield folder

    def list_types(self) -> dict[str, set[str]]:
        """None; see `Source`."""
        return {}

    def stats(self, folder: str, names: Sequence[str], sidecars: Container[str] = frozenset()) -> list[Stat | None]:
        """As listed; where nothing was listed, as in a lane of its own, the store is asked. See `Source`."""
        if not names:
            return []
        if self._listing is None:
            return [self._looked_up(f"{folder}/{name}" if folder else name) for name in names]
        known = self._listing.known(folder, (*names, max(names) + sidecar.SUFFIX))
        stats: list[Stat | None] = []
        for name in names:
            found, beside = known.get(name), known.get(name + sidecar.SUFFIX) if name in sidecars else None
            stat = found and Stat(found.size, found.version, 0)
            stats.append(replace(stat, sidecar=Stat(beside.size, beside.version, 0)) if stat and beside else stat)
        return stats

    def raw_stats(self, folder: str, names: Sequence[str]) -> list[RawStat]:
        """See `Source`."""
        if self._listing is None or not names:
            return [NO_FILE] * len(names)
        known = self._listing.known(folder, names)
        return [(found.size, found.version, 0) if (found := known.get(name)) else NO_FILE for name in names]

    def sniff(self, source: str) -> str | None:
        """Read the first bytes and return their format; see `Source`."""
        try:
            return magic.recognise(source, self._head(self._store.get(source)), raw=self._settings.takes_raw)
        except StoreFailure:
            return None

    def skips(self, source: str) -> bool:
        """Read the sidecar and return whether it says `skip`; see `Source`."""
        try:
            text, _ = self._sidecar(source)
            return sidecar.overrides(text, "").skip
        except (StoreFailure, PictureError):
            return False

    def turn(self, source: str, stat: Stat, token: Token) -> AbstractContextManager[None]:  # noqa: ARG002 - see `Source`
        """At any time."""
        return nullcontext()

    def read(self, source: str, stat: Stat, limits: Limits) -> Picture:
        """Read the object and its sidecar; see `Source`. Runs in an I/O thread."""
        try:
            picture = self._picture(source, stat, limits)
            return picture if stat.sidecar is None else picture.joined(lambda: self._sidecar(source))
        except StoreFailure as failure:
            raise self._cause(failure) from None

    def settled(self, source: str, stat: Stat, now: float) -> bool:  # noqa: ARG002 - see `Source`
        """Any other content has another ETag. Without ETags there are times, of whole seconds: a file that is no older
        than two when it is read may have been written in the same second again.
        """
        return stat.mtime_ns % 10**9 != 0 or now - stat.mtime_ns / 1e9 >= _GRAIN

    @property
    def _store(self) -> Store:
        return self._on_demand.store

    def _picture(self, source: str, stat: Stat, limits: Limits) -> Picture:
        began = time.perf_counter()
        body = self._store.get(source)
        if not _is_listed(body.entry, stat):
            raise Vanished("replaced by another object since it was listed")
        size = body.entry.size
        if size > limits.file_size:
            raise reading.too_many_bytes(size, limits.file_size)
        held, digest, head = reading.memory_file(), hashlib.sha256(), b""
        try:
            for piece in body.pieces:
                if len(head) < magic.HEAD:
                    head += bytes(piece[: magic.HEAD - len(head)])
                digest.update(piece)
                reading.write(held, piece)
            self._answered = time.monotonic()
            now = replace(stat, sidecar=None)
            image_format = reading.format_of(source, head, raw=self._settings.takes_raw)
            if image_format is None:
                raise Unsupported(stat)
            sealed.seal(held)
        except BaseException:
            os.close(held)
            raise
        return Picture(Held(held, size), digest.digest(), now, head, image_format, time.perf_counter() - began)

    def _sidecar(self, source: str) -> tuple[bytes, Stat]:
        """Read the sidecar as it is now. Raises `StoreFailure` and `PictureError`."""
        name = source.rpartition("/")[2] + sidecar.SUFFIX
        body = self._store.get(source + sidecar.SUFFIX)
        if body.entry.size > sidecar.LIMIT:
            raise PictureError(ErrorKind.BAD_SIDECAR, f"{name} is larger than {sidecar.LIMIT // 1024} KiB")
        return b"".join(body.pieces), Stat(body.entry.size, body.entry.version, 0)

    def _looked_up(self, source: str) -> Stat | None:
        try:
            entry = self._store.look(source)
        except StoreFailure:
            return None
        return entry and Stat(entry.size, entry.version, 0)

    def _head(self, body: Body) -> bytes:
        """The first bytes. The rest is not asked for, where it is more than a piece."""
        return bytes(next(iter(body.pieces), b"")[: magic.HEAD])

    def _cause(self, failure: StoreFailure) -> PictureError | Vanished | SourceTrouble:
        """What a failure to read one object is raised as. Where the store is at fault, no picture has failed."""
        if failure.fault is Fault.MISSING:
            return Vanished("gone since it was listed")
        others_answered = time.monotonic() - self._answered < self._place.retry / 2
        if failure.fault is Fault.NO_STORE or (failure.fault is Fault.UNREACHABLE and not others_answered):
            return self._trouble(failure)
        return PictureError(ErrorKind.NOT_FETCHED, f"the store {failure.text}")

    def _trouble(self, failure: StoreFailure) -> SourceTrouble:
        return SourceTrouble(f"the source {self._place.shown} {failure.text}")


def _is_listed(entry: Entry, stat: Stat) -> bool:
    """Whether it is the object that was listed. Some stores have no ETags in listings."""
    return entry.size == stat.size and stat.mtime_ns in (entry.version, version_of(None, entry.modified))
