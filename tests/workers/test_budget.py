from __future__ import annotations

import threading

import pytest

from pipeline.workers.budget import Budget
from pipeline.workers.token import Revoked, Token


def test_what_fits_together_goes_together() -> None:
    budget = Budget(100)
    with budget.admit(60, Token()), budget.admit(40, Token()):
        pass


def test_what_exceeds_the_whole_budget_goes_alone() -> None:
    budget = Budget(100)
    with budget.admit(5000, Token()):
        token = Token()
        token.revoke()
        with pytest.raises(Revoked), budget.admit(1, token):
            pass
    with budget.admit(100, Token()):
        pass


def test_small_ones_fill_the_gap_before_a_big_one_that_waits_and_the_big_one_gets_its_turn() -> None:
    budget = Budget(100)
    went = threading.Event()

    def big() -> None:
        with budget.admit(90, Token()):
            went.set()

    with budget.admit(50, Token()):
        waiting = threading.Thread(target=big)
        waiting.start()
        while not budget._waiting:
            threading.Event().wait(0.001)
        with budget.admit(10, Token()):
            assert not went.is_set()
    waiting.join(10)
    assert went.is_set()


def test_a_big_one_is_not_overtaken_for_ever() -> None:
    budget = Budget(100)
    turn: list[str] = []

    def big() -> None:
        with budget.admit(100, Token()):
            turn.append("big")

    def small(held: threading.Event, release: threading.Event) -> None:
        with budget.admit(40, Token()):
            turn.append("small")
            held.set()
            release.wait(10)

    first, first_release = threading.Event(), threading.Event()
    threads = [threading.Thread(target=small, args=(first, first_release))]
    threads[0].start()
    first.wait(10)
    threads.append(threading.Thread(target=big))
    threads[1].start()
    while not budget._waiting:
        threading.Event().wait(0.001)
    overtakes = 0
    while True:  # a chain of small ones, each admitted while the one before still holds
        held, release = threading.Event(), threading.Event()
        threads.append(threading.Thread(target=small, args=(held, release)))
        threads[-1].start()
        if not held.wait(0.5):
            release.set()
            break
        overtakes += 1
        first_release.set()
        first_release = release
        assert overtakes < 1000
    first_release.set()
    for thread in threads:
        thread.join(10)
    assert turn.index("big") == len(turn) - 2
