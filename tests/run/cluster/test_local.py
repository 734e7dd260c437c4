"""A run on Dask gives what a run on this machine gives; here scheduler and workers are in the run's own process."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import ExitStatus
from pipeline.run.cluster import worker
from tests.run import lane_faults
from tests.run.test_same_bytes import TEXT, fill
from tests.world import World


@pytest.fixture(autouse=True)
def settled_lanes(settled: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lanes without a fault, in which every source counts as old."""
    monkeypatch.setattr(worker, "SERVE", lane_faults.SERVE)


def test_a_run_on_two_workers_gives_the_tree_and_the_exports_of_a_local_run(tmp_path: Path) -> None:
    came = []
    for name, executor in (("here", ""), ("dask", "executor: {dask: local, workers: 2}\n")):
        (tmp_path / name).mkdir()
        world = World(tmp_path / name, TEXT + executor)
        fill(world)
        summary = world.run(threads=None, processes=1)
        told = summary.status, summary.pictures, summary.renditions, summary.failures
        came.append((world.tree(), world.export(), world.srcset(), told))
        assert world.leftovers() == []
    for here, there in zip(*came, strict=True):
        assert there == here
    assert list((world.target / ".pipeline").glob("lease*")) == []


def test_a_run_that_has_nothing_to_do_asks_for_no_worker(world: World) -> None:
    world.fill(2)
    world.run()
    world.configure(world.text + "executor: {dask: tcp://127.0.0.1:1}\n")
    assert world.run().status == ExitStatus.OK
