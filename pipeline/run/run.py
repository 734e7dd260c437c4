"""Wires one run: locks are taken, the rooms are opened in order, the driver does the rest, and all is closed again."""

from __future__ import annotations

import importlib.util
import os
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext, suppress
from dataclasses import asdict, replace
from pathlib import Path

from pipeline.config.places import inside, web_root
from pipeline.config.settings import Config, manifest_in
from pipeline.errors import ExitStatus, PipelineError, SourceTrouble, TargetTrouble, UsageError, printable
from pipeline.extras import how_to_have
from pipeline.folder import make_folders
from pipeline.manifest import others, parts
from pipeline.manifest.place import LOCK, beside, is_there
from pipeline.manifest.runs import KEEP, RunStart
from pipeline.manifest.store import Manifest
from pipeline.model.shape import Resampler
from pipeline.plan.options import PlanOptions
from pipeline.run import clock
from pipeline.run.driver import Around, Driver
from pipeline.run.locking import held
from pipeline.run.options import Begun, Change, Progress, RunOptions, Workers, workers
from pipeline.run.prestart import Prestarted
from pipeline.run.rivals import check_rival
from pipeline.run.stop import Stop, on_signals
from pipeline.run.tally import Summary
from pipeline.sources.opening import source_of
from pipeline.sources.source import Source
from pipeline.targets.opening import lease_of, target_of
from pipeline.targets.target import Target
from pipeline.workers import priority

_CLEAN = (ExitStatus.OK, ExitStatus.FAILED)
_NOTICES = 2.0  # seconds for sending notices, then
_LAST_WORDS = 0.3  # seconds to commit what is recorded, for a run that hangs and is given up


def run(
    config: Config,
    options: RunOptions,
    watch: Callable[[Progress], None] = lambda progress: None,
    begun: Callable[[Begun], None] = lambda begun: None,
    given_up: Callable[[ExitStatus, float], None] | None = None,
    prestarted: Prestarted | None = None,
    asked: Callable[[int], None] = lambda in_flight: None,
    changed: Callable[[Change], None] = lambda change: None,
) -> Summary:
    """Make what is missing or stale, in this thread and those it starts. Returns the result, also when a signal or the
    clock stopped the run; raises `PipelineError` when it could not finish.

    Called in the calling thread: `watch` about every tick, `begun` once when the work begins, and `changed` for each
    file that was made, replaced or removed, once the manifest records it. Called in another thread: `asked`, with the
    number of pictures in flight, as soon as a signal requests a stop; and `given_up`, with the status and some seconds,
    when a run that must stop hangs in a call that does not return: it has to end the process within that time.

    `prestarted` holds processes that were started before. The caller ends them.
    """
    started = time.monotonic()
    whole, shard = config.manifest, options.plan.shard
    part = None if shard is None else parts.part_of(whole, shard.number, shard.count)
    owner = None if options.plan.adopt else os.path.realpath(config.path)
    priority.lower(config.workers.nice, config.workers.ionice)
    limits = (options.max_runtime or config.max_runtime, options.until or config.until)
    stop = Stop(clock.deadline(*limits), options.cancelled)
    identity = uuid.uuid4().hex
    opened: list[Manifest] = []
    abandon = _abandoning(stop, opened, given_up) if given_up else lambda status: None
    drivers: list[Driver] = []

    def tell_in_flight() -> None:
        asked(sum(driver.in_flight for driver in drivers))

    def listening() -> AbstractContextManager[None]:
        return on_signals(stop, abandon, tell_in_flight) if options.signals else nullcontext()

    with listening():  # stores that do not answer are asked again for minutes
        source = source_of(config.sources)
        _check_source(source, config, options, identity)
        if part is not None:  # a shard that is refused leaves no lock of its part; `begin` asks again
            parts.check(config, part, others.at_hand(config), owner)
        make_parents(config)
        if config.target.shards is not None:
            _check_shards(options.plan)
        lease = lease_of(config.target, identity, part)
        target = target_of(config.target, identity, before_renames=lease.check)
        target.prepare()
    with closing(source), listening(), held(config, identity, options.lock_wait, stop.check, part, lease) as locks:
        if options.plan.adopt:
            check_rival(config)
        if shard is not None and part is not None:
            parts.begin(config, part, others.at_hand(config), owner, shard.holds_bytes)
            config = replace(config, manifest=part)
        manifest = Manifest.for_config(config, adopt=options.plan.adopt)
        opened.append(manifest)
        with manifest:
            for folder in config.target.folders:
                others.enter(folder, whole)
            told = _notes(config, manifest)
            _sweep(manifest, target)
            target.remember(manifest.shards)
            around = Around(identity, locks, watch, prestarted or Prestarted(), changed)
            this_run = Driver(config, _mending(options, manifest), manifest, source, target, stop, around)
            drivers.append(this_run)
            number = manifest.begin_run(_start(identity, config, this_run.workers), this_run.failure_key)
            begun(Begun(identity, lambda: this_run.so_far(ExitStatus.UNFINISHED)))
            summary = this_run.to_its_end(number)
            told += _lacking(target, manifest)
    return replace(summary, seconds=time.monotonic() - started, warnings=(*told, *summary.warnings))


def _check_source(source: Source, config: Config, options: RunOptions, identity: str) -> None:
    """Report a missing source before anything is made. Raises `SourceTrouble`."""
    try:
        source.check()
    except SourceTrouble as trouble:
        if options.plan.shard is None:
            _enter_failed_start(config, _start(identity, config, workers(config, options)), str(trouble))
        raise


def _enter_failed_start(config: Config, start: RunStart, why: str) -> None:
    """Enter a run that ends before it has begun, so that `status` tells of it. Only where an earlier run has left
    manifest and locks, and no run is at work: nothing new is made.
    """
    locks = [beside(Path(manifest_in(str(folder))), LOCK) for folder in config.target.folders]
    with suppress(PipelineError):
        if not all(map(is_there, [config.manifest, *locks])):
            return
        with held(config, start.run), Manifest.for_config(config) as manifest:
            manifest.begin_run(start)
            told = f"{why}; {manifest.warning}" if manifest.warning else why
            manifest.end_run(ExitStatus.UNFINISHED, {}, reported=False, why=told)


def _notes(config: Config, manifest: Manifest) -> list[str]:
    """Notes on the manifest: how it was mended; once, that it may be published with its target, and that libvips is
    missing.
    """
    notes = [manifest.warning] if manifest.warning else []
    root = web_root(config.target.path) if config.target.path else None
    if root and inside(root, config.manifest) and manifest.first_time("it may be published"):
        beside = f"`manifest: {config.path.stem}.manifest.sqlite`"
        place = "`manifest:` and a place outside of it" if inside(root, config.path) else beside
        notes.append(
            f"the manifest lies in {printable(str(root))}, which looks like a folder that is published: with {place} "
            "in the config the next run moves it there"
        )
    slow = any(spec.resampler is Resampler.AUTO for spec in config.all_specs) and not importlib.util.find_spec("pyvips")
    if slow and manifest.first_time("libvips is missing"):
        lost = "photographs take about twice as long without libvips, and colour of 16 bits is read at 8"
        notes.append(f"{lost}; {how_to_have('libvips')}")
    return notes


def _lacking(target: Target, manifest: Manifest) -> list[str]:
    """What the target lacks, reported once."""
    return [target.lacks] if target.lacks and manifest.first_time(target.lacks) else []


def _abandoning(
    stop: Stop, opened: list[Manifest], given_up: Callable[[ExitStatus, float], None]
) -> Callable[[ExitStatus], None]:
    """Commit what is recorded, if that can be done at once, before the process is ended."""

    def commit(status: ExitStatus) -> None:
        for manifest in opened:
            with suppress(Exception):  # nothing more can be done
                manifest.end_run(status, {}, reported=False)

    def abandon(status: ExitStatus) -> None:
        last = threading.Thread(target=commit, args=(status,), name="last words", daemon=True)
        last.start()
        last.join(_LAST_WORDS)
        given_up(status, _LAST_WORDS / 2 if stop.hasty() else _NOTICES)

    return abandon


def _mending(options: RunOptions, manifest: Manifest) -> RunOptions:
    """A manifest that is new or restored from its backup may lack files made before. Until a run has gone through
    everything, such files are taken over if they equal what the run would write.
    """
    if options.plan.adopt or not manifest.restored:
        return options
    return replace(options, plan=replace(options.plan, adopt=True))


def _check_shards(plan: PlanOptions) -> None:
    """Raise `UsageError` for what does not go together with tar shards."""
    if plan.shard is not None:
        raise UsageError("--shard is for files: several runs would write the same tar shards")
    if plan.adopt:
        raise UsageError("--adopt is for files: a tar shard in the way is taken over if its bytes are the same")


def make_parents(config: Config) -> None:
    """Make the folders above the target, if they are in the same tree as the config. Elsewhere a missing parent may be
    a disk that is not mounted: `prepare` refuses it.
    """
    target = config.target.path
    if target is None:
        return
    there = next(folder for folder in target.parents if folder.exists())
    if there != Path(there.anchor) and config.path.resolve().is_relative_to(there.resolve()):
        try:
            make_folders(target.parent)
        except OSError as error:
            raise TargetTrouble(f"cannot make the folder {target.parent}: {error.strerror}") from error


def _sweep(manifest: Manifest, target: Target) -> None:
    """Remove the temporary files of runs that died or were stopped, if the last one was: it may have given up threads
    that hung. The lock ensures that none of them works now.
    """
    runs = manifest.runs(KEEP)
    if runs and runs[0].status not in _CLEAN:
        target.sweep({run.run for run in runs if run.status not in _CLEAN})


def _start(identity: str, config: Config, chosen: Workers) -> RunStart:
    return RunStart(
        identity,
        str(config.path),
        tuple(sys.argv),
        os.getpid(),
        socket.gethostname(),
        time.time(),
        settings=asdict(chosen),
    )
