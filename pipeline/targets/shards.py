"""Tar shards as a target: renditions wait as files in a folder of ours until the shard of their picture is written.

A rendition's path in the target is its name in a shard. `run.packing` decides what goes into which shard and has it
written; this target stores what comes from the lanes, in any order, and answers for a rendition whether it waits or is
in a shard. A shard counts as there while it has the size and the time that it was written with.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import itertools
import os
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from pipeline.config.settings import Durability, Mtime, TargetSettings
from pipeline.errors import PictureError
from pipeline.folder import opened_folder, sync_folder
from pipeline.manifest.claims import ClaimedFile
from pipeline.manifest.shards import Build, Member, Shards, shard_name
from pipeline.model.record import Written
from pipeline.model.source import Stat
from pipeline.targets.local import LocalTarget
from pipeline.targets.paths import RESERVED
from pipeline.targets.removal import Removal
from pipeline.targets.tar import TarOutput
from pipeline.targets.target import NOTHING, RawStat, ToWrite
from pipeline.targets.trouble import trouble

_WAITING = "waiting"  # the folder of renditions that are in no shard yet, in our folder of the target


class ShardTarget:
    """A folder of tar shards; a `Target`. Used by many threads at once, what writes shards by one."""

    def __init__(
        self,
        settings: TargetSettings,
        run_id: str,
        process: int = 0,
        before_renames: Callable[[], None] = lambda: None,
    ) -> None:
        """As `LocalTarget`."""
        self._settings = settings
        self._run = run_id
        self._before_renames = before_renames
        self._shards: Shards | None = None
        self._there: dict[int, int] = {}  # shards by the builds that are there
        self._own: set[str] = set()  # the names of shards
        self._root = LocalTarget(settings, run_id, process, before_renames)
        self._waiting = settings.folder / RESERVED / _WAITING
        kept = replace(settings, path=self._waiting, mode=None, mtime=Mtime.WRITTEN, shards=None)
        self._files = LocalTarget(kept, run_id, process, before_renames)
        self._numbers = itertools.count(1)

    def prepare(self) -> None:
        """See `Target`."""
        self._root.prepare()
        try:
            for folder in (self._waiting.parent, self._waiting):
                with contextlib.suppress(FileExistsError):
                    folder.mkdir(0o700)
        except OSError as error:
            raise trouble(self._settings.folder, error) from error
        self._files.prepare()

    def check(self) -> None:
        """See `Target`."""
        self._root.check()
        self._files.check()

    def remember(self, shards: Shards) -> None:
        """See `Target`."""
        self._shards = shards
        builds = shards.builds()
        self._own = {shard_name(build.shard) for build in builds}
        self._there = {build.id: build.shard for build in builds if self.is_there(build)}

    def is_there(self, build: Build) -> bool:
        """Whether the file of its shard is this build, by its stat."""
        return self._root.raw_stats((shard_name(build.shard),)) == [(build.size, build.mtime_ns)]

    # -- renditions

    def stats(self, paths: Sequence[str]) -> list[Stat | None]:
        """See `Target`."""
        waiting = self._files.stats([_waiting_name(path) for path in paths])
        missing = [path for path, stat in zip(paths, waiting, strict=True) if stat is None]
        packed = dict(zip(missing, self._members(missing), strict=True))
        return [
            stat if stat is not None else (None if (member := packed[path]) is None else _stat(member))
            for path, stat in zip(paths, waiting, strict=True)
        ]

    def raw_stats(self, paths: Sequence[str]) -> list[RawStat]:
        """See `Target`."""
        stats = self._files.raw_stats([_waiting_name(path) for path in paths])
        missing = [number for number, stat in enumerate(stats) if stat == NOTHING]
        for number, member in zip(missing, self._members([paths[each] for each in missing]), strict=True):
            if member is not None:
                stats[number] = (member.size, member.mtime_ns)
        return stats

    def write_all(self, files: Sequence[ToWrite]) -> list[Written | PictureError]:
        """Keep each of `files` until its shard is written; see `Target`."""
        kept = [file._replace(path=_waiting_name(file.path), replace=True, mtime_ns=None) for file in files]
        return [
            replace(came, path=file.path) if isinstance(came, Written) else came
            for file, came in zip(files, self._files.write_all(kept), strict=True)
        ]

    def sync(self) -> None:
        """See `Target`."""
        self._files.sync()

    @property
    def lacks(self) -> str:
        """See `Target`."""
        return self._files.lacks

    def take_new_folders(self) -> list[str]:
        """None: all files lie in one folder of ours."""
        return []

    def sweep(self, dead: Collection[str], folders: Iterable[str] | None = None, process: int | None = None) -> int:
        """See `Target`. Those of shards lie at the top, those of renditions in their folder."""
        of_shards = self._root.sweep(dead, [""], process) if folders is None else 0
        return of_shards + self._files.sweep(dead, [""], process)

    def names(self) -> Iterator[list[str]]:
        """The paths of everything but the shards; see `Target`."""
        for names in self._root.names():
            yield [name for name in names if name not in self._own]

    def open_for_reading(self, path: str, recorded: RawStat | None = None) -> BinaryIO:
        """A shard by its name, or a file with the bytes of a rendition, a copy of those in its shard; see `Target`."""
        if path in self._own:
            return self._root.open_for_reading(path, recorded)
        with contextlib.suppress(FileNotFoundError):
            return self._files.open_for_reading(_waiting_name(path), recorded)
        content = self._packed_bytes(path, recorded)
        copy = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - the caller closes it
        copy.write(content)
        copy.seek(0)
        return copy

    def _members(self, paths: Sequence[str]) -> list[Member | None]:
        """Where each is, in shards that are there."""
        if self._shards is None or not self._there or not paths:
            return [None] * len(paths)
        return [
            next((member for member in members if member.build in self._there), None)
            for members in self._shards.members(paths)
        ]

    # -- shards

    def waits(self, path: str) -> bool:
        """Whether a rendition is in no shard yet, or is newer than its shard."""
        return self._files.raw_stats((_waiting_name(path),)) != [NOTHING]

    def seems_there(self, path: str, size: int, mtime_ns: int) -> bool:
        """Whether a rendition is there as it was recorded, by its stat alone, as plans look at it."""
        return self.raw_stats((path,)) == [(size, mtime_ns)]

    def content(self, path: str, sha256: bytes) -> bytes | None:
        """The bytes of a rendition that waits or is in a shard; None where there are none with this hash."""
        for read in (self._waiting_bytes, self._packed_bytes):
            with contextlib.suppress(OSError, PictureError):
                content = read(path)
                if hashlib.sha256(content).digest() == sha256:
                    return content
        return None

    def _waiting_bytes(self, path: str) -> bytes:
        with self._files.open_for_reading(_waiting_name(path)) as file:
            return file.read()

    def _packed_bytes(self, path: str, recorded: RawStat | None = None) -> bytes:
        (member,) = self._members((path,))
        shard = None if member is None else self._there.get(member.build)
        if member is None or shard is None or recorded not in (None, (member.size, member.mtime_ns)):
            raise FileNotFoundError(errno.ENOENT, "it is in no shard", path)
        with self._root.open_for_reading(shard_name(shard)) as file:
            return os.pread(file.fileno(), member.size, member.start)

    def begin_shard(self) -> TarOutput:
        """A new tar file that will be a shard. Raises `OSError`."""
        temporary = f"{RESERVED}-{self._run}-{next(self._numbers)}"
        return TarOutput(opened_folder(self._settings.folder), temporary, self._settings.mode)

    def place(self, output: TarOutput, number: int, *, replace: bool) -> bool:
        """Give a shard its name; see `TarOutput.put`. Raises `OSError`, and `TargetTrouble` where the run may not."""
        self._before_renames()
        return output.put(shard_name(number), replace=replace)

    def placed(self, build: Build) -> None:
        """A build has its name, in the place of others of its shard."""
        self._own.add(shard_name(build.shard))
        others = {other: shard for other, shard in self._there.items() if shard != build.shard}
        self._there = {**others, build.id: build.shard}  # at once: other threads look at it

    def sha256_of(self, number: int) -> tuple[bytes, int] | None:
        """The hash and the mtime of the file that has the name of a shard; None where it cannot be read."""
        digest = hashlib.sha256()
        with contextlib.suppress(OSError, PictureError), self._root.open_for_reading(shard_name(number)) as file:
            while chunk := file.read(2**20):
                digest.update(chunk)
            return digest.digest(), os.fstat(file.fileno()).st_mtime_ns
        return None

    def sync_shards(self) -> None:
        """Make the names of shards survive a power cut. Raises `OSError`."""
        if self.durable:
            sync_folder(opened_folder(self._settings.folder).number)

    @property
    def folder(self) -> Path:
        """Where the shards are."""
        return self._settings.folder

    @property
    def durable(self) -> bool:
        """Whether anything is synced."""
        return self._settings.durability is Durability.SYNC

    def remove_shard(self, number: int) -> None:
        """Remove the file of a shard, if there is one. Raises `OSError`."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._settings.folder / shard_name(number))
        self.sync_shards()
        self._there = {build: shard for build, shard in self._there.items() if shard != number}

    def forget(self, paths: Iterable[str]) -> None:
        """Remove the files of renditions that wait no more. Raises `OSError`."""
        for path in paths:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._waiting / _waiting_name(path))

    def forget_others(self, waiting: Callable[[], Collection[str]]) -> None:
        """Remove all files but those of the renditions `waiting`, which is called where there is any file at all."""
        names = {name for name in os.listdir(self._waiting) if not name.startswith(RESERVED)}
        for name in names - set(map(_waiting_name, waiting())) if names else ():
            os.unlink(self._waiting / name)


class ShardRemoval:
    """Takes renditions out of tar shards; a `Removal`. Their bytes go when the shard is written again. What is in none
    is a file that the config has made before it had shards.
    """

    def __init__(self, target: ShardTarget, files: Removal) -> None:
        self._target = target
        self._files = files

    def obstacle(self, file: ClaimedFile) -> str | None:
        """See `Removal`."""
        (there,) = self._target.raw_stats((file.target,))
        if there == NOTHING:
            return self._files.obstacle(file)
        return "" if there == (file.size, file.mtime_ns) else "it was changed since it was made"

    def remove(self, file: ClaimedFile) -> str | None:
        """See `Removal`. What is in a shard goes with the record of it."""
        if self._target.raw_stats((file.target,)) == [NOTHING]:
            return self._files.remove(file)
        obstacle = self.obstacle(file)
        if obstacle == "":
            try:
                self._target.forget((file.target,))
            except OSError as error:
                return f"it cannot be removed: {error.strerror}"
        return obstacle

    def remove_folder(self, path: str) -> bool:
        """See `Removal`."""
        return self._files.remove_folder(path)

    def sync(self) -> None:
        """See `Removal`."""
        self._target.sync()
        self._files.sync()

    def identity(self, path: str) -> object | None:
        """See `Removal`."""
        return path if self._target.raw_stats((path,)) != [NOTHING] else self._files.identity(path)


def _waiting_name(path: str) -> str:
    """The name of a rendition's file while it waits: any path fits, and no two are one where case does not count."""
    return hashlib.sha256(os.fsencode(path)).hexdigest()


def _stat(member: Member) -> Stat:
    return Stat(member.size, member.mtime_ns, 0)
