"""Messages between two processes of this program: of any size, never waited for, and none is lost."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from pipeline.workers.peer import Messages, Peer


@pytest.fixture
def pair() -> Iterator[tuple[Messages, Messages]]:
    """Both ends of one socket."""
    near, other = map(Messages, socket.socketpair())
    yield near, other
    near.close()
    other.close()


def test_a_message_may_be_larger_than_what_the_socket_holds(pair: tuple[Messages, Messages]) -> None:
    near, other = pair
    sent = ["x" * 5_000_000, "\udcff" * 1000, 3]
    for message in sent:
        near.send(message)
    assert near.unsent
    received: list[object] = []
    while len(received) < 3:
        received += other.receive()
        near.flush()
    assert received == sent


def test_what_waits_to_be_sent_waits_for_room_and_not_for_what_has_come(pair: tuple[Messages, Messages]) -> None:
    near, other = pair
    other.send("unread")
    near.send(b"x" * 5_000_000)
    assert not near.push(0.01)
    assert other.receive() == []
    assert near.push(10)
    assert near.receive() == ["unread"]


def test_what_was_sent_before_the_end_is_received(pair: tuple[Messages, Messages]) -> None:
    near, other = pair
    other.send("unread by one")
    near.send("the last word")
    near.close()
    assert other.receive() == ["the last word"]
    other.receive()
    assert other.closed


def test_nothing_is_kept_for_one_that_is_gone(pair: tuple[Messages, Messages]) -> None:
    near, other = pair
    near.send(b"x" * 5_000_000)
    other.close()
    assert near.push(10)
    assert not near.unsent


def test_a_process_that_cannot_hold_what_it_is_to_hold_says_so() -> None:
    near, other = socket.socketpair()

    def few() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (other.fileno() + 1, other.fileno() + 1))

    code = (
        "import socket, sys; from pipeline.workers.peer import Messages\n"
        "while True:\n"
        "    try: kept = open('/dev/null'); keep = globals().setdefault('all', []); keep.append(kept)\n"
        "    except OSError: break\n"
        "Messages(socket.socket(fileno=int(sys.argv[1]))).await_begin()"
    )
    with near, other:
        socket.send_fds(near, [b"!"], [0, 1])
        done = subprocess.run(
            [sys.executable, "-c", code, str(other.fileno())],
            pass_fds=(other.fileno(),),
            preexec_fn=few,
            capture_output=True,
            text=True,
            check=False,
        )
    assert f"OSError: [Errno {24}] {os.strerror(24)}" in done.stderr


def test_one_that_a_signal_has_stopped_goes_on_when_it_is_woken() -> None:
    peer = Peer("tests.workers.functions:until_the_end")
    peer.wake()  # which does nothing to one that runs
    os.kill(peer.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, peer.pid, os.WSTOPPED | os.WNOWAIT)
    peer.wake()
    os.waitid(os.P_PID, peer.pid, os.WCONTINUED)
    peer.close()
    assert peer.reap(60)
    peer.wake()
    assert peer.code == 0
