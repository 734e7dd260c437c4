"""Checks the sources against the manifest: every original is read again and hashed; nothing is changed.

A source whose size or times are no longer those recorded was changed, and is the next run's to render. One that still
has them and holds other bytes has rotted: no program wrote it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pipeline.config.settings import Config
from pipeline.errors import ErrorKind, PictureError
from pipeline.manifest.reader import Reader
from pipeline.model.record import KnownSource
from pipeline.model.source import Stat
from pipeline.model.spec import Limits
from pipeline.sources.source import Grown, Source, Unsupported, Vanished
from pipeline.workers.crew import Crew
from pipeline.workers.token import Token

_THREADS = 2  # a file is held in memory while it is hashed
_NAMES = 1000  # whose stats are taken at once


@dataclass(frozen=True, slots=True)
class Rotten:
    """A source that is not as it was recorded although its size and times are; or that cannot be read."""

    source: str
    unreadable: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Originals:
    """What came of the sources; `rotten` in no order."""

    rotten: tuple[Rotten, ...] = ()
    files: int = 0  # read
    bytes_read: int = 0
    changed: int = 0  # since they were recorded, or gone: left to the next run
    remote: int = 0  # of lists of URLs, which are not fetched for this


def checked(config: Config, source: Source, reader: Reader, watch: Callable[[int], None]) -> Originals:
    """Read all sources that the manifest has a hash of. `watch(bytes)` is called in this thread with the bytes read so
    far.
    """
    source.remember(reader)
    check = _Check(source, config.limits)
    crew: Crew[tuple[KnownSource, Stat]] = Crew(
        check.check, threads=_THREADS, queue_size=64, on_tick=lambda: watch(check.bytes_read)
    )
    changed = remote = 0
    with crew:
        for known, stat in _recorded(config, reader, source):
            if stat is None or not stat.same_content(known.stat):
                changed += 1
            elif stat.remote is not None:
                remote += 1
            else:
                crew.put((known, stat))
    return Originals(tuple(check.rotten), check.files, check.bytes_read, changed + check.changed, remote)


def _recorded(config: Config, reader: Reader, source: Source) -> Iterator[tuple[KnownSource, Stat | None]]:
    """Each recorded source of the config that has a hash, with its present stat."""
    for folder in reader.folders():
        known = [
            known
            for known in reader.known_sources(folder).values()
            if known.sha256 is not None and config.source_of(known.source) is not None
        ]
        for at in range(0, len(known), _NAMES):
            several = known[at : at + _NAMES]
            names = [one.source.rpartition("/")[2] for one in several]
            sidecars = {name for name, one in zip(names, several, strict=True) if one.stat.sidecar is not None}
            yield from zip(several, source.stats(folder, names, sidecars), strict=True)


class _Check:
    """Hashes sources; `check` runs in the crew's threads."""

    def __init__(self, source: Source, limits: Limits) -> None:
        self._source = source
        self._limits = limits
        self._lock = threading.Lock()
        self.rotten: list[Rotten] = []
        self.files = 0
        self.bytes_read = 0
        self.changed = 0

    def check(self, of_file: tuple[KnownSource, Stat], token: Token) -> None:
        known, stat = of_file
        token.check()
        try:
            with self._source.read(known.source, stat, self._limits) as picture:
                same, size = picture.sha256 == known.sha256, picture.size
        except (Vanished, Grown):
            self._note(None)
        except Unsupported:
            self._note(Rotten(known.source, unreadable=False, detail="it is no picture any more"))
        except PictureError as error:
            changed = error.kind is ErrorKind.CHANGED
            unreadable = error.kind is not ErrorKind.NOT_A_PICTURE
            self._note(None if changed else Rotten(known.source, unreadable=unreadable, detail=str(error)))
        else:
            with self._lock:
                self.files += 1
                self.bytes_read += size
            if not same:  # read soon after it was written, it may have been written once more: the next run looks
                detail = "same size and times, other content"
                self._note(Rotten(known.source, unreadable=False, detail=detail) if known.settled else None)

    def _note(self, rotten: Rotten | None) -> None:
        """`rotten`; None: it was changed meanwhile."""
        with self._lock:
            if rotten is None:
                self.changed += 1
            else:
                self.rotten.append(rotten)
