"""Other manifests of one target: those of configs that write into the same folder, and former ones of this config.

The default manifest of a target has a fixed place. One that is elsewhere (`manifest:` in a config) is listed in the
target's file `.pipeline/manifests`: one real path a line, as JSON. The list is changed under the target's lock.
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

_MOST = 64 * 1024  # bytes of the list that are read


def of_target(config: Config) -> list[Path]:
    """The existing manifests of the config's target, without its own and those that other users could have written."""
    manifests = [path for path in places(config) if path.is_file()]
    return [manifest for manifest in manifests if trust.reason(manifest, shared=config.shared) is None]


def places(config: Config) -> list[Path]:
    """Where other manifests of the config's target are, or were: the default one, and those in the list."""
    mine = os.path.realpath(config.manifest)
    listed = [path for target in config.target.folders for path in (manifest_in(str(target)), *_listed(target))]
    return [Path(path) for path in dict.fromkeys(map(os.path.realpath, listed)) if path != mine]


def at_hand(config: Config) -> Path | None:
    """The manifest that holds the config's records; None before the first run. Raises `ManifestTrouble`.

    After `manifest:` was changed, that is the former one until a run has moved it.
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
    """List `manifest` in its target, unless it is the target's default one. Raises `ManifestTrouble`."""
    mine = os.path.realpath(manifest)
    listed = _listed(target)
    if mine == os.path.realpath(manifest_in(str(target))) or mine in listed:
        return
    path = _list_of(target)
    ensure_folder(path.parent)
    try:
        atomic.write_text(path, "".join(f"{json.dumps(real)}\n" for real in (*listed, mine)))
    except OSError as error:
        raise ManifestTrouble(f"{printable(str(path))}: {error.strerror}") from error


def claimed(config: Config, targets: Collection[str]) -> dict[str, str]:
    """Those of `targets` that another manifest of the config's target has claimed, with the config that it belongs to.

    A manifest that cannot be read, or that other users could have written, counts as empty.
    """
    owners: dict[str, str] = {}
    mine = at_hand(config)
    for manifest in of_target(config):
        if manifest == mine:
            continue
        with contextlib.suppress(ManifestTrouble), Reader(manifest) as reader:
            if (owner := reader.owner()) != os.path.realpath(config.path):  # of a shard, the whole manifest is ours
                owners |= dict.fromkeys(reader.claimed(sorted(targets)), owner)
    return owners


def _listed(target: Path) -> list[str]:
    """The paths in the list, without lines that hold none."""
    paths: list[str] = []
    with contextlib.suppress(OSError), open(_list_of(target), encoding="ascii", errors="replace") as file:
        paths.extend(_paths(file.read(_MOST).splitlines()))
    return paths


def _paths(lines: Iterable[str]) -> Iterable[str]:
    for line in lines:
        with contextlib.suppress(ValueError):
            path = json.loads(line)
            if isinstance(path, str) and os.path.isabs(path) and "\0" not in path:
                yield path


def _list_of(target: Path) -> Path:
    return Path(manifest_in(str(target))).with_name("manifests")
