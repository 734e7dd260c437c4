"""Children that are spawned by a warm zygote: each as good as one that was started."""

from __future__ import annotations

import errno
import os
import select
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from pipeline.errors import PipelineError
from pipeline.workers import zygote
from pipeline.workers.child_pool import ChildPool
from pipeline.workers.exchange import Bounds, whole
from pipeline.workers.process import Zygote
from pipeline.workers.token import Token

pytestmark = pytest.mark.skipif(not zygote.is_possible(), reason="needs Linux, and a processor whose calls are known")

BOUNDS = Bounds(60, 2**30)


class About(NamedTuple):
    pid: int
    parent: int
    group: int
    open_files: tuple[int, ...]
    marks: int


@contextmanager
def opened(warm_up: str | None = None, count: int = 3) -> Iterator[ChildPool]:
    named = warm_up and f"tests.workers.functions:{warm_up}"
    with ChildPool("tests.workers.functions:about_itself", named, count) as pool:
        yield pool


def all_of(pool: ChildPool, count: int) -> list[About]:
    """What so many children say of themselves, each in a conversation that none of the others has ended."""
    said: list[About] = []
    with tempfile.TemporaryFile() as file, ExitStack() as conversations:
        exchanges = [
            conversations.enter_context(pool.ask(whole(file.fileno()), "", BOUNDS, Token())) for _ in range(count)
        ]
        for exchange in exchanges:
            about = exchange.first()
            assert isinstance(about, tuple)
            said.append(About(*about))
            exchange.last()
    return said


def zygote_pid(pool: ChildPool) -> int:
    assert pool._zygote is not None
    return pool._zygote.pid


def test_all_are_the_runs_own_children_alike_and_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WARMED", str(tmp_path / "warmed"))
    with opened("counted_warm_up") as pool:
        said = all_of(pool, 3)
        assert len({child.pid for child in said} | {zygote_pid(pool)}) == 4
        assert all((child.parent, child.group) == (os.getpid(), child.pid) for child in said)
        assert {child.marks for child in said} == {1}  # what one writes into its memory no other sees
        assert len({child.open_files for child in said}) == 1  # none has the socket of another
        assert pool.confinement is not None
        assert pool.confinement.complete
        assert (tmp_path / "warmed").read_bytes() == b"x"


def test_none_of_them_outlives_the_pool() -> None:
    with opened() as pool:
        pids = [*(child.pid for child in all_of(pool, 3)), zygote_pid(pool)]
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_zygote_that_is_killed_is_replaced_when_it_is_needed_and_its_children_live_on() -> None:
    with opened(count=2) as pool:
        before = all_of(pool, 2)
        for _ in range(6):  # more often than one that cannot start is tried
            gone = zygote_pid(pool)
            victim, survivor = before
            for pid in (gone, victim.pid):
                os.kill(pid, signal.SIGKILL)
                os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # has ended, and is still to be buried
            after = all_of(pool, 2)
            assert survivor.pid in {child.pid for child in after}
            assert victim.pid not in {child.pid for child in after}
            assert zygote_pid(pool) != gone
            before = sorted(after, key=lambda child: child.pid == survivor.pid)


def test_only_one_child_is_started_and_not_born() -> None:
    with ChildPool("tests.workers.functions:about_itself", None, 3, at_once=False) as pool:
        pool.expect(1)
        all_of(pool, 1)
        assert pool._zygote is None
        all_of(pool, 2)
        assert pool._zygote is not None


@pytest.mark.parametrize("why", ["barren", "threaded", "deadly"])
def test_where_none_can_be_born_children_are_started_one_by_one(why: str) -> None:
    with opened(why) as pool:
        said = all_of(pool, 3)
        assert len({child.pid for child in said}) == 3
        assert all((child.parent, child.group) == (os.getpid(), child.pid) for child in said)


@pytest.mark.parametrize(("kills", "works"), [(9, True), (30, False)])
def test_one_that_is_killed_while_it_starts_is_replaced_a_few_times(
    kills: int, works: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kills").write_bytes(b"K" * kills)
    monkeypatch.setenv("KILLS", str(tmp_path / "kills"))
    with opened("killed_while_starting", 2) as pool:
        if works:
            assert len(all_of(pool, 2)) == 2
        else:
            with pytest.raises(PipelineError, match="could not start .*SIGKILL"):
                all_of(pool, 1)


def test_one_that_cannot_start_ends_the_run_with_its_last_words() -> None:
    with opened("fail_to_start", 2) as pool, pytest.raises(PipelineError, match="could not start .*no codec here"):
        all_of(pool, 1)


def test_what_is_said_while_she_starts_belongs_to_no_picture() -> None:
    with (
        opened("chatty_start", 2) as pool,
        tempfile.TemporaryFile() as file,
        pool.ask(whole(file.fileno()), "", BOUNDS, Token()) as exchange,
    ):
        exchange.first()
        _reply, meter = exchange.last()
        assert meter.chatter == ""


def test_a_pool_that_closes_does_not_wait_for_a_zygote_that_does_not_get_ready() -> None:
    ended = threading.Event()

    def open_and_close() -> None:
        with opened("endless_warm_up", 2):
            pass
        ended.set()

    threading.Thread(target=open_and_close, daemon=True).start()
    assert ended.wait(60)


def test_a_zygote_gets_ready_before_the_number_of_children_is_known() -> None:
    pool = ChildPool("tests.workers.functions:about_itself", None, 0, at_once=False)
    pool.prepare()
    pool.serve(2, 2**24)
    with pool:
        said = all_of(pool, 2)
        assert len({child.pid for child in said} | {zygote_pid(pool)}) == 3


def prepared(pool: ChildPool) -> Zygote:
    pool.prepare()
    while pool._zygote is None:
        threading.Event().wait(0.01)
    return pool._zygote


@pytest.mark.parametrize("children", [1, 2])
@pytest.mark.parametrize("when", ["while it got ready", "when it was ready"])
def test_a_zygote_that_died_before_it_was_needed_is_replaced(children: int, when: str) -> None:
    with ChildPool("tests.workers.functions:about_itself", None, 0, at_once=False) as pool:
        zygote = prepared(pool)
        if when == "when it was ready":
            assert select.select([zygote.socket], [], [], 60)[0]
        os.kill(zygote.pid, signal.SIGKILL)
        os.waitid(os.P_PID, zygote.pid, os.WEXITED | os.WNOWAIT)
        pool.serve(children, 2**24)
        assert len({child.pid for child in all_of(pool, children)}) == children
        assert pool._zygote is not None
        assert pool._zygote.has_spawned


def test_one_that_was_prepared_for_nothing_ends_at_once_and_more_than_once() -> None:
    function, endless = "tests.workers.functions:about_itself", "tests.workers.functions:endless_warm_up"
    with ChildPool(function, endless, 0, at_once=False) as pool:
        pid = prepared(pool).pid
        pool.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize("error", [OSError(errno.EAGAIN, "no more processes"), MemoryError()])
def test_where_none_can_be_prepared_children_come_when_they_are_needed(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(setup: object) -> None:
        monkeypatch.undo()
        raise error

    monkeypatch.setattr("pipeline.workers.child_pool.Zygote", refused)
    pool = ChildPool("tests.workers.functions:about_itself", None, 0, at_once=False)
    pool.prepare()
    pool.serve(2, 2**24)
    with pool:
        assert len({child.pid for child in all_of(pool, 2)}) == 2
