from __future__ import annotations

import os
import pickle
import resource
import socket
import struct
import tempfile
import threading
from collections.abc import Iterator

import pytest

from pipeline.errors import PipelineError
from pipeline.workers import wire
from tests.descriptors import none_stays_open


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


Ends = tuple[socket.socket, socket.socket]


def test_descriptors_arrive_with_their_message_in_order_however_many(ends: Ends) -> None:
    ours, theirs = ends
    made = [os.memfd_create(str(number)) for number in range(600)]
    for number, descriptor in enumerate(made):
        os.write(descriptor, str(number).encode())
    thread = threading.Thread(target=wire.answer, args=(theirs, "here", tuple(made)))
    thread.start()
    payload, came = wire.take(ours, 600)
    thread.join()
    assert payload == "here"
    assert [os.pread(descriptor, 9, 0) for descriptor in came] == [str(number).encode() for number in range(600)]
    for descriptor in (*made, *came):
        os.close(descriptor)


@pytest.mark.parametrize(
    "sent",
    [
        struct.pack("!II", 2**20 + 1, 0),
        struct.pack("!II", 4, 4097),
        struct.pack("!II", 2, 1) + b"+{}",
        struct.pack("!II", 2, 0) + b"{}",
        struct.pack("!II", 0, 0),
        struct.pack("!II", 26, 0) + pickle.dumps(print)[:26].ljust(26),
    ],
)
def test_what_is_no_message_of_ours_is_refused_and_leaves_no_descriptor(ends: Ends, sent: bytes) -> None:
    ours, theirs = ends
    with none_stays_open():
        socket.send_fds(theirs, [sent], [0, 1] if sent.endswith(b"{}") else [])
        with pytest.raises(wire.NotOurs):
            wire.take(ours)


def test_a_message_in_drips_does_not_hold_its_reader_longer_than_one_at_once(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = ends
    monkeypatch.setattr(wire, "_MID_MESSAGE", 0.3)
    over = threading.Event()

    def drip() -> None:
        theirs.sendall(struct.pack("!II", 1000, 0))
        while not over.wait(0.02):
            theirs.sendall(b" ")

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        with pytest.raises(wire.NotOurs, match="does not end"):
            wire.take(ours)
    finally:
        over.set()
        thread.join()


def test_a_reader_that_is_gone_is_told_by_name(ends: Ends) -> None:
    ours, theirs = ends
    ours.close()
    with pytest.raises(wire.Closed):
        wire.answer(theirs, "nobody")
    with pytest.raises(wire.Closed):
        wire.hear(theirs)


def test_a_reader_that_does_not_read_makes_nobody_wait_for_ever(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "_MID_MESSAGE", 0.2)
    with pytest.raises(wire.Closed):
        wire.tell(ends[0], b"x" * 2**24)


def test_no_room_for_descriptors_is_this_processes_trouble_and_no_childs(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, tempfile.TemporaryFile() as file:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wire.answer(theirs, "here", (file.fileno(),) * 3)
        lowest = os.dup(file.fileno())  # all below it are in use
        os.close(lowest)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
        try:
            with pytest.raises(PipelineError, match="too many open files"):
                wire.take(ours, 3)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize(("came", "told", "asked"), [(251, 251, 3), (4, 4, 3), (1, 1, 0), (3, 2, 3), (0, 2**31, 3)])
def test_descriptors_beyond_those_asked_for_are_the_childs_fault_and_closed(
    ends: Ends, came: int, told: int, asked: int
) -> None:
    ours, theirs = ends
    with none_stays_open():
        socket.send_fds(theirs, [struct.pack("!II", 4, told) + b"null"], [0] * came)
        with pytest.raises(wire.NotOurs):
            wire.take(ours, asked)


def test_long_requests_are_not_kept(ends: Ends) -> None:
    ours, theirs = ends
    wire._pickled.cache_clear()
    heard: list[object] = []
    for payload, kept in (("short", 1), ("long" * 2**15, 0), (["cannot", "be", "hashed"], 0)):
        reader = threading.Thread(target=lambda: heard.append(wire.hear(theirs)[0]))
        reader.start()
        wire.tell(ours, payload)
        reader.join(60)
        assert heard.pop() == payload
        assert wire._pickled.cache_info().currsize == kept
