"""Whether the manifest of a config is another config's that still uses it."""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.config.load import load
from pipeline.config.settings import Config
from pipeline.errors import ConfigError, ManifestTrouble, UsageError, printable
from pipeline.manifest.place import is_there
from pipeline.manifest.store import Manifest


def check_rival(config: Config) -> None:
    """Raise `UsageError` if the manifest belongs to a config that still uses it.

    Two configs that took it from each other would remake each other's files in every run. A config that was moved or
    renamed is no longer at its old place.
    """
    if not is_there(config.manifest):
        return
    try:
        with Manifest.reader_at(config.manifest, shared=config.shared) as reader:
            owner = reader.owner()
        if owner == os.path.realpath(config.path):
            return
        rival = load(Path(owner))
    except (ManifestTrouble, ConfigError):
        return
    if os.path.realpath(rival.manifest) == os.path.realpath(config.manifest):
        raise UsageError(
            f"{printable(str(config.manifest))} belongs to the config {printable(owner)}, which is still there and "
            "uses it: give this config a target of its own (or remove the other config)"
        )
