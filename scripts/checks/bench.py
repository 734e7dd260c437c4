"""A run that was left in peace, and what must hold of one that was not: at once, and after the next run."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scripts.checks import tars

PIPELINE = (sys.executable, "-I", "-m", "pipeline")
RENDITIONS = """\
renditions:
  thumb: {width: 320, height: 320}
  wide: {width: 640, format: webp}
"""
EARLIER = RENDITIONS.replace("width: 640", "width: 600").replace("height: 320", "height: 300")
_QUEUE = 4  # jobs: few, so that batches of many begin with the first pictures that are known, not after a long queue
_UNTRUSTED = 2.2  # seconds until the program trusts the stat of a file

Tree = dict[str, str]  # path below the target -> SHA-256 in hex


@dataclass(frozen=True, slots=True)
class Bench:
    """Where all of it happens, and what an undisturbed run made of it."""

    folder: Path
    source: Path
    options: tuple[str, ...]
    tree: Tree
    export: bytes
    seconds: float
    keys: str = ""  # of the target, beside its path
    place: Path | None = None  # the target of the runs that are broken, where it is not in `folder`
    renditions: Tree = field(
        default_factory=dict
    )  # what its manifest calls done: the tree, where that has no tar shards
    earlier: Tree = field(default_factory=dict)  # files and renditions that another recipe may have made before

    @property
    def config(self) -> Path:
        """The config of the runs that are broken."""
        return self.folder / "killed.yaml"

    @property
    def target(self) -> Path:
        """Where they write to."""
        return self.place or self.folder / "killed"

    @property
    def command(self) -> tuple[str, ...]:
        """A run of it."""
        return (*PIPELINE, "run", str(self.config), *self.options)

    @property
    def in_shards(self) -> bool:
        """Whether renditions are members of tar shards."""
        return "shards:" in self.keys

    def write_config(self, renditions: str = RENDITIONS) -> None:
        """The config that is used from now on."""
        write_config(self.config, self.source, self.target, renditions, self.keys)


def settle() -> None:
    """Wait until the program trusts the stat of files that were made just now."""
    time.sleep(_UNTRUSTED)


def undisturbed(
    folder: Path,
    source: Path,
    options: tuple[str, ...],
    *,
    place: Path | None = None,
    keys: str = "",
) -> Bench:
    """Make what all other runs are held against. Raises SystemExit where even that does not work."""
    target = folder / "undisturbed"
    config = write_config(folder / "undisturbed.yaml", source, target, keys=keys)
    started = time.monotonic()
    done = subprocess.run([*PIPELINE, "run", str(config), *options], capture_output=True, check=False)
    seconds = time.monotonic() - started
    if done.returncode != 0:
        raise SystemExit(f"the undisturbed run ended with status {done.returncode}: {said(done)}")
    bench = Bench(folder, source, options, tree(target), export(config), seconds, keys, place, _renditions(target))
    bench.write_config()
    return bench


def earlier_run(bench: Bench) -> Tree:
    """Let a run with another recipe fill the target, which the next run is to replace; what it made."""
    bench.write_config(EARLIER)
    done = subprocess.run(bench.command, capture_output=True, check=False)
    bench.write_config()
    if done.returncode != 0:
        raise SystemExit(f"the run with another recipe ended with status {done.returncode}: {said(done)}")
    return tree(bench.target) | _renditions(bench.target)


def write_config(path: Path, source: Path, target: Path, renditions: str = RENDITIONS, keys: str = "") -> Path:
    """A config for `source` and `target`, which has these further `keys`."""
    place = f"source: {source}\ntarget: {{path: {target}, {keys}}}\n"
    path.write_text(f"{place}{renditions}workers: {{queue: {_QUEUE}}}\n")
    return path


# -- at once


def breaches_at_once(bench: Bench) -> list[str]:
    """What must not be and is, at any moment of a run."""
    return [*_torn(bench), *_ahead(bench)]


def tree(target: Path) -> Tree:
    """Everything under a final name."""
    return {
        str(path.relative_to(target)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(target.rglob("*"))
        if path.is_file()
        and ".pipeline" not in path.relative_to(target).parts
        and not path.name.startswith(".pipeline-")
    }


def temporary(target: Path) -> list[str]:
    """Temporary files, and whatever else was made on the way to something: none may stay."""
    return [str(path.relative_to(target)) for path in sorted(target.rglob(".pipeline-*"))]


def _torn(bench: Bench) -> list[str]:
    return [
        f"not whole: {path}" if path in bench.tree else f"not of the undisturbed run: {path}"
        for path, sha256 in tree(bench.target).items()
        if sha256 not in (bench.tree.get(path), bench.earlier.get(path))
    ]


def _ahead(bench: Bench) -> list[str]:
    """Where the manifest says more than the disk holds. A copy is opened: the next run finds all as it was left.

    A file that replaced an earlier one may be newer than its row, never older.
    """
    try:
        with _copy_of_manifest(bench.target) as connection:
            sound = connection.execute("PRAGMA integrity_check").fetchall()
            rows = _recorded(connection)
            wrong = tars.unlike_manifest(bench.target, connection) if bench.in_shards else []
    except sqlite3.Error as error:
        return [f"manifest: {error}"]
    wrong += [] if sound == [("ok",)] else [f"manifest: {sound}"]
    there = _there(bench, rows)
    for target, sha256 in rows.items():
        newer = sha256 == bench.earlier.get(target) and bench.renditions.get(target) in there[target]
        if not there[target]:
            wrong.append(f"the manifest is ahead of the disk: {target} is missing")
        elif sha256 not in there[target] and not newer:
            wrong.append(f"the manifest is ahead of the disk: {target} is not what was recorded")
    return wrong


def unrecorded(bench: Bench) -> int:
    """How many pictures have a rendition on the disk that is not recorded: the next run renders them again."""
    try:
        rows = _renditions(bench.target)
    except sqlite3.Error:
        rows = {}
    there = _there(bench, bench.renditions)
    made = {path for path, sha256 in bench.renditions.items() if sha256 in there[path] and rows.get(path) != sha256}
    return len({path.partition(".")[0] if bench.in_shards else path.rpartition("-")[0] for path in made})


def _there(bench: Bench, renditions: Iterable[str]) -> dict[str, set[str]]:
    """The hash of each rendition that is on the disk. There may be two: one waits to replace that of a shard."""
    if bench.in_shards:
        return tars.hashes(bench.target, renditions)
    files = tree(bench.target)
    return {path: {files[path]} if path in files else set() for path in renditions}


@contextlib.contextmanager
def _copy_of_manifest(target: Path) -> Iterator[sqlite3.Connection]:
    """An empty database where there is none."""
    with tempfile.TemporaryDirectory() as folder:
        for path in (target / ".pipeline").glob("manifest.sqlite*"):
            if not path.name.endswith("-shm"):  # an index of the log, made anew from it
                shutil.copy(path, folder)
        with contextlib.closing(sqlite3.connect(Path(folder, "manifest.sqlite"))) as connection:
            yield connection


def _renditions(target: Path) -> Tree:
    with _copy_of_manifest(target) as connection:
        return _recorded(connection)


def _recorded(connection: sqlite3.Connection) -> Tree:
    """What the manifest calls done."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'rendition'").fetchall():
        return {}
    rows = connection.execute("SELECT target, sha256 FROM rendition WHERE status = 'done'")
    return {os.fsdecode(target): sha256.hex() for target, sha256 in rows}


def lock_is_free(bench: Bench) -> bool:
    """Whether nobody holds the lock of the target."""
    try:
        descriptor = os.open(bench.target / ".pipeline" / "manifest.sqlite.lock", os.O_RDONLY)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


# -- after the next run


def breaches_after_next_run(bench: Bench) -> list[str]:
    """What must not be and is, once the next run has ended."""
    wrong = []
    done = subprocess.run(bench.command, capture_output=True, check=False)
    if done.returncode != 0:
        wrong.append(f"the next run ended with status {done.returncode}: {said(done)}")
    elif done.stderr:
        wrong.append(f"the next run had something to say: {said(done)}")
    wrong += differences(bench)
    checked = subprocess.run([*PIPELINE, "verify", str(bench.config)], capture_output=True, check=False)
    if checked.returncode != 0:
        wrong.append(f"verify ended with status {checked.returncode}: {said(checked)}")
    if export(bench.config) != bench.export:
        wrong.append("the export differs from that of the undisturbed run")
    return wrong


def judged(bench: Bench, what: str, breaches: Sequence[str], *, followed: bool) -> bool:
    """Whether a run that was broken has broken a promise: `breaches` that were seen already, what there is at once, and
    (`followed`) what the next run comes to. Says so in a line that begins with `what`, and in one for each breach.
    """
    counts = len(tree(bench.target)), len(temporary(bench.target))
    breaches = [*breaches, *breaches_at_once(bench), *(breaches_after_next_run(bench) if followed else ())]
    print(
        f"{what}: {counts[0]} targets, {counts[1]} temporary files; {'BREACH' if breaches else 'all held'}",
        *breaches[:10],
        sep="\n    ",
        flush=True,
    )
    return bool(breaches)


def differences(bench: Bench) -> list[str]:
    """Where the target is not as the undisturbed run left its own."""
    now = tree(bench.target)
    return [
        *(
            f"differs from the undisturbed run: {path}"
            for path in sorted(now.keys() | bench.tree.keys())
            if now.get(path) != bench.tree.get(path)
        ),
        *(f"temporary file left: {path}" for path in temporary(bench.target)),
    ]


def said(done: subprocess.CompletedProcess[bytes]) -> str:
    """The end of what a command said."""
    return (done.stdout + done.stderr).decode(errors="replace").strip()[-600:]


def export(config: Path) -> bytes:
    """What the manifest knows, without what is measured."""
    command = [*PIPELINE, "manifest", "export", str(config), "--format", "jsonl"]
    return subprocess.run(command, capture_output=True, check=False).stdout
