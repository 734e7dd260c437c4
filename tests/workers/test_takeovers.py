"""A child that a picture has taken over costs that picture: its parent neither believes it nor waits for it."""

from __future__ import annotations

import os
import select
import tempfile

import pytest

from pipeline.errors import ErrorKind, PictureError
from pipeline.workers import process
from pipeline.workers.child_pool import ChildPool
from pipeline.workers.exchange import Bounds, ChildDied, Misbehaved, whole
from pipeline.workers.token import Token
from tests.descriptors import none_stays_open
from tests.threads import none_stays_alive

TAKEN = [
    "a pickle",
    "a pickle that takes memory",
    "no message",
    "half a message",
    "a flood",
    "silence",
    "last: a pipe",
    "last: a socket",
    "last: a device",
    "last: an open file",
    "last: an endless file",
]


def ask(pool: ChildPool, request: str, bounds: Bounds) -> None:
    with tempfile.TemporaryFile() as file, pool.ask(whole(file.fileno()), request, bounds, Token()) as exchange:
        exchange.first()
        reply, _meter = exchange.last()
        for descriptor in reply.descriptors:
            os.close(descriptor)


def test_whatever_a_child_answers_its_picture_is_blamed_and_nothing_is_left() -> None:
    with none_stays_alive(), ChildPool("tests.workers.takeovers:taken_over", None, 1) as pool:
        pool.await_confinement(Token())
        with none_stays_open():
            for request in TAKEN:
                with pytest.raises(ChildDied if request == "half a message" else PictureError) as caught:
                    ask(pool, request, Bounds(seconds=0.1 if request == "silence" else 60, memory=2**30))
                assert isinstance(caught.value, Misbehaved) == (request not in ("half a message", "silence")), request
            pool.await_confinement(Token())


def test_descriptors_that_nobody_asked_for_are_closed() -> None:
    with ChildPool("tests.workers.takeovers:taken_over", None, 1) as pool:
        pool.await_confinement(Token())
        with none_stays_open():
            with pytest.raises(Misbehaved):
                ask(pool, "descriptors", Bounds(seconds=60, memory=2**30))
            pool.await_confinement(Token())


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        ("memory", ErrorKind.MEMORY_LIMIT),
        ("later", ErrorKind.MEMORY_LIMIT),
        ("files", ErrorKind.MEMORY_LIMIT),
        ("hidden", ErrorKind.MEMORY_LIMIT),
        ("slowly", ErrorKind.MEMORY_LIMIT),
        ("behind", ErrorKind.MEMORY_LIMIT),
        ("time", ErrorKind.TIME_LIMIT),
    ],
)
def test_a_child_that_lifts_its_own_limits_meets_those_of_its_parent(
    request_: str, kind: ErrorKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_EXIT", 60_000)  # none of them ends by itself
    with ChildPool("tests.workers.takeovers:eats", None, 1) as pool:
        with pytest.raises(PictureError) as caught:
            ask(pool, request_, Bounds(seconds=0.2 if request_ == "time" else 60, memory=400 * 2**20))
        assert caught.value.kind == kind
        assert pool.await_confinement(Token()) is not None


@pytest.mark.parametrize("what", ["memory", "files", "time", "words"])
def test_a_child_that_goes_on_after_its_answer_is_ended_and_nobody_is_blamed(what: str) -> None:
    bounds = Bounds(seconds=60, memory=400 * 2**20)
    with (
        ChildPool("tests.workers.takeovers:lingers", None, 1) as pool,
        tempfile.TemporaryFile() as file,
    ):
        with pool.ask(whole(file.fileno()), what, bounds, Token()) as exchange:
            pid = exchange.first()
            exchange.last()
        assert isinstance(pid, int)
        ended = os.pidfd_open(pid)
        try:
            assert select.select([ended], [], [], 60)[0]
        finally:
            os.close(ended)
        with pool.ask(whole(file.fileno()), "nothing", bounds, Token()) as exchange:
            assert exchange.first() != pid
            exchange.last()
