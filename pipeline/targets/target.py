"""What every target offers. The local folder is the first of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO, NamedTuple, Protocol

from pipeline.errors import PictureError
from pipeline.model.record import Written
from pipeline.model.source import Stat

RawStat = tuple[int, int]
"""Size and mtime (nanoseconds since 1970) of a file, for the plan, which compares hundreds of thousands."""

NOTHING: RawStat = (-1, -1)  # there is no file, or it cannot be looked at


class ToWrite(NamedTuple):
    """All bytes of `descriptor`, from offset 0, for a file at `path`; `replace`: also where there is one already."""

    path: str
    descriptor: int
    replace: bool
    sha256: bytes | None = None  # that the bytes must have


class Target(Protocol):
    """Where renditions are written to. Paths are relative to the target's root, as in `Planned.target`."""

    def prepare(self) -> None:
        """Make sure that files can be written, before anything is read. Raises `TargetTrouble`."""
        ...

    def stats(self, paths: Sequence[str]) -> list[Stat | None]:
        """How each path is, without opening it; None where there is nothing. The plan's thread."""
        ...

    def raw_stats(self, paths: Sequence[str]) -> list[RawStat]:
        """The same as plain numbers, at a third of the cost; `NOTHING` for None and for whatever cannot be told."""
        ...

    def write_all(self, several: Sequence[ToWrite]) -> list[Written | PictureError]:
        """Store each of `several` under its path, at once and whole. I/O threads, several at a time.

        What came of each: `PictureError` for one that could not be stored (not ours: something is there and `replace`
        is False; bad name: there can be no file of this name; unreadable, changed: its bytes). Raises `TargetTrouble`
        when the target as a whole is in trouble; some of them may have been stored then.
        """
        ...

    def sync(self) -> None:
        """Make every name that `write` has returned survive a power cut. Any thread. Raises `TargetTrouble`."""
        ...

    def open_for_reading(self, path: str) -> BinaryIO:
        """The file at `path`. Raises `FileNotFoundError`, `PictureError` (bad name) and other `OSError`."""
        ...
