"""System calls that fail on purpose, or kill who makes them: strace's injection, and what a run makes of it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.checks.bench import Bench, breaches_at_once, differences, temporary

KILL = "KILL"
FAULTS: dict[str, tuple[str, ...]] = {
    "clone": ("EAGAIN",),
    "clone3": ("EAGAIN",),
    "fadvise64": ("EIO",),
    "fdatasync": ("EIO", "ENOSPC", KILL),
    "flock": ("ENOLCK",),
    "fsync": ("EIO", "ENOSPC", KILL),
    "ftruncate": ("EIO", "ENOSPC", KILL),
    "link": ("EIO", "ENOSPC", KILL),
    "linkat": ("EIO", "ENOSPC", KILL),
    "memfd_create": ("EMFILE", KILL),
    "mkdir": ("EIO", "ENOSPC", KILL),
    "mkdirat": ("EIO", "ENOSPC", KILL),
    "openat": ("EIO", "EMFILE", "ENOSPC", KILL),
    "pipe2": ("EMFILE",),
    "pread64": ("EIO", KILL),
    "pwrite64": ("EIO", "ENOSPC", KILL),
    "readv": ("EIO", KILL),
    "rename": ("EIO", "ENOSPC", KILL),
    "renameat": ("EIO", "ENOSPC", KILL),
    "renameat2": ("EIO", "ENOSPC", KILL),
    "socketpair": ("EMFILE",),
    "unlink": ("EIO", KILL),
    "unlinkat": ("EIO", KILL),
    "write": ("EIO", "ENOSPC", KILL),
}
_OF_ITS_FILES = frozenset({"openat", "pread64"})  # only of the run's own files: the interpreter is not ours
_LINE = re.compile(rb"(\d+) +(?:<\.\.\. )?(\w+)\(")
_PATIENCE = 60.0  # seconds


@dataclass(frozen=True, slots=True)
class Fault:
    """The `number`-th `call` of each thread fails with `error`, or kills its process.

    `replacing`: in a run that replaces what another recipe made, instead of one that begins with nothing.
    """

    call: str
    error: str
    number: int
    replacing: bool

    def __str__(self) -> str:
        return f"{self.call} {self.number} {self.error}{', replacing' if self.replacing else ''}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run with a fault came to. `status` is None where it had to be killed."""

    fault: Fault
    happened: bool
    status: int | None
    said: str
    breaches: tuple[str, ...]


def usable() -> bool:
    """Whether strace is here and may trace."""
    if not shutil.which("strace"):
        return False
    command = ["strace", "-f", "--seccomp-bpf", "-qq", "-o", os.devnull, "true"]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def begin(bench: Bench, *, replacing: bool) -> None:
    """Lay the target out as a run is to find it."""
    shutil.rmtree(bench.target, ignore_errors=True)
    if replacing:
        shutil.copytree(bench.folder / "earlier", bench.target)


def counted(bench: Bench, calls: Collection[str], *, replacing: bool) -> dict[str, int]:
    """How often one thread of an undisturbed run makes each of `calls` at the most."""
    numbers: dict[str, int] = {}
    for of_files in (True, False):
        chosen = sorted(call for call in calls if (call in _OF_ITS_FILES) == of_files)
        if not chosen:
            continue
        begin(bench, replacing=replacing)
        log = bench.folder / "calls"
        _strace(bench, log, ["-e", f"trace={','.join(chosen)}", *(_paths(bench) if of_files else ())])
        by_thread = Counter(_LINE.findall(log.read_bytes()))
        for (_thread, call), number in by_thread.items():
            numbers[call.decode()] = max(numbers.get(call.decode(), 0), number)
    return numbers


def numbers(count: int, most: int) -> list[int]:
    """1 to `count`; no more than `most` of them, the first ones for certain and the rest evenly from all over."""
    if count <= most:
        return list(range(1, count + 1))
    first = most // 2
    step = (count - first) / (most - first)
    return [*range(1, first + 1), *(first + round(step * (place + 1)) for place in range(most - first))]


def struck(bench: Bench, fault: Fault) -> Outcome:
    """A run with this fault, and all that was wrong with it and with what it left."""
    begin(bench, replacing=fault.replacing)
    log = bench.folder / "calls"
    harm = f"signal={fault.error}" if fault.error == KILL else f"error={fault.error}"
    options = ["-e", f"trace={fault.call}", "-e", f"inject={fault.call}:{harm}:when={fault.number}"]
    done = _strace(bench, log, options + (_paths(bench) if fault.call in _OF_ITS_FILES else []))
    if done is None:
        return Outcome(fault, True, None, "", ("it hung",))
    happened = b"(INJECTED)" in log.read_bytes() or done.returncode == -signal.SIGKILL
    said = done.stderr.decode(errors="replace").strip()
    breaches = [*_wrong_end(bench, fault, done.returncode, said), *breaches_at_once(bench)]
    return Outcome(fault, happened, done.returncode, said, tuple(breaches))


def _wrong_end(bench: Bench, fault: Fault, status: int, said: str) -> list[str]:
    if fault.error == KILL and status == -signal.SIGKILL:
        return []
    wrong = []
    if "Traceback" in said or "defect" in said:
        wrong.append("a traceback")
    if status not in (0, 1, 3):
        wrong.append(f"status {status}")
    if status == 0 and (unlike := differences(bench)):
        wrong.append(f"status 0, but {unlike[0]}")
    if status == 1 and not said:
        wrong.append("status 1 without a word")
    if status == 3 and len(said.splitlines()) != 1:
        wrong.append(f"{len(said.splitlines())} lines instead of one")
    if status == 3 and not fault.call.startswith("unlink") and bench.target.exists():
        wrong += [f"temporary file left: {path}" for path in temporary(bench.target)]
    return wrong


def _strace(bench: Bench, log: Path, options: Sequence[str]) -> subprocess.CompletedProcess[bytes] | None:
    quick = [] if any("signal=" in word for word in options) else ["--seccomp-bpf"]  # it loses signals (strace 6.1)
    command = ["strace", "-f", *quick, "-qq", "-o", str(log), *options, *bench.command]
    run = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    try:
        output, errors = run.communicate(timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(run.pid, signal.SIGKILL)
        run.communicate()
        return None
    return subprocess.CompletedProcess(command, run.returncode, output, errors)


def _paths(bench: Bench) -> list[str]:
    """Only calls that touch the run's own files, by their names or by a descriptor of their folder."""
    names = {folder for path in bench.tree for folder in [Path(path).parent, *Path(path).parent.parents]}
    inside = [bench.target / name for name in names] + [bench.source / name for name in names]
    kept = bench.target / ".pipeline"
    manifest = [kept / f"manifest.sqlite{suffix}" for suffix in ("", "-wal", ".lock", ".backup", ".new", ".backup.new")]
    pictures = [path for path in bench.source.rglob("*") if path.is_file()]
    return [word for path in sorted({*inside, kept, *manifest, *pictures}) for word in ("-P", str(path))]
