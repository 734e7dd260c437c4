"""The process that renders: reads one request at a time from its socket, works, answers. Started by `nursery`.

It is told by name which function to import and knows nothing about pictures. It ends when its socket does, with its
parent, at its limits, or when it is killed; it ignores the signals by which people stop a run, because its parent
answers those.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pipeline.errors import ErrorKind, PictureError
from pipeline.workers import wire
from pipeline.workers.exchange import Bounds, Function, Meter, Reply

_PR_SET_PDEATHSIG = 1
_CHATTER = 2000  # bytes of a picture's standard error that are kept


@dataclass(frozen=True, slots=True)
class Setup:
    """The first message: what to import and call. Names are `module:attribute`."""

    function: str
    warm_up: str | None
    parent: int


@dataclass(frozen=True, slots=True)
class Request:
    """A message to the child; one descriptor comes with it."""

    payload: object
    bounds: Bounds


def main(descriptor: int) -> None:
    """Serve until the socket ends. Runs in the main thread of a process of its own."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sock = socket.socket(fileno=descriptor)
    try:
        setup, _none = wire.receive_any(sock)
        if not isinstance(setup, Setup):
            raise TypeError("the first message is the setup")
        _die_with(setup.parent)
        if setup.warm_up:
            _named(setup.warm_up)()
        _Host(sock, _named(setup.function)).serve()
    except wire.Closed:
        pass


def _named(name: str) -> Callable[..., Iterator[Reply]]:
    module, _colon, attribute = name.partition(":")
    found: Callable[..., Iterator[Reply]] = getattr(importlib.import_module(module), attribute)
    return found


def _die_with(parent: int) -> None:
    """Ask the kernel to kill this process when its parent ends; the parent may have ended before we asked."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


class _Host:
    def __init__(self, sock: socket.socket, function: Function) -> None:
        self._sock = sock
        self._function = function
        # opened once, now: a confined child can open nothing later
        self._clear_refs = _open("/proc/self/clear_refs", os.O_WRONLY)
        self._status = _open("/proc/self/status", os.O_RDONLY)

    def serve(self) -> None:
        wire.send(self._sock, Reply("ready"))
        while True:
            request, descriptors = wire.receive_any(self._sock)
            if not isinstance(request, Request):
                continue  # leave to go on for a request that has failed meanwhile
            try:
                self._answer(request, descriptors[0])
            finally:
                for descriptor in descriptors:
                    os.close(descriptor)

    def _answer(self, request: Request, descriptor: int) -> None:
        self._bound(request.bounds)
        steps: Iterator[Reply] | None = None
        try:
            steps = self._function(descriptor, request.payload)
            wire.send(self._sock, (next(steps).payload, None))
            wire.receive_any(self._sock)  # leave to go on
            reply = next(steps)
            wire.send(self._sock, (reply.payload, self._meter()), reply.descriptors)
            for made in reply.descriptors:
                os.close(made)
        except PictureError as error:
            wire.send(self._sock, (error, self._meter()))
        except MemoryError:
            wire.send(self._sock, (PictureError(ErrorKind.MEMORY_LIMIT), self._meter()))
        except (OSError, wire.Closed):
            raise  # the socket's; the function turns its own into PictureError
        except Exception as error:  # noqa: BLE001 - a defect of ours costs one picture, and says so
            del steps
            os.write(2, "".join(traceback.format_exception(error)).encode(errors="backslashreplace"))
            wire.send(self._sock, (PictureError(ErrorKind.INTERNAL, f"{type(error).__name__}: {error}"), self._meter()))

    def _bound(self, bounds: Bounds) -> None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        seconds = int(used.ru_utime + used.ru_stime + bounds.seconds) + 1
        _soft(resource.RLIMIT_CPU, seconds)
        _soft(resource.RLIMIT_DATA, self._field(b"VmData") + bounds.memory)
        if self._clear_refs >= 0:
            os.write(self._clear_refs, b"5")  # resets VmHWM

    def _meter(self) -> Meter:
        peak = self._field(b"VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        chatter = ""
        if os.lseek(2, 0, os.SEEK_CUR):  # standard error is a file that the nursery made for us
            chatter = os.pread(2, _CHATTER, 0).decode(errors="backslashreplace")
            os.lseek(2, 0, os.SEEK_SET)
            os.ftruncate(2, 0)
        return Meter(peak, self._field(b"VmRSS"), chatter)

    def _field(self, name: bytes) -> int:
        """A size from /proc/self/status in bytes; 0 where it cannot be told."""
        if self._status < 0:
            return 0
        for line in os.pread(self._status, 8192, 0).splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * 1024
        return 0


def _open(path: str, flags: int) -> int:
    try:
        return os.open(path, flags | os.O_CLOEXEC)
    except OSError:
        return -1


def _soft(which: int, value: int) -> None:
    _soft_now, hard = resource.getrlimit(which)
    resource.setrlimit(which, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))
