"""`doctor` asks every worker of the config's executor."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.doctor.cluster import executor
from pipeline.doctor.finding import Level
from pipeline.run.cluster import on_dask, worker
from pipeline.run.cluster.worker import Versions
from tests.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, "source: photos\ntarget: out\nrenditions: {a: {}}\nexecutor: {dask: local, workers: 2}\n")


def test_workers_that_could_carry_pictures_are_fine(world: World) -> None:
    findings = list(executor(world.config))
    assert [(finding.level, finding.what) for finding in findings] == [(Level.OK, "worker 0"), (Level.OK, "worker 1")]


def test_a_worker_that_lacks_the_source_or_a_library_is_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    config = world.config
    world.source.rmdir()
    assert {finding.level for finding in executor(config)} == {Level.FAIL}
    ours = worker.versions()
    others = iter([ours, Versions("0.0", 1, ""), ours])
    monkeypatch.setattr(worker, "versions", lambda: next(others))
    assert any("version 0.0 of this program" in finding.detail for finding in executor(config))


def test_a_scheduler_that_is_not_there_is_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_dask, "_CONNECT", 0.1)
    world.configure(world.text.replace("{dask: local, workers: 2}", "{dask: 'tcp://127.0.0.1:1'}"))
    (finding,) = executor(world.config)
    assert (finding.level, finding.what) == (Level.FAIL, "executor")
