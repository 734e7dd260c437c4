"""Whatever a child answers that a picture has taken over: it costs that picture, and nothing else."""

from __future__ import annotations

import pytest

from pipeline.errors import ExitStatus
from pipeline.run import rendering
from tests.descriptors import none_stays_open
from tests.run.evil import DEEDS, HARMLESS, LIES, taken_over
from tests.world import World, jpeg

TEXT = """source: photos
target: out
placeholder: true
renditions:
  thumb: {width: 32, height: 32}
  free: {widths: [20], format: png}
limits: {seconds: 20, memory: 1 GiB}
"""


@pytest.fixture
def prepared(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(rendering, "_RENDER", "tests.run.evil:evil")
    world.configure(TEXT)
    world.fill(6)
    return world


def commands_still_work(world: World) -> None:
    """What reads the manifest afterwards."""
    config = str(world.config_path)
    for arguments in (
        ("plan", config),
        ("status", "--profile", config),
        ("verify", config),
        ("manifest", "export", "--measured", config),
        ("manifest", "export", "--format", "srcset", config),
    ):
        done = world.command(*arguments)
        assert (done.returncode, "Traceback" in done.stderr) == (ExitStatus.OK, False), (arguments, done.stderr)
        assert "<script" not in done.stdout


def test_each_way_to_lie_costs_its_own_picture_without_a_second_try(prepared: World) -> None:
    kinds = dict(enumerate([*LIES, *DEEDS]))
    for number, what in kinds.items():
        prepared.put(f"evil/{number}.jpg", taken_over(jpeg((number, 99, 199)), what))
    prepared.settle()
    with none_stays_open():
        summary = prepared.run(processes=2, threads=2)
    errors = {kinds[int(failure.source[5:-4])]: failure.error.partition(":")[0] for failure in summary.failures}
    assert errors == dict.fromkeys(kinds.values(), "crashed")
    assert (summary.pictures, summary.status) == ({"done": 6, "failed": len(kinds)}, ExitStatus.FAILED)
    assert len(prepared.tree()) == 12
    commands_still_work(prepared)


def test_an_estimate_beyond_all_memory_holds_up_nobody(prepared: World) -> None:
    """It is counted as what a child may take at the most."""
    (what,) = HARMLESS
    prepared.put("b/004.jpg", taken_over(jpeg((9, 99, 199)), what))
    prepared.settle()
    assert prepared.run(processes=2).pictures == {"done": 6}
