"""Messages with descriptors over a Unix stream socket: a length, then a pickle; descriptors ride on the length.

What a child sends is read by an unpickler that knows the value classes of this program and nothing else: a child that
a hostile picture has taken over must not be able to make its parent run anything.
"""

from __future__ import annotations

import array
import io
import os
import pickle
import socket
import struct

_LENGTH = struct.Struct("!II")  # bytes of the pickle, number of descriptors
_MOST = 16 * 2**20  # bytes; a message holds numbers and short texts, so a longer one is not ours
_FDS_AT_ONCE = 250  # the kernel's SCM_MAX_FD is 253
_VALUES = frozenset({"pipeline.model", "pipeline.errors", "pipeline.workers.exchange"})


class Closed(Exception):
    """The other side has closed the socket, or is gone."""


class _Values(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> object:
        if module in _VALUES and "." not in name:
            found = super().find_class(module, name)
            if isinstance(found, type) and found.__module__ == module:
                return found
        raise pickle.UnpicklingError(f"{module}.{name} is not a value of this program")


def send(sock: socket.socket, payload: object, descriptors: tuple[int, ...] = ()) -> None:
    """Send one message. Raises `Closed` when nobody is there to read it."""
    body = pickle.dumps(payload, protocol=5)
    try:
        first = descriptors[:_FDS_AT_ONCE]
        socket.send_fds(sock, [_LENGTH.pack(len(body), len(descriptors))], first)
        for start in range(_FDS_AT_ONCE, len(descriptors), _FDS_AT_ONCE):
            socket.send_fds(sock, [b"+"], descriptors[start : start + _FDS_AT_ONCE])
        sock.sendall(body)
    except (BrokenPipeError, ConnectionResetError) as error:
        raise Closed from error


def receive(sock: socket.socket) -> tuple[object, tuple[int, ...]]:
    """Receive one message from a child that is not trusted. Raises `Closed` at the end, `UnpicklingError` on anything
    that is not ours, `TimeoutError` when the socket has a time-out. The descriptors are close-on-exec and the caller's.
    """
    return _receive(sock, _Values)


def receive_any(sock: socket.socket) -> tuple[object, tuple[int, ...]]:
    """Receive one message from the parent, whom a child does trust."""
    return _receive(sock, pickle.Unpickler)


def _receive(sock: socket.socket, unpickler: type[pickle.Unpickler]) -> tuple[object, tuple[int, ...]]:
    descriptors: list[int] = []
    try:
        head = _receive_with_descriptors(sock, _LENGTH.size, descriptors)
        length, expected = _LENGTH.unpack(head)
        if length > _MOST:
            raise pickle.UnpicklingError(f"a message of {length} bytes is not ours")
        while len(descriptors) < expected:
            before = len(descriptors)
            _receive_with_descriptors(sock, 1, descriptors)
            if len(descriptors) == before:
                raise pickle.UnpicklingError("descriptors are missing")
        return unpickler(io.BytesIO(_exactly(sock, length))).load(), tuple(descriptors)
    except BaseException:
        for descriptor in descriptors:
            os.close(descriptor)
        raise


def _receive_with_descriptors(sock: socket.socket, size: int, descriptors: list[int]) -> bytes:
    space = socket.CMSG_SPACE(_FDS_AT_ONCE * 4)
    try:
        part, ancillary, _flags, _address = sock.recvmsg(size, space, getattr(socket, "MSG_CMSG_CLOEXEC", 0))
    except ConnectionResetError as error:
        raise Closed from error
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds = array.array("i")
            fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
            descriptors.extend(fds)
    if not part:
        raise Closed
    return part + _exactly(sock, size - len(part)) if len(part) < size else part


def _exactly(sock: socket.socket, size: int) -> bytes:
    parts = []
    while size:
        try:
            part = sock.recv(size)
        except ConnectionResetError as error:
            raise Closed from error
        if not part:
            raise Closed
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
