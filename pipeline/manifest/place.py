"""The folder that holds the manifest, its lock and its backup."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from pipeline.atomic import sync_path
from pipeline.config.settings import Config, SourceSettings
from pipeline.errors import ManifestTrouble, printable
from pipeline.folder import Descriptor, is_gone, make_folders

BACKUP = ".backup"  # behind the manifest's name, as the others
LOCK = ".lock"
LOGS = ("-wal", "-shm", "-journal")  # what SQLite keeps beside a database


def ensure_folder(folder: Path) -> None:
    """Make `folder` and its parents, if missing; its mode is 0700, because a target is often a web root.

    Raises `ManifestTrouble`.
    """
    try:
        if not folder.is_dir():
            make_folders(folder.parent)
            folder.mkdir(mode=0o700, exist_ok=True)
            sync_path(folder.parent)
    except OSError as error:
        raise ManifestTrouble(
            f"{printable(str(folder))}: cannot make the manifest's folder: {error.strerror}"
        ) from error


def file_mode(folder: Path) -> int:
    """The mode of a new file in the manifest's folder: for its owner alone, unless a group may write to the folder."""
    return 0o660 if folder.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH) == stat.S_IWGRP else 0o600


def check_folder(folder: Path, opened: Descriptor) -> None:
    """Raise `ManifestTrouble` where the folder of an open manifest is gone (see `is_gone`).

    From then on records would be lost, and the lock would lock out no other run.
    """
    if is_gone(folder, opened):
        raise ManifestTrouble(
            f"{printable(str(folder))}, the manifest's folder, has been removed or moved in the meantime: run again, "
            "and a new manifest is begun: pictures are rendered again and equal files kept"
        )


def is_there(path: Path) -> bool:
    """Whether there is a file at `path`, by its stat. Raises `ManifestTrouble` for anything else in its place.

    The file is not opened: a FIFO would block, and closing a descriptor would release SQLite's locks (see `database`).
    """
    try:
        result = path.stat()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise ManifestTrouble(f"{printable(str(path))}: cannot look at the manifest: {error.strerror}") from error
    if stat.S_ISDIR(result.st_mode):
        raise ManifestTrouble(f"{printable(str(path))}: a folder stands where the manifest should be")
    if not stat.S_ISREG(result.st_mode):
        raise ManifestTrouble(f"{printable(str(path))}: this is no regular file, so it cannot be the manifest")
    return True


def beside(path: Path, suffix: str) -> Path:
    """The path with `suffix` appended to its name."""
    return path.with_name(path.name + suffix)


def files_of_runs(config: Config, source: SourceSettings) -> frozenset[str]:
    """The files in the folder of `source` that runs themselves write, by their paths in it."""
    root = os.path.realpath(source.local)
    notify = config.notify
    manifest = [beside(config.manifest, suffix) for suffix in ("", *LOGS, BACKUP, LOCK)]
    written = (*manifest, config.report, config.lock, notify.metrics, notify.status_file)
    real = (os.path.realpath(path) for path in written if path is not None)
    return frozenset(os.path.relpath(path, root) for path in real if path.startswith(f"{root.rstrip('/')}/"))


def sources_of_runs(config: Config) -> frozenset[str]:
    """The files in any of the sources that runs themselves write, by their names as sources."""
    prefixes = [(source, f"{source.prefix}/" if source.prefix else "") for source in config.sources if source.is_folder]
    return frozenset(prefix + name for source, prefix in prefixes for name in files_of_runs(config, source))
