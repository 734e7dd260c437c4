"""The locks of a run: one for its target, with any manifest, and one for its manifest."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pipeline.config.settings import Config, manifest_in
from pipeline.errors import ManifestTrouble, printable
from pipeline.manifest import trust
from pipeline.manifest.lock import RunLock
from pipeline.manifest.place import LOCK, beside, ensure_folder
from pipeline.targets.lease import wait_out
from pipeline.targets.opening import Lease


@contextmanager
def held(
    config: Config,
    run: str,
    wait: float | None = 0.0,
    check: Callable[[], None] = lambda: None,
    part: Path | None = None,
    lease: Lease | None = None,
) -> Iterator[tuple[int, ...]]:
    """Keep other runs from writing this target or this manifest within the block. Yields the descriptors of the locks,
    which are held as long as any process has one of each open.

    Waits so many seconds for another run to end (None: for ever), and calls `check` meanwhile, which may raise. Raises
    `Locked`, with the holder and its start, and `ManifestTrouble`. The lock of a target is that of its default
    manifest, so that two configs with their manifests elsewhere share it. A config that names its lock holds only that.

    The run of a shard, whose part of the manifest is `part`, shares these locks with the other shards and has that of
    its part for itself.

    `lease` keeps runs on other machines away as well, for what writes into the target; `TargetTrouble` is raised then,
    too.
    Lanes of an earlier run that died, on other machines, are waited for as well (`targets.lease`).
    """
    defaults = [Path(manifest_in(str(folder))) for folder in config.target.folders]
    manifests = [config.manifest] if config.lock else [*defaults, config.manifest]
    by_place = {os.path.realpath(manifest): manifest for manifest in manifests}
    locks: list[int] = []
    with ExitStack() as stack:
        for manifest in by_place.values():
            trust.check(manifest, shared=config.shared)
            lock = RunLock(manifest, path=config.lock, run=run, wait=wait, check=check, shared=part is not None)
            locks.append(stack.enter_context(lock).descriptor)
        if part is not None:
            locks.append(stack.enter_context(RunLock(part, run=run, wait=wait, check=check)).descriptor)
        if config.lock:
            for default in defaults:
                _mark(default)
        for folder in config.target.folders:
            wait_out(folder, part, check)
        if lease is not None:
            stack.enter_context(lease.held(wait, check))
        yield tuple(locks)


def _mark(manifest: Path) -> None:
    """Put a lock file into a target whose lock is elsewhere: other configs recognise targets by it, and do not take
    them for sources. Raises `ManifestTrouble`.
    """
    lock = beside(manifest, LOCK)
    ensure_folder(lock.parent)
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        os.close(os.open(lock, flags, 0o600))
    except OSError as error:
        raise ManifestTrouble(f"{printable(str(lock))}: cannot be made: {error.strerror}") from error
