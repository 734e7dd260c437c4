"""The config as the program uses it: frozen, complete, paths absolute. `pipeline.config.load` makes it from YAML."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path

from pipeline.model import Limits, Spec


class OnCollision(enum.StrEnum):
    """What happens when two sources would make one target."""

    FAIL = "fail"
    KEEP_EXTENSION = "keep_extension"  # photo.jpg -> photo.jpg-thumb.webp: names become distinct


class Durability(enum.StrEnum):
    """Whether a target is synced to the disk before the manifest calls it done."""

    SYNC = "sync"
    NONE = "none"  # safe against kills, not against power cuts


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """Where pictures are read from. Globs are matched against the path relative to `path`."""

    path: Path
    include: tuple[str, ...] = ()  # empty: everything
    exclude: tuple[str, ...] = ()  # beside those that are always excluded
    follow_symlinks: bool = False
    settle: float = 0.0  # seconds; a file younger than this is deferred


@dataclass(frozen=True, slots=True)
class TargetSettings:
    """Where files are written to, and how they are named."""

    path: Path
    name: str = "{dir}/{stem}-{rendition}.{ext}"
    on_collision: OnCollision = OnCollision.FAIL
    durability: Durability = Durability.SYNC


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """How many work at once. None means `auto`: from the CPUs this process may use."""

    threads: int | None = None
    processes: int | None = None
    queue: int = 64
    memory: int | None = None  # bytes for all pictures in flight


@dataclass(frozen=True, slots=True)
class Config:
    """One YAML file, read and checked."""

    path: Path
    source: SourceSettings
    target: TargetSettings
    specs: tuple[Spec, ...]  # in the order of the file
    workers: WorkerSettings
    limits: Limits
    manifest: Path
