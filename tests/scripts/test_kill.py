"""`scripts/kill_test.py`: a short form of it, and that it sees what it is there to see."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.benchmarks.folders import photos, repeated
from scripts.checks.bench import Bench, breaches_after_next_run, breaches_at_once, undisturbed, unrecorded

SHARDS = "shards: webdataset, pictures: 2"
_SCRIPT = Path(__file__).parents[2] / "scripts" / "kill_test.py"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("who", "lanes", "keys"),
    [("group", 0, ""), ("group", 3, ""), ("driver", 3, ""), ("lane", 3, ""), ("child", 3, ""), ("group", 0, SHARDS)],
)
def test_a_killed_run_leaves_nothing_torn_and_the_next_one_finishes_its_work(
    tmp_path: Path, who: str, lanes: int, keys: str
) -> None:
    options = ["--kills", "2", "--at-least", "30", "--who", who, "--work", str(tmp_path / "work"), "--target", keys]
    options += ["--options", f"--lanes {lanes} --processes 3"]
    done = subprocess.run([sys.executable, str(_SCRIPT), *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"2 kills ({who}), 0 with a breach" in done.stdout


@pytest.mark.slow
def test_a_run_whose_lanes_and_children_are_killed_again_and_again_does_not_hang(tmp_path: Path) -> None:
    options = ["--minutes", "0.1", "--at-least", "40", "--work", str(tmp_path / "work")]
    script = _SCRIPT.with_name("kill_loop.py")
    done = subprocess.run([sys.executable, str(script), *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ", 0 with a breach" in done.stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A run that was left in peace."""
    folder = tmp_path_factory.mktemp("kill")
    source = repeated(photos(folder, small=True), folder / "source", 3)
    return undisturbed(folder, source, ("--processes", "0"))


@pytest.fixture(scope="module")
def made_into_shards(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """The same, into tar shards."""
    folder = tmp_path_factory.mktemp("kill-shards")
    source = repeated(photos(folder, small=True), folder / "source", 3)
    return undisturbed(folder, source, ("--processes", "0"), keys=SHARDS)


def _tear(target: Path) -> None:
    path = next(target.glob("*.jpg"))
    path.write_bytes(path.read_bytes()[:-9])


def _lose(target: Path) -> None:
    next(target.glob("*.webp")).unlink()


def _corrupt(target: Path) -> None:
    _execute(target, "UPDATE rendition SET sha256 = x'00'")


def _tear_shard(target: Path) -> None:
    path = target / "000000.tar"
    path.write_bytes(path.read_bytes()[:-10_240])


def _lose_shard(target: Path) -> None:
    (target / "000001.tar").unlink()


def _misplace(target: Path) -> None:
    _execute(target, "UPDATE member SET start = start + 512")


def _execute(target: Path, statement: str) -> None:
    manifest = target / ".pipeline" / "manifest.sqlite"
    with contextlib.closing(sqlite3.connect(manifest, isolation_level=None)) as connection:
        connection.execute(statement)


@pytest.mark.parametrize(
    ("harm", "complaint"),
    [(_tear, "not whole"), (_lose, "is missing"), (_corrupt, "is not what was recorded")],
)
def test_it_sees_what_must_not_be(made: Bench, harm: Callable[[Path], None], complaint: str) -> None:
    _sees(made, harm, complaint)


@pytest.mark.parametrize(
    ("harm", "complaint"),
    [
        (_tear_shard, "not whole"),
        (_lose_shard, "001.tar is missing"),
        (_lose_shard, "jpg is missing"),
        (_corrupt, "is not what was recorded"),
        (_misplace, "is not where the manifest says"),
    ],
)
def test_it_sees_what_must_not_be_in_shards(
    made_into_shards: Bench, harm: Callable[[Path], None], complaint: str
) -> None:
    _sees(made_into_shards, harm, complaint)


def _sees(made: Bench, harm: Callable[[Path], None], complaint: str) -> None:
    shutil.rmtree(made.target, ignore_errors=True)
    shutil.copytree(made.folder / "undisturbed", made.target)
    assert breaches_at_once(made) == []
    harm(made.target)
    assert any(complaint in breach for breach in breaches_at_once(made))


def test_it_counts_pictures_whose_files_are_not_recorded(made: Bench) -> None:
    shutil.rmtree(made.target, ignore_errors=True)
    shutil.copytree(made.folder / "undisturbed", made.target)
    assert unrecorded(made) == 0
    (made.target / ".pipeline" / "manifest.sqlite").unlink()
    assert unrecorded(made) == 3


def test_it_sees_temporary_files_that_stay(made: Bench) -> None:
    shutil.rmtree(made.target, ignore_errors=True)
    (made.target / "foreign").mkdir(parents=True)
    (made.target / "foreign" / ".pipeline-left").touch()
    assert any("temporary file left" in breach for breach in breaches_after_next_run(made))
