"""What a target of tar shards holds, read without the program: renditions that wait, and members of tar files."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import tarfile
from collections.abc import Iterable
from pathlib import Path

_WAITING = Path(".pipeline", "waiting")


def hashes(target: Path, renditions: Iterable[str]) -> dict[str, set[str]]:
    """The SHA-256 in hex of each rendition that waits, is in a shard, or both. Empty where it is nowhere."""
    found: dict[str, set[str]] = {rendition: set() for rendition in renditions}
    for shard in target.glob("*.tar"):
        with contextlib.suppress(tarfile.TarError), tarfile.open(shard) as file:  # of a torn one, what is whole
            for member in file:
                content = file.extractfile(member)
                if content is not None and member.name in found:
                    found[member.name].add(hashlib.sha256(content.read()).hexdigest())
    for rendition, there in found.items():
        waiting = target / _WAITING / hashlib.sha256(os.fsencode(rendition)).hexdigest()
        if waiting.is_file():
            there.add(hashlib.sha256(waiting.read_bytes()).hexdigest())
    return found


def unlike_manifest(target: Path, connection: sqlite3.Connection) -> list[str]:
    """What the manifest says of shards and of the places in them, and the disk does not hold."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'build'").fetchall():
        return []
    wrong = []
    for shard, placed in connection.execute("SELECT shard, MAX(placed) FROM build GROUP BY shard").fetchall():
        path = target / f"{shard:06}.tar"
        if not path.is_file():
            wrong += [f"the manifest is ahead of the disk: {path.name} is missing"] if placed else []
            continue
        content = path.read_bytes()
        found = connection.execute(
            "SELECT id FROM build WHERE shard = ? AND sha256 = ?", (shard, hashlib.sha256(content).digest())
        ).fetchone()
        if found is None:
            wrong.append(f"the manifest does not know what is in {path.name}")
            continue
        members = connection.execute("SELECT target, start, size, sha256 FROM member WHERE build = ?", found)
        wrong += [
            f"{os.fsdecode(name)} is not where the manifest says it is in {path.name}"
            for name, start, size, sha256 in members
            if hashlib.sha256(content[start : start + size]).digest() != sha256
        ]
    return wrong
