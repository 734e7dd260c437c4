"""Children that a picture has taken over, as their parent meets them: they answer anything but what they should."""

from __future__ import annotations

import ctypes
import gc
import mmap
import os
import pickle
import resource
import socket
import struct
import threading
import time
from collections.abc import Iterator

from pipeline.workers.exchange import Held, Reply


def _socket() -> socket.socket:
    """The one to the parent."""
    return next(object_ for object_ in gc.get_objects() if isinstance(object_, socket.socket) and object_.fileno() >= 0)


def _message(body: bytes, descriptors: int = 0) -> bytes:
    return struct.pack("!II", len(body), descriptors) + body


def _memory(size: int) -> int:
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    made = os.memfd_create("made")
    os.ftruncate(made, size)
    return made


def taken_over(held: Held, request: object) -> Iterator[Reply]:
    """Does what the request says in place of the first reply, or as the last."""
    match request:
        case "a pickle":
            _socket().sendall(_message(pickle.dumps(("x", None))))
        case "a pickle that takes memory":
            _socket().sendall(_message(b"\x80\x02Nr\xff\xff\xff\x0f."))
        case "no message":
            _socket().sendall(b"\xff" * 4096)
        case "half a message":
            _socket().sendall(_message(b"[null,null]")[:12])
            os._exit(0)
        case "a flood":
            while True:
                _socket().sendall(_message(b"[" * 2**19))
        case "descriptors":
            socket.send_fds(_socket(), [struct.pack("!II", 11, 200)], [0] * 200)
            _socket().sendall(b"[null,null]")
        case "silence":
            time.sleep(3600)
    if isinstance(request, str) and not request.startswith("last: "):
        while True:
            time.sleep(1)
    yield Reply("header")
    last = {
        "last: a pipe": lambda: os.pipe()[0],
        "last: a socket": lambda: os.dup(_socket().fileno()),
        "last: a device": lambda: os.dup(0),
        "last: an open file": lambda: _memory(10),
        "last: an endless file": lambda: _memory(2**40),
    }[str(request)]()
    yield Reply("answer", (last,))


def _spill(size: int) -> int:
    """A file in memory that is written to and not mapped."""
    made = os.memfd_create("made")
    part = bytes(2**24)
    for _ in range(size // len(part)):
        os.write(made, part)
    return made


def _hidden(size: int) -> object:
    """A file in memory that no descriptor is of."""
    made = _spill(size)
    address = ctypes.CDLL(None).mmap(None, 4096, mmap.PROT_READ, mmap.MAP_PRIVATE, made, 0)
    os.close(made)
    return address


def lingers(held: Held, request: object) -> Iterator[Reply]:
    """Answers well, and does what it was asked to once it is idle."""
    for which in (resource.RLIMIT_DATA, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE):
        resource.setrlimit(which, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    mine = _socket()
    yield Reply(os.getpid())

    def later() -> None:
        time.sleep(0.3)
        match request:
            case "memory":
                _KEPT.append(bytearray(b"x") * (700 * 2**20))
            case "files":
                _KEPT.append(_spill(700 * 2**20))
            case "time":
                while True:
                    pass
            case "words":
                socket.send_fds(mine, [b"x"], [_spill(2**24)])

    threading.Thread(target=later, daemon=True).start()
    yield Reply(None)


_KEPT: list[object] = []


def eats(held: Held, request: object) -> Iterator[Reply]:
    """Lifts its own limits, then takes what it can: `memory` before the first reply, `later` or `behind` a closed
    socket; or `time`.
    """
    for which in (resource.RLIMIT_DATA, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE):
        resource.setrlimit(which, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    if request == "memory":
        _hog = bytearray(b"x") * (700 * 2**20)
        time.sleep(3600)
    while request == "time":
        pass
    yield Reply("header")
    if request == "files":
        _KEPT.append(_spill(700 * 2**20))
        time.sleep(3600)
    if request == "hidden":
        _KEPT.append(_hidden(2**26))
        time.sleep(3600)
    if request == "slowly":  # in the middle of a message
        _socket().sendall(_message(b"[null,null]")[:12])
    if request == "behind":
        _socket().close()
    _more = bytearray(b"x") * (700 * 2**20)
    time.sleep(3600)
    yield Reply("answer")
