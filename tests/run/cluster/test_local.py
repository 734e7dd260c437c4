"""A run on Dask gives what a run on this machine gives; here scheduler and workers are in the run's own process."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import distributed
import pytest

from pipeline.config.settings import ExecutorSettings
from pipeline.errors import ExitStatus, PipelineError, TargetTrouble
from pipeline.run.cluster import lanes, on_dask, worker
from pipeline.run.options import RunOptions
from pipeline.run.run import run
from tests import buckets, fakes3
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


@pytest.fixture
def fault(world: World, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """For `lane_faults`, in the lanes of one worker."""
    world.configure(world.text + "executor: {dask: local, workers: 1}\n")
    monkeypatch.setenv("MARK", str(world.root / "mark"))
    return monkeypatch


def test_a_picture_that_kills_its_lane_each_time_is_crashed_and_all_others_are_done(
    world: World, fault: pytest.MonkeyPatch
) -> None:
    fault.setenv("FAULT", "dies in a read, always")
    fault.setenv("VICTIM", "b/004")
    world.fill(6)
    summary = world.run(processes=1)
    assert (summary.status, summary.pictures) == (ExitStatus.FAILED, {"done": 5, "failed": 1})
    assert summary.failures[0].error == "crashed: its worker died, three times: its lane died, signal 9"
    assert len(world.tree()) == 5
    assert world.leftovers() == []


@pytest.mark.slow
@pytest.mark.parametrize("fault_", ["dies while writing", "dies after writing"])
def test_what_a_lost_lane_had_in_hand_is_made_by_another(world: World, fault: pytest.MonkeyPatch, fault_: str) -> None:
    fault.setenv("FAULT", fault_)
    fault.setenv("VICTIM", "b/")
    world.fill(24)
    summary = world.run(processes=1)
    assert (summary.status, summary.pictures) == (ExitStatus.OK, {"done": 24})
    assert world.leftovers() == []
    assert world.run().pictures == {"unchanged": 24}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "error", "text"),
    [("full", TargetTrouble, "no space left"), ("defect", RuntimeError, "ZeroDivisionError: as asked")],
)
def test_the_trouble_of_a_lane_ends_the_run(
    world: World, fault: pytest.MonkeyPatch, name: str, error: type[Exception], text: str
) -> None:
    fault.setenv("FAULT", name)
    fault.setenv("VICTIM", "b/")
    world.fill(12)
    with pytest.raises(error, match=text):
        world.run(processes=1)


@pytest.mark.slow
def test_a_run_that_is_told_to_stop_lets_pictures_in_flight_end_and_the_next_goes_on(
    world: World, fault: pytest.MonkeyPatch
) -> None:
    world.fill(24)
    done: list[int] = []
    summary = run(
        world.config,
        RunOptions(threads=1, processes=1, cancelled=lambda: bool(done)),
        lambda progress: done.append(1) if progress.jobs_done else None,
    )
    assert summary.status == ExitStatus.INTERRUPTED
    assert len(world.tree()) == summary.pictures["done"]
    assert world.leftovers() == []
    assert world.run(processes=1).pictures["done"] == 24 - summary.pictures["done"]


@pytest.fixture
def nobody() -> Iterator[distributed.LocalCluster]:
    """A cluster without workers."""
    with distributed.LocalCluster(
        n_workers=0,
        processes=False,
        protocol="tcp",
        host="127.0.0.1",
        scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
    ) as cluster:
        yield cluster


@pytest.fixture
def no_worker(world: World, nobody: distributed.LocalCluster) -> World:
    world.configure(world.text + f"executor: {{dask: '{nobody.scheduler_address}', wait: 1}}\n")
    world.fill(2)
    return world


def test_a_run_without_any_worker_says_so_and_ends(no_worker: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "_SAID", 0.0)
    told: list[str] = []
    with pytest.raises(PipelineError, match="no worker for 1 s: start some"):
        run(no_worker.config, RunOptions(), lambda progress: told.append(progress.waiting))
    assert any(text.startswith("no worker for ") for text in told)


def test_a_cluster_that_adapts_is_asked_for_a_worker_when_there_is_none(
    no_worker: World, nobody: distributed.LocalCluster
) -> None:
    no_worker.configure(no_worker.text.replace("wait: 1", "wait: 600"))
    wanted: set[int] = set()
    scheduler = nobody.scheduler
    assert scheduler is not None
    asked = RunOptions(cancelled=lambda: 1 in wanted)
    run(no_worker.config, asked, lambda _: wanted.add(scheduler.adaptive_target()))
    assert 1 in wanted


def test_a_run_without_any_worker_ends_at_its_deadline_with_the_status_for_that(no_worker: World) -> None:
    assert no_worker.run(max_runtime=0.3).status == ExitStatus.TIME_UP


def test_a_scheduler_that_is_not_there_is_one_line(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_dask, "_CONNECT", 0.1)
    world.configure(world.text + "executor: {dask: 'tcp://127.0.0.1:1'}\n")
    world.fill(2)
    with pytest.raises(PipelineError, match=r"^no Dask scheduler answers at tcp://127\.0\.0\.1:1: [^\n]*$"):
        world.run()


def test_what_the_engine_logs_is_kept_off_standard_error_within_a_run(world: World) -> None:
    loggers = [logging.getLogger(name) for name in ("distributed.client", "distributed.worker", "tornado.application")]
    before = [logger.isEnabledFor(logging.ERROR) for logger in loggers]
    with on_dask.DaskPool(ExecutorSettings("local", 1, 1.0)):
        assert not any(logger.isEnabledFor(logging.ERROR) for logger in loggers)
    assert [logger.isEnabledFor(logging.ERROR) for logger in loggers] == before


def test_workers_write_into_a_bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in buckets.ENV.items():
        monkeypatch.setenv(name, text)
    with fakes3.serving() as bucket:
        target = f"{{url: 's3://{bucket.name}/web', endpoint: '{bucket.endpoint}'}}"
        world = World(tmp_path, f"source: photos\ntarget: {target}\nmanifest: made.sqlite\nrenditions: {{a: {{}}}}\n")
        world.configure(world.text + "executor: {dask: local, workers: 1}\n")
        world.fill(3)
        assert world.run(processes=1).pictures == {"done": 3}
        assert sorted(bucket.objects) == ["web/a/000-a.jpg", "web/b/001-a.jpg", "web/c/002-a.jpg"]
