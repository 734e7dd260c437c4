#!/usr/bin/env python3
"""Kills runs at random moments and looks at what is left. To be run as `.venv/bin/python scripts/kill_test.py`.

One run is left in peace; its targets and its export are what all others are held against. Then a run is started, and at
a moment drawn evenly from the time that the first one took, its whole process group gets SIGKILL. It must hold at once:

- every file under a final name is whole: byte for byte that of the undisturbed run;
- the manifest is sound and not ahead of the disk: what it calls done is there, with the recorded hash;
- no process of the run is left.

The next run must end with status 0, after which targets and export are those of the undisturbed run, no temporary file
is left, and `pipeline verify` has no complaint. Every third kill hits a target that was left by the kill before.

Status: 0 all held; 1 something did not; 2 usage.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from scripts.benchmarks import folders
from scripts.benchmarks.measure import adopt_orphans

_ROOT = Path(__file__).resolve().parent.parent
_PIPELINE = (sys.executable, "-I", "-m", "pipeline")
_RENDITIONS = """\
renditions:
  thumb: {width: 320, height: 320}
  wide: {width: 640, format: webp}
"""
_LINGER = 5.0  # seconds that a child may take to notice that its parent is gone
_TRIES = 50  # runs in a row that may end before their kill

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

    @property
    def config(self) -> Path:
        """The config of the runs that are killed."""
        return self.folder / "killed.yaml"

    @property
    def target(self) -> Path:
        """Where they write to."""
        return self.folder / "killed"


def undisturbed(folder: Path, source: Path, options: tuple[str, ...]) -> Bench:
    """Make what all other runs are held against. Raises SystemExit where even that does not work."""
    config = _write_config(folder / "undisturbed.yaml", source, folder / "undisturbed")
    _write_config(folder / "killed.yaml", source, folder / "killed")
    started = time.monotonic()
    done = subprocess.run([*_PIPELINE, "run", str(config), "-q", *options], capture_output=True, check=False)
    seconds = time.monotonic() - started
    if done.returncode != 0:
        raise SystemExit(f"the undisturbed run ended with status {done.returncode}: {_said(done)}")
    return Bench(folder, source, options, _tree(folder / "undisturbed"), _export(config), seconds)


def kill(bench: Bench, moment: float) -> bool:
    """Start a run and kill its group `moment` seconds later. False where it had ended before."""
    run = subprocess.Popen(
        [*_PIPELINE, "run", str(bench.config), "-q", *bench.options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        run.wait(moment)
    except subprocess.TimeoutExpired:
        os.killpg(run.pid, signal.SIGKILL)
    return run.wait() == -signal.SIGKILL


def breaches_after_kill(bench: Bench) -> list[str]:
    """What must not be and is, at once after a kill."""
    return [*_left_processes(), *_torn(bench), *_ahead(bench)]


def breaches_after_next_run(bench: Bench) -> list[str]:
    """What must not be and is, once the next run has ended."""
    found = []
    done = subprocess.run(
        [*_PIPELINE, "run", str(bench.config), "-q", *bench.options], capture_output=True, check=False
    )
    if done.returncode != 0:
        found.append(f"the next run ended with status {done.returncode}: {_said(done)}")
    tree = _tree(bench.target)
    found += [
        f"differs from the undisturbed run: {path}" for path in sorted(set(tree.items()) ^ set(bench.tree.items()))
    ]
    found += [f"temporary file left: {path}" for path in _temporary(bench.target)]
    checked = subprocess.run([*_PIPELINE, "verify", str(bench.config)], capture_output=True, check=False)
    if checked.returncode != 0:
        found.append(f"verify ended with status {checked.returncode}: {_said(checked)}")
    if _export(bench.config) != bench.export:
        found.append("the export differs from that of the undisturbed run")
    return found


def _write_config(path: Path, source: Path, target: Path) -> Path:
    path.write_text(f"source: {source}\ntarget: {target}\n{_RENDITIONS}")
    return path


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    return (done.stdout + done.stderr).decode(errors="replace").strip()[-600:]


def _export(config: Path) -> bytes:
    command = [*_PIPELINE, "manifest", "export", str(config), "--format", "jsonl"]
    return subprocess.run(command, capture_output=True, check=False).stdout


def _files(target: Path) -> list[Path]:
    """All files of a target but those that the program keeps there for itself."""
    return sorted(
        path for path in target.rglob("*") if path.is_file() and ".pipeline" not in path.relative_to(target).parts
    )


def _temporary(target: Path) -> list[str]:
    return [str(path.relative_to(target)) for path in sorted(target.rglob(".pipeline-*"))]


def _tree(target: Path) -> Tree:
    return {
        str(path.relative_to(target)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in _files(target)
        if not path.name.startswith(".pipeline-")
    }


def _torn(bench: Bench) -> list[str]:
    return [
        f"not whole: {path}" if path in bench.tree else f"not of the undisturbed run: {path}"
        for path, sha256 in _tree(bench.target).items()
        if bench.tree.get(path) != sha256
    ]


def _ahead(bench: Bench) -> list[str]:
    """Where the manifest says more than the disk holds. A copy is opened: the next run finds all as it was left."""
    with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
        for path in (bench.target / ".pipeline").glob("manifest.sqlite*"):
            if not path.name.endswith("-shm"):  # an index of the log, made anew from it
                shutil.copy(path, folder)
        copy = Path(folder, "manifest.sqlite")
        if not copy.exists() or not copy.stat().st_size:
            return []
        try:
            with contextlib.closing(sqlite3.connect(copy)) as connection:
                sound = connection.execute("PRAGMA integrity_check").fetchall()
                rows = connection.execute("SELECT target, sha256 FROM rendition WHERE status = 'done'").fetchall()
        except sqlite3.Error as error:
            if "no such table" in str(error):
                return []  # killed before the tables were laid
            return [f"manifest: {error}"]
    found = [] if sound == [("ok",)] else [f"manifest: {sound}"]
    for target, sha256 in rows:
        path = bench.target / os.fsdecode(target)
        if not path.is_file():
            found.append(f"the manifest is ahead of the disk: {path.name} is missing")
        elif hashlib.sha256(path.read_bytes()).digest() != sha256:
            found.append(f"the manifest is ahead of the disk: {path.name} is not what was recorded")
    return found


def _left_processes() -> list[str]:
    """Children of the killed run are ours now. They have to end by themselves."""
    deadline = time.monotonic() + _LINGER
    while time.monotonic() < deadline:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return []
        if not pid:
            time.sleep(0.005)
    return [f"a process of the run lived on for {_LINGER:.0f} seconds"]


def _arguments(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Kills runs at random moments and looks at what is left.")
    parser.add_argument("--folder", type=Path, help="pictures to use (read only); default: some that are made here")
    parser.add_argument("--at-least", type=int, default=60, metavar="N", help="repeat them until there are N")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=None, help="of the moments; default: another one each time")
    parser.add_argument("--options", default="", help='for `pipeline run`, as "--processes 0"')
    parser.add_argument(
        "--work", type=Path, default=_ROOT / "build" / "kill", help="where to work (default: build/kill)"
    )
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> int:
    """Kill as often as asked for, a line each. The exit status is in the text above."""
    chosen = _arguments(words)
    adopt_orphans()
    work = chosen.work.resolve()
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    originals = chosen.folder or folders.photos(work, small=True)
    source = folders.repeated(originals, work / "source", chosen.at_least)
    time.sleep(2.2)  # until the program trusts the stat of files this young
    bench = undisturbed(work, source, tuple(chosen.options.split()))
    seed = random.randrange(10**6) if chosen.seed is None else chosen.seed
    print(f"undisturbed: {bench.seconds:.2f} s, {len(bench.tree)} targets; seed {seed}", flush=True)
    bad = _kills(bench, chosen.kills, random.Random(seed))
    print(f"{chosen.kills} kills, {bad} with a breach")
    if not bad:
        shutil.rmtree(work)
    return 1 if bad else 0


def _kills(bench: Bench, kills: int, chance: random.Random) -> int:
    """How many of the kills had a breach."""
    bad = 0
    for number in range(1, kills + 1):
        continued = number % 3 == 0
        moment = _killed_run(bench, chance, continued)
        found = len(_tree(bench.target)), len(_temporary(bench.target))
        breaches = breaches_after_kill(bench)
        if (number + 1) % 3 or number == kills:
            breaches += breaches_after_next_run(bench)
        print(
            f"kill {number:2d} after {moment:6.3f} s{' (in what the last left)' if continued else ''}: "
            f"{found[0]} targets, {found[1]} temporary files; {'BREACH' if breaches else 'all held'}",
            *breaches[:10],
            sep="\n    ",
            flush=True,
        )
        bad += bool(breaches)
    return bad


def _killed_run(bench: Bench, chance: random.Random, continued: bool) -> float:
    """Kill one run for certain, and tell when: one that ended before its moment is tried again with another."""
    for _ in range(_TRIES):
        if not continued:
            shutil.rmtree(bench.target, ignore_errors=True)
        moment = chance.uniform(0.0, bench.seconds)
        if kill(bench, moment):
            return moment
        continued = False
    raise SystemExit(f"{_TRIES} runs ended before they could be killed: are there enough pictures?")


if __name__ == "__main__":
    sys.exit(main())
