"""Starts the children, lends them to I/O threads, replaces those that died, and sees all of them end.

One thread of the nursery starts every child and lives until the nursery closes, because the kernel's parent-death
signal follows the *thread* that started a process. A child works on one request at a time, so a death, a time-out or a
full memory is blamed on the right one and costs nothing else.
"""

from __future__ import annotations

import os
import pickle
import queue
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType

from pipeline.errors import ErrorKind, PictureError, PipelineError, printable
from pipeline.workers import wire
from pipeline.workers.child import Request, Setup
from pipeline.workers.exchange import Bounds, ChildDied, Exchange, Meter, Reply
from pipeline.workers.token import TICK, Token

_WALL = 10  # the wall backstop, in multiples of the CPU limit
_GROWTH = 200 * 2**20  # bytes a child's resident memory may grow before it is replaced
_NEAR = 0.8  # a death with this much of the memory limit in use is put down to memory
_MID_MESSAGE = 30.0  # seconds within which a message that has begun must be complete
_CODE = "import sys; sys.path[:] = sys.argv[2:]; from pipeline.workers.child import main; main(int(sys.argv[1]))"
_START = 600  # ticks a child may take to import its function and warm up


class Child:
    """One process and the socket to it. Used by one thread at a time."""

    def __init__(self, setup: Setup) -> None:
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._chatter = _scratch()
        with theirs:
            self.process = subprocess.Popen(  # noqa: S603 - our own interpreter, our own code
                [sys.executable, "-I", "-S", "-c", _CODE, str(theirs.fileno()), *sys.path],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._chatter,
                pass_fds=(theirs.fileno(),),
                process_group=0,
            )
        mine.settimeout(_MID_MESSAGE)
        self.socket = mine
        self.ready = False
        self.code: int | None = None
        self.how_it_ended = ""
        self.peak = 0  # bytes resident at the most in its life, once it has ended
        self.footing = 0  # bytes resident after the first request
        self.worn = False
        with suppress(wire.Closed):
            wire.send(mine, setup)

    def await_reply(self, token: Token, ticks: float) -> tuple[object, tuple[int, ...]]:
        """The next message. Raises `Revoked`, `TimeoutError` after so many ticks, `wire.Closed` when the child died."""
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        while not poll.poll(TICK * 1000):
            token.check()
            ticks -= 1
            if ticks <= 0:
                raise TimeoutError
        return wire.receive(self.socket)

    def end(self) -> None:
        """Kill what is left of it and reap it; `how_it_ended`, `code` and `peak` say what became of it. Idempotent."""
        if self.code is not None:
            return
        self.socket.close()
        with suppress(ProcessLookupError):  # one that has died already keeps the exit status it has
            os.killpg(self.process.pid, signal.SIGKILL)
        _pid, status, usage = os.wait4(self.process.pid, 0)
        self.code = self.process.returncode = os.waitstatus_to_exitcode(status)
        self.peak = usage.ru_maxrss * 1024
        chatter = os.pread(self._chatter, 2000, 0).decode(errors="backslashreplace").strip()
        os.close(self._chatter)
        how = f"killed by {signal.Signals(-self.code).name}" if self.code < 0 else f"ended with status {self.code}"
        self.how_it_ended = printable(f"{how}: {chatter.splitlines()[-1]}" if chatter else how)


class Nursery:
    """Up to `count` children. A `Renderer`: `ask` may be called from any thread.

    Children start in the background when the nursery opens; one that dies is replaced when it is next needed.
    """

    def __init__(self, function: str, warm_up: str | None, count: int) -> None:
        self._setup = Setup(function, warm_up, os.getpid())
        self._count = count
        self._wanted: queue.SimpleQueue[bool] = queue.SimpleQueue()  # True: start one more; False: end
        self._lendable = threading.Condition()
        self._idle: list[Child] = []
        self._children: set[Child] = set()
        self._alive = 0  # started or asked for, not yet ended
        self._failure: BaseException | None = None
        self._starter = threading.Thread(target=self._start_children, name="starter", daemon=True)

    def __enter__(self) -> Nursery:
        self._starter.start()
        with self._lendable:
            for _ in range(self._count):
                self._alive += 1
                self._wanted.put(True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._wanted.put(False)
        self._starter.join()
        with self._lendable:
            children, self._children, self._idle = self._children, set(), []
        for child in children:  # also those that an abandoned thread still holds
            child.end()

    def _start_children(self) -> None:
        while self._wanted.get():
            try:
                child = Child(self._setup)
            except OSError as error:
                self._lose(PipelineError(f"cannot start a rendering child: {error.strerror or error}"))
            else:
                with self._lendable:
                    self._children.add(child)
                self._give_back(child)

    def _give_back(self, child: Child) -> None:
        with self._lendable:
            self._idle.append(child)
            self._lendable.notify()

    def _lose(self, failure: BaseException | None = None) -> None:
        with self._lendable:
            self._alive -= 1
            self._failure = self._failure or failure
            self._lendable.notify_all()

    def _borrow(self, token: Token) -> Child:
        with self._lendable:
            while not self._idle:
                if self._failure:
                    raise self._failure
                token.check()
                if self._alive < self._count:
                    self._alive += 1
                    self._wanted.put(True)
                self._lendable.wait(TICK)
            return self._idle.pop()

    @contextmanager
    def ask(self, descriptor: int, request: object, bounds: Bounds, token: Token) -> Iterator[Exchange]:
        """See `Renderer`. Waits for an idle child; raises `Revoked` while waiting."""
        child = self._borrow(token)
        exchange = _ChildExchange(child, bounds, token)
        try:
            exchange.start(descriptor, request)
            yield exchange
        finally:
            if exchange.finished and not child.worn:
                self._give_back(child)
            else:
                with self._lendable:
                    self._children.discard(child)
                child.end()
                self._lose(exchange.failure)


class _ChildExchange:
    def __init__(self, child: Child, bounds: Bounds, token: Token) -> None:
        self._child = child
        self._bounds = bounds
        self._token = token
        self._ticks = max(1.0, bounds.seconds * _WALL / TICK)
        self.finished = False  # the child is idle again and fit for another request
        self.failure: PipelineError | None = None  # the child died before it was ready: the next one would die too

    def start(self, descriptor: int, request: object) -> None:
        if not self._child.ready:
            try:
                self._child.await_reply(self._token, _START)
            except (wire.Closed, TimeoutError):
                self._child.end()
                self.failure = PipelineError(f"a rendering child could not start ({self._child.how_it_ended})")
                raise self.failure from None
            self._child.ready = True
        with suppress(wire.Closed):  # its death is told by the first reply that does not come
            wire.send(self._child.socket, Request(request, self._bounds), (descriptor,))

    def first(self) -> object:
        payload, _meter, descriptors = self._next()
        for stray in descriptors:
            os.close(stray)
        return payload

    def last(self) -> tuple[Reply, Meter]:
        with suppress(wire.Closed):
            wire.send(self._child.socket, None)
        payload, meter, descriptors = self._next()
        self._finish(meter)
        return Reply(payload, descriptors), meter

    def _next(self) -> tuple[object, Meter, tuple[int, ...]]:
        try:
            message, descriptors = self._child.await_reply(self._token, self._ticks)
        except TimeoutError:
            raise ChildDied(f"no answer within {self._bounds.seconds * _WALL:g} s") from None
        except wire.Closed:
            raise self._blame() from None
        except (pickle.UnpicklingError, EOFError, AttributeError, TypeError, ValueError, IndexError) as error:
            raise ChildDied(f"an answer that is none: {error}") from None
        payload, meter = message if isinstance(message, tuple) and len(message) == 2 else (None, None)
        meter = meter if isinstance(meter, Meter) else Meter()
        if isinstance(payload, PictureError):
            self._finish(meter)
            raise payload
        return payload, meter, descriptors

    def _finish(self, meter: Meter) -> None:
        self._child.footing = self._child.footing or meter.resident
        self._child.worn = meter.resident > self._child.footing + _GROWTH
        self.finished = True

    def _blame(self) -> Exception:
        """What a child's death means for the request it worked on."""
        self._child.end()
        if self._child.code == -signal.SIGXCPU:
            return PictureError(ErrorKind.TIME_LIMIT, f"{self._bounds.seconds:g} s of CPU")
        if self._child.peak > _NEAR * self._bounds.memory and self._child.code != -signal.SIGKILL:
            return PictureError(ErrorKind.MEMORY_LIMIT, f"{self._bounds.memory / 2**20:.0f} MiB")
        return ChildDied(self._child.how_it_ended)


def _scratch() -> int:
    """A file without a name for a child's standard error."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("chatter", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
