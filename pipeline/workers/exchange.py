"""What passes between an I/O thread and what renders for it: one request, two replies.

The function that does the work is a generator: it is called with the bytes that are held for it and a request, yields a
first reply (what the work will need), is resumed when there is room for it, and yields a second and last reply (what
came of it). It runs either in the thread itself or in a child; its callers see no difference.

Several small requests of one kind may share a message each way. They are given leave in advance, to need so much at the
most; whatever does not go smoothly then is asked for again alone, so that blame and limits are those of one request.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from pipeline.errors import ErrorKind, PictureError
from pipeline.workers.token import Token


class Held(NamedTuple):
    """What a request is about: a file in memory of `size` bytes, which nobody changes meanwhile."""

    descriptor: int
    size: int


def whole(descriptor: int) -> Held:
    """All that is in a file."""
    return Held(descriptor, os.fstat(descriptor).st_size)


class Reply(NamedTuple):
    """A picklable payload and the descriptors that come with it; the receiver closes them."""

    payload: object
    descriptors: tuple[int, ...] = ()


Function = Callable[[Held, Any], Iterator[Reply]]
"""Called with what is held (its descriptor stays the caller's) and a picklable request. May raise `PictureError`."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one request may cost a child."""

    seconds: float  # of CPU; ten times as much by the wall, counted in ticks
    memory: int  # bytes allocated beyond what the idle child holds
    files: int = 1  # that may come with the answer; of several requests, with the answer to each


@dataclass(frozen=True, slots=True)
class Meter:
    """What one request did cost, as far as it can be told."""

    peak_memory: int | None = None  # bytes resident at the most, the child's own footing included
    resident: int = 0  # bytes resident when it was done
    chatter: str = ""  # what C libraries wrote to standard error, as far as it was kept


@dataclass(frozen=True, slots=True)
class Confinement:
    """What keeps a child from everything but its memory and its descriptors; as the child found when it began."""

    landlock: int = 0  # the version whose every right was taken; 0: none
    seccomp: bool = False  # system calls with names, addresses and other processes are refused
    lacking: tuple[str, ...] = ()  # what could not be had, and why

    @property
    def complete(self) -> bool:
        """Whether nothing is lacking."""
        return self.seccomp and not self.lacking

    def __str__(self) -> str:
        """As `doctor` and a run's record say it."""
        had = [f"landlock {self.landlock}"] * bool(self.landlock) + ["seccomp"] * self.seccomp
        said = " and ".join(had) or "nothing"
        return f"{said} (lacking {'; '.join(self.lacking)})" if self.lacking else said


class Spawned(NamedTuple):
    """From a process that was spawned: its number. From its zygote in its place, where it could not be: the number of
    the error, below 0. From the zygote itself, once it is ready: 0.
    """

    number: int


class Exchange(Protocol):
    """One request under way. A `PictureError` or `ChildDied` carries what C libraries said meanwhile as its notes."""

    def first(self) -> object:
        """The first reply's payload. Raises `PictureError`, `ChildDied` or `Revoked`."""

    def last(self) -> tuple[Reply, Meter]:
        """Give leave to go on, and wait for the last reply. Raises as `first` does."""


class Several(Protocol):
    """Small requests that share a child, which is this thread's until they are done."""

    def all(self, leave: int) -> tuple[tuple[Reply | None, ...], Meter]:
        """Ask, with leave for work that needs up to `leave` bytes, and wait: the last reply to each, in their order.

        A request that failed has its `PictureError` as the payload. None where it needs more than `leave`, had too
        little memory or came to anything else, or where it cannot be told which of them a library spoke of, or died of:
        to be asked for alone. The meter is that of all together. Raises `Revoked`.
        """


class Renderer(Protocol):
    """Where requests go; used from many threads at once."""

    def ask(self, held: Held, request: object, bounds: Bounds, token: Token) -> AbstractContextManager[Exchange]:
        """Start a request; the exchange ends with the block, finished or not."""

    def ask_several(
        self, several: Sequence[Held], request: object, bounds: Bounds, token: Token
    ) -> AbstractContextManager[Several]:
        """Wait for a child for the same request about each of `several`; nothing is asked yet.

        `bounds` hold for all of them together.
        """


class Pool(Renderer, Protocol):
    """A `Renderer` that is told how much is to come."""

    def expect(self, requests: int) -> None:
        """So many requests are to come: get ready for them. Any thread."""

    @property
    def confinement(self) -> Confinement | None:
        """How what renders is confined, as the first that was asked has said; None: not, or nothing was asked."""


class ChildDied(Exception):
    """The child that worked on the request died or hung without having reached a limit of the request's own."""

    def __init__(self, how: str) -> None:
        super().__init__(how)


class Misbehaved(PictureError):
    """What a child answered is not what was asked for, or cannot be true: the picture may have taken it over.

    Raised within the block of an exchange, by whichever side finds out; the child ends with the block then. There is
    no second try: `what` becomes the picture's error.
    """

    def __init__(self, what: str) -> None:
        super().__init__(ErrorKind.CRASHED, f"an answer that is none: {what}")
        self.args = (what,)  # as __init__ has them, so that it pickles


class InThread:
    """A `Pool` that renders in the calling thread: the same function, without limits, blame or confinement."""

    confinement = None

    def __init__(self, function: Function) -> None:
        self._function = function

    def expect(self, requests: int) -> None:
        """Nothing has to be got ready."""

    @contextmanager
    def ask(self, held: Held, request: object, bounds: Bounds, token: Token) -> Iterator[Exchange]:
        """See `Renderer`. `bounds` cannot be enforced in a thread."""
        del bounds
        steps = self._function(held, request)
        try:
            yield _ThreadExchange(steps, token)
        finally:
            close = getattr(steps, "close", None)
            if close is not None:
                close()

    @contextmanager
    def ask_several(self, several: Sequence[Held], request: object, bounds: Bounds, token: Token) -> Iterator[Several]:
        """See `Renderer`."""
        del bounds
        yield _ThreadSeveral(self._function, tuple(several), request, token)


def outcome(function: Function, held: Held, request: object, leave: int) -> Reply | None:
    """The last reply to one of several requests; None where it is to be asked for alone. See `Several`.

    What the work will need is the `estimate` of the first payload; 0 where that has none.
    """
    try:
        steps = function(held, request)
        need = getattr(next(steps).payload, "estimate", 0)
        return next(steps) if need <= leave else None
    except PictureError as error:
        return None if error.kind is ErrorKind.MEMORY_LIMIT else Reply(PictureError(error.kind, error.detail))
    except Exception:  # noqa: BLE001 - whatever it is, it comes again when that one is asked for alone, and is told then
        return None


class _ThreadSeveral:
    def __init__(self, function: Function, several: tuple[Held, ...], request: object, token: Token) -> None:
        self._function = function
        self._several = several
        self._request = request
        self._token = token

    def all(self, leave: int) -> tuple[tuple[Reply | None, ...], Meter]:
        self._token.check()
        return tuple(outcome(self._function, one, self._request, leave) for one in self._several), Meter()


class _ThreadExchange:
    def __init__(self, steps: Iterator[Reply], token: Token) -> None:
        self._steps = steps
        self._token = token

    def first(self) -> object:
        return next(self._steps).payload

    def last(self) -> tuple[Reply, Meter]:
        self._token.check()
        return next(self._steps), Meter()
