"""Checks a target against its manifest: every file is read again and hashed; nothing is changed."""

from __future__ import annotations

import enum
import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.config.settings import Config
from pipeline.errors import PictureError, printable
from pipeline.folder import first_read
from pipeline.manifest.claims import ClaimedFile
from pipeline.manifest.export_hf import is_export
from pipeline.manifest.reader import Reader
from pipeline.manifest.store import Manifest
from pipeline.targets.opening import target_of
from pipeline.targets.target import Target
from pipeline.workers import cpus
from pipeline.workers.crew import Crew
from pipeline.workers.token import Token


class Finding(enum.StrEnum):
    """The kinds of problems with a file of the target."""

    MISSING = "missing"
    DAMAGED = "damaged"
    UNREADABLE = "unreadable"
    FOREIGN = "foreign"  # this config did not make it


@dataclass(frozen=True, slots=True)
class Problem:
    """One file of the target that is not as the manifest says."""

    target: str
    finding: Finding
    detail: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check found: problems by path, files and bytes that were read."""

    problems: tuple[Problem, ...]
    files: int
    bytes_read: int


def verify(config: Config, watch: Callable[[int], None]) -> Verdict:
    """Re-hash every file in the manifest, and look for others. Raises `PipelineError`.

    `watch(bytes)` is called in this thread with the bytes read so far. Works while a run goes on, but a file that the
    run replaces meanwhile may be reported as damaged.
    """
    with Manifest.reader(config) as reader:
        target = target_of(config.target, "verify")
        check = _Check(target)
        crew: Crew[ClaimedFile] = Crew(
            check.check_file, threads=cpus.available() + 1, queue_size=64, on_tick=lambda: watch(check.bytes_read)
        )
        with crew:
            for file in reader.claimed_files():
                if file.current and file.sha256 is not None:
                    crew.put(file)
        foreign = tuple(_foreign(target, config.target.folders, reader))
    problems = sorted((*check.problems, *foreign), key=lambda problem: os.fsencode(problem.target))
    return Verdict(tuple(problems), check.files, check.bytes_read)


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
            size, sha256 = self._read(file.target, token)
        except FileNotFoundError:
            problem = Problem(file.target, Finding.MISSING, "")
        except (OSError, PictureError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            problem = Problem(file.target, Finding.UNREADABLE, str(reason))
        else:
            if sha256 == file.sha256:
                return
            detail = f"{size} bytes, not {file.size}" if size != file.size else "same size, other content"
            problem = Problem(file.target, Finding.DAMAGED, detail)
        with self._lock:
            self.problems.append(problem)

    def _read(self, path: str, token: Token) -> tuple[int, bytes]:
        digest = hashlib.sha256()
        size = 0
        with self._target.open_for_reading(path) as file:
            asked = first_read(os.fstat(file.fileno()).st_size)
            while chunk := file.read(asked):
                token.check()
                digest.update(chunk)
                size += len(chunk)
        with self._lock:
            self.files += 1
            self.bytes_read += size
        return size, digest.digest()


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
    return f"{printable(problem.target)}: {problem.finding}" + (f" ({problem.detail})" if problem.detail else "")
