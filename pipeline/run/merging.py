"""Brings the parts of a manifest together that the runs of shards have written."""

from __future__ import annotations

import os
import uuid

from pipeline.config.settings import Config
from pipeline.manifest import parts
from pipeline.manifest.lock import RunLock
from pipeline.run.locking import held


def merge(config: Config) -> dict[str, int]:
    """Merge all parts there are; returns the number of pictures in each, by name.

    Raises `Locked` while any shard is at work, and `ManifestTrouble`, with the parts left that were not merged.
    """
    run, merged = uuid.uuid4().hex, {}
    with held(config, run):
        for part in parts.parts(config.manifest):
            with RunLock(part, run=run):
                merged[part.name] = parts.merge(config.manifest, part, os.path.realpath(config.path))
    return merged
