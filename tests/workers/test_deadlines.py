"""Calls that never return: each costs its item, however many threads sit in one."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from pipeline.workers import crew as crew_module
from pipeline.workers.crew import Crew
from pipeline.workers.token import Revoked, Token

Wait = Callable[[], object]


@pytest.fixture(params=["event", "pipe"])
def never(request: pytest.FixtureRequest) -> Iterator[Wait]:
    """A wait that ends only when the test does."""
    event, (readable, writable) = threading.Event(), os.pipe()
    before = set(threading.enumerate())
    yield event.wait if request.param == "event" else lambda: os.read(readable, 1)
    event.set()
    os.close(writable)
    for thread in set(threading.enumerate()) - before:
        thread.join(30)
        assert not thread.is_alive()
    os.close(readable)


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("hung", [1, 4, 11])
def test_reads_that_never_return_cost_their_items_only(never: Wait, threads: int, hung: int) -> None:
    done: list[int] = []
    given_up: list[tuple[int, threading.Thread]] = []

    def work(item: int, token: Token) -> None:
        with token.deadline(2 if item < hung else 10_000, about=-item):
            if item < hung:
                never()
        done.append(item)

    def abandoned(item: int, about: object) -> None:
        assert about == -item
        given_up.append((item, threading.current_thread()))

    with Crew(work, threads=threads, queue_size=2, abandoned=abandoned) as crew:
        for number in range(20):
            crew.put(number)
    assert sorted(done) == list(range(hung, 20))
    assert sorted(given_up) == [(number, threading.current_thread()) for number in range(hung)]


def test_what_an_abandoned_item_still_comes_up_with_is_dropped() -> None:
    gate, late = threading.Event(), threading.Event()
    came: list[object] = []

    def work(item: int, token: Token) -> None:
        try:
            with token.deadline(1):
                gate.wait()
                raise OSError("a late failure")
        except BaseException as error:
            came.append(type(error))
            late.set()
            raise RuntimeError("of no interest") from error

    def abandoned(item: int, about: object) -> None:
        gate.set()
        late.wait()

    with Crew(work, threads=1, queue_size=1, abandoned=abandoned) as crew:
        crew.put(1)
    assert came == [Revoked]


def test_a_call_that_returns_in_time_is_not_abandoned_however_long_the_rest_takes() -> None:
    given_up: list[int] = []
    pulses = 0
    enough = threading.Event()

    def work(item: int, token: Token) -> None:
        with token.deadline(7):  # which a thread that gets no CPU for a while can keep
            pass
        enough.wait()
        token.check()

    def on_tick() -> None:
        nonlocal pulses
        pulses += 1
        if pulses == 8:
            enough.set()

    with Crew(
        work, threads=2, queue_size=1, on_tick=on_tick, abandoned=lambda item, about: given_up.append(item)
    ) as crew:
        for number in range(3):
            crew.put(number)
    assert given_up == []
    assert pulses >= 8


def test_a_crew_that_is_called_off_does_not_wait_for_reads_that_never_return(
    never: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew_module, "_PATIENCE", 2)
    hanging = threading.Semaphore(0)

    def work(item: int, token: Token) -> None:
        with token.deadline(10_000):
            hanging.release()
            never()

    with pytest.raises(KeyboardInterrupt), Crew(work, threads=3, queue_size=1, grace=1) as crew:
        for number in range(4):
            crew.put(number)
        for _ in range(3):
            hanging.acquire()
        raise KeyboardInterrupt


def test_an_abandoned_callback_that_raises_ends_the_crew(never: Wait) -> None:
    def abandoned(item: int, about: object) -> None:
        raise LookupError

    def work(item: int, token: Token) -> None:
        with token.deadline(1):
            never()

    with pytest.raises(LookupError), Crew(work, threads=1, queue_size=1, abandoned=abandoned) as crew:
        crew.put(1)


def test_of_block_and_deadline_exactly_one_has_the_last_word() -> None:
    token = Token()
    with pytest.raises(Revoked), token.deadline(2):
        assert not token.spend(1.5)
        assert token.spend(0.5)
        assert not token.spend(99)
        raise ValueError
    other = Token()
    with other.deadline(1):
        pass
    assert not other.spend(99)
    assert not other.revoked
    with pytest.raises(ValueError, match="its own"), other.deadline(1):
        raise ValueError("its own")


def test_a_stopped_process_or_a_stepped_clock_costs_one_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the supervisor was away, it counts one tick when it looks again."""
    spent: list[float] = []
    gate = threading.Event()

    class Watched(Token):
        def spend(self, ticks: float) -> bool:
            spent.append(ticks)
            return super().spend(ticks)

    def work(item: int, token: Token) -> None:
        with token.deadline(1000):
            gate.wait()

    monkeypatch.setattr(crew_module, "Token", Watched)
    real, away = time.monotonic, 0.0

    def jumping() -> float:
        nonlocal away
        away += 3600.0
        return real() + away

    monkeypatch.setattr(time, "monotonic", jumping)
    pulses: list[int] = []

    def on_tick() -> None:
        pulses.append(1)
        if len(pulses) == 2:
            gate.set()

    given_up: list[int] = []
    with Crew(
        work, threads=1, queue_size=1, on_tick=on_tick, abandoned=lambda item, about: given_up.append(item)
    ) as crew:
        crew.put(1)
    assert given_up == []
    assert set(spent) <= {1.0}
