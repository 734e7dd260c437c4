"""Where a manifest and its lock may be: looked at before anything is made."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from pipeline.config.node import Node, Problem
from pipeline.config.settings import Config, manifest_in


def manifest_problems(root: Node, config: Config) -> list[Problem]:
    """What speaks against the places of `manifest` and `lock`, where the config says them."""
    problems = []
    for key, path in (("manifest", config.manifest), ("lock", config.lock)):
        node, found = root.deepest((key,))
        if path is not None and found and (text := _obstacle(path, config)):
            problems.append(Problem(node.mark, key, text))
    return problems


def _obstacle(path: Path, config: Config) -> str:
    """Why there can be no file of ours at `path`; "" where nothing speaks against it."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        mode = None  # nothing is there, or it cannot be told yet: the run says what it meets
    if mode is not None and stat.S_ISDIR(mode):
        return "must be a file, and this is a folder; name a file in it, such as manifest.sqlite"
    if mode is not None and not stat.S_ISREG(mode):
        return "must be a regular file, and this is none"
    real = os.path.realpath(path)
    if real in {os.path.realpath(config.path), os.path.realpath(config.source.path)}:
        return "must be a file of its own"
    if real.startswith(("/dev/", "/proc/", "/sys/")):
        return "must be on a disk: what is there is gone after a restart"
    return _in_a_target(real, config)


def _in_a_target(real: str, config: Config) -> str:
    """Whether it would be in the target of another config; not where this config itself lies in there."""
    homes = {os.path.realpath(config.target.path), *map(str, config.path.resolve().parents)}
    for folder in map(str, Path(real).parents):
        if folder in homes:
            return ""
        if os.path.lexists(manifest_in(folder)):
            return f"must not be inside {folder}, which is the target of another config"
    return ""
