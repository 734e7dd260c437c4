"""The memory of all processes together stays within `workers.memory`, also when pictures are large and many at once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pipeline.errors import PictureError
from pipeline.model.record import Written
from pipeline.run import lanes
from pipeline.sources.local import LocalSource
from pipeline.sources.source import Picture
from pipeline.targets.local import LocalTarget
from pipeline.targets.target import ToWrite
from pipeline.workers.budget import Budget
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


def in_memory_files(pid: int) -> int:
    """Bytes of the files in memory that a process holds, mapped or not."""
    held = 0
    with suppress(OSError):
        for number in os.listdir(f"/proc/{pid}/fd"):
            with suppress(OSError):  # closed meanwhile
                if os.readlink(f"/proc/{pid}/fd/{number}").startswith("/memfd:"):
                    held += os.stat(f"/proc/{pid}/fd/{number}").st_blocks * 512
    return held


def peak(command: list[str], cwd: Path) -> int:
    """The largest sum of proportional set sizes and of files in memory, which are in nobody's set until they are
    mapped, seen while `command` ran, about every 10 ms.
    """
    most = 0
    tick = threading.Event()
    with subprocess.Popen(command, cwd=cwd) as process:
        while process.poll() is None:
            most = max(most, sum(map(proportional, family(process.pid))) + in_memory_files(process.pid))
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
    assert most > 150 * _MIB  # one of the big ones alone: the measurement has seen something


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs smaps_rollup")
def test_sources_that_many_threads_have_read_stay_within_the_budget(world: World) -> None:
    big = encoded(Image.new("RGB", (4000, 3500)), "BMP")  # 42 MB
    for number in range(16):
        world.put(f"{number}.bmp", big + bytes([number]))
    world.settle()
    world.configure(world.text + "workers: {processes: 1, threads: 16, memory: 450MB}\n")
    most = peak([sys.executable, "-m", "pipeline", "run", str(world.config_path)], Path.cwd())
    assert len(world.tree()) == 16
    assert 150 * _MIB < most < 450 * 10**6


@pytest.mark.parametrize("processes", [0, 2])
def test_pictures_bigger_than_all_room_there_is_and_equal_ones_come_through_one_by_one(
    world: World, processes: int
) -> None:
    for number in range(4):
        noise = Image.effect_noise((1200 + number, 1000), 50)
        world.put(f"{number}.png", encoded(noise, "PNG"))
    for number in range(2):
        shutil.copy(world.source / f"{number}.png", world.source / f"{number} again.png")
        world.put(f"small{number}.jpg")
    world.settle()
    world.configure(world.text + "workers: {queue: 4, memory: 16MiB}\n")
    summary = world.run(threads=6, processes=processes)
    assert (summary.pictures, summary.reused) == ({"done": 8}, 2)


def test_a_picture_that_has_grown_since_it_was_listed_waits_for_room_for_all_of_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    budgets: list[Budget] = []
    seen: list[int] = []
    read = LocalSource.read

    def made(total: int) -> Budget:
        budgets.append(Budget(total))
        return budgets[-1]

    def grown(self: LocalSource, source: str, *rest: Any) -> Picture:
        seen.append(budgets[0]._sources.used)
        if len(seen) == 1:
            with open(world.source / source, "ab") as file:
                file.write(bytes(3 * _MIB))
        return read(self, source, *rest)

    monkeypatch.setattr(lanes, "Budget", made)
    monkeypatch.setattr(LocalSource, "read", grown)
    path = world.put("a.jpg")
    size = path.stat().st_size
    world.settle()
    assert world.run(threads=1).pictures == {"done": 1}
    assert seen == [size, size + 3 * _MIB]


def test_renditions_are_in_the_budget_until_they_are_written(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    budgets: list[Budget] = []
    seen: list[tuple[int, int]] = []

    def made(total: int) -> Budget:
        budgets.append(Budget(total))
        return budgets[-1]

    write_all = LocalTarget.write_all

    def watched(self: LocalTarget, files: Sequence[ToWrite]) -> list[Written | PictureError]:
        seen.extend((budgets[0]._work.used, os.fstat(file.descriptor).st_size) for file in files)
        return write_all(self, files)

    monkeypatch.setattr(lanes, "Budget", made)
    monkeypatch.setattr(LocalTarget, "write_all", watched)
    first = world.put("first.jpg")
    shutil.copy(first, world.source / "second.jpg")  # whose rendition is copied from file to file
    world.settle()
    assert world.run(threads=1).reused == 1
    size = seen[0][1]
    assert seen == [(size, size), (0, size)]
    assert (budgets[0]._work.used, budgets[0]._sources.used) == (0, 0)
