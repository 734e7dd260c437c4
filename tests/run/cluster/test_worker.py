"""A worker passes batches on to its lane, and outcomes back; the lane is played by the test."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import pytest

from pipeline.run.batch import Batch, Outcome
from pipeline.run.cluster import worker
from pipeline.run.cluster.worker import Gone, Opening, Returned
from pipeline.run.lane_host import Came, LaneSetup, Ready
from pipeline.targets.lease import lease_in
from pipeline.workers.peer import Messages
from tests.run.cluster.test_welcome import setup
from tests.world import World


class _Peer(Messages):
    """In place of a process: the socket to the test."""

    pid, code = 1, 0

    def begin(self, _: object) -> None: ...

    def wake(self) -> None: ...

    def kill(self) -> None: ...

    def reap(self, _: float) -> bool:
        return True


class _Lane:
    """An open lane, and threads that exchange with it as an engine does."""

    def __init__(self, messages: Messages, threads: ThreadPoolExecutor) -> None:
        self._messages = messages
        self._threads = threads
        self._heard: list[object] = []

    def exchange(self, *numbers: int) -> Future[Returned]:
        return self._threads.submit(worker.exchange, ("this run", 1), [Batch((), number=it) for it in numbers])

    def hears(self, *numbers: int) -> None:
        """The lane hears the batches of these numbers, in this order."""
        while len(self._heard) < len(numbers):
            self._messages.wait(60)
            self._heard += self._messages.receive()
        assert [message.number for message in self._heard if isinstance(message, Batch)] == list(numbers)
        self._heard.clear()

    def reports(self, *numbers: int) -> None:
        self._messages.send(Came(tuple(Outcome(number=number) for number in numbers), 1, None))

    def dies(self) -> None:
        self._messages.close()


@pytest.fixture
def lane(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[_Lane]:
    mine, theirs = socket.socketpair()
    messages = Messages(theirs)
    monkeypatch.setattr(worker, "Peer", lambda _: _Peer(mine))
    with ThreadPoolExecutor(4) as threads:
        asked = replace(setup(world, lease_in(world.target)), run="this run", number=1)
        opened = threads.submit(worker.open_lane, Opening(asked, None, 1, 1, 2**30, 1, 1))
        while not any(isinstance(message, LaneSetup) for message in messages.receive()):
            messages.wait(60)
        messages.send(Ready())
        assert opened.result(60).gone is None
        yield _Lane(messages, threads)
        messages.close()
        worker.end_lane(("this run", 1))


def _numbers(exchange: Future[Returned]) -> list[int]:
    return [outcome.number for outcome in exchange.result(60).outcomes]


def test_an_exchange_brings_batches_and_returns_once_no_more_are_left_than_threads(
    lane: _Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_LONGEST", 1000.0)
    exchange = lane.exchange(1, 2, 3)
    lane.hears(1, 2, 3)
    lane.reports(1)
    lane.reports(3)
    assert _numbers(exchange) == [1, 3]
    exchange = lane.exchange()
    lane.reports(2)
    assert _numbers(exchange) == [2]


def test_an_exchange_does_not_wait_for_slow_batches_for_long(lane: _Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_LONGEST", 0.0)
    exchange = lane.exchange(1, 2, 3)
    lane.reports(2)
    assert _numbers(exchange) == [2]


def test_an_exchange_that_waits_gives_way_to_the_next(lane: _Lane) -> None:
    first = lane.exchange(1)
    lane.hears(1)
    second = lane.exchange(2)
    assert _numbers(first) == []
    lane.hears(2)
    lane.reports(1, 2)
    assert _numbers(second) == [1, 2]


def test_outcomes_from_before_the_end_of_a_lane_come_with_the_news_of_its_end(lane: _Lane) -> None:
    exchange = lane.exchange(1, 2)
    lane.hears(1, 2)
    lane.reports(1)
    lane.dies()
    later = [*_numbers(exchange), *_numbers(lane.exchange())]
    assert later == [1]
    assert lane.exchange(3).result(60).gone == Gone("its lane ended with status 0")
