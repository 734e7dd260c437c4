from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.errors import ErrorKind, PictureError, PipelineError, printable
from pipeline.workers import child_pool, process
from pipeline.workers.child import Setup
from pipeline.workers.child_pool import ChildPool
from pipeline.workers.exchange import Bounds, ChildDied, InThread, Meter, Renderer, whole
from pipeline.workers.process import Child, Zygote
from pipeline.workers.token import Revoked, Token
from tests.descriptors import none_stays_open
from tests.workers import functions

BOUNDS = Bounds(seconds=60, memory=2**30)


@contextmanager
def picture(content: bytes = b"abc") -> Iterator[int]:
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        yield file.fileno()


def ask(
    renderer: Renderer, request: object, bounds: Bounds = BOUNDS, token: Token | None = None
) -> tuple[object, bytes, Meter]:
    with picture() as descriptor, renderer.ask(whole(descriptor), request, bounds, token or Token()) as exchange:
        first = exchange.first()
        reply, meter = exchange.last()
        made = os.pread(reply.descriptors[0], 100, 0)
        os.close(reply.descriptors[0])
        return first, made, meter


@pytest.fixture
def pool() -> Iterator[ChildPool]:
    with ChildPool("tests.workers.functions:echo", "tests.workers.functions:warm_up", 1) as opened:
        yield opened


def test_a_child_and_a_thread_give_the_same_answer(pool: ChildPool) -> None:
    first, made, _meter = ask(pool, "plain")
    thread_first, thread_made, _meter = ask(InThread(functions.echo), "plain")
    assert first[:2] == thread_first[:2] == ("size", 3)  # type: ignore[index]
    assert made == thread_made == b"cba"
    assert first[2] != os.getpid()  # type: ignore[index]


def test_one_child_serves_request_after_request_without_leaking_descriptors(pool: ChildPool) -> None:
    pids = {ask(pool, "plain")[0][2] for _ in range(20)}  # type: ignore[index]
    assert len(pids) == 1
    with none_stays_open():
        for _ in range(20):
            ask(pool, "plain")
    assert len(os.listdir(f"/proc/{pids.pop()}/fd")) < 12


@pytest.mark.parametrize(
    ("request_", "how"),
    [("segfault", "SIGSEGV"), ("kill", "SIGKILL"), ("kill late", "SIGKILL"), ("exit", "status 3")],
)
def test_a_death_is_blamed_on_its_request_and_the_next_one_has_a_new_child(
    pool: ChildPool, request_: str, how: str
) -> None:
    pid = ask(pool, "plain")[0][2]  # type: ignore[index]
    with pytest.raises(ChildDied, match=how):
        ask(pool, request_)
    assert ask(pool, "plain")[0][2] != pid  # type: ignore[index]


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel says it there only")
def test_a_death_is_not_put_down_to_the_memory_of_the_process_that_started_the_child() -> None:
    ballast = b"x" * (250 * 2**20)
    with ChildPool("tests.workers.functions:echo", None, 1) as pool:
        pool.await_confinement(Token())
        del ballast
        with pytest.raises(ChildDied):
            ask(pool, "segfault", Bounds(seconds=60, memory=256 * 2**20))


def test_a_child_that_is_killed_while_it_waits_for_room_has_said_nothing_wrong(pool: ChildPool) -> None:
    with picture() as descriptor, pool.ask(whole(descriptor), "plain", BOUNDS, Token()) as exchange:
        pid = exchange.first()[2]  # type: ignore[index]
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        for child in pool._there():
            for _ in range(3):
                child.look()
        with pytest.raises(ChildDied, match="SIGKILL"):
            exchange.last()


@pytest.mark.parametrize("request_", ["stop", "sleep"])
def test_a_child_that_hangs_is_ended_by_the_wall_backstop(pool: ChildPool, request_: str) -> None:
    with pytest.raises(PictureError, match=r"time limit: no answer within 0\.5 s"):
        ask(pool, request_, Bounds(seconds=0.05, memory=2**30))
    assert ask(pool, "plain")[1] == b"cba"


def test_a_child_that_computes_for_ever_meets_the_cpu_limit(pool: ChildPool) -> None:
    with pytest.raises(PictureError) as caught:
        ask(pool, "spin", Bounds(seconds=0.2, memory=2**30))
    assert caught.value.kind == ErrorKind.TIME_LIMIT


def test_the_cpu_limit_is_counted_anew_for_each_request(pool: ChildPool) -> None:
    for _ in range(5):
        ask(pool, "plain", Bounds(seconds=0.1, memory=2**30))


def test_a_request_that_takes_too_much_memory_is_refused_by_name(pool: ChildPool) -> None:
    with pytest.raises(PictureError) as caught:
        ask(pool, "allocate", Bounds(seconds=60, memory=300 * 2**20))
    assert caught.value.kind == ErrorKind.MEMORY_LIMIT


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the C library keeps what it likes")
@pytest.mark.parametrize(("kept", "stays"), [(2**20, False), (64 * 2**20, True)])
def test_a_child_keeps_the_memory_of_a_picture_for_the_next_as_far_as_it_may(kept: int, stays: bool) -> None:
    with ChildPool("tests.workers.functions:echo", None, 1, kept=kept) as pool:
        idle = ask(pool, "plain")[2].resident
        after = ask(pool, "pixels")[2].resident
        assert (after > idle + 32 * 2**20) == stays
        assert after < idle + kept + 8 * 2**20


@pytest.mark.parametrize(("request_", "kind"), [("refuse", ErrorKind.DAMAGED), ("refuse late", ErrorKind.TRUNCATED)])
def test_a_refusal_comes_back_whole_and_the_child_lives_on(pool: ChildPool, request_: str, kind: ErrorKind) -> None:
    pid = ask(pool, "plain")[0][2]  # type: ignore[index]
    with pytest.raises(PictureError) as caught:
        ask(pool, request_)
    assert caught.value.kind == kind
    assert ask(pool, "plain")[0][2] == pid  # type: ignore[index]


def test_a_confined_child_can_tell_what_no_terminal_should_see(pool: ChildPool) -> None:
    with pytest.raises(PictureError) as caught:
        ask(pool, "refuse oddly")
    assert (caught.value.kind, caught.value.detail) == (ErrorKind.DAMAGED, r"two\nlines, \x1b, \u202e, \U000e0001")
    for char in map(chr, (*range(0x300), 0x202E, 0xFFFF, 0x10FFFF)):
        expected = char if char.isprintable() else char.encode("unicode_escape").decode()
        assert printable(char) == expected


def test_a_defect_costs_one_picture_and_names_itself(pool: ChildPool) -> None:
    with pytest.raises(PictureError, match="internal error: KeyError"):
        ask(pool, "defect")


def test_chatter_of_c_libraries_is_caught_per_request(pool: ChildPool) -> None:
    assert ask(pool, "chatter")[2].chatter == "libfoo warning: bar"
    assert ask(pool, "plain")[2].chatter == ""


def test_the_meter_tells_the_peak_of_each_request(pool: ChildPool) -> None:
    peak = ask(pool, "plain")[2].peak_memory
    assert peak is not None
    assert 2**20 < peak < 2**28


def test_a_revoked_token_ends_the_wait_and_the_child(pool: ChildPool) -> None:
    token = Token()
    threading.Timer(0.3, token.revoke).start()
    with pytest.raises(Revoked):
        ask(pool, "sleep", token=token)
    assert ask(pool, "plain")[1] == b"cba"


def test_a_child_that_cannot_start_ends_the_run_with_its_last_words() -> None:
    with (
        ChildPool("tests.workers.functions:echo", "tests.workers.functions:fail_to_start", 1) as pool,
        pytest.raises(PipelineError, match=r"could not start \(ended with status 1: ImportError: no codec here\)"),
    ):
        ask(pool, "plain")


@pytest.fixture
def kills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that says by which signals the next children end while they start; see `killed_while_starting`."""
    monkeypatch.setenv("KILLS", str(tmp_path / "kills"))
    return tmp_path / "kills"


def test_children_that_a_signal_ends_while_they_start_are_replaced_until_many_in_a_row(
    kills: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_pool, "_IN_A_ROW", 3)
    with ChildPool("tests.workers.functions:echo", "tests.workers.functions:killed_while_starting", 1) as pool:
        for signals in ("KS", "SS", "KK"):  # each child that gets ready ends a row
            kills.write_text(signals)
            assert ask(pool, "plain")[1] == b"cba"
            assert kills.read_text() == ""
            with pytest.raises(ChildDied):
                ask(pool, "kill")
        kills.write_text("SKKKK")
        with pytest.raises(PipelineError, match=r"could not start \(killed by SIGKILL\)"):
            ask(pool, "plain")
        assert len(kills.read_text()) == 2


def test_a_child_that_does_not_get_ready_in_time_is_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_START", 2)
    with (
        ChildPool("tests.workers.functions:echo", "tests.workers.functions:endless_warm_up", 1) as pool,
        pytest.raises(PipelineError, match=r"could not start \(it did not get ready\)"),
    ):
        ask(pool, "plain")


def test_children_ignore_the_signals_by_which_people_stop_a_run(pool: ChildPool) -> None:
    with picture() as descriptor, pool.ask(whole(descriptor), "plain", BOUNDS, Token()) as exchange:
        exchange.first()
        reply, _meter = exchange.last()
    os.close(reply.descriptors[0])
    assert reply.payload == ("made", ("SIGHUP", "SIGINT", "SIGTERM"))


def test_no_child_outlives_the_pool() -> None:
    with ChildPool("tests.workers.functions:echo", None, 2) as pool:
        pid = ask(pool, "plain")[0][2]  # type: ignore[index]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


PARENT = """
import sys, tempfile
from pipeline.workers.child_pool import ChildPool
from pipeline.workers.exchange import Bounds, whole
from pipeline.workers.token import Token
from tests.descriptors import none_stays_open
with ChildPool("tests.workers.functions:echo", None, 2) as pool, tempfile.TemporaryFile() as file:
    with pool.ask(whole(file.fileno()), "plain", Bounds(60, 2**30), Token()) as exchange:
        print(exchange.first()[2], flush=True)
        exchange.last()
    with pool.ask(whole(file.fileno()), "sleep", Bounds(60, 2**30), Token()) as exchange:
        print("asked", flush=True)
        exchange.first()
"""


def test_a_busy_child_dies_with_its_parent() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert parent.stdout.readline() == "asked\n"
        child = os.pidfd_open(pid)
        parent.send_signal(signal.SIGKILL)
    assert select.select([child], [], [], 60)[0], "the child outlives its parent"
    os.close(child)


def test_a_child_that_is_killed_while_idle_is_replaced_and_nobody_is_blamed(pool: ChildPool) -> None:
    pid = ask(pool, "plain")[0][2]  # type: ignore[index]
    descriptor = os.pidfd_open(pid)
    os.kill(pid, signal.SIGKILL)
    select.select([descriptor], [], [], 30)
    os.close(descriptor)
    assert ask(pool, "plain")[0][2] != pid  # type: ignore[index]


def test_chatter_while_starting_belongs_to_no_picture(capfd: pytest.CaptureFixture[str]) -> None:
    with ChildPool("tests.workers.functions:echo", "tests.workers.functions:chatty_start", 1) as pool:
        assert ask(pool, "plain")[2].chatter == ""
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("request_", ["chatter and die", "chatter and refuse", "chatter and defect"])
def test_chatter_before_a_failure_comes_with_it(
    pool: ChildPool, request_: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises((ChildDied, PictureError)) as caught:
        ask(pool, request_)
    assert caught.value.__notes__[0] == "libfoo warning: bar"
    assert ask(pool, "plain")[2].chatter == ""
    assert capfd.readouterr() == ("", "")


def test_endless_chatter_makes_nobody_wait_and_fills_nothing(pool: ChildPool) -> None:
    chatter = ask(pool, "endless chatter")[2].chatter
    assert chatter.splitlines() == ["libfoo warning: bar"] * 20
    assert ask(pool, "plain")[2].chatter == ""


class Watched(Token):
    """Tells when its holder has looked around `looks` times: it has waited in vain, at least once less."""

    __slots__ = ("_looks", "seen")

    def __init__(self, looks: int = 2) -> None:
        super().__init__()
        self._looks = looks
        self.seen = threading.Event()

    def check(self) -> None:
        self._looks -= 1
        if self._looks <= 0:
            self.seen.set()
        super().check()


@pytest.mark.parametrize(("expected", "waiters", "children"), [(1, 1, 1), (1, 2, 2), (0, 1, 1), (0, 2, 2), (2, 1, 2)])
def test_whoever_waits_for_a_child_that_is_on_its_way_orders_no_other(
    expected: int, waiters: int, children: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[ChildPool] = []
    release = threading.Event()
    new = ChildPool._new

    def held_back(child_pool: ChildPool) -> Child:
        started.append(child_pool)
        release.wait(60)
        return new(child_pool)

    monkeypatch.setattr(ChildPool, "_new", held_back)
    made: list[bytes] = []
    tokens = [Watched() for _ in range(waiters)]
    with ChildPool("tests.workers.functions:echo", None, 3, at_once=False) as pool:
        pool.expect(expected)
        threads = [
            threading.Thread(target=lambda token=token: made.append(ask(pool, "plain", token=token)[1]))
            for token in tokens
        ]
        for thread in threads:
            thread.start()
        for token in tokens:
            assert token.seen.wait(60)
        release.set()
        for thread in threads:
            thread.join(60)
    assert made == [b"cba"] * waiters
    assert len(started) == children


@pytest.mark.parametrize("error", [OSError(12, "no memory"), RuntimeError("no memory")])
def test_nobody_waits_for_a_child_that_cannot_be_started(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def refused(setup: Setup, zygote: Zygote | None = None) -> Child:
        release.wait(60)
        raise error

    monkeypatch.setattr(child_pool, "Child", refused)
    told: list[str] = []

    def waiting(token: Token) -> None:
        try:
            ask(opened, "plain", token=token)
        except PipelineError as failure:
            told.append(str(failure))

    tokens = [Watched() for _ in range(3)]
    with ChildPool("tests.workers.functions:echo", None, 2, at_once=False) as opened:
        threads = [threading.Thread(target=waiting, args=(token,)) for token in tokens]
        for thread in threads:
            thread.start()
        for token in tokens:
            assert token.seen.wait(60)
        release.set()
        for thread in threads:
            thread.join(60)
    assert told == ["cannot start a rendering child: no memory"] * 3


def test_whoever_waits_for_a_child_that_is_lost_gets_another(pool: ChildPool) -> None:
    token = Watched()
    made: list[bytes] = []
    waiting = threading.Thread(target=lambda: made.append(ask(pool, "plain", token=token)[1]))
    with picture() as descriptor, pool.ask(whole(descriptor), "kill late", BOUNDS, Token()) as exchange:
        exchange.first()
        waiting.start()
        assert token.seen.wait(60)
        with pytest.raises(ChildDied):
            exchange.last()
    waiting.join(60)
    assert made == [b"cba"]
