from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pipeline.model.source import Stat
from pipeline.model.spec import Limits
from pipeline.run import scaling
from pipeline.run.options import RunOptions, workers
from pipeline.run.scaling import Occupancy, Scaling
from pipeline.sources.local import LocalSource
from pipeline.sources.source import Picture
from pipeline.workers.exchange import Bounds, Exchange, Held, Several, whole
from pipeline.workers.token import Token
from tests.pictures import descriptor_of
from tests.world import World


class Clock:
    """The module's `time`: a tick passes between two looks, in which this process takes `load` of a CPU."""

    def __init__(self) -> None:
        self.now = 0.0
        self.cpu = 0.0

    def monotonic(self) -> float:
        return self.now

    def process_time(self) -> float:
        return self.cpu

    def pass_(self, seconds: float, load: float) -> None:
        self.now += seconds
        self.cpu += seconds * load


class FakeCrew:
    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.queued = 10

    def resize(self, threads: int) -> None:
        self.threads = threads


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(scaling, "time", clock)
    return clock


def threads_after(
    clock: Clock,
    *,
    at_children: int,
    looks: int,
    load: float = 0.1,
    queued: int = 10,
    start: int = 4,
    seconds: float = 0.1,
    biggest: int = 1000,
) -> int:
    crew = FakeCrew(4)
    scaler = Scaling(
        cast(Any, crew), cast(Any, SimpleNamespace(pictures=at_children, biggest=biggest)), 2, 64, memory=2**30
    )
    crew.threads, crew.queued = start, queued
    for _ in range(looks):
        clock.pass_(seconds, load)
        scaler.look()
    return crew.threads


def test_threads_are_started_while_children_have_nothing_to_do(clock: Clock) -> None:
    assert threads_after(clock, at_children=0, looks=1) > 4
    assert threads_after(clock, at_children=0, looks=60) == 64


def test_threads_that_read_big_sources_stay_within_a_quarter_of_the_memory(clock: Clock) -> None:
    assert threads_after(clock, at_children=0, looks=60, biggest=2**30 // 4 // 20) == 20
    assert threads_after(clock, at_children=0, looks=60, biggest=2**30) == 4


@pytest.mark.parametrize(
    "why",
    [
        {"at_children": 2},  # the children are busy
        {"at_children": 0, "queued": 0},  # there is no work
        {"at_children": 0, "load": 0.9},  # this very process is what takes the time
        {"at_children": 0, "seconds": 0.001},  # no tick has passed
    ],
)
def test_none_is_started_for_nothing(clock: Clock, why: dict[str, Any]) -> None:
    assert threads_after(clock, looks=20, **why) == 4


def test_those_who_only_queue_for_a_child_are_let_go_but_none_of_the_first(clock: Clock) -> None:
    assert threads_after(clock, at_children=30, looks=5, start=40) < 40
    assert threads_after(clock, at_children=30, looks=4, start=40) == 40
    assert threads_after(clock, at_children=30, looks=100, start=40) == 4


@pytest.mark.parametrize(("threads", "scaled"), [("auto", True), ("7", False)])
def test_a_number_in_the_config_is_that_number(world: World, threads: str, scaled: bool) -> None:
    world.configure(f"{world.text}workers: {{threads: {threads}}}\n")
    chosen = workers(world.config, RunOptions())
    assert (chosen.most_threads > chosen.threads) == scaled


def test_a_picture_counts_as_long_as_it_is_at_a_child_or_waits_for_one() -> None:
    class Renderer:
        @contextmanager
        def ask(self, held: Held, request: object, bounds: Bounds, token: Token) -> Iterator[Exchange]:
            yield cast(Exchange, None)

        @contextmanager
        def ask_several(
            self, several: Sequence[Held], request: object, bounds: Bounds, token: Token
        ) -> Iterator[Several]:
            yield cast(Several, None)

    occupancy = Occupancy(Renderer())
    descriptor = descriptor_of(bytes(1234))
    source = whole(descriptor)
    with pytest.raises(ZeroDivisionError), occupancy.ask(source, None, Bounds(1, 1), Token()):
        assert (occupancy.pictures, occupancy.biggest) == (1, 1234)
        raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError), occupancy.ask_several([source, source], None, Bounds(1, 1), Token()):
        assert (occupancy.pictures, occupancy.biggest) == (1, 2468)
        raise ZeroDivisionError
    os.close(descriptor)
    assert occupancy.pictures == 0


def test_a_run_on_slow_storage_reads_more_pictures_at_once_than_it_began_with(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.fill(40)
    crowd = workers(world.config, RunOptions()).threads + 2  # none reads on before so many read
    came: list[str] = []
    told = threading.Condition()
    read = LocalSource.read

    def slow(self: LocalSource, source: str, stat: Stat, limits: Limits) -> Picture:
        with told:
            came.append(source)
            told.notify_all()
            assert told.wait_for(lambda: len(came) >= crowd, 60)
        return read(self, source, stat, limits)

    monkeypatch.setattr(LocalSource, "read", slow)
    assert world.run(threads=None, processes=None).done == 40
