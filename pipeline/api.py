"""For programs: `load_config`, `plan` and `run`, with values in place of messages.

Nothing here prints, installs a signal handler, or sends the notices of `notify`. A call that cannot do its work raises
`PipelineError`; failures of single pictures are in the summary. One run of a target at a time: another one raises
`Locked`. From several threads or processes call them for different targets.

    from pipeline import load_config, run

    summary = run(load_config("pipeline.yaml"), on_progress=print)
    assert summary.failed == 0, summary.failures
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.config.load import load
from pipeline.config.settings import Config
from pipeline.errors import ConfigError, ExitStatus, Locked, PipelineError
from pipeline.model.job import Job
from pipeline.model.record import Reason
from pipeline.plan.options import PlanOptions
from pipeline.run.options import Change, Progress, RunOptions
from pipeline.run.preview import planned
from pipeline.run.run import run as run_to_its_end
from pipeline.run.tally import Failure, Summary

__all__ = [
    "Change",
    "Config",
    "ConfigError",
    "ExitStatus",
    "Failure",
    "Locked",
    "PipelineError",
    "Plan",
    "PlannedFile",
    "Progress",
    "Reason",
    "Summary",
    "load_config",
    "plan",
    "run",
]


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A file that a run would make, and why. Paths are relative to source and target."""

    source: str
    rendition: str
    target: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do."""

    files: tuple[PlannedFile, ...]
    pictures: int  # with something to make
    unchanged: int  # pictures
    source_bytes: int  # of the pictures with something to make


def load_config(path: str | os.PathLike[str]) -> Config:
    """The config in a YAML file. Raises `ConfigError`; its text lists every problem, a line each."""
    return load(Path(path))


def plan(config: Config, *, only: Sequence[str] = (), limit: int | None = None, force: bool = False) -> Plan:
    """What `run` would do with the same arguments. Touches nothing. Raises `PipelineError`."""
    files: list[PlannedFile] = []
    with planned(config, PlanOptions(force=force, only=tuple(only), limit=limit)) as planner:
        for decision in planner.decisions():
            if isinstance(decision, Job):
                files += (
                    PlannedFile(decision.source, rendition.spec.name, rendition.target, rendition.reason)
                    for rendition in decision.planned
                )
        counts = planner.counts
    return Plan(tuple(files), counts.jobs, counts.unchanged, counts.bytes)


def run(  # noqa: PLR0913 - keywords, each an option of `pipeline run`
    config: Config,
    *,
    only: Sequence[str] = (),
    limit: int | None = None,
    force: bool = False,
    prune: bool = False,
    max_runtime: float | None = None,
    on_progress: Callable[[Progress], object] | None = None,
    on_change: Callable[[Change], object] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Summary:
    """Make what is missing or stale, as `pipeline run` with these options does. Raises `PipelineError`.

    `max_runtime` is in seconds. `on_progress` is called about ten times a second, `on_change` for each file that was
    made, replaced or removed, `cancelled` as often as there is a chance to stop: once it returns True, the pictures in
    flight are finished, for three seconds at most, and the summary has the status `INTERRUPTED`. All of them are called
    in the thread that called `run`, and what they raise ends the run: the next one goes on from there.
    """
    options = RunOptions(
        PlanOptions(force=force, only=tuple(only), limit=limit),
        prune=prune,
        max_runtime=max_runtime,
        signals=False,
        cancelled=cancelled,
    )

    def watch(progress: Progress) -> None:
        if on_progress is not None:
            on_progress(progress)

    def changed(change: Change) -> None:
        if on_change is not None:
            on_change(change)

    return run_to_its_end(config, options, watch, changed=changed)
