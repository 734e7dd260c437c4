"""What a target offers to a run: `stats`, `write_all`, `sync`, reading back.

`opening.target_of` makes that of a config.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import BinaryIO, NamedTuple, Protocol

from pipeline.errors import PictureError
from pipeline.manifest.shards import Shards
from pipeline.model.record import Written
from pipeline.model.source import Stat

RawStat = tuple[int, int]
"""Size and mtime (nanoseconds since 1970) of a file, for the plan, which compares hundreds of thousands."""

NOTHING: RawStat = (-1, -1)  # there is no file, or it cannot be looked at


class ToWrite(NamedTuple):
    """A file to be written: all bytes of `descriptor`, from offset 0, under `path` (relative to the target's root)."""

    path: str
    descriptor: int
    replace: bool  # whether it takes the place of a file that is there
    sha256: bytes | None = None  # what the bytes must hash to; None: whatever they are
    mtime_ns: int | None = None  # that of its source, for a target that keeps it; None: unknown


class Target(Protocol):
    """Where renditions are written to. Paths are relative to the target's root, as in `Planned.target`."""

    def prepare(self) -> None:
        """Make sure that files can be written; called before anything is read. Raises `TargetTrouble`."""
        ...

    def check(self) -> None:
        """Raise `TargetTrouble` where the target is gone and new files would be lost. Called about every tick."""
        ...

    def remember(self, shards: Shards) -> None:
        """Learn what the manifest says of tar shards. A target of another kind has none."""
        ...

    def stats(self, paths: Sequence[str]) -> list[Stat | None]:
        """The stat of each path, without opening it; None where there is nothing. Called in the plan's thread.

        Raises `TargetTrouble` where the target as a whole cannot be used.
        """
        ...

    def raw_stats(self, paths: Sequence[str]) -> list[RawStat]:
        """The same as plain numbers, at a third of the cost; `NOTHING` where there is none. Raises as `stats` may."""
        ...

    def write_all(self, files: Sequence[ToWrite]) -> list[Written | PictureError]:
        """Store each of `files` under its path, whole or not at all. I/O threads, several at a time.

        The result has what became of each, in the same order: `PictureError` for a file that could not be stored (not
        ours: something is there and `replace` is False; bad name: there can be no file of this name; unreadable or
        changed: its bytes). Raises `TargetTrouble` when the target as a whole is in trouble; some files may be stored.
        """
        ...

    def sync(self) -> None:
        """Make every name that `write_all` has returned survive a power cut. Any thread. Raises `TargetTrouble`."""
        ...

    @property
    def lacks(self) -> str:
        """What it cannot promise (names that survive a power cut, say), and what follows; "" if unknown. Any thread."""
        ...

    def take_new_folders(self) -> list[str]:
        """The paths of folders that were made since the last call. Any thread."""
        ...

    def sweep(self, dead: Collection[str], folders: Iterable[str] | None = None, process: int | None = None) -> int:
        """Remove temporary files of the runs `dead` from `folders` (None: from all); returns how many were removed.

        `process`: only those of this process of theirs. Only the holder of the run's lock may call this, after a run or
        a process that did not end by itself. Files of other runs, which other configs may have started, stay. Raises
        nothing: what cannot be listed or removed stays, too.
        """
        ...

    def names(self) -> Iterator[list[str]]:
        """The paths of everything in the target that is no folder, but what runs keep there, in pieces, in any order.

        What cannot be listed is left out. Raises `TargetTrouble` where the target as a whole cannot be listed.
        """
        ...

    def open_for_reading(self, path: str, recorded: RawStat | None = None) -> BinaryIO:
        """Open the file at `path`, without following links; the result has a descriptor.

        Raises `FileNotFoundError`, also where it has another stat than `recorded`, `PictureError` (bad name) and
        `OSError` for other failures.
        """
        ...
