"""What every source of pictures offers, and the values it returns.

A source lists names (`folders`), takes the stat of each without opening it (`stats`), and reads bytes (`read`).
`opening.source_of` makes that of a config.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from pipeline.config.settings import StoreSettings
from pipeline.errors import PictureError, printable
from pipeline.model.source import Remote, Stat
from pipeline.model.spec import Limits
from pipeline.sources import sidecar
from pipeline.workers.exchange import Held
from pipeline.workers.token import Token

RawStat = tuple[int, int, int]
"""Size, mtime and ctime (nanoseconds since 1970) of a file, for the plan, which compares hundreds of thousands."""

NO_FILE: RawStat = (-1, -1, -1)  # gone, without a stat, or no regular file

_USUAL = 64  # bytes of a name; longer ones only make chunks smaller


class Vanished(Exception):
    """A listed file is gone, or another has taken its place. No failure: the next run lists again."""

    def __init__(self, detail: str) -> None:
        self.detail = printable(detail)[:300]
        super().__init__(self.detail)

    def __str__(self) -> str:
        return self.detail


class Grown(Exception):
    """The file has grown since it was listed, to `size` bytes. The caller reads it again, with memory for that."""

    def __init__(self, size: int) -> None:
        self.size = size
        super().__init__(size)


class Later(Exception):
    """The source is to be asked again after so many seconds, by the same thread: it goes on where it was."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(seconds)


class Untouched(Exception):
    """The content is still that of the last record, as the picture's server says, and has not been read."""

    def __init__(self, remote: Remote) -> None:
        self.remote = remote
        super().__init__(remote)


class Forbidden(Exception):
    """The picture's owner does not want it to be used. It is left alone, and that is remembered."""


class Unsupported(Exception):
    """The file is no picture, by its first bytes and by its name. It is left alone and remembered by `stat`."""

    def __init__(self, stat: Stat) -> None:
        self.stat = stat
        super().__init__(stat)


@dataclass(frozen=True, slots=True)
class Folder:
    """One listed folder: the names of its files in one compact value (20 to 60 bytes an entry).

    `path` is relative to the root, "" for the root itself. `joined` holds the names of files and of skipped entries,
    sorted by bytes and separated by NUL. `skipped` has the reason, by name, for entries that are no regular files. The
    names in `sidecars` have a sidecar; sidecars themselves are not listed.
    """

    path: str
    joined: bytes = b""
    skipped: dict[str, str] = field(default_factory=dict)
    entries: int = 0  # of every kind, excluded ones too
    sidecars: frozenset[str] = frozenset()
    error: PictureError | None = None  # why the folder could not be listed: what is remembered of it stays
    left_out: str = ""  # why nothing in this folder or below it is a source
    unmatched: int = 0  # files that the config's patterns leave out
    example: str = ""  # the first of these by name

    def names(self) -> list[str]:
        """The names in the order of their bytes."""
        return os.fsdecode(self.joined).split("\0") if self.joined else []

    def chunks(self, most: int) -> Iterator[list[str]]:
        """The same names in chunks of `most` at most; one empty chunk where there are none."""
        joined, at = self.joined, 0
        while at < len(joined) or not at:
            end = joined.find(b"\0", at + most * _USUAL)
            end = len(joined) if end < 0 else end
            names = os.fsdecode(joined[at:end]).split("\0", most) if joined else []
            beyond = len(os.fsencode(names.pop())) if len(names) > most else -1
            yield names
            at = end - beyond

    @property
    def count(self) -> int:
        """The number of names."""
        return self.joined.count(b"\0") + 1 if self.joined else 0

    def source(self, name: str) -> str:
        """The path of a file of this folder, relative to the root."""
        return f"{self.path}/{name}" if self.path else name

    def sources(self, names: Iterable[str]) -> list[str]:
        """The paths of files of this folder, relative to the root."""
        if not self.path:
            return list(names)
        prefix = f"{self.path}/"
        return [prefix + name for name in names]


@dataclass(frozen=True, slots=True)
class Picture:
    """A source's bytes, in memory that nothing can change. For a `with` block, which closes the memory at its end."""

    held: Held
    sha256: bytes
    stat: Stat  # of the very file that was read; the same before and after reading
    head: bytes  # the first 64 bytes
    format: str  # by the first bytes; see `magic.sniff`
    seconds: float  # wall time of opening, reading and hashing
    sidecar: bytes | None = None  # the text of its sidecar, if it was listed with one

    @property
    def content(self) -> bytes | None:
        """The SHA-256 that stands for picture and sidecar together; None without a sidecar."""
        return None if self.sidecar is None else sidecar.content(self.sha256, self.sidecar)

    def joined(self, read: Callable[[], tuple[bytes, Stat]]) -> Picture:
        """The same with its sidecar, whose text and stat `read` returns. Closes the memory where that raises."""
        try:
            text, stat = read()
        except BaseException:
            self.close()
            raise
        return replace(self, sidecar=text, stat=replace(self.stat, sidecar=stat))

    @property
    def size(self) -> int:
        """Bytes."""
        return self.held.size

    def __enter__(self) -> Picture:
        return self

    def close(self) -> None:
        """Close the memory."""
        os.close(self.held.descriptor)

    def __exit__(self, *_: object) -> None:
        self.close()


class Origins(Protocol):
    """What earlier runs recorded of pictures that are no files."""

    def origins(self, folder: str, after: str | None = None, through: str | None = None) -> dict[str, Stat]:
        """Stats without URLs, by path, of those directly in `folder` with `after` < name <= `through` (None: any)."""
        ...


class Source(Protocol):
    """Where pictures are read from. I/O threads call `read`; any thread `stats`; the plan's thread everything else."""

    def check(self) -> None:
        """Raise `SourceTrouble` where the source as a whole is missing, or is no longer the one that was opened."""
        ...

    def remember(self, origins: Origins) -> None:
        """Take what is remembered into account, if stats depend on it. Called by the plan, before all else."""
        ...

    def close(self) -> None:
        """Close what is kept open for further reads. The run's thread calls it when no thread reads any more."""
        ...

    def folders(self, apart: Sequence[Path | StoreSettings]) -> Iterator[Folder]:
        """List all names, folder by folder in any order, without the folders `apart` (the target).

        Raises `SourceTrouble` when the source as a whole is missing or cannot be listed.
        """
        ...

    def list_types(self) -> dict[str, set[str]]:
        """The types of the values in each column of lists: integer, real, boolean, text. Any thread.

        A source that is no list has none. Raises `SourceTrouble`.
        """
        ...

    def stats(self, folder: str, names: Sequence[str], sidecars: Container[str] = frozenset()) -> list[Stat | None]:
        """The stat of each of the folder's names, in their order; None for what is gone or is no regular file.

        For names in `sidecars`, it includes that of their sidecar. Raises nothing.
        """
        ...

    def raw_stats(self, folder: str, names: Sequence[str]) -> list[RawStat]:
        """The same as plain numbers, for names without a sidecar, at a third of the cost; `NO_FILE` for None."""
        ...

    def sniff(self, source: str) -> str | None:
        """Read the first bytes and return their format; None where it is no picture, gone, or unreadable."""
        ...

    def skips(self, source: str) -> bool:
        """Read the sidecar and return whether it says `skip`; False where it cannot be read."""
        ...

    def turn(self, source: str, stat: Stat, token: Token) -> AbstractContextManager[None]:
        """For the time of one `read`: waits until that may begin, and raises `Revoked`. A disk may be read at any time.

        Raises `PictureError` where nothing could be read.
        """
        ...

    def read(self, source: str, stat: Stat, limits: Limits) -> Picture:
        """Copy the bytes of `source`, which had `stat` when it was listed, and of its sidecar, if `stat` has one.

        At most `stat.size` bytes are copied, or a MiB, whichever is more; where the file has more now, `Grown` is
        raised. Raises `Vanished`, `Unsupported`, `PictureError` (unreadable, not a picture, too many bytes, changed
        while read, bad sidecar), and `SourceTrouble` when this process is out of descriptors or memory. Sources that
        are no disks also raise `Later`, `Untouched` and `Forbidden`.
        """
        ...

    def settled(self, source: str, stat: Stat, now: float) -> bool:
        """Whether any later write must change `stat`, for `source` that was read at `now` (seconds since 1970)."""
        ...
