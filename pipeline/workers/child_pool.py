"""Starts the children, gives them to I/O threads, replaces those that died, and ends all of them.

One thread of the pool starts every child and lives until the pool closes, because the kernel's parent-death signal
follows the *thread* that started a process. A child works on one request at a time, so a death, a time-out or a full
memory is blamed on the right request and costs no other.
"""

from __future__ import annotations

import enum
import os
import queue
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from types import TracebackType

from pipeline.errors import PipelineError
from pipeline.workers import memory, wire, zygote
from pipeline.workers.child import IGNORED, Setup
from pipeline.workers.conversation import Conversation, SeveralRequests
from pipeline.workers.exchange import Bounds, Confinement, Exchange, Held, Misbehaved, Several
from pipeline.workers.process import Child, Zygote
from pipeline.workers.token import TICK, Token
from pipeline.workers.watch import Watch

_IN_A_ROW = 10  # children ended by a signal while they start, none ready in between: they cannot run here


class _Order(enum.Enum):
    """An order to the starter thread."""

    CHILD = enum.auto()
    ZYGOTE = enum.auto()
    END = enum.auto()


class ChildPool:
    """Up to `count` children. A `Renderer`: `ask` may be called from any thread.

    Children start in the background: all when the pool opens (`at_once`), as many as `expect` says, or when one is
    needed and none is idle. A dead child is replaced when one is next needed. `kept`: bytes each child may keep between
    two requests. `confinement` is what the first child that was asked reported.
    """

    def __init__(
        self, function: str, warm_up: str | None, count: int, *, at_once: bool = True, kept: int = memory.KEPT
    ) -> None:
        self._setup = Setup(function, warm_up, os.getpid(), kept)
        self._count = count
        self._at_once = at_once
        self._wanted: queue.SimpleQueue[_Order] = queue.SimpleQueue()
        self._lendable = threading.Condition()
        self._idle: list[Child] = []
        self._children: set[Child] = set()
        self._alive = 0  # started or ordered, not yet ended
        self._coming = 0  # of those, ordered and not yet started
        self._waiting = 0  # threads that wait for a child
        self._failure: BaseException | None = None
        self._zygote: Zygote | None = None  # set by the starter thread
        self._clones = zygote.is_possible()
        self._closing = False
        self._lost = 0  # children in a row ended by a signal while they started
        self.confinement: Confinement | None = None
        self._watch = Watch(self._there)
        self._starter = threading.Thread(target=self._start_children, name="starter", daemon=True)

    def __enter__(self) -> ChildPool:
        self._begin()
        if self._at_once:
            self.expect(self._count)
        return self

    def prepare(self) -> None:
        """Start a zygote before the pool is entered, while the number of children is unknown; `serve` sets it."""
        self._begin()
        self._wanted.put(_Order.ZYGOTE)

    def serve(self, count: int, kept: int) -> None:
        """Set the number of children and the bytes each may keep. Call it before the first child is ordered."""
        self._count = count
        self._setup = replace(self._setup, kept=kept)

    def expect(self, requests: int) -> None:
        """Start children for so many requests to come, up to `count`. Any thread."""
        with self._lendable:
            while self._alive < min(requests, self._count):
                self._order()

    def _begin(self) -> None:
        if self._starter.ident is None:
            self._starter.start()
        self._watch.begin()

    def _there(self) -> list[Child]:
        with self._lendable:
            return list(self._children)

    def _order(self) -> None:
        self._alive += 1
        self._coming += 1
        self._wanted.put(_Order.CHILD)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all children, and wait until they are gone. Idempotent."""
        self._wanted.put(_Order.END)
        self._closing = True
        if (zygote := self._zygote) is not None:
            zygote.give_up()  # the starter may be waiting for it
        self._starter.join()
        self._watch.end()
        with self._lendable:
            children, self._children, self._idle = self._children, set(), []
            if self._zygote is not None:
                children.add(self._zygote)
        for child in children:  # also those that abandoned threads still hold
            child.end()

    def _start_children(self) -> None:
        # Inherited: a signal to the whole control group must not kill a child that cannot ignore it yet.
        signal.pthread_sigmask(signal.SIG_BLOCK, IGNORED)
        while (order := self._wanted.get()) is not _Order.END:
            if order is _Order.ZYGOTE:
                with suppress(Exception):  # reported when a child is ordered, if it recurs
                    self._zygote = Zygote(self._setup)
                continue
            try:
                child = self._new()
            except Exception as error:  # noqa: BLE001 - no thread may wait for this child any more
                why = (error.strerror if isinstance(error, OSError) else None) or error
                with self._lendable:
                    self._coming -= 1
                self._lose(PipelineError(f"cannot start a rendering child: {why}"))
            else:
                with self._lendable:
                    self._coming -= 1
                    self._children.add(child)
                    self._give_back(child)

    def _new(self) -> Child:
        """A new child, spawned by a zygote unless it is the only one. Raises the reason where none can start."""
        while (self._alive > 1 or self._zygote is not None) and self._clones and not self._closing:
            if self._zygote is not None and not self._zygote.is_alive():  # it was killed while it was idle
                self._zygote.end()
                self._zygote = None
            zygote = self._zygote = self._zygote or Zygote(self._setup)
            if self._closing:
                zygote.give_up()
            try:
                if not zygote.is_ready:
                    zygote.await_ready(Token())
                return Child(self._setup, zygote)
            except (wire.Closed, wire.NotOurs, TimeoutError) as error:
                self._end_zygote(zygote, closed=isinstance(error, wire.Closed))
            except OSError:  # this system does not allow it
                self._clones = False
        if self._closing:
            raise PipelineError("the pool closes")
        return Child(self._setup)

    def _end_zygote(self, zygote: Zygote, *, closed: bool) -> None:
        """End a zygote.

        One that was ready and has spawned a child: another follows. One that was ready and has spawned none: none
        follows, because something on this system ends it. One that could not start: another follows if a signal ended
        it, a few times; otherwise the next could not start either, and `PipelineError` is raised.
        """
        self._zygote = None
        zygote.end(closed=closed and not self._closing)
        if zygote.is_ready:
            self._clones = zygote.has_spawned
        elif not closed or zygote.code is None or zygote.code >= 0 or self._closing or not self._may_try_again():
            raise PipelineError(f"a rendering child could not start ({zygote.how_it_ended})")

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
        while not (child := self._next_idle(token)).is_alive() and child.confinement is not None:
            self._drop(child)  # killed while it was idle: no picture is to blame
        return child

    def _next_idle(self, token: Token) -> Child:
        with self._lendable:
            self._waiting += 1
            try:
                while not self._idle:
                    if self._failure:
                        raise self._failure
                    token.check()
                    if self._waiting > self._coming and self._alive < self._count:
                        self._order()
                    self._lendable.wait(TICK)
                return self._idle.pop()
            finally:
                self._waiting -= 1

    @contextmanager
    def ask(self, held: Held, request: object, bounds: Bounds, token: Token) -> Iterator[Exchange]:
        """See `Renderer`. Waits for an idle child; raises `Revoked` while waiting."""
        with self._conversation(bounds, token) as conversation:
            conversation.start(held, request)
            yield conversation

    @contextmanager
    def ask_several(self, several: Sequence[Held], request: object, bounds: Bounds, token: Token) -> Iterator[Several]:
        """See `Renderer`."""
        with self._conversation(bounds, token) as conversation:
            yield SeveralRequests(conversation, several, request)

    @contextmanager
    def _conversation(self, bounds: Bounds, token: Token) -> Iterator[Conversation]:
        child, conversation = self._ready(bounds, token)
        try:
            yield conversation
        except Misbehaved:  # raised by the block
            conversation.finished = False
            raise
        finally:
            if conversation.finished and not child.worn:
                self._give_back(child)
            else:
                self._drop(child, conversation.failure)

    def await_confinement(self, token: Token) -> Confinement:
        """How children are confined here; waits until one is ready. Raises `PipelineError` if none can start."""
        child, _ = self._ready(Bounds(1.0, 0), token)
        self._give_back(child)
        return child.confinement or Confinement()

    def _ready(self, bounds: Bounds, token: Token) -> tuple[Child, Conversation]:
        """An idle child that is ready for a request. A child that a signal ended while it started is replaced."""
        while True:
            child = self._borrow(token)
            is_new = child.confinement is None
            conversation = Conversation(child, bounds, token)
            try:
                conversation.meet()
            except BaseException:
                if conversation.by_signal and self._may_try_again():
                    self._drop(child)
                    continue
                self._drop(child, conversation.failure)
                raise
            if is_new:
                self._learn(child)
            return child, conversation

    def _may_try_again(self) -> bool:
        """Whether to start another child after a signal ended one while it started. Any thread."""
        with self._lendable:
            self._lost += 1
            return self._lost < _IN_A_ROW

    def _learn(self, child: Child) -> None:
        with self._lendable:
            self._lost = 0
            self.confinement = self.confinement or child.confinement

    def _drop(self, child: Child, failure: BaseException | None = None) -> None:
        with self._lendable:
            self._children.discard(child)
        child.end()
        self._lose(failure)
