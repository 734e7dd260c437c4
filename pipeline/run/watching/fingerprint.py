"""The state of all sources as one number, from names and stats. It tells whether a run could find anything to do."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from pipeline.config.settings import Config
from pipeline.errors import PipelineError
from pipeline.manifest.place import files_of_runs
from pipeline.sources import sidecar
from pipeline.sources.opening import source_of
from pipeline.sources.source import Folder, Source

_BYTES = 16
_MODULUS = 1 << (8 * _BYTES)
_NAMES = 1000  # whose stats are taken at once


def fingerprint(config: Config, stopped: Callable[[], bool] = lambda: False) -> bytes:
    """16 bytes that change whenever a file of a source or its sidecar comes, goes or changes, or the config does.

    Takes little memory, and time like a run with nothing to do; soon after `stopped` is true it ends, with any result.
    A source that is missing has a fingerprint of its own; nothing is raised.
    """
    total = _number(state_of(config.path))
    for settings in config.sources:
        if settings.urls is not None:  # the list stands for what it names
            total += _number(b"list", os.fsencode(settings.local), state_of(settings.local))
            continue
        try:
            source = source_of([replace(settings, prefix="")])
            own = files_of_runs(config, settings) if settings.is_folder else frozenset()
            for folder in source.folders([config.target.where]):
                if stopped():
                    break
                total += _number(os.fsencode(settings.prefix), b"\0", *_of_folder(source, folder, own))
        except PipelineError as error:
            total += _number(b"trouble", os.fsencode(settings.place), str(error).encode(errors="surrogateescape"))
    return (total % _MODULUS).to_bytes(_BYTES, "big")


def _of_folder(source: Source, folder: Folder, own: frozenset[str]) -> Iterator[bytes]:
    yield os.fsencode(folder.path)
    yield f"\0{folder.error}\0{folder.left_out}\0".encode(errors="surrogateescape")
    for names in folder.chunks(_NAMES):
        counted = [name for name in names if folder.source(name) not in own] if own else names
        beside = [name + sidecar.SUFFIX for name in counted if name in folder.sidecars]
        for name, stat in zip([*counted, *beside], source.raw_stats(folder.path, [*counted, *beside]), strict=True):
            yield os.fsencode(name)
            yield f"\0{stat}\0".encode()


def _number(*parts: bytes) -> int:
    """Sums of these do not depend on the order in which folders are listed."""
    digest = hashlib.blake2b(digest_size=_BYTES)
    for part in parts:
        digest.update(part)
    return int.from_bytes(digest.digest(), "big")


def state_of(path: Path) -> bytes:
    """What changes with every change of a file that is written anew or renamed into its place."""
    try:
        now = os.stat(path)
    except OSError as error:
        return f"{error.errno}".encode()
    return f"{now.st_size} {now.st_mtime_ns} {now.st_ino}".encode()
