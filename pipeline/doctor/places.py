"""Whether the source, target, manifest and notices that a config names can be used."""

from __future__ import annotations

import os
import shutil
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from pipeline.config.settings import Config, SourceSettings
from pipeline.doctor import storage
from pipeline.doctor.finding import Finding, fail, ok, warn
from pipeline.errors import PipelineError, SourceTrouble, TargetTrouble
from pipeline.manifest import trust
from pipeline.manifest.lock import RunLock
from pipeline.manifest.store import Manifest
from pipeline.mounts import mount_of
from pipeline.notify.ping import UnusableUrl, check
from pipeline.sources.opening import source_of
from pipeline.sources.urls import rows
from pipeline.targets.opening import target_of


def source(config: Config) -> Iterator[Finding]:
    """Whether each source is there and can be read."""
    for source in config.sources:
        if source.store is not None:
            yield _store(source)
        else:
            yield _folder(source.local) if source.urls is None else _list(source.local)


def _folder(folder: Path) -> Finding:
    try:
        with os.scandir(folder) as listing:
            first = next((entry for entry in listing if entry.is_file(follow_symlinks=False)), None)
        if first is not None:
            with open(first, "rb") as file:
                file.read(1)
    except OSError as error:
        return fail("source", f"{error.filename or folder}: {error.strerror}", "mount it, or let this user read it")
    mount = mount_of(folder)
    return ok("source", f"{folder} can be read" + (f" ({mount.kind})" if mount else ""))


def _store(settings: SourceSettings) -> Finding:
    try:
        with closing(source_of([settings])) as source:
            source.check()
    except SourceTrouble as trouble:
        return fail("source", str(trouble), "see docs/cloud.md")
    return ok("source", f"{settings.place} can be listed")


def _list(path: Path) -> Finding:
    try:
        rows.check(path)
    except SourceTrouble as trouble:
        return fail("source", str(trouble), "mount its disk, or let this user read it")
    return ok("source", f"{path} can be read; its servers are not asked")


def target(config: Config) -> Iterator[Finding]:
    """Whether files can be written to the target, safely."""
    if config.target.store is not None:
        yield _written_store(config)
        return
    folder = config.target.folder
    if not folder.is_dir():
        if folder.exists() or folder.is_symlink():
            yield fail("target", f"{folder} is not a folder", "move it away, or name another target")
            return
        parent = folder.parent
        if not parent.is_dir():
            yield fail("target", f"{parent}, which is to hold it, is not there", "mount its disk, or make the folder")
            return
        yield ok("target", f"{folder} is not there yet; the first run makes it")
        folder = parent
    yield from storage.kind("target", folder)
    yield from storage.room("target", folder)
    yield from storage.abilities("target", folder, locks=config.lock is None)
    if config.lock is not None:
        yield from storage.lock(config.lock)


def _written_store(config: Config) -> Finding:
    target = target_of(config.target, f"doctor-{uuid.uuid4().hex}")
    try:
        target.prepare()
    except TargetTrouble as trouble:
        return fail("target", str(trouble), "see docs/cloud.md")
    if target.lacks:
        return warn("target", target.lacks, "let nothing else write there")
    return ok("target", f"{config.target.place} can be written; its puts are conditional")


def manifest(config: Config) -> Iterator[Finding]:
    """Whether the manifest is intact and belongs to this config and user."""
    path = config.manifest
    mount = mount_of(path)
    if mount and mount.network:
        advice = "put `manifest:` on a local disk; it is safe only while one machine uses it"
        yield warn("manifest", f"{path} is on a network file system ({mount.kind})", advice)
    try:
        if not path.exists():
            yield ok("manifest", "none yet; the first run makes it")
            return
        if distrust := trust.reason(path, shared=config.shared):
            yield fail("manifest", *distrust)
            return
        holder = RunLock(path, path=config.lock).holder()
        with Manifest.reader_at(path, shared=config.shared) as reader:
            (verdict,) = reader.connection.execute("PRAGMA quick_check(1)").fetchone()
            owner, runs = reader.owner(), reader.runs(1)
    except (PipelineError, sqlite3.Error, OSError) as error:
        yield fail("manifest", str(error), "the next run restores it from its backup; else `run --adopt`")
        return
    if verdict != "ok":
        yield fail("manifest", f"damaged: {verdict}", "the next run restores it from its backup; else `run --adopt`")
    elif owner != os.path.realpath(config.path):
        yield fail("manifest", f"belongs to the config {owner}", "a target of its own, or once `run --adopt`")
    else:
        died = bool(runs) and runs[0].ended is None and holder is None
        yield ok("manifest", "whole" + ("; the last run died, the next one cleans up" if died else ""))
    if holder is not None:
        yield ok("lock", f"held by {holder}")


def notices(config: Config) -> Iterator[Finding]:
    """Whether the notices can be sent. None is sent."""
    notify = config.notify
    if notify.ping:
        url = os.environ.get(notify.ping)
        try:
            check(url or "")
        except UnusableUrl as error:
            what = f"what {notify.ping} holds {error}" if url else f"{notify.ping} is not set"
            yield warn("notify.ping", what, "set it where the run is started: crontab, EnvironmentFile=")
        else:
            yield ok("notify.ping", f"{notify.ping} holds a URL (not tried)")
    if notify.command:
        yield _program(notify.command.run[0], config.path.parent)
    for key, path in (("metrics", notify.metrics), ("status_file", notify.status_file)):
        if path is not None:
            usable = os.access(path.parent, os.W_OK | os.X_OK)
            advice = "make the folder, and let this user write to it"
            yield ok(f"notify.{key}", str(path)) if usable else fail(f"notify.{key}", f"cannot write {path}", advice)


def _program(word: str, folder: Path) -> Finding:
    program = shutil.which(os.path.join(folder, word) if "/" in word else word)
    if program:
        return ok("notify.command", program)
    advice = "cron's PATH is short: give its whole path"
    return fail("notify.command", f"{word} is not there or cannot be started", advice)
