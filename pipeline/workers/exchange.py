"""The protocol between an I/O thread and its renderer: one request, two replies.

The function that does the work is a generator. It is called with the file it works on and a request, yields a first
reply (what the work will need), is resumed when there is room for it, and yields a second and last reply (the result).
It runs either in the calling thread or in a child, and callers see no difference.

Several small requests of one kind may share a message each way. Each has leave in advance to use a fixed amount of
memory. One that needs more or fails otherwise is sent again alone, so that blame and limits are those of one request.
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
    """The subject of a request: a file in memory of `size` bytes, which stays unchanged meanwhile."""

    descriptor: int
    size: int


def whole(descriptor: int) -> Held:
    """A `Held` of the whole file."""
    return Held(descriptor, os.fstat(descriptor).st_size)


class Reply(NamedTuple):
    """A picklable payload and the descriptors that come with it; the receiver closes them."""

    payload: object
    descriptors: tuple[int, ...] = ()


Function = Callable[[Held, Any], Iterator[Reply]]
"""Called with a `Held` (its descriptor stays the caller's) and a picklable request. May raise `PictureError`."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The limits of one request to a child."""

    seconds: float  # of CPU; ten times as much by the wall, counted in ticks
    memory: int  # bytes allocated beyond what the idle child holds
    files: int = 1  # that the answer may bring; of several requests, each answer


@dataclass(frozen=True, slots=True)
class Meter:
    """What one request cost, as far as it is known."""

    peak_memory: int | None = None  # bytes resident at the most, the child's own footing included
    resident: int = 0  # bytes resident when it was done
    chatter: str = ""  # what C libraries wrote to standard error, as far as it was kept


@dataclass(frozen=True, slots=True)
class Confinement:
    """What confines a child to its memory and its descriptors, as the child found at its start."""

    landlock: int = 0  # the version whose every right was taken; 0: none
    seccomp: bool = False  # system calls with names, addresses and other processes are refused
    lacking: tuple[str, ...] = ()  # what is not available here, and why

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
    """A spawned process sends its process id. If it could not be spawned, its zygote sends the negative errno in its
    place. The zygote sends 0 when it is ready.
    """

    number: int


class Exchange(Protocol):
    """One request under way. The notes of a `PictureError` or `ChildDied` are what C libraries printed meanwhile."""

    def first(self) -> object:
        """The first reply's payload. Raises `PictureError`, `ChildDied` or `Revoked`."""

    def last(self) -> tuple[Reply, Meter]:
        """Let the work go on, and wait for the last reply. Raises as `first` does."""


class Several(Protocol):
    """Small requests that share a child, which this thread holds until they are done."""

    def all(self, leave: int) -> tuple[tuple[Reply | None, ...], Meter]:
        """Send all, each with leave to need up to `leave` bytes, and wait: the last reply to each, in their order.

        A request that failed has its `PictureError` as the payload. None means to send it again alone: it needs more
        than `leave`, ran out of memory or failed otherwise, or a library printed something or died and the picture at
        fault is unknown. The meter is that of all together. Raises `Revoked`.
        """


class Renderer(Protocol):
    """Renders what requests ask for; used from many threads at once."""

    def ask(self, held: Held, request: object, bounds: Bounds, token: Token) -> AbstractContextManager[Exchange]:
        """Start a request; the exchange ends with the block, finished or not."""

    def ask_several(
        self, several: Sequence[Held], request: object, bounds: Bounds, token: Token
    ) -> AbstractContextManager[Several]:
        """Wait for a child for the same request about each of `several`; nothing is sent yet.

        `bounds` hold for all of them together.
        """


class Pool(Renderer, Protocol):
    """A `Renderer` that can prepare for the requests to come."""

    def expect(self, requests: int) -> None:
        """Get ready for so many requests. Any thread."""

    @property
    def confinement(self) -> Confinement | None:
        """How the renderer is confined, as its first child reported; None: not confined, or none has started."""


class ChildDied(Exception):
    """The child that worked on the request died without having reached a limit of the request."""

    def __init__(self, how: str) -> None:
        super().__init__(how)


class Misbehaved(PictureError):
    """A child's answer does not fit the request or cannot be true: the picture may have taken the child over.

    Raised within the block of an exchange, by the exchange or its caller; the child ends with the block. There is no
    second try: `what` becomes the picture's error.
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
        """Does nothing."""

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
    """The last reply to one of several requests; None: to be sent again alone. See `Several`.

    The memory needed is the `estimate` of the first payload, 0 if it has none.
    """
    try:
        steps = function(held, request)
        need = getattr(next(steps).payload, "estimate", 0)
        return next(steps) if need <= leave else None
    except PictureError as error:
        return None if error.kind is ErrorKind.MEMORY_LIMIT else Reply(PictureError(error.kind, error.detail))
    except Exception:  # noqa: BLE001 - it recurs when the request is sent alone, and is reported then
        return None


class _ThreadSeveral:
    def __init__(self, function: Function, several: tuple[Held, ...], request: object, token: Token) -> None:
        self._function = function
        self._several = several
        self._request = request
        self._token = token

    def all(self, leave: int) -> tuple[tuple[Reply | None, ...], Meter]:
        self._token.check()
        return tuple(outcome(self._function, held, self._request, leave) for held in self._several), Meter()


class _ThreadExchange:
    def __init__(self, steps: Iterator[Reply], token: Token) -> None:
        self._steps = steps
        self._token = token

    def first(self) -> object:
        return next(self._steps).payload

    def last(self) -> tuple[Reply, Meter]:
        self._token.check()
        return next(self._steps), Meter()
