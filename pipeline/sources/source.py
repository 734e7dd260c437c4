"""What every source of pictures offers, and the values it gives out.

A source says three things: what it holds (`folders`), how each thing is without opening it (`stats`), and its bytes
(`read`). The local folder is the first of them.
"""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pipeline.errors import PictureError, printable
from pipeline.model.source import Stat
from pipeline.model.spec import Limits
from pipeline.sources import sidecar
from pipeline.workers.exchange import Held

RawStat = tuple[int, int, int]
"""Size, mtime and ctime (nanoseconds since 1970) of a file, for the plan, which compares hundreds of thousands."""

NO_FILE: RawStat = (-1, -1, -1)  # gone, cannot be looked at, or no regular file

_USUAL = 64  # bytes of a name; longer ones only make chunks smaller


class Vanished(Exception):
    """What was listed is not there any more, or something else has taken its place. The next run sees what there is."""

    def __init__(self, detail: str) -> None:
        self.detail = printable(detail)[:300]
        super().__init__(self.detail)

    def __str__(self) -> str:
        return self.detail


class Grown(Exception):
    """There is more to read than was listed: `size` bytes by now. To be asked for again, with room for that."""

    def __init__(self, size: int) -> None:
        self.size = size
        super().__init__(size)


class Unsupported(Exception):
    """Neither a picture by its first bytes nor named like one: left alone, and remembered by `stat`."""

    def __init__(self, stat: Stat) -> None:
        self.stat = stat
        super().__init__(stat)


@dataclass(frozen=True, slots=True)
class Folder:
    """One listed folder: its files and what was skipped, in one compact value (20 to 60 bytes an entry).

    `path` is relative to the root, "" for the root itself. `joined` holds the names of files and of skipped entries,
    sorted by bytes and separated by NUL. `skipped` says why, by name, for entries that are no regular files. The names
    in `sidecars` have one; sidecars themselves are not listed.
    """

    path: str
    joined: bytes = b""
    skipped: dict[str, str] = field(default_factory=dict)
    entries: int = 0  # everything listed here, excluded ones too
    sidecars: frozenset[str] = frozenset()
    error: PictureError | None = None  # the folder could not be listed: what is known of it stays known
    left_out: str = ""  # why nothing in this folder and below is an input
    unmatched: int = 0  # files that the config's patterns do not choose
    example: str = ""  # the first of those by name, where there are any

    def names(self) -> list[str]:
        """The names in the order of their bytes."""
        return os.fsdecode(self.joined).split("\0") if self.joined else []

    def chunks(self, most: int) -> Iterator[list[str]]:
        """The same, at most so many at a time; one chunk with nothing in it where there are none."""
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
        """How many names there are."""
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
    """A source's bytes, copied once and unchangeable. Use it in a `with` block: they are gone afterwards."""

    held: Held
    sha256: bytes
    stat: Stat  # of the very file that was read, taken before reading and equal after it
    head: bytes  # the first 64 bytes
    format: str  # as the first bytes have it: `magic.sniff`
    seconds: float  # wall time of opening, reading and hashing
    sidecar: bytes | None = None  # the text of the file beside it, where it was listed with one

    @property
    def content(self) -> bytes | None:
        """The hash of picture and sidecar together; None without a sidecar."""
        return None if self.sidecar is None else sidecar.content(self.sha256, self.sidecar)

    @property
    def size(self) -> int:
        """Bytes."""
        return self.held.size

    def __enter__(self) -> Picture:
        return self

    def let_go(self) -> None:
        """Close what is held."""
        os.close(self.held.descriptor)

    def __exit__(self, *_: object) -> None:
        self.let_go()


class Source(Protocol):
    """Where pictures are read from. `read` is called by I/O threads, `stats` by any, everything else by the plan's."""

    def check(self) -> None:
        """Raises `SourceTrouble` where the source as a whole is missing, or has gone since it was first looked at."""
        ...

    def folders(self, apart: Sequence[Path]) -> Iterator[Folder]:
        """Everything there is by name, folder by folder in any order, without the folders `apart` (the target).

        Raises `SourceTrouble` when the source as a whole is missing or cannot be listed.
        """
        ...

    def stats(self, folder: str, names: Sequence[str], sidecars: Container[str] = frozenset()) -> list[Stat | None]:
        """The stat of each of the folder's names, in their order; None for what has gone or is no regular file.

        For names in `sidecars`, that of their sidecar is part of it.
        """
        ...

    def raw_stats(self, folder: str, names: Sequence[str]) -> list[RawStat]:
        """The same for names without a sidecar, at a third of the cost; `NO_FILE` for None."""
        ...

    def sniff(self, source: str) -> str | None:
        """The format by the first bytes, or None: not a picture, gone, or unreadable."""
        ...

    def skips(self, source: str) -> bool:
        """Whether there is a sidecar that says to leave `source` alone; False for one that cannot be read."""
        ...

    def read(self, source: str, stat: Stat, limits: Limits) -> Picture:
        """Copy the bytes of `source`, which had `stat` when it was listed, and of its sidecar, if that has one.

        No more than `stat.size` bytes are copied, or a MiB, whichever is more: raises `Grown` where there are more now.
        Raises `Vanished`, `Unsupported`, `PictureError` (unreadable, not a picture, too many bytes, changed while
        read, bad sidecar), and `SourceTrouble` when this process is out of descriptors or memory.
        """
        ...

    def settled(self, stat: Stat, now: float) -> bool:
        """Whether a later write would be certain to change `stat`, for a file read at `now` (seconds since 1970)."""
        ...
