"""Other manifests of one target: those of configs that write into the same folder, and those that a config had before.

The manifest that a target has by default is found by its place. One that is elsewhere (`manifest:` in a config) is
listed in the target, in `.pipeline/manifests`: one real path a line, as JSON. The list changes under the target's lock.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Collection, Iterable
from pathlib import Path

from pipeline import atomic
from pipeline.config.settings import Config, manifest_in
from pipeline.errors import ManifestTrouble, printable
from pipeline.manifest import trust
from pipeline.manifest.place import ensure_folder, is_there
from pipeline.manifest.reader import Reader

_MOST = 64 * 1024  # bytes of the list that are looked at


def of_target(config: Config) -> list[Path]:
    """The manifests of the config's target that are there, without its own and those that others could have written."""
    mine, target = os.path.realpath(config.manifest), config.target.path
    found = dict.fromkeys(os.path.realpath(one) for one in (manifest_in(str(target)), *_listed(target)))
    there = [Path(one) for one in found if one != mine and os.path.isfile(one)]
    return [one for one in there if trust.reason(one, shared=config.shared) is None]


def at_hand(config: Config) -> Path | None:
    """Where the config's records are: in its manifest or, until a run has moved them there, in the one that it had
    before `manifest:` was changed. None before the first run. Raises `ManifestTrouble`.
    """
    if is_there(config.manifest):
        return config.manifest
    owner = os.path.realpath(config.path)
    for former in of_target(config):
        with contextlib.suppress(ManifestTrouble), Reader(former) as reader:
            if reader.owner() == owner:
                return former
    return None


def enter(target: Path, manifest: Path) -> None:
    """List `manifest` in its target, unless it is the one that the target has by default. Raises `ManifestTrouble`."""
    mine = os.path.realpath(manifest)
    known = _listed(target)
    if mine == os.path.realpath(manifest_in(str(target))) or mine in known:
        return
    path = _list_of(target)
    ensure_folder(path.parent)
    try:
        atomic.write_text(path, "".join(f"{json.dumps(one)}\n" for one in (*known, mine)))
    except OSError as error:
        raise ManifestTrouble(f"{printable(str(path))}: {error.strerror}") from error


def claimed(config: Config, targets: Collection[str]) -> dict[str, str]:
    """Those of `targets` that another manifest of the config's target has claimed, and for which config.

    A manifest that cannot be read, or that others could have written, claims nothing.
    """
    found: dict[str, str] = {}
    mine = at_hand(config)
    for manifest in of_target(config):
        if manifest == mine:
            continue
        with contextlib.suppress(ManifestTrouble), Reader(manifest) as reader:
            found |= dict.fromkeys(reader.claimed(sorted(targets)), reader.owner())
    return found


def _listed(target: Path) -> list[str]:
    """The paths in the list; lines that are none are passed over."""
    found: list[str] = []
    with contextlib.suppress(OSError), open(_list_of(target), encoding="ascii", errors="replace") as file:
        found.extend(_paths(file.read(_MOST).splitlines()))
    return found


def _paths(lines: Iterable[str]) -> Iterable[str]:
    for line in lines:
        with contextlib.suppress(ValueError):
            path = json.loads(line)
            if isinstance(path, str) and os.path.isabs(path) and "\0" not in path:
                yield path


def _list_of(target: Path) -> Path:
    return Path(manifest_in(str(target))).with_name("manifests")
