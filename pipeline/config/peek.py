"""What a config seems to ask for, before it is checked: that takes a tenth of a second in which children can start.

A glance that no result depends on: whoever is misled by it has lost time, or a child that nobody needed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.config.load import read_text
from pipeline.config.settings import manifest_in
from pipeline.config.yaml12 import Malformed, parse
from pipeline.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Peek:
    """What can be seen of a config. `processes`: None for `auto`."""

    is_new: bool = False  # it has no manifest yet
    processes: int | None = None


def peek(file: Path) -> Peek:
    """A glance at the config in `file`. Raises nothing: what is wrong with it is told by who checks it."""
    try:
        root, _problems = parse(read_text(file))
    except (ConfigError, Malformed):
        return Peek()
    plain = root.plain() if root is not None else None
    if not isinstance(plain, Mapping):
        return Peek()
    target, processes = _of(plain, "target", "path"), _of(plain, "workers", "processes")
    manifest = plain.get("manifest")
    if not isinstance(manifest, str):
        manifest = manifest_in(target) if isinstance(target, str) else None
    is_new = manifest is not None and not os.path.lexists(os.path.join(os.path.dirname(file), manifest))
    return Peek(is_new, processes if isinstance(processes, int) else None)


def _of(plain: Mapping[str, object], section: str, key: str) -> object:
    """What stands under `key` of a section, or the section itself where it is no mapping."""
    found = plain.get(section)
    return found.get(key) if isinstance(found, Mapping) else found
