"""Orphans: every complete run finds them, and `prune` or a run removes those that an earlier run has seen.

A file that is removed must be ours (claimed, its size, time and hash still as recorded) and unwanted. An unmounted disk
must not empty a target, so any doubt that the plan has seen the whole source makes `prune` refuse.

The order is safe against kills: files are removed first, then their folders are synced, then the claims are released.
A claim without its file is only one more orphan, with nothing left to remove.
"""

from __future__ import annotations

import enum
import os
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

from pipeline.config.settings import Config
from pipeline.errors import PipelineError
from pipeline.manifest.claims import ClaimedFile
from pipeline.manifest.reader import Reader
from pipeline.manifest.store import Manifest
from pipeline.plan.options import PlanOptions
from pipeline.plan.orphans import Orphan
from pipeline.plan.planner import Planner
from pipeline.program import to_copy
from pipeline.run.locking import held
from pipeline.run.packing import Packing
from pipeline.run.stop import Stop, on_signals
from pipeline.sources.opening import source_of
from pipeline.targets.opening import lease_of, removal_of, target_of
from pipeline.targets.removal import Removal
from pipeline.targets.shards import ShardTarget

_AT_ONCE = 200  # files removed between two commits
_SHARE = 5  # more than one in so many files are not removed unless forced
_FEW = 10  # but so many are, if other files stay: one of two is no sign of an unmounted disk
_RENAMED = "renamed"


class Fate(enum.StrEnum):
    """What became of an orphan."""

    REMOVED = "removed"
    DUE = "to be removed"
    WAITING = "waiting"  # no earlier run has seen it
    LEFT = "left"  # the file is no longer as it was made, or cannot be removed


@dataclass(frozen=True, slots=True)
class Verdict:
    """One orphan, and what became of it."""

    orphan: Orphan
    fate: Fate
    detail: str = ""


def find(planner: Planner, memory: Manifest | Reader) -> list[Orphan]:
    """All orphans, by path: those that the records of sources show, and claimed files without a record. Call it after
    the plan, which must be complete.
    """
    orphans = {orphan.target: orphan for orphan in planner.orphans}
    stale = [file for file in memory.orphans.stale() if file.target not in orphans]
    wanted = planner.wanted(file.target for file in stale)
    for file in stale:
        if file.target not in wanted:
            orphans[file.target] = Orphan(file.source, file.rendition, file.target, file.size or 0, _RENAMED)
    return sorted(orphans.values(), key=lambda orphan: os.fsencode(orphan.target))


def refusal(planner: Planner, going: Sequence[Orphan], memory: Manifest | Reader, *, force: bool) -> tuple[str, str]:
    """Why nothing may be removed, as a keyword and as a sentence; both empty if removal is safe."""
    if not planner.complete:
        return "incomplete", "not everything was looked at"
    if planner.unlistable:
        return "unlistable", f"the folder '{planner.unlistable[0]}' of the source cannot be listed"
    if planner.empty:
        return "empty", "the source holds no files"
    if force or not going:
        return "", ""
    doubtful = len(_doubtful(planner, going, memory))
    files = memory.orphans.files() - (len(going) - doubtful)
    if doubtful * _SHARE > files and (doubtful > _FEW or doubtful == files):
        return "many", f"{doubtful:,} of {files:,} files would go, more than {1 / _SHARE:.0%}"
    return "", ""


def _doubtful(planner: Planner, going: Sequence[Orphan], memory: Manifest | Reader) -> list[Orphan]:
    """Those of `going` that may be orphans by mistake: their rendition is still in the config, and no picture has the
    same content, as there is after a source was renamed or the naming of targets changed.
    """
    doubtful = [orphan for orphan in going if orphan.rendition in planner.renditions]
    gone = {orphan.source for orphan in planner.orphans if orphan.why == "source gone"}
    living = memory.orphans.living((orphan.source for orphan in doubtful), gone.union(planner.gone))
    return [orphan for orphan in doubtful if orphan.source not in living]


def remove(
    going: Sequence[Orphan],
    planner: Planner,
    manifest: Manifest,
    removal: Removal,
    check: Callable[[], None],
    removed: Callable[[Orphan], None] = lambda orphan: None,
) -> list[Verdict]:
    """Remove `going`, and the folders made by runs that are empty then. `check` is called now and then and may raise:
    the next run forgets the files removed by then. `removed` is called with each removed orphan.
    """
    verdicts: list[Verdict] = []
    all_going = {orphan.target for orphan in going}
    for batch in (going[start : start + _AT_ONCE] for start in range(0, len(going), _AT_ONCE)):
        check()
        claims = {file.target: file for file in manifest.orphans.claims(orphan.target for orphan in batch)}
        gone: list[str] = []
        for orphan in batch:
            obstacle = _removed(orphan, claims.get(orphan.target), all_going, manifest, removal)
            verdicts.append(Verdict(orphan, Fate.LEFT if obstacle else Fate.REMOVED, obstacle or ""))
            if not obstacle:
                gone.append(orphan.target)
                removed(orphan)
        folders = _empty_folders(gone, manifest.orphans.folders(), removal)
        removal.sync()
        _forget(set(gone), planner.orphans, manifest)
        manifest.orphans.forget_folders(folders)
    return verdicts


def obstacles(going: Sequence[Orphan], memory: Manifest | Reader, removal: Removal) -> list[Verdict]:
    """What `remove` would do."""
    claims = {file.target: file for file in memory.orphans.claims(orphan.target for orphan in going)}
    all_going = {orphan.target for orphan in going}
    verdicts = []
    for orphan in going:
        file = claims.get(orphan.target)
        obstacle = _obstacle(orphan, file, all_going, memory, removal) or (file and removal.obstacle(file))
        verdicts.append(Verdict(orphan, Fate.LEFT if obstacle else Fate.DUE, obstacle or ""))
    return verdicts


def _removed(
    orphan: Orphan, file: ClaimedFile | None, going: Collection[str], manifest: Manifest, removal: Removal
) -> str | None:
    obstacle = _obstacle(orphan, file, going, manifest, removal)
    return obstacle or (removal.remove(file) if file else None)


def _obstacle(
    orphan: Orphan, file: ClaimedFile | None, going: Collection[str], memory: Manifest | Reader, removal: Removal
) -> str:
    """Why the manifest forbids removal, or "". Where case does not count, two claims may be one file."""
    identity = removal.identity(orphan.target)
    if identity is not None and file is None:
        return "it is not claimed any more"
    for other in memory.lookalikes(orphan.target):
        if identity is not None and other not in going and removal.identity(other) == identity:
            return f"'{other}' is the same file"
    return ""


def _empty_folders(gone: Iterable[str], made: Collection[str], removal: Removal) -> list[str]:
    """Remove the folders that are empty now, deepest first; returns them."""
    removed: list[str] = []
    waiting = {target.rpartition("/")[0] for target in gone}
    while waiting:
        folder = max(waiting, key=lambda path: (path.count("/"), path))
        waiting.remove(folder)
        if folder in made and removal.remove_folder(folder):
            removed.append(folder)
            waiting.add(folder.rpartition("/")[0])
    return removed


def _forget(gone: Collection[str], orphans: Sequence[Orphan], manifest: Manifest) -> None:
    """Delete the removed files from the manifest, and all rows of a source that is gone."""
    manifest.release(sorted(gone))
    manifest.orphans.forget(sorted(gone))
    rows = [orphan for orphan in orphans if orphan.target in gone and orphan.why != _RENAMED]  # whose row is up to date
    manifest.forget_renditions((orphan.source, orphan.rendition) for orphan in rows)
    left = {orphan.source for orphan in orphans if orphan.target not in gone}
    sources = {orphan.source for orphan in rows if orphan.why == "source gone"} - left
    manifest.forget(sorted(sources))


class PruneRefused(PipelineError):
    """The removal may be a mistake: an unmounted disk, a wrong path."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """The verdict on every orphan, by path, why nothing may be removed ("" if it may), and lines for the user."""

    verdicts: tuple[Verdict, ...]
    refused: str = ""
    warnings: tuple[str, ...] = ()


def look(config: Config) -> Pruned:
    """What `prune` would do. Touches nothing. Raises `PipelineError`."""
    with Manifest.reader(config) as reader:
        planner = _planned(config, reader, lambda: None)
        going, waiting = _sorted(planner, reader)
        verdicts = (
            (*obstacles(going, reader, removal_of(config.target, reader.shards)), *waiting) if going or waiting else ()
        )
        return Pruned(_by_path(verdicts), _refusal(config, planner, reader, going, force=False))


def prune(config: Config, *, force: bool, wait: float | None = 0.0) -> Pruned:
    """Delete the orphans that an earlier run has seen. `force`: however many there are.

    Raises `PruneRefused`, with nothing deleted, and other `PipelineError`s.
    """
    stop = Stop()
    identity = uuid.uuid4().hex
    lease = lease_of(config.target, identity)
    with on_signals(stop), held(config, identity, wait, stop.check, lease=lease), _opened(config) as manifest:
        planner = _planned(config, manifest, stop.check)
        going, waiting = _sorted(planner, manifest)
        if no := _refusal(config, planner, manifest, going, force=force):
            raise PruneRefused(f"nothing was deleted: {no}")
        removal = removal_of(config.target, manifest.shards, lease.check) if going else None
        verdicts = remove(going, planner, manifest, removal, stop.check) if removal else []
        warnings = _write_shards(config, manifest, stop.check)
        manifest.backup()
        return Pruned(_by_path((*verdicts, *waiting)), warnings=warnings)


def _write_shards(config: Config, manifest: Manifest, check: Callable[[], None]) -> tuple[str, ...]:
    """Write the tar shards again that a picture was taken out of; returns what the user is to know of them."""
    target = target_of(config.target, uuid.uuid4().hex)
    if not isinstance(target, ShardTarget):
        return ()
    target.remember(manifest.shards)
    with closing(Packing(target, config, manifest, check)) as packing:
        packing.begin()
        packing.write_due()
        return tuple(packing.warnings)


@contextmanager
def _opened(config: Config) -> Iterator[Manifest]:
    Manifest.reader(config).close()  # raises if there is no manifest: with nothing to delete, none is made
    with Manifest.for_config(config) as manifest:
        yield manifest


def _planned(config: Config, memory: Manifest | Reader, check: Callable[[], None]) -> Planner:
    """A complete plan."""
    target = target_of(config.target, "prune")
    target.remember(memory.shards)
    planner = Planner(config, memory, PlanOptions(), source_of(config.sources), target, check)
    for _ in planner.decisions():
        check()
    return planner


def _sorted(planner: Planner, memory: Manifest | Reader) -> tuple[list[Orphan], list[Verdict]]:
    """The orphans that may go, and those that no earlier run has seen."""
    orphans, seen = find(planner, memory), memory.orphans.seen()
    waiting = [
        Verdict(orphan, Fate.WAITING, "the next run is to see it first")
        for orphan in orphans
        if orphan.target not in seen
    ]
    return [orphan for orphan in orphans if orphan.target in seen], waiting


def _refusal(config: Config, planner: Planner, memory: Manifest | Reader, going: list[Orphan], *, force: bool) -> str:
    if not going:
        return ""
    kind, no = refusal(planner, going, memory, force=force)
    remedy = to_copy("prune", str(config.path), "--delete", "--force")
    return f"{no}; if that is right: {remedy}" if kind == "many" else no


def _by_path(verdicts: tuple[Verdict, ...]) -> tuple[Verdict, ...]:
    return tuple(sorted(verdicts, key=lambda verdict: os.fsencode(verdict.orphan.target)))


@dataclass(frozen=True, slots=True)
class Tidied:
    """The result: orphans that are left, those that were removed, and lines for the user. `unseen`: those of `orphans`
    that were to be removed and have to be left once, because no earlier run has seen them.
    """

    orphans: int
    removed: int = 0
    unseen: int = 0
    warnings: tuple[str, ...] = ()


def narrowed(options: PlanOptions) -> bool:
    """Whether such a plan leaves out some of the sources."""
    return bool(options.only) or options.limit is not None or options.shard is not None


def tidy(
    config: Config,
    planner: Planner,
    manifest: Manifest,
    run: int,
    *,
    prune: bool,
    check: Callable[[], None],
    before_removals: Callable[[], None],
    removed: Callable[[Orphan], None],
) -> Tidied:
    """For the end of run number `run`, with a complete plan and nothing left to do. `check` may raise to stop it, and
    so may `before_removals`, see `removal_of`. `removed` is called with each orphan that is gone.
    """
    manifest.forget(planner.gone)
    manifest.failures.forget(planner.missing)
    if narrowed(planner.options):
        return Tidied(planner.counts.orphans)
    if manifest.restored:
        manifest.mark_complete()
    orphans = find(planner, manifest)
    gone: set[str] = set()
    unseen = 0
    warnings: tuple[str, ...] = ()
    if prune:
        seen = manifest.orphans.seen()
        going = [orphan for orphan in orphans if orphan.target in seen]
        unseen = len(orphans) - len(going)
        kind, no = refusal(planner, going, manifest, force=False) if going else ("", "")
        if manifest.orphans.refused(kind):
            warnings = (
                f"nothing was pruned, now and until that changes: {no} (see: {to_copy('prune', str(config.path))})",
            )
        if going and not no:
            removal = removal_of(config.target, manifest.shards, before_removals)
            verdicts = remove(going, planner, manifest, removal, check, removed)
            gone = {verdict.orphan.target for verdict in verdicts if verdict.fate is Fate.REMOVED}
    left = [orphan.target for orphan in orphans if orphan.target not in gone]
    manifest.orphans.note(left, run)
    return Tidied(len(left), len(gone), unseen, warnings)
