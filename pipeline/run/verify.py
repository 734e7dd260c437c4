"""Checks a target, and on request the sources, against the manifest: every file is read again and hashed; nothing is
changed.
"""

from __future__ import annotations

import enum
import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from pipeline.config.settings import Config
from pipeline.errors import PictureError, printable
from pipeline.folder import first_read
from pipeline.manifest.claims import ClaimedFile
from pipeline.manifest.export_hf import is_export
from pipeline.manifest.reader import Reader
from pipeline.manifest.shards import shard_name
from pipeline.manifest.store import Manifest
from pipeline.run.originals import Originals, Rotten, checked
from pipeline.sources.opening import source_of
from pipeline.targets.opening import target_of
from pipeline.targets.shards import ShardTarget
from pipeline.targets.target import Target
from pipeline.workers import cpus
from pipeline.workers.crew import Crew
from pipeline.workers.token import Token


class Finding(enum.StrEnum):
    """The kinds of problems with a file of the target, or with a source."""

    MISSING = "missing"
    DAMAGED = "damaged"
    UNREADABLE = "unreadable"
    FOREIGN = "foreign"  # this config did not make it
    SOURCE_DAMAGED = "source damaged"
    SOURCE_UNREADABLE = "source unreadable"


@dataclass(frozen=True, slots=True)
class Problem:
    """One file of the target that is not as the manifest says, or a source (`finding` tells)."""

    path: str
    finding: Finding
    detail: str
    is_seen: bool = True  # damage that the next run sees: it takes a file with the recorded size and date for intact

    @property
    def of_source(self) -> bool:
        """Whether `path` is that of a source."""
        return self.finding in (Finding.SOURCE_DAMAGED, Finding.SOURCE_UNREADABLE)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check found: problems by path, those of the target first; files and bytes that were read."""

    problems: tuple[Problem, ...]
    files: int
    bytes_read: int
    originals: Originals | None = None  # None where the sources were not asked for


def verify(config: Config, watch: Callable[[float], None], *, sources: bool = False) -> Verdict:
    """Re-hash every file in the manifest, and look for others; then, with `sources`, every source. Raises
    `PipelineError`.

    `watch` is called in this thread with the share of the bytes that are read, 0 to about 1. Works while a run goes
    on, but a file that the run replaces meanwhile may be reported as damaged.
    """
    with Manifest.reader(config) as reader, closing(source_of(config.sources)) as source:
        if sources:
            source.check()
        target = target_of(config.target, "verify")
        target.remember(reader.shards)
        expected = max(1, reader.claimed_bytes() + (reader.totals().source_bytes if sources else 0))
        check = _Check(target)
        crew: Crew[ClaimedFile] = Crew(
            check.check_file,
            threads=cpus.available() + 1,
            queue_size=64,
            on_tick=lambda: watch(check.bytes_read / expected),
        )
        with crew:
            for file in _files(reader, target):
                if file.current and file.sha256 is not None:
                    crew.put(file)
        foreign = tuple(_foreign(target, config.target.folders, reader))
        originals = None
        if sources:
            originals = checked(config, source, reader, lambda read: watch((check.bytes_read + read) / expected))
    rotten = (_rotten(one) for one in originals.rotten) if originals else ()
    problems = sorted(
        (*check.problems, *foreign, *rotten), key=lambda problem: (problem.of_source, os.fsencode(problem.path))
    )
    return Verdict(tuple(problems), check.files, check.bytes_read, originals)


def _rotten(rotten: Rotten) -> Problem:
    finding = Finding.SOURCE_UNREADABLE if rotten.unreadable else Finding.SOURCE_DAMAGED
    return Problem(rotten.source, finding, rotten.detail)


def _files(reader: Reader, target: Target) -> Iterator[ClaimedFile]:
    """What is to be read: every claimed file; of tar shards the shards, and the renditions that are in none yet."""
    if not isinstance(target, ShardTarget):
        yield from reader.claimed_files()
        return
    for build in reader.shards.builds():
        if build.placed:
            name = shard_name(build.shard)
            yield ClaimedFile(name, "", "", build.size, build.mtime_ns, build.sha256, current=True)
    yield from (file for file in reader.claimed_files() if target.waits(file.target))


class _Check:
    """Hashes files; `check_file` runs in the crew's threads."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._lock = threading.Lock()
        self.problems: list[Problem] = []
        self.files = 0
        self.bytes_read = 0

    def check_file(self, file: ClaimedFile, token: Token) -> None:
        try:
            size, mtime_ns, sha256 = self._read(file.target, token)
        except FileNotFoundError:
            problem = Problem(file.target, Finding.MISSING, "")
        except (OSError, PictureError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            problem = Problem(file.target, Finding.UNREADABLE, str(reason))
        else:
            if sha256 == file.sha256:
                return
            detail = f"{size} bytes, not {file.size}" if size != file.size else "same size, other content"
            seen = (size, mtime_ns) != (file.size, file.mtime_ns)
            problem = Problem(file.target, Finding.DAMAGED, detail, is_seen=seen)
        with self._lock:
            self.problems.append(problem)

    def _read(self, path: str, token: Token) -> tuple[int, int, bytes]:
        """Size, mtime in nanoseconds, and hash."""
        digest = hashlib.sha256()
        size = 0
        with self._target.open_for_reading(path) as file:
            stat = os.fstat(file.fileno())
            asked = first_read(stat.st_size)
            while chunk := file.read(asked):
                token.check()
                digest.update(chunk)
                size += len(chunk)
        with self._lock:
            self.files += 1
            self.bytes_read += size
        return size, stat.st_mtime_ns, digest.digest()


def _foreign(target: Target, folders: Sequence[Path], reader: Reader) -> Iterator[Problem]:
    """Files in the target that are not claimed, but for exports that belong beside the pictures, in `folders`. Links
    and special files count; folders do not.
    """
    for paths in target.names():
        ours = reader.claimed(paths)
        unknown = [path for path in paths if path not in ours]
        yield from (
            Problem(path, Finding.FOREIGN, "")
            for path in unknown
            if not any(is_export(folder / path) for folder in folders)
        )


def line(problem: Problem) -> str:
    """`holiday/a-thumb.jpg: damaged (same size, other content)`."""
    return f"{printable(problem.path)}: {problem.finding}" + (f" ({problem.detail})" if problem.detail else "")
