"""What this machine and this installation provide for a run."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import resource
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

from pipeline.config.settings import Config
from pipeline.doctor.finding import Finding, fail, ok, warn
from pipeline.extras import how_to_have
from pipeline.run.prestart import lane_processes
from pipeline.workers import cpus

_DESCRIPTORS = 1024  # 330 folders at the most, and some for each thread and child
_PYTHON = (3, 11)


def installation() -> Iterator[Finding]:
    """Python and the libraries of the main process."""
    version = platform.python_version()
    if sys.version_info < _PYTHON:
        yield fail("python", version, "needs 3.11 or newer")
    else:
        yield ok("python", f"{version} at {sys.executable}")
    packages = ("click", "pydantic", "pyyaml", "tqdm")
    versions = [f"{name} {its}" for name in packages if (its := _version(name))]
    yield ok("libraries", ", ".join([*versions, f"SQLite {sqlite3.sqlite_version}"]))
    if os.geteuid() == 0:
        advice = "a user who may read the source and write the target is enough"
        yield warn("user", "root: a picture that broke out of its child would own the machine", advice)
    vips = _version("pyvips")
    lacking = f"Pillow; libvips is quicker and keeps 16 bits a channel, {how_to_have('libvips')}"
    yield ok("resampler", f"libvips (pyvips {vips})" if vips else lacking)


def limits(config: Config | None) -> Iterator[Finding]:
    """Those limits of this process that a run would reach."""
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = _DESCRIPTORS + (8 * (config.workers.threads or 0) if config else 0)
    if soft != resource.RLIM_INFINITY and soft < needed:
        yield warn("limits", f"{soft:,} open files", f"raise it to {needed:,} (ulimit -n)")
    else:
        yield ok("limits", f"{'any number of' if soft == resource.RLIM_INFINITY else f'{soft:,}'} open files")
    size = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    if size != resource.RLIM_INFINITY:
        yield warn("limits", f"no file may be larger than {size:,} bytes", "lift it (ulimit -f)")
    memory = config.limits.memory if config else 0
    for which, name in ((resource.RLIMIT_AS, "-v"), (resource.RLIMIT_DATA, "-d")):
        most = resource.getrlimit(which)[1]
        if most != resource.RLIM_INFINITY and most < memory:
            said = f"{most / 2**20:,.0f} MiB a process, less than limits.memory"
            yield warn("limits", said, f"lift it (ulimit {name})")
    seconds = resource.getrlimit(resource.RLIMIT_CPU)[1]
    if seconds != resource.RLIM_INFINITY:
        yield warn("limits", f"a process may use {seconds:,} s of CPU only", "lift it (ulimit -t)")


def work(threads: int, processes: int, memory: int, config: Config | None) -> Iterator[Finding]:
    """The threads and processes of a run, and why so many; `memory` in bytes for all pictures in flight."""
    asked = config.workers if config else None
    there = f"{os.cpu_count()} CPUs, {_affinity()} for this process, {cpus.available()} after the control group's quota"
    why = "as the config says" if asked and asked.processes is not None else there
    if processes:
        lanes = lane_processes(processes)
        shared = f"; runs with much to do share them out among {lanes} lane processes" if lanes else ""
        yield ok("workers", f"{processes} children ({why}), {threads} I/O threads{shared}")
    else:
        said = "processes: 0 renders in the threads: no limits of time and memory, a crash ends the run, no confinement"
        yield warn("workers", said, "leave it out unless every source is trusted")
    free = _free()
    said = f"{memory / 2**20:,.0f} MiB for all pictures in flight"
    if free is not None and memory > free:
        advice = "set workers.memory, or run it when others do not"
        yield warn("memory", f"{said}, but only {free / 2**20:,.0f} MiB are free now", advice)
    else:
        yield ok("memory", said)


def _affinity() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _free() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return None


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
