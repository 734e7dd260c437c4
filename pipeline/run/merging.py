"""Brings the parts of a manifest together that the runs of shards have written."""

from __future__ import annotations

import functools
import os
import uuid

from pipeline.config.settings import Config
from pipeline.errors import ManifestTrouble
from pipeline.manifest import others, parts, rounds
from pipeline.manifest.lock import RunLock
from pipeline.manifest.place import is_there
from pipeline.manifest.store import Manifest
from pipeline.plan.shard import Shard
from pipeline.run.locking import held
from pipeline.run.rivals import check_rival


def merge(config: Config) -> dict[str, int]:
    """Merge all parts there are; returns the number of pictures in each, by name. `rounds.now` tells which shards of
    theirs are still to come: they may run, and be merged, later.

    Raises `Locked` while any shard is at work, and `ManifestTrouble`, with the parts left that were not merged.
    """
    run = uuid.uuid4().hex
    merged: dict[str, int] = {}
    owner = os.path.realpath(config.path)
    with held(config, run):
        adopt = _is_of_another(config, owner)
        current, waiting = rounds.now(config.manifest), parts.parts(config.manifest)
        if current is None:
            return merged
        left = {parts.number_and_count(part)[0] for part in waiting}
        for part in waiting:
            shard = Shard(*parts.number_and_count(part))
            left.discard(shard.number)
            former = others.of_target(config)
            note = functools.partial(rounds.keep, current=current.without(left))
            with RunLock(part, run=run):
                merged[part.name] = parts.merge(
                    config.manifest, part, owner, shard.holds_bytes, note, former, adopt=adopt
                )
    return merged


def _is_of_another(config: Config, owner: str) -> bool:
    """Whether the manifest belongs to a config that is gone: this one before it was moved, whose shards ran with
    --adopt. Raises `UsageError` for one that is still there.
    """
    if not is_there(config.manifest):
        return False
    check_rival(config)
    try:
        with Manifest.reader_at(config.manifest, shared=config.shared) as reader:
            return reader.owner() != owner
    except ManifestTrouble:  # a damaged one is restored from its backup
        return False
