"""The `Target` of a config, and what removes files from it."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.config.settings import TargetSettings
from pipeline.manifest.shards import Shards
from pipeline.targets.local import LocalTarget
from pipeline.targets.removal import LocalRemoval, Removal
from pipeline.targets.shards import ShardRemoval, ShardTarget
from pipeline.targets.target import Target


def target_of(
    settings: TargetSettings, run_id: str, process: int = 0, before_renames: Callable[[], None] = lambda: None
) -> Target:
    """The target that `settings` describe, for the process of this number in a run; see `LocalTarget`."""
    if settings.shards is not None:
        return ShardTarget(settings, run_id, process, before_renames)
    return LocalTarget(settings, run_id, process, before_renames)


def removal_of(settings: TargetSettings, shards: Shards) -> Removal:
    """What removes files from that target. Raises `TargetTrouble` where it cannot be used."""
    if settings.shards is not None:
        target = ShardTarget(settings, "removal")
        target.remember(shards)
        return ShardRemoval(target)
    return LocalRemoval(settings)
