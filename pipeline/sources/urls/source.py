"""A list of URLs as a source."""

from __future__ import annotations

import threading
import time
from collections.abc import Container, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from pipeline.config.settings import SourceSettings, StoreSettings, UrlSettings
from pipeline.errors import ErrorKind, PictureError
from pipeline.folder import CHUNK
from pipeline.model.source import Remote, Stat
from pipeline.model.spec import Limits
from pipeline.sources import magic
from pipeline.sources.source import NO_FILE, Folder, Grown, Later, Origins, Picture, RawStat
from pipeline.sources.urls import names, rows
from pipeline.sources.urls.client import Client
from pipeline.sources.urls.fetch import Fetch
from pipeline.sources.urls.listing import Entry, Listing
from pipeline.workers.exchange import Held
from pipeline.workers.token import Token


class UrlSource:
    """The URLs of a list; a `Source`.

    The stat of a URL is made up: `mtime_ns` stands for the URL itself, `ctime_ns` is when a run last asked for it, and
    the size is that of its bytes then. What was asked for lately has the stat that the manifest remembers, so nothing
    is to be done; else `ctime_ns` is the time of this run, and the plan asks for it to be read.
    """

    def __init__(self, settings: SourceSettings, urls: UrlSettings) -> None:
        self._settings = settings
        self._urls = urls
        self._now = time.time_ns()
        self._listing: Listing | None = None
        self._origins: Origins | None = None
        self._client = Client(urls)
        self._of_thread = threading.local()

    def check(self) -> None:
        """Raise `SourceTrouble` where the list is missing."""
        rows.check(self._settings.local)

    def close(self) -> None:
        """Close idle connections; see `Source`."""
        self._client.hosts.close()

    def remember(self, origins: Origins) -> None:
        """See `Source`."""
        self._origins = origins

    def folders(self, apart: Sequence[Path | StoreSettings]) -> Iterator[Folder]:
        """The folders that the names make up; see `Source`."""
        del apart
        self._listing = Listing(self._settings, self._urls)
        return self._listing.folders()

    def list_types(self) -> dict[str, set[str]]:
        """See `Source`. Where the list is not listed yet, it is read for this alone."""
        return (self._listing or Listing(self._settings, self._urls)).types

    def stats(self, folder: str, names: Sequence[str], sidecars: Container[str] = frozenset()) -> list[Stat | None]:
        """See `Source`, and above."""
        del sidecars
        if self._listing is None or not names:
            return [None] * len(names)
        entries = self._listing.entries(folder, names)
        remembered = self._remembered(folder, names)
        return [self._stat(entries.get(name), remembered.get(name)) for name in names]

    def raw_stats(self, folder: str, names: Sequence[str]) -> list[RawStat]:
        """See `Source`."""
        stats = self.stats(folder, names)
        return [NO_FILE if stat is None else (stat.size, stat.mtime_ns, stat.ctime_ns) for stat in stats]

    def sniff(self, source: str) -> str | None:
        """The empty string: the format is unknown before the fetch. None would say that it is no picture."""
        del source
        return ""

    def skips(self, source: str) -> bool:
        """URLs have no sidecars."""
        del source
        return False

    def turn(self, source: str, stat: Stat, token: Token) -> AbstractContextManager[None]:  # noqa: ARG002 - as above
        """Wait for the turn of the host that is asked next; see `Source`."""
        return self._client.hosts.turn(self._fetch(_remote(stat)).origin, token)

    def read(self, source: str, stat: Stat, limits: Limits) -> Picture:
        """Fetch the bytes, or go on where `Later` or `Grown` has left them; see `Source`. Runs in an I/O thread."""
        began = time.perf_counter()
        fetch = self._fetch(_remote(stat))
        try:
            arrived = fetch.go_on(max(stat.size, CHUNK), limits)
        except (Later, Grown):
            raise
        except BaseException:
            self._drop()
            raise
        self._of_thread.fetch = None
        held = Held(arrived.copied.descriptor, arrived.copied.size)
        now = replace(stat, size=held.size, remote=arrived.remote)
        image_format = magic.recognise(source, arrived.head, raw=self._settings.takes_raw)
        picture = Picture(
            held, arrived.copied.sha256, now, arrived.head, image_format or "", time.perf_counter() - began
        )
        if image_format is None:
            picture.close()
            raise PictureError(ErrorKind.NOT_A_PICTURE, "what its server sends is none")
        return picture

    def settled(self, source: str, stat: Stat, now: float) -> bool:  # noqa: ARG002 - see `Source`
        """The bytes are those of one answer: nothing can have changed them unseen."""
        return True

    def _fetch(self, remote: Remote) -> Fetch:
        """What this thread has begun of a URL, or a new start. Raises `PictureError` where it cannot be asked for."""
        begun: Fetch | None = getattr(self._of_thread, "fetch", None)
        if begun is not None and begun.remote == remote:
            return begun
        self._drop()
        if remote.error is not None:
            raise remote.error
        self._of_thread.fetch = begun = Fetch(self._client, remote)
        return begun

    def _drop(self) -> None:
        begun: Fetch | None = getattr(self._of_thread, "fetch", None)
        self._of_thread.fetch = None
        if begun is not None:
            begun.close()

    def _remembered(self, folder: str, names: Sequence[str]) -> dict[str, Stat]:
        """The stats that the manifest holds of a folder's URLs, by name."""
        if self._origins is None:
            return {}
        whole = "/".join(filter(None, (self._settings.prefix, folder)))
        known = self._origins.origins(whole, min(names)[:-1] or None, max(names))
        return {source.rpartition("/")[2]: stat for source, stat in known.items()}

    def _stat(self, entry: Entry | None, known: Stat | None) -> Stat | None:
        if entry is None:
            return None
        identity = names.identity(entry.url)
        remote = Remote(entry.url, entry.shown, entry.columns, self._urls.robots, entry.error)
        if known is None or known.remote is None or known.mtime_ns != identity:
            return Stat(0, identity, self._now, remote=remote)
        remote = remote.validated(known.remote.etag, known.remote.last_modified)
        fresh = known.remote.columns == entry.columns and self._is_fresh(known.ctime_ns)
        return Stat(known.size, identity, known.ctime_ns if fresh else self._now, remote=remote)

    def _is_fresh(self, asked: int) -> bool:
        refresh = self._urls.refresh
        return refresh is None or self._now - asked < refresh * 1e9


def _remote(stat: Stat) -> Remote:
    if stat.remote is None:
        raise TypeError("the stat of a URL must have `remote`")
    return stat.remote
