"""Several requests in one message: what goes smoothly is answered, all else is left to be asked for alone."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from pipeline.errors import PictureError
from pipeline.workers import conversation
from pipeline.workers.child_pool import ChildPool
from pipeline.workers.exchange import Bounds, InThread, Renderer, Reply, whole
from pipeline.workers.token import Revoked, Token
from tests.descriptors import none_stays_open
from tests.workers import functions

BOUNDS = Bounds(seconds=60, memory=2**30)
CONTENTS = (b"abc", b"refuse", b"defg", b"need 100", b"hi")


def ask(
    renderer: Renderer, request: object, contents: tuple[bytes, ...] = CONTENTS, bounds: Bounds = BOUNDS
) -> list[bytes | str | None]:
    """What was made of each, or its error."""
    with ExitStack() as files:
        held = []
        for content in contents:
            file = files.enter_context(tempfile.TemporaryFile(buffering=0))
            file.write(content)
            held.append(whole(file.fileno()))
        with renderer.ask_several(held, request, bounds, Token()) as several:
            replies, _meter = several.all(99)
        made: list[bytes | str | None] = []
        for reply in replies:
            if reply is not None and isinstance(reply.payload, PictureError):
                made.append(str(reply.payload))
                assert not reply.descriptors
                continue
            made.append(None if reply is None else os.pread(reply.descriptors[0], 100, 0))
            for descriptor in () if reply is None else reply.descriptors:
                os.close(descriptor)
        return made


@pytest.fixture
def pool() -> Iterator[ChildPool]:
    with ChildPool("tests.workers.functions:each", None, 1, kept=2**24) as opened:
        yield opened


def test_a_child_and_a_thread_answer_what_goes_smoothly(pool: ChildPool) -> None:
    for renderer in (pool, InThread(functions.each)):
        assert ask(renderer, "plain") == [b"cba", "damaged: as asked", b"gfed", None, b"ih"]


def test_one_that_lacked_memory_may_have_it_when_it_is_alone(pool: ChildPool) -> None:
    for renderer in (pool, InThread(functions.each)):
        assert ask(renderer, "plain", (b"abc", b"lack")) == [b"cba", None]


@pytest.mark.parametrize("content", [b"kill", b"exit", b"stop", b"chatter"])
def test_when_it_cannot_be_told_who_is_to_blame_nobody_is(pool: ChildPool, content: bytes) -> None:
    assert ask(pool, "plain", (b"abc",)) == [b"cba"]
    short = Bounds(seconds=0.1, memory=2**30)
    with none_stays_open():
        for _ in range(2):
            assert ask(pool, "plain", (b"abc", content, b"def"), short) == [None, None, None]
        assert ask(pool, "plain", (b"abc", b"def")) == [b"cba", b"fed"]  # a new child, or the same


def test_what_can_still_be_changed_is_no_answer(pool: ChildPool) -> None:
    before = ask(pool, "plain", (b"abc",))
    with none_stays_open():
        assert ask(pool, "plain", (b"abc", b"unsealed", b"def")) == [None, None, None]
        assert ask(pool, "plain", (b"abc",)) == before


@pytest.mark.parametrize(
    "told",
    [
        None,
        (),
        (("a", 1),),
        (("a", 1), ("b", 0), ("c", 0)),
        (("a", 1), ("b", 2)),
        (("a", 1), ("b", -1)),
        (("a", 9), ("b", 0)),
        (("a", 1), ("b", "1")),
        (("a", 1), ("b", 1, 1)),
        ("a", "b"),
    ],
)
def test_an_answer_that_does_not_come_out_even_is_none(told: object) -> None:
    assert conversation.parted(told, (7, 8), 2) is None


def test_each_answer_has_its_own_descriptors() -> None:
    assert conversation.parted((("a", 0), None, ("b", 2)), (7, 8), 3) == (Reply("a"), None, Reply("b", (7, 8)))


def test_more_descriptors_than_one_call_can_pass(pool: ChildPool) -> None:
    contents = tuple(b"%03d" % number for number in range(300))
    assert ask(pool, "plain", contents) == [content[::-1] for content in contents]


def test_a_revoked_token_ends_the_wait(pool: ChildPool) -> None:
    token = Token()
    with tempfile.TemporaryFile(buffering=0) as file:
        file.write(b"stop")
        with pytest.raises(Revoked), pool.ask_several([whole(file.fileno())], "plain", BOUNDS, token) as several:
            token.revoke()
            several.all(0)
    assert ask(pool, "plain", (b"abc",)) == [b"cba"]
