from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from pipeline.workers.crew import Crew
from pipeline.workers.token import Token
from tests.threads import none_stays_alive

SHAPES = [(threads, size) for threads in (1, 4) for size in (1, 16)]


class Boom(Exception):
    pass


@pytest.fixture(autouse=True)
def _no_thread_is_left_alive() -> object:
    with none_stays_alive():
        yield


@pytest.mark.parametrize(("threads", "size"), SHAPES)
def test_every_item_is_worked_on_exactly_once(threads: int, size: int) -> None:
    seen: list[int] = []
    lock = threading.Lock()

    def work(item: int, token: Token) -> None:
        with lock:
            seen.append(item)

    with Crew(work, threads=threads, queue_size=size) as crew:
        for number in range(500):
            crew.put(number)
    assert sorted(seen) == list(range(500))


@pytest.mark.parametrize(("threads", "size"), SHAPES)
@pytest.mark.parametrize("at", [0, 1, 7, 49])
def test_a_producer_that_raises_ends_the_crew(threads: int, size: int, at: int) -> None:
    with pytest.raises(Boom), Crew[int](lambda item, token: None, threads=threads, queue_size=size) as crew:
        for number in range(50):
            if number == at:
                raise Boom
            crew.put(number)


@pytest.mark.parametrize(("threads", "size"), SHAPES)
@pytest.mark.parametrize("at", [0, 1, 7, 49])
@pytest.mark.parametrize("failure", [Boom, SystemExit, KeyboardInterrupt])
def test_a_worker_that_raises_ends_the_crew_and_the_producer_is_told(
    threads: int, size: int, at: int, failure: type[BaseException]
) -> None:
    def work(item: int, token: Token) -> None:
        if item == at:
            raise failure

    with pytest.raises(failure), Crew(work, threads=threads, queue_size=size) as crew:
        for number in range(50):
            crew.put(number)


@pytest.mark.parametrize(("threads", "size"), SHAPES)
def test_all_workers_and_the_producer_may_raise_at_once(threads: int, size: int) -> None:
    def work(item: int, token: Token) -> None:
        raise Boom

    with pytest.raises(Boom), Crew(work, threads=threads, queue_size=size) as crew:
        for number in range(50):
            crew.put(number)
        raise Boom


@pytest.mark.parametrize(("threads", "size"), SHAPES)
def test_a_pulse_that_raises_ends_the_crew_although_every_worker_waits(threads: int, size: int) -> None:
    started = threading.Event()

    def work(item: int, token: Token) -> None:
        started.set()
        while True:
            token.check()
            threading.Event().wait(0.01)

    def on_tick() -> None:
        if started.is_set():
            raise Boom

    with pytest.raises(Boom), Crew(work, threads=threads, queue_size=size, on_tick=on_tick, grace=2) as crew:
        for number in range(50):
            crew.put(number)


def test_items_in_flight_may_finish_when_the_crew_is_called_off() -> None:
    started, finished = threading.Event(), threading.Event()

    def work(item: int, token: Token) -> None:
        started.set()
        threading.Event().wait(0.2)
        if not token.revoked:
            finished.set()

    with pytest.raises(Boom), Crew(work, threads=1, queue_size=4) as crew:
        crew.put(1)
        crew.put(2)
        started.wait()
        raise Boom
    assert finished.is_set()


def test_the_queue_bounds_how_far_the_producer_looks_ahead() -> None:
    gate = threading.Event()
    ahead: list[int] = []
    put: list[int] = []

    def work(item: int, token: Token) -> None:
        gate.wait()

    def on_tick() -> None:
        ahead.append(len(put))
        if len(ahead) > 1 and ahead[-1] == ahead[-2]:  # for a whole tick no item was taken
            gate.set()

    with Crew(work, threads=2, queue_size=3, on_tick=on_tick) as crew:
        for number in range(50):
            crew.put(number)
            put.append(number)
            assert gate.is_set() or len(put) <= 2 + 3
    assert 2 + 3 in ahead


@pytest.mark.parametrize("count", [2, 8])
def test_as_many_items_are_in_flight_as_there_are_threads(count: int) -> None:
    meeting = threading.Barrier(count, timeout=30)

    with Crew[int](lambda item, token: _meet(meeting), threads=count, queue_size=1) as crew:
        for number in range(count):
            crew.put(number)


def _meet(meeting: threading.Barrier) -> None:
    meeting.wait()


def test_a_thread_that_cannot_start_leaves_none_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    start: Callable[[threading.Thread], None] = threading.Thread.start
    started: list[threading.Thread] = []

    def third_fails(thread: threading.Thread) -> None:
        if len(started) == 2:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", third_fails)
    with pytest.raises(RuntimeError), Crew(lambda item, token: None, threads=4, queue_size=1):
        pass


def test_the_pulse_beats_although_the_queue_never_fills() -> None:
    beats: list[int] = []
    with Crew[int](lambda item, token: None, threads=2, queue_size=1000, on_tick=lambda: beats.append(1)) as crew:
        while len(beats) < 3:
            crew.put(1)


def test_a_crew_can_start_threads_while_it_works() -> None:
    crowd = threading.Barrier(5)

    def work(item: int, token: Token) -> None:
        crowd.wait(30)

    with Crew(work, threads=2, queue_size=16) as crew:
        for number in range(5):
            crew.put(number)
        crew.resize(5)  # the barrier opens for five at once only


def test_a_crew_that_is_made_smaller_lets_go_who_has_finished_and_drops_nothing() -> None:
    free = threading.Event()
    seen: list[int] = []

    def work(item: int, token: Token) -> None:
        free.wait(30)
        seen.append(item)

    with Crew(work, threads=8, queue_size=64) as crew:
        for number in range(40):
            crew.put(number)
        crew.resize(1)
        free.set()
    assert sorted(seen) == list(range(40))


def test_a_smaller_crew_works_on_fewer_items_at_once() -> None:
    lock = threading.Lock()
    at_once = most = 0

    def work(item: int, token: Token) -> None:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once) if item >= 100 else most
        with lock:
            at_once -= 1

    gate = threading.Barrier(9)

    def wait_or_work(item: int, token: Token) -> None:
        if item < 8:
            gate.wait(30)
        else:
            work(item, token)

    with Crew(wait_or_work, threads=8, queue_size=512) as crew:
        for number in range(8):
            crew.put(number)
        crew.resize(1)
        gate.wait(30)
        for number in range(8, 300):
            crew.put(number)
    assert most <= 1
