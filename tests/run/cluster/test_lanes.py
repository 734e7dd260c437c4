"""The lanes of a cluster as their driver sees them, with an engine that refuses."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor, Future
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pipeline.errors import PipelineError
from pipeline.run.batch import Batch, Outcome
from pipeline.run.clock import Pace
from pipeline.run.cluster import lanes
from pipeline.run.cluster.lanes import ClusterLanes
from pipeline.run.cluster.pool import Seen
from pipeline.run.cluster.worker import Opening, Returned
from pipeline.run.lane import Control
from pipeline.run.several import STOP
from pipeline.targets.lease import lease_in
from tests.run.cluster.test_welcome import setup
from tests.world import World

SEEN = {"one": Seen("one", "host", 1, None, 0.0)}


class _Refusing(Executor):
    def submit(self, *_: Any, **__: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_exception(ModuleNotFoundError("No module named 'pipeline'"))
        return future


class _Pool:
    """A worker that is another at each look but the first."""

    def __init__(self) -> None:
        self._name = "first"

    def workers(self) -> Mapping[str, Seen]:
        name, self._name = self._name, "second"
        return {name: Seen(name, "host", 1, None, 0.0)}

    def executor(self, _: str) -> Executor:
        return _Refusing()


def _lanes(world: World, pool: object) -> ClusterLanes:
    opening = Opening(setup(world, lease_in(world.target)), None, None, None, None, 1, 1)
    nothing = cast(
        Any,
        SimpleNamespace(
            check=lambda: None, witness=None, refusal=lambda *_: "", give_up=lambda _: None, forget=lambda _: None
        ),
    )
    control = Control(Pace(None, None), lambda: None, lambda: False)
    return ClusterLanes(cast(Any, pool), opening, nothing, nothing, control, lambda *_: None, 1_000.0)


def test_a_run_ends_when_no_worker_there_can_be_used_also_after_others_have_gone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "_LOOK", 0.0)
    monkeypatch.setattr(lanes, "_GRACE", 0.0)
    with pytest.raises(PipelineError, match="^no worker can be used: worker second gets no pictures: ModuleNotFound"):
        _lanes(world, _Pool()).put(Batch(()))


def test_a_refused_worker_that_comes_first_does_not_end_the_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others may be seconds away."""
    monkeypatch.setattr(lanes, "_LOOK", 0.0)
    monkeypatch.setattr(lanes, "_GRACE", 500.0)
    lanes_ = _lanes(world, SimpleNamespace(workers=lambda: SEEN, executor=lambda _: _Refusing()))
    for _ in range(3):
        lanes_.take()
        lanes_._tick()
    assert lanes_.notes == ["worker one gets no pictures: ModuleNotFoundError: No module named 'pipeline'"]
    monkeypatch.setattr(lanes, "_GRACE", 0.0)
    with pytest.raises(PipelineError, match="^no worker can be used: worker one gets no pictures"):
        lanes_._tick()


class _Slow(Executor):
    """Its worker answers nothing of itself."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Future[Any]]] = []
        self.given: list[int] = []  # the batches of the last call

    def submit(self, *asked: Any, **_: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.asked.append((asked[0].__name__, future))
        self.given = [batch.number for batch in asked[2]] if len(asked) > 2 else []
        return future

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.asked]


def test_lanes_that_are_still_opening_are_told_to_stop_and_none_is_opened_then(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "_HEARD", 0.0)
    executor = _Slow()
    lanes_ = _lanes(world, SimpleNamespace(workers=lambda: SEEN, executor=lambda _: executor))
    lanes_.take()
    assert executor.names == ["look"]
    with pytest.raises(KeyboardInterrupt), lanes_:
        raise KeyboardInterrupt
    assert executor.names == ["look", "stop_lane"]
    executor.asked[0][1].set_result(None)
    lanes_._listen(0)
    assert executor.names == ["look", "stop_lane"]


@pytest.fixture
def open_lane(world: World) -> tuple[ClusterLanes, _Slow]:
    """With three threads."""
    executor = _Slow()
    lanes_ = _lanes(world, SimpleNamespace(workers=lambda: SEEN, executor=lambda _: executor))
    lanes_.take()
    executor.asked[0][1].set_result(None)
    lanes_.take()
    executor.asked[1][1].set_result(Returned(threads=3))
    lanes_.take()
    assert executor.names == ["look", "open_lane"]
    return lanes_, executor


def test_one_task_takes_all_batches_that_wait_to_be_sent_and_brings_back_all_outcomes(
    open_lane: tuple[ClusterLanes, _Slow],
) -> None:
    lanes_, executor = open_lane
    for _ in range(3):
        lanes_.put(Batch(()))
    assert lanes_.take() == []
    assert (executor.names[2:], executor.given) == (["exchange"], [1, 2, 3])
    came = [Outcome(number=number, seconds=1000.0) for number in (2, 1)]
    executor.asked[2][1].set_result(Returned(tuple(came), 3))
    assert lanes_.take() == came


def test_a_lane_is_asked_for_outcomes_as_long_as_it_has_batches_and_once_at_a_time(
    open_lane: tuple[ClusterLanes, _Slow],
) -> None:
    lanes_, executor = open_lane
    lanes_.put(Batch(()))
    for _ in range(3):
        lanes_.take()
    assert (executor.names[2:], executor.given) == (["exchange"], [1])
    lanes_.put(Batch(()))
    lanes_.take()
    assert (executor.names[2:], executor.given) == (["exchange"] * 2, [2])
    for task, number in ((2, 1), (3, 2)):
        executor.asked[task][1].set_result(Returned((Outcome(number=number, seconds=1000.0),), 3))
    lanes_.take()
    lanes_.take()
    assert executor.names[2:] == ["exchange"] * 2


def test_batches_that_were_not_sent_when_a_run_stops_are_not_waited_for(
    open_lane: tuple[ClusterLanes, _Slow], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "_HEARD", 0.0)
    lanes_, executor = open_lane
    with pytest.raises(KeyboardInterrupt), lanes_:
        lanes_.put(Batch(()))
        raise KeyboardInterrupt
    assert executor.names[2:] == ["stop_lane"]


def test_much_news_in_a_short_time_does_not_end_the_wait_for_pictures_in_flight_when_a_run_stops(
    open_lane: tuple[ClusterLanes, _Slow], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "_HEARD", 0.0)
    lanes_, executor = open_lane
    news = [Returned(threads=3)] * 2 * STOP + [Returned((Outcome(number=1, seconds=1.0),), 3)]
    coming = iter(news)

    def submit(*asked: Any, **_: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(next(coming) if asked[0].__name__ == "exchange" else None)
        return future

    monkeypatch.setattr(executor, "submit", submit)
    with pytest.raises(KeyboardInterrupt), lanes_:
        lanes_.put(Batch(()))
        lanes_.take()
        raise KeyboardInterrupt
    assert [outcome.number for outcome in lanes_.take()] == [1]
