from __future__ import annotations

import ctypes
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.config.load import load, peek
from pipeline.config.settings import IoNice, WorkerSettings
from pipeline.run.options import RunOptions
from pipeline.run.run import run
from tests.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


LOWERED = """
import os, sys
from pipeline.workers.priority import lower
lower(int(sys.argv[1]), sys.argv[2] or None)
print(os.getpriority(os.PRIO_PROCESS, 0), flush=True)
sys.stdin.read()
"""


def io_class(pid: int) -> int:
    number = {"x86_64": 252, "aarch64": 31}.get(platform.machine())
    if number is None:
        pytest.skip("needs a known ioprio_get")
    return int(ctypes.CDLL(None).syscall(number, 1, pid)) >> 13


@pytest.mark.parametrize(("ionice", "expected"), [("idle", 3), ("best-effort", 2)])
def test_both_priorities_are_lowered(ionice: str, expected: int) -> None:
    command = [sys.executable, "-c", LOWERED, "19", ionice]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "19\n"
        assert io_class(process.pid) == expected
        process.communicate()


def test_a_run_that_was_started_nicer_stays_so() -> None:
    command = ["nice", "-n", "15", sys.executable, "-c", LOWERED, "10", ""]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
    assert int(done.stdout) >= 15


def test_gentle_is_nice_to_cpus_and_disks(world: World) -> None:
    world.configure(world.text + "workers: gentle\n")
    assert load(world.config_path).workers == WorkerSettings(nice=19, ionice=IoNice.IDLE)
    assert peek(world.config_path).gentle


def test_a_run_lowers_itself_as_the_config_says(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.configure(world.text + "workers: {nice: 3, processes: 1, threads: 1}\n")
    world.fill(2)
    done = world.process("run", "-v", str(world.config_path))
    assert done.returncode == 0
    asked: list[tuple[int, str | None]] = []
    monkeypatch.setattr("pipeline.workers.priority.lower", lambda nice, ionice: asked.append((nice, ionice)))
    run(world.config, RunOptions(threads=1, processes=0), lambda _progress: None)
    assert asked == [(3, None)]
