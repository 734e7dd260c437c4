"""The end of a complete run: it forgets sources that are gone, and notes or removes orphans."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipeline.config.settings import Config
from pipeline.manifest.store import Manifest
from pipeline.plan.options import PlanOptions
from pipeline.plan.orphans import Orphan
from pipeline.plan.planner import Planner
from pipeline.run.prune import Fate, find, refusal, remove
from pipeline.targets.removal import Removal


@dataclass(frozen=True, slots=True)
class Tidied:
    """The result: orphans that are left, those that were removed, and lines for the user."""

    orphans: int
    removed: int = 0
    warnings: tuple[str, ...] = ()


def narrowed(options: PlanOptions) -> bool:
    """Whether such a plan leaves out some of the sources."""
    return bool(options.only) or options.limit is not None


def tidy(
    config: Config,
    planner: Planner,
    manifest: Manifest,
    run: int,
    options: PlanOptions,
    *,
    prune: bool,
    check: Callable[[], None],
    removed: Callable[[Orphan], None],
) -> Tidied:
    """For the end of run number `run`, with a complete plan and nothing left to do. `check` may raise to stop it.
    `removed` is called with each orphan that is gone.
    """
    manifest.forget(planner.gone)
    manifest.failures.forget(planner.missing)
    if narrowed(options):
        return Tidied(planner.counts.orphans)
    if manifest.restored:
        manifest.mark_complete()
    orphans = find(planner, manifest)
    gone: set[str] = set()
    warnings: tuple[str, ...] = ()
    if prune:
        seen = manifest.orphans.seen()
        going = [orphan for orphan in orphans if orphan.target in seen]
        kind, no = refusal(planner, going, manifest, force=False) if going else ("", "")
        if manifest.orphans.refused(kind):
            warnings = (
                f"nothing was pruned, now and until that changes: {no} (see: pipeline prune {config.path.name})",
            )
        if going and not no:
            verdicts = remove(going, planner, manifest, Removal(config.target), check, removed)
            gone = {verdict.orphan.target for verdict in verdicts if verdict.fate is Fate.REMOVED}
    left = [orphan.target for orphan in orphans if orphan.target not in gone]
    manifest.orphans.note(left, run)
    return Tidied(len(left), len(gone), warnings)
