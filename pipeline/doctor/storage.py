"""Whether a folder's file system does what the program relies on: each thing is tried, with files that are removed."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from pipeline.doctor.finding import Finding, fail, ok, warn
from pipeline.folder import sync_folder
from pipeline.mounts import mount_of

_LITTLE = 2**30  # bytes free
_FEW = 1000  # inodes free
_SKEW = 2.0  # seconds: a larger skew defeats the two seconds of `Record.settled`
_SLOW = 0.1  # seconds for a sync


def kind(what: str, folder: Path) -> Iterator[Finding]:
    """The kind of file system, where that matters."""
    mount = mount_of(folder)
    if mount is None:
        return
    said = f"{mount.kind} at {mount.point}"
    if mount.network:
        yield warn(what, f"{said}: a network file system", "its locks and syncs are what its server makes of them")
    elif mount.passing:
        yield warn(what, f"{said}: gone after a restart", "choose a folder on a disk")
    else:
        yield ok(what, said)


def room(what: str, folder: Path) -> Iterator[Finding]:
    """Free bytes and inodes, for a user without privileges."""
    free = os.statvfs(folder)
    size, nodes = free.f_bavail * free.f_frsize, free.f_favail
    said = f"{size / 1e9:,.1f} GB free"
    if size < _LITTLE:
        yield (warn if size else fail)(what, said, "make room: a run stops at a full disk")
    else:
        yield ok(what, said)
    if free.f_files and nodes < _FEW:
        yield (warn if nodes else fail)(what, f"{nodes:,} inodes free", "remove files: each rendition takes one")


def lock(path: Path) -> Iterator[Finding]:
    """Whether a lock at `path` would keep other processes out, tried in a file beside it."""
    file = path.with_name(f".pipeline-doctor-{os.getpid()}")
    try:
        yield from _locked("lock", file)
    except OSError as error:
        yield fail("lock", f"cannot write to {path.parent}: {error.strerror}", "make the folder, or choose another")
    finally:
        with contextlib.suppress(OSError):
            file.unlink()


def abilities(what: str, folder: Path, *, locks: bool = True) -> Iterator[Finding]:
    """Writing, syncing, renaming, locking (with `locks`) and the clock, in files named `.pipeline-doctor-...`."""
    base = folder / f".pipeline-doctor-{os.getpid()}"
    files = [base.with_name(f"{base.name}{end}") for end in ("", "0", "1")]
    try:
        yield from _written(what, *files[:2])
        yield from _synced_folder(what, folder)
        if locks:
            yield from _locked(what, files[2])
    except OSError as error:
        advice = "run it as a user who may write there, or mount it for writing"
        yield fail(what, f"cannot write to {folder}: {error.strerror}", advice)
    finally:
        for file in files:
            with contextlib.suppress(OSError):
                file.unlink()


def _written(what: str, first: Path, second: Path) -> Iterator[Finding]:
    for file in (second, first):
        with open(file, "xb") as opened:
            opened.write(bytes(4096))
            opened.flush()
            started = time.perf_counter()
            try:
                os.fsync(opened.fileno())
            except OSError as error:
                advice = "no file system for targets that must survive a power cut"
                yield fail(what, f"files cannot be synced: {error.strerror}", advice)
                return
            seconds = time.perf_counter() - started
    skew = first.stat().st_mtime - time.time()
    os.rename(first, second)
    said = f"written, synced in {seconds * 1000:.1f} ms, renamed"
    if seconds > _SLOW:
        yield warn(what, said, "slow syncs bound a run; more threads hide some of it")
    else:
        yield ok(what, said)
    if abs(skew) > _SKEW:
        advice = "set both clocks by NTP: changes are told by times"
        yield warn(what, f"its clock is {skew:+.1f} s off this machine's", advice)


def _synced_folder(what: str, folder: Path) -> Iterator[Finding]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if lacks := sync_folder(descriptor):
            advice = "runs go on; after a power cut the last files may be missing, and are made again"
            yield warn(what, f"folders cannot be synced: {lacks}", advice)
    except OSError as error:
        yield fail(what, f"folders cannot be synced: {error.strerror}", "look after its disk or server")
    finally:
        os.close(descriptor)


def _locked(what: str, file: Path) -> Iterator[Finding]:
    with open(file, "xb") as first, open(file, "rb") as second:
        try:
            fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            yield fail(
                what,
                f"gives no locks: {error.strerror}",
                "name a file on a local disk with `lock:`, and with `manifest:`",
            )
            return
        try:
            fcntl.flock(second, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                yield ok(what, "locks hold")
                return
            raise
        yield fail(
            what, "its locks do not keep others out", "name a file on a local disk with `lock:`, and with `manifest:`"
        )
