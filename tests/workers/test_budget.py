from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Protocol

import pytest

from pipeline.workers.budget import Budget, Room
from pipeline.workers.token import Revoked, Token


class Kind(Protocol):
    """One of the two ways to ask a budget for room."""

    def __call__(self, budget: Budget, token: Token, /) -> Room: ...


KINDS: list[Kind] = [Budget.for_source, Budget.for_work]


@pytest.fixture(params=KINDS, ids=["for sources", "for work"])
def of(request: pytest.FixtureRequest) -> Kind:
    kind: Kind = request.param
    return kind


@pytest.fixture
def budget(of: Kind) -> Budget:
    """One that has 100 bytes for this kind."""
    return Budget(400 if of is Budget.for_source else 100)


def waits(kind: Kind, budget: Budget, size: int) -> bool:
    """Whether room is not given at once; a token that was taken away is the first thing that a waiting thread sees."""
    token = Token()
    token.revoke()
    try:
        with kind(budget, token) as room:
            room.take(size)
    except Revoked:
        return True
    return False


def number_waiting(budget: Budget) -> int:
    with budget._turns:
        return len(budget._sources.waiting) + len(budget._work.waiting)


def queued(budget: Budget) -> None:
    """Wait until somebody waits."""
    while not number_waiting(budget):
        threading.Event().wait(0.001)


def test_what_fits_together_goes_together(of: Kind, budget: Budget) -> None:
    with of(budget, Token()) as room, of(budget, Token()) as other:
        room.take(60)
        other.take(40)
        assert waits(of, budget, 1)


def test_what_exceeds_all_there_is_goes_alone(of: Kind, budget: Budget) -> None:
    with of(budget, Token()) as room:
        room.take(5000)
        assert waits(of, budget, 1)
    with of(budget, Token()) as room:
        room.take(1)
        assert waits(of, budget, 5000)
    with of(budget, Token()) as room:
        room.take(100)


def test_sources_take_a_quarter_at_the_most_and_work_gets_what_they_leave() -> None:
    budget = Budget(400)
    with budget.for_source(Token()) as source, budget.for_work(Token()) as work:
        source.take(90)
        assert waits(Budget.for_source, budget, 11)
        work.take(290)
        assert waits(Budget.for_work, budget, 21)
        assert not waits(Budget.for_work, budget, 20)
        work.shrink(5)
        assert not waits(Budget.for_work, budget, 305)
        with budget.for_work(Token()) as more:
            more.take(300)
            assert waits(Budget.for_source, budget, 6)
            assert not waits(Budget.for_source, budget, 5)


def test_room_comes_back_with_the_block_and_when_other_room_is_taken_in_its_place(of: Kind, budget: Budget) -> None:
    with of(budget, Token()) as room:
        room.take(80)
        room.take(70)
        room.shrink(30)
        room.shrink(50)
        with of(budget, Token()) as other:
            other.take(70)
            assert waits(of, budget, 1)
    with of(budget, Token()) as room:
        room.take(100)


def test_a_source_whose_read_never_returns_keeps_no_room_from_others() -> None:
    budget, hung = Budget(400), Token()
    with budget.for_source(hung) as room:
        room.take(5000)
        assert waits(Budget.for_source, budget, 10)
        hung.revoke()
        with budget.for_source(Token()) as other:
            other.take(10)
    assert not waits(Budget.for_source, budget, 100)


def test_small_ones_fill_the_gap_before_a_big_one_that_waits_and_the_big_one_gets_its_turn(
    of: Kind, budget: Budget
) -> None:
    went = threading.Event()

    def big() -> None:
        with of(budget, Token()) as room:
            room.take(90)
            went.set()

    with of(budget, Token()) as room:
        room.take(50)
        waiting = threading.Thread(target=big)
        waiting.start()
        queued(budget)
        with of(budget, Token()) as small:
            small.take(10)
            assert not went.is_set()
    waiting.join(60)
    assert went.is_set()


def test_a_big_one_is_not_overtaken_for_ever(of: Kind, budget: Budget) -> None:
    turn: list[str] = []

    def big() -> None:
        with of(budget, Token()) as room:
            room.take(100)
            turn.append("big")

    def small(held: threading.Event, release: threading.Event) -> None:
        with of(budget, Token()) as room:
            room.take(40)
            turn.append("small")
            held.set()
            release.wait(60)

    def started(*release: threading.Event) -> threading.Thread:
        thread = threading.Thread(target=small if release else big, args=release)
        thread.start()
        return thread

    held, release = threading.Event(), threading.Event()
    holds = started(held, release)
    held.wait(60)
    waiting = started()
    queued(budget)
    overtakes = 0
    while overtakes < 1000:  # a chain of small ones, each admitted while the one before still holds
        held, following = threading.Event(), threading.Event()
        after = started(held, following)
        while not held.wait(0.001) and number_waiting(budget) < 2:
            pass
        if not held.is_set():  # it waits behind the big one
            break
        release.set()
        holds.join(60)
        holds, release = after, following
        overtakes += 1
    assert overtakes < 1000
    release.set()
    following.set()
    for thread in (holds, waiting, after):
        thread.join(60)
    assert turn.index("big") == len(turn) - 2


class Peak:
    """What is held in truth, told by those who hold it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[Token, tuple[int, int]] = {}
        self.excess: list[str] = []

    def holds(self, who: Token, source: int, work: int) -> None:
        with self._lock:
            self._held[who] = (source, work)
            held = [pair for token, pair in self._held.items() if not token.revoked]  # the others are given up
            sources, works = ([pair[at] for pair in held if pair[at]] for at in (0, 1))
            if sum(sources) > 100 and len(sources) > 1:
                self.excess.append(f"sources {sources}")
            if sum(sources) + sum(works) > 400 and len(works) > 1:
                self.excess.append(f"{sources} and {works}")

    def lets_go(self, who: Token) -> None:
        with self._lock:
            del self._held[who]


@pytest.mark.parametrize("seed", range(3))
def test_many_threads_with_sizes_of_every_kind_all_come_through_and_stay_within_the_total(seed: int) -> None:
    """Each as a picture does: room for its source, one of two children, room for work, shrunk when the child is back.
    Some have their token taken away at any moment.
    """
    budget, peak, children = Budget(400), Peak(), threading.BoundedSemaphore(2)
    sizes = random.Random(seed)
    came: list[int] = []

    def picture(source: int, work: int, token: Token) -> None:
        try:
            with budget.for_source(token) as bytes_, budget.for_work(token) as room:
                bytes_.take(source)
                peak.holds(token, source, 0)
                try:
                    with children:
                        room.take(work)
                        peak.holds(token, source, work)
                    peak.holds(token, source, 1)
                    room.shrink(1)
                finally:
                    peak.lets_go(token)
            came.append(source)
        except Revoked:
            came.append(-1)

    def thread(jobs: list[Callable[[], None]]) -> None:
        for job in jobs:
            job()

    def job(token: Token) -> Callable[[], None]:
        source, work = sizes.choice([1, 5, 30, 60, 99, 250]), sizes.choice([2, 50, 150, 290, 399, 1000])
        return lambda: picture(source, work, token)

    tokens = [Token() for _ in range(400)]
    jobs = [job(token) for token in tokens]
    threads = [threading.Thread(target=thread, args=(jobs[at::16],), daemon=True) for at in range(16)]
    for started in threads:
        started.start()
    for at in range(0, 400, 7):
        tokens[at].revoke()
    for started in threads:
        started.join(60)
    assert len(came) == 400
    assert peak.excess == []
    with budget.for_source(Token()) as room, budget.for_work(Token()) as other:
        room.take(100)
        other.take(300)
        assert waits(Budget.for_source, budget, 1)
        assert waits(Budget.for_work, budget, 1)
