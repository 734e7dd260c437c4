"""The N-th system call fails, or kills the run: nothing is torn or claimed that is not there, one line is said.

A sample; `scripts/faults.py` tries them all.
"""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from pipeline.errors import ExitStatus
from scripts.checks import injection
from scripts.checks.bench import Bench, breaches_at_once
from scripts.checks.injection import FAULTS, KILL, Fault
from scripts.faults import laid_out, tried
from tests.world import World

needs_strace = pytest.mark.skipif(not injection.usable(), reason="needs strace")

# What each is for: temporary files, syncs and names of targets; SQLite's pages, log and syncs; threads; memory files.
CALLS = (
    ("clone3", False),
    ("fdatasync", False),
    ("fsync", True),
    ("renameat2", False),
    ("memfd_create", False),
    ("mkdirat", False),
    ("openat", True),
    ("pwrite64", True),
    ("renameat", True),
    ("unlinkat", False),
    ("write", False),
)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return laid_out(tmp_path_factory.mktemp("faults"), 6, ("--processes", "0", "--threads", "2"))


@pytest.mark.slow
@needs_strace
@pytest.mark.parametrize(("call", "replacing"), CALLS, ids=[call for call, _ in CALLS])
def test_a_call_that_fails_or_kills_harms_nothing(bench: Bench, call: str, replacing: bool) -> None:
    errors = FAULTS[call]
    count = injection.counted(bench, [call], replacing=replacing)[call]
    happened = 0
    for place, error in enumerate(errors):
        outcome = tried(bench, Fault(call, error, 1 + count * place // len(errors), replacing))
        assert outcome.breaches == (), (outcome.fault, outcome.status, outcome.said)
        happened += outcome.happened
    assert happened, "no fault has hit: the test is blind"


@pytest.mark.slow
@needs_strace
@pytest.mark.parametrize("lanes", ["0", "3"])
def test_a_run_with_children_is_no_easier_to_harm(tmp_path: Path, lanes: str) -> None:
    bench = laid_out(tmp_path / "work", 6, ("--processes", "3", "--threads", "3", "--lanes", lanes))
    for call, error in (("renameat2", KILL), ("fsync", "EIO"), ("memfd_create", "EMFILE"), ("socketpair", "EMFILE")):
        outcome = tried(bench, Fault(call, error, 2, replacing=False))
        assert outcome.breaches == (), (outcome.fault, outcome.status, outcome.said)


@pytest.mark.slow
@needs_strace
def test_the_checks_can_see(bench: Bench) -> None:
    """A torn file, and a manifest that says more than there is."""
    tried(bench, Fault("flock", "ENOLCK", 99, replacing=False))
    assert breaches_at_once(bench) == []
    path = bench.target / next(iter(bench.tree))
    path.write_bytes(path.read_bytes()[:-9])
    assert [text.split(":")[0] for text in breaches_at_once(bench)] == [
        "not whole",
        "the manifest is ahead of the disk",
    ]
    path.unlink()
    lost = path.relative_to(bench.target)
    assert breaches_at_once(bench) == [f"the manifest is ahead of the disk: {lost} is missing"]


@pytest.mark.parametrize("processes", ["0", pytest.param("1", marks=pytest.mark.slow)])
def test_running_out_of_descriptors_is_told_in_a_line_and_forgotten(world: World, processes: str) -> None:
    world.fill(6)
    seen = set()
    for most in (8, 14, 20):

        def few(most: int = most) -> None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

        done = world.process(
            "run", "--threads", "2", "--processes", processes, "--force", str(world.config_path), preexec_fn=few
        )
        seen.add(done.returncode)
        assert "Traceback" not in done.stderr, done.stderr
        if done.returncode == ExitStatus.UNFINISHED:
            assert len(done.stderr.splitlines()) == 1, done.stderr
        else:
            assert done.returncode in (ExitStatus.OK, ExitStatus.FAILED), done.stderr
        assert world.leftovers() == []
    assert ExitStatus.UNFINISHED in seen
    summary = world.run()
    assert (summary.status, len(world.tree())) == (ExitStatus.OK, 6)
