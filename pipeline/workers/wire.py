"""Messages with descriptors over a Unix stream socket: a length with the descriptors, then the message.

A parent sends pickles, because its child trusts it. A child sends JSON of this program's values (see `values`): a child
that a hostile picture has taken over must not be able to make its parent run code, take memory without end, or wait for
ever.
"""

from __future__ import annotations

import array
import functools
import os
import pickle
import socket
import struct
import time
from collections.abc import Iterable, Sequence

from pipeline.errors import PipelineError
from pipeline.workers import values
from pipeline.workers.exchange import Held

_LENGTH = struct.Struct("!II")  # bytes of the message, number of descriptors
_MOST = 2**20  # bytes; a child's message holds numbers and short texts, so a longer one is not ours
_FDS_AT_ONCE = 250  # the kernel's SCM_MAX_FD is 253
_FDS_OF_A_PARENT = 4096  # one a picture
_INT = array.array("i").itemsize
_MID_MESSAGE = 30.0  # seconds within which a message that has begun must be complete

# Nearly every request of a run is the same, and its parts never change.
_unpickled = functools.lru_cache(maxsize=4)(pickle.loads)
_pickled = functools.lru_cache(maxsize=4)(functools.partial(pickle.dumps, protocol=5))
_REMEMBERED = 2**16  # bytes; one that is longer holds pictures for watermarks, and is not kept


class Closed(Exception):
    """The other side has closed the socket, or is gone."""


class NotOurs(Exception):
    """The bytes received are no message of this program."""


def tell(sock: socket.socket, payload: object, held: Sequence[Held] = ()) -> None:
    """Parent to child: send anything, with the files it is about. Raises `Closed` if the child is gone."""
    sizes = struct.pack(f"!{len(held)}Q", *(file.size for file in held))
    try:
        pickled = _pickled(payload)
        if len(pickled) > _REMEMBERED:
            _pickled.cache_clear()
    except TypeError:  # it cannot be hashed
        pickled = pickle.dumps(payload, protocol=5)
    _send(sock, sizes + pickled, tuple(file.descriptor for file in held))


def hear(sock: socket.socket) -> tuple[object, tuple[Held, ...]]:
    """Child from parent: wait for the next message without a time limit. The descriptors are the caller's."""
    body, descriptors = _receive(sock, most=2**32, files=_FDS_OF_A_PARENT, seconds=None)
    sizes = struct.unpack_from(f"!{len(descriptors)}Q", body)
    return _unpickled(body[8 * len(sizes) :]), tuple(map(Held, descriptors, sizes))


def answer(sock: socket.socket, payload: object, descriptors: tuple[int, ...] = ()) -> None:
    """Child to parent: send values of this program. Raises `Closed`, and TypeError for anything else."""
    _send(sock, values.dumped(payload), descriptors)


def take(sock: socket.socket, files: int = 0) -> tuple[object, tuple[int, ...]]:
    """Parent from child: the message that has begun to come, with at most `files` descriptors, which are close-on-exec
    and the caller's.

    Raises `Closed` at the end, `NotOurs` on anything that is no value of this program or does not end.
    """
    try:
        body, descriptors = _receive(sock, most=_MOST, files=files, seconds=_MID_MESSAGE)
    except TimeoutError:
        raise NotOurs("a message that does not end") from None
    try:
        return values.loaded(body), descriptors
    except values.NotAValue as error:
        close_all(descriptors)
        raise NotOurs(str(error)) from None


def _send(sock: socket.socket, body: bytes, descriptors: tuple[int, ...]) -> None:
    sock.settimeout(_MID_MESSAGE)
    head = _LENGTH.pack(len(body), len(descriptors))
    try:
        if len(descriptors) <= _FDS_AT_ONCE:
            rest = head + body  # nearly always one call
            rest = rest[socket.send_fds(sock, [rest], descriptors) :]
            if not rest:
                return
        else:
            socket.send_fds(sock, [head], descriptors[:_FDS_AT_ONCE])
            for start in range(_FDS_AT_ONCE, len(descriptors), _FDS_AT_ONCE):
                socket.send_fds(sock, [b"+"], descriptors[start : start + _FDS_AT_ONCE])
            rest = body
        sock.sendall(rest)
    except (BrokenPipeError, ConnectionResetError, TimeoutError) as error:
        raise Closed from error


class _Patience:
    """How long a message may still take, in any number of pieces."""

    def __init__(self, sock: socket.socket, seconds: float | None) -> None:
        self._sock = sock
        self._end = None if seconds is None else time.monotonic() + seconds

    def spend(self) -> None:
        """Call it before each piece. Raises TimeoutError when the time is over."""
        left = None if self._end is None else self._end - time.monotonic()
        if left is not None and left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)


def _receive(sock: socket.socket, *, most: int, files: int, seconds: float | None) -> tuple[bytes, tuple[int, ...]]:
    descriptors: list[int] = []
    patience = _Patience(sock, seconds)
    try:
        head = _receive_with_descriptors(sock, _LENGTH.size, descriptors, files, patience)
        length, expected = _LENGTH.unpack(head)
        if length > most or expected > files:
            raise NotOurs(f"a message of {length} bytes and {expected} descriptors")
        while len(descriptors) < expected:
            before = len(descriptors)
            _receive_with_descriptors(sock, 1, descriptors, expected - before, patience)
            if len(descriptors) == before:
                raise NotOurs("descriptors are missing")
        if len(descriptors) > expected:
            raise NotOurs("descriptors that nobody speaks of")
        return _exactly(sock, length, patience), tuple(descriptors)
    except BaseException:
        close_all(descriptors)
        raise


def _receive_with_descriptors(
    sock: socket.socket, size: int, descriptors: list[int], files: int, patience: _Patience
) -> bytes:
    """The next bytes, with up to `files` descriptors: there is no room for more, so the kernel drops those."""
    room = min(files, _FDS_AT_ONCE)
    space = socket.CMSG_LEN(room * _INT) if room else 0
    before = len(descriptors)
    patience.spend()
    try:
        part, ancillary, flags, _address = sock.recvmsg(size, space, getattr(socket, "MSG_CMSG_CLOEXEC", 0))
    except ConnectionResetError as error:
        raise Closed from error
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds = array.array("i")
            fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
            descriptors.extend(fds)
    if flags & socket.MSG_CTRUNC:
        if len(descriptors) - before == room:
            raise NotOurs("more descriptors than were asked for")
        raise PipelineError("too many open files (`ulimit -n`); fewer threads would need less")
    if not part:
        raise Closed
    return part + _exactly(sock, size - len(part), patience) if len(part) < size else part


def _exactly(sock: socket.socket, size: int, patience: _Patience) -> bytes:
    parts = []
    while size:
        patience.spend()
        try:
            part = sock.recv(size)
        except ConnectionResetError as error:
            raise Closed from error
        if not part:
            raise Closed
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def close_all(descriptors: Iterable[int]) -> None:
    """Close the descriptors of a message that are not wanted."""
    for descriptor in descriptors:
        os.close(descriptor)
