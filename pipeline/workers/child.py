"""The process that renders: reads one request at a time from its socket, works, answers. Started by `process`.

The first message names the function to import; nothing here depends on pictures. Once the function is loaded and warm,
the child confines itself and reports how far that went. It ends when its socket closes, with its parent, at its limits,
or when it is killed. It ignores the signals that stop a run, because its parent answers those.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from pipeline.errors import LACKS, ErrorKind, PictureError
from pipeline.workers import wire
from pipeline.workers.confine import confine
from pipeline.workers.exchange import Bounds, Function, Held, Meter, Reply, outcome
from pipeline.workers.limits import Limits
from pipeline.workers.zygote import serve_spawns

_PR_SET_PDEATHSIG = 1
IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)  # they are meant for the parent


class _Unheard(Exception):
    """The parent no longer reads the socket."""


@dataclass(frozen=True, slots=True)
class Setup:
    """The first message: what to import and call. Names are `module:attribute`. A spawned process gets its own."""

    function: str
    warm_up: str | None
    parent: int
    kept: int  # bytes it may hold on to between two requests
    spawns: bool = False  # it serves no requests, but spawns children that do; see `zygote`


@dataclass(frozen=True, slots=True)
class Request:
    """A message to the child, about the file that comes with it, or about several with leave in advance."""

    payload: object
    bounds: Bounds
    leave: int | None = None  # bytes that the work on each of several may need; None: one file, in two steps


def main(descriptor: int) -> None:
    """Serve until the socket ends. Runs in the main thread of a process of its own."""
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    sock = socket.socket(fileno=descriptor)
    try:
        setup = _setup(wire.hear(sock)[0])
        die_with(setup.parent)
        if setup.warm_up:
            _named(setup.warm_up)()
        function = _named(setup.function)
        if setup.spawns:
            sock, message = serve_spawns(sock, lambda: die_with(setup.parent))
            setup = _setup(message)
        limits = Limits(setup.kept)
        wire.answer(sock, confine())
        _Host(sock, function, limits).serve()
    except (wire.Closed, _Unheard):
        pass


def _setup(message: object) -> Setup:
    if not isinstance(message, Setup):
        raise TypeError("the first message is the setup")
    return message


def _named(name: str) -> Callable[..., Iterator[Reply]]:
    module, _colon, attribute = name.partition(":")
    function: Callable[..., Iterator[Reply]] = getattr(importlib.import_module(module), attribute)
    return function


def die_with(parent: int) -> None:
    """Ask the kernel to kill this process when its parent ends; ends at once if the parent has ended already."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


class _Host:
    def __init__(self, sock: socket.socket, function: Function, limits: Limits) -> None:
        self._sock = sock
        self._function = function
        self._limits = limits

    def serve(self) -> None:
        while True:
            request, held = wire.hear(self._sock)
            if not isinstance(request, Request):
                continue  # leave to go on for a request that has failed meanwhile
            try:
                if request.leave is None:
                    self._answer(request, held[0])
                else:
                    self._answer_all(request, held, request.leave)
            finally:
                for file in held:
                    os.close(file.descriptor)

    def _answer(self, request: Request, held: Held) -> None:
        self._limits.bound(request.bounds)
        steps: Iterator[Reply] | None = None
        try:
            steps = self._function(held, request.payload)
            self._say(next(steps).payload, None)
            wire.hear(self._sock)  # leave to go on
            reply, steps = next(steps), None  # frees what the generator holds, before the memory is measured
            self._say(reply.payload, self._limits.meter(), reply.descriptors)
            for made in reply.descriptors:
                os.close(made)
        except PictureError as error:
            self._fail(error)
        except MemoryError:
            steps = None  # frees what the generator holds, which may be all memory
            self._fail(PictureError(ErrorKind.MEMORY_LIMIT, f"{request.bounds.memory / 2**20:.0f} MiB"))
        except (_Unheard, wire.Closed):
            raise
        except Exception as error:  # noqa: BLE001 - a defect of ours costs one picture, and is reported
            steps = None
            if isinstance(error, OSError) and error.errno in LACKS:
                self._fail(PictureError(ErrorKind.UNREADABLE, str(error.strerror)))
            else:
                _remark("".join(traceback.format_exception(error)))
                self._fail(PictureError(ErrorKind.INTERNAL, f"{type(error).__name__}: {error}"))

    def _answer_all(self, request: Request, held: tuple[Held, ...], leave: int) -> None:
        self._limits.bound(request.bounds)
        replies = [outcome(self._function, file, request.payload, leave) for file in held]
        told = tuple(None if reply is None else (reply.payload, len(reply.descriptors)) for reply in replies)
        made = tuple(descriptor for reply in replies if reply is not None for descriptor in reply.descriptors)
        self._say(told, self._limits.meter(), made)
        for descriptor in made:
            os.close(descriptor)

    def _fail(self, error: PictureError) -> None:
        self._say(error, self._limits.meter())

    def _say(self, payload: object, meter: Meter | None, descriptors: tuple[int, ...] = ()) -> None:
        try:
            wire.answer(self._sock, (payload, meter), descriptors)
        except (OSError, wire.Closed) as error:
            raise _Unheard from error


def _remark(text: str) -> None:
    with suppress(OSError):  # what does not fit into the pipe is lost
        os.write(2, text.encode(errors="backslashreplace"))
