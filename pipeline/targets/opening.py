"""The `Target` of a config, and what removes files from it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Protocol

from pipeline.config.settings import TargetSettings
from pipeline.manifest.shards import Shards
from pipeline.targets.lease import Place, lease_in, shard_of
from pipeline.targets.local import LocalTarget
from pipeline.targets.removal import LocalRemoval, Removal
from pipeline.targets.shards import ShardRemoval, ShardTarget
from pipeline.targets.target import Target


def target_of(
    settings: TargetSettings, run_id: str, process: int = 0, before_renames: Callable[[], None] = lambda: None
) -> Target:
    """The target that `settings` describe, for the process of this number in a run; see `LocalTarget`."""
    if settings.store is not None:
        from pipeline.targets.objects.target import ObjectTarget  # noqa: PLC0415 - what it needs is an extra

        return ObjectTarget(settings, settings.store, run_id, process, before_renames)
    if settings.shards is not None:
        return ShardTarget(settings, run_id, process, before_renames)
    return LocalTarget(settings, run_id, process, before_renames)


def lease_of(settings: TargetSettings, run_id: str, part: Path | None = None) -> Lease:
    """What keeps runs on other machines from that target, as far as it is no folder; see `StoreLease`."""
    if settings.store is not None:
        from pipeline.targets.objects.lease import StoreLease  # noqa: PLC0415 - what it needs is an extra

        return StoreLease(settings.store, run_id, part)
    return NoLease()


def driver_in(settings: TargetSettings, part: Path | None = None) -> Place:
    """Where the driver of a cluster is heard by its lanes. `part`: a shard's part of the manifest."""
    if settings.store is not None:
        from pipeline.targets.objects.place import InStore  # noqa: PLC0415 - what it needs is an extra

        return InStore.of(settings.store, shard_of(part))
    return lease_in(settings.folder, part)


class Lease(Protocol):
    """Keeps runs on other machines from writing into a target."""

    def check(self) -> None:
        """Raise `TargetTrouble` where another run may be writing by now. Any thread."""
        ...

    def held(self, wait: float | None, check: Callable[[], None]) -> AbstractContextManager[None]:
        """Hold it within the block. Waits so many seconds for another run to end (None: for ever), and calls `check`
        meanwhile, which may raise. Raises `Locked` and `TargetTrouble`.
        """
        ...


class NoLease:
    """That of a folder, which has locks."""

    def check(self) -> None:
        """Nothing."""

    def held(self, wait: float | None, check: Callable[[], None]) -> AbstractContextManager[None]:
        """Nothing."""
        del wait, check
        return nullcontext()


def removal_of(settings: TargetSettings, shards: Shards, before_removals: Callable[[], None] = lambda: None) -> Removal:
    """What removes files from that target. Raises `TargetTrouble` where it cannot be used.

    `before_removals` is called right before each removal where no lock keeps other runs away, and may raise.
    """
    if settings.store is not None:
        from pipeline.targets.objects.removal import ObjectRemoval  # noqa: PLC0415 - what it needs is an extra

        return ObjectRemoval(settings.store, before_removals)
    if settings.shards is not None:
        target = ShardTarget(settings, "removal")
        target.remember(shards)
        return ShardRemoval(target, LocalRemoval(settings))
    return LocalRemoval(settings)
