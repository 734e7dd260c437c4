"""Runs one command and tells what it cost: wall seconds, CPU seconds of its whole tree of processes, peak memory."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36
_STRAGGLE = 5.0  # seconds that a process may outlive the command that started it


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run of a command took. CPU is user and system time of all processes; memory is None unless sampled."""

    wall: float  # seconds
    cpu: float  # seconds
    memory: int | None = None  # bytes: highest sum of the proportional set sizes of all processes at one time


class Failed(Exception):
    """The command ended with a status that its caller does not take, or left processes behind."""


def adopt_orphans() -> None:
    """From now on processes whose parent ended become ours (Linux), so that their CPU time is counted, too."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def run(
    command: Sequence[str],
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    statuses: Sequence[int] = (0,),
    sample_memory: bool = False,
    beside: Collection[int] = (),
) -> Cost:
    """Run `command` to its end, its output thrown away. Not for use by several threads: all children are reaped but
    those `beside` it.

    Raises `Failed`, with what the command had said, when it ends with another status than `statuses`.
    """
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as given:
        given.write(stdin)
        given.seek(0)
        started = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=given,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        with _sampled(process.pid) if sample_memory else contextlib.nullcontext(_Peak()) as peak:
            _, status, usage = os.wait4(process.pid, 0)
            wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        cpu = _cpu(usage) + _reap_orphans(process.pid, beside)
        if process.returncode not in statuses:
            said.seek(0)
            text = said.read().decode(errors="replace").strip()[-2000:]
            raise Failed(f"{' '.join(command)}: status {process.returncode}\n{text}")
    return Cost(wall, cpu, peak.bytes or None)


def _cpu(usage: resource.struct_rusage) -> float:
    return usage.ru_utime + usage.ru_stime


def _reap_orphans(session: int, beside: Collection[int]) -> float:
    """CPU seconds of the processes that outlived their parent; those that do not end by themselves are an error."""
    total, deadline = 0.0, time.monotonic() + _STRAGGLE
    while orphans := [pid for pid in _children() if pid not in beside]:
        for orphan in orphans:
            pid, _, usage = os.wait4(orphan, os.WNOHANG)
            total += _cpu(usage) if pid else 0.0
        if time.monotonic() > deadline:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(session, signal.SIGKILL)
            raise Failed(f"a process of the command was still there {_STRAGGLE:.0f} seconds after its end")
        time.sleep(0.005)
    return total


def _children() -> list[int]:
    """Those of this process."""
    return [int(pid) for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()]


@dataclass(slots=True)
class _Peak:
    bytes: int = 0


@contextlib.contextmanager
def _sampled(pid: int) -> Iterator[_Peak]:
    """Look at the tree's memory every 50 ms. It costs a few percent, so runs that are timed do without."""
    peak, ended = _Peak(), threading.Event()

    def watch() -> None:
        while not ended.wait(0.05):
            peak.bytes = max(peak.bytes, sum(_memory(process) for process in _tree(pid)))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        ended.set()
        watcher.join()


def _tree(root: int) -> list[int]:
    """`root` and all its descendants, as /proc shows them now."""
    parents: dict[int, int] = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            fields = Path("/proc", name, "stat").read_text().rpartition(")")[2].split()
            parents[int(name)] = int(fields[1])
    tree = [root]
    for pid in tree:  # grows while it is walked
        tree += [child for child, parent in parents.items() if parent == pid]
    return tree


def _memory(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path("/proc", str(pid), "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0
