from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator

import pytest

from pipeline.workers import memory, wire
from pipeline.workers.child import Setup
from pipeline.workers.process import Child
from pipeline.workers.token import Token
from tests.descriptors import none_stays_open

Start = Callable[[], Child]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts children; the parent-death signal follows this thread."""
    started = []

    def child() -> Child:
        started.append(Child(Setup("tests.workers.functions:echo", None, os.getpid(), memory.KEPT)))
        return started[-1]

    yield child
    for old in started:
        old.end()


def together(count: int, act: Callable[[], None]) -> list[BaseException]:
    """What `act` raised in so many threads that begin at once."""
    barrier, raised = threading.Barrier(count), list[BaseException]()

    def run() -> None:
        barrier.wait()
        try:
            act()
        except BaseException as error:  # noqa: BLE001 - asserted on
            raised.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def test_a_child_may_be_ended_by_several_threads_at_once(start: Start) -> None:
    for _ in range(5):
        child = start()
        assert together(4, child.end) == []
        assert child.how_it_ended == "killed by SIGKILL"
        assert not child.is_alive()


def test_a_thread_that_listens_to_a_child_hears_that_another_has_ended_it_and_nothing_stays_open(start: Start) -> None:
    with none_stays_open():
        child = start()
        child.await_ready(Token())
        listening, heard = threading.Event(), list[BaseException]()

        class Waiting(Token):
            def check(self) -> None:
                listening.set()

        def listen() -> None:
            try:
                child.await_reply(Waiting(), 600)
            except BaseException as error:  # noqa: BLE001 - asserted on
                heard.append(error)

        thread = threading.Thread(target=listen)
        thread.start()
        assert listening.wait(60)
        child.end()
        thread.join()
        assert [type(error) for error in heard] == [wire.Closed]


def test_a_child_that_has_ended_is_not_looked_for_under_numbers_that_are_used_again(start: Start) -> None:
    child = start()
    child.await_ready(Token())
    child.end()
    reader, writer = os.pipe()
    os.write(writer, b"of somebody else\n")
    try:
        assert child.chatter() == ()
        with pytest.raises(wire.Closed):
            child.tell(None)
        with pytest.raises(wire.Closed):
            child.await_reply(Token(), 600)
        assert os.read(reader, 100) == b"of somebody else\n"
    finally:
        os.close(reader)
        os.close(writer)
