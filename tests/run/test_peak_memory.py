"""The memory of all processes together stays within `workers.memory`, also when pictures are large and many at once."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from PIL import Image

from tests.pictures import encoded
from tests.world import World

_MIB = 2**20


def proportional(pid: int) -> int:
    """Bytes of a process, with what it shares counted by its share; 0 once it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def family(pid: int) -> list[int]:
    """A process and its children."""
    try:
        return [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()), *_of_threads(pid)]
    except OSError:
        return [pid]


def _of_threads(pid: int) -> list[int]:
    return [
        int(child)
        for thread in os.listdir(f"/proc/{pid}/task")
        if thread != str(pid)
        for child in Path(f"/proc/{pid}/task/{thread}/children").read_text().split()
    ]


def peak(command: list[str], cwd: Path) -> int:
    """The largest sum of proportional set sizes seen while `command` ran, about every 10 ms."""
    most = 0
    tick = threading.Event()
    with subprocess.Popen(command, cwd=cwd) as process:
        while process.poll() is None:
            most = max(most, sum(map(proportional, family(process.pid))))
            tick.wait(0.01)
    assert process.returncode == 0
    return most


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs smaps_rollup")
@pytest.mark.parametrize("total", [500, 700])
def test_big_pictures_wait_for_room_and_all_processes_stay_within_the_budget(world: World, total: int) -> None:
    noise = Image.effect_noise((500, 300), 50).resize((5000, 3000), Image.Resampling.NEAREST).convert("RGBA")
    big = encoded(noise, "PNG", compress_level=1)
    for number in range(8):
        world.put(f"big{number}.png", big + bytes([number]))  # equal pictures would be rendered once
        world.put(f"small{number}.jpg")
    world.settle()
    world.configure(world.text + f"workers: {{processes: 4, threads: 6, memory: {total}MB}}\n")
    most = peak([sys.executable, "-m", "pipeline", "run", str(world.config_path)], Path.cwd())
    assert len(world.tree()) == 16
    assert most < total * _MIB
    assert most > 250 * _MIB  # one of the big ones alone: the measurement has seen something
