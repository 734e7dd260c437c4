"""What passes between an I/O thread and whoever renders for it: one request, two replies.

The function that does the work is a generator: it is called with a descriptor and a request, yields a first reply (what
the work will need), is resumed when there is room for it, and yields a second and last reply (what came of it). It runs
either in the thread itself or in a child; its callers see no difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from pipeline.workers.token import Token


class Reply(NamedTuple):
    """A picklable payload and the descriptors that come with it; whoever receives the reply closes them."""

    payload: object
    descriptors: tuple[int, ...] = ()


Function = Callable[[int, Any], Iterator[Reply]]
"""Called with a readable descriptor (it stays the caller's) and a picklable request. May raise `PictureError`."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one request may cost a child."""

    seconds: float  # of CPU; ten times as much by the wall, counted in ticks
    memory: int  # bytes allocated beyond what the idle child holds


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


class Exchange(Protocol):
    """One request under way. A `PictureError` or `ChildDied` carries what C libraries said meanwhile as its notes."""

    def first(self) -> object:
        """The first reply's payload. Raises `PictureError`, `ChildDied` or `Revoked`."""

    def last(self) -> tuple[Reply, Meter]:
        """Give leave to go on, and wait for the last reply. Raises as `first` does."""


class Renderer(Protocol):
    """Where requests go; used from many threads at once."""

    def ask(self, descriptor: int, request: object, bounds: Bounds, token: Token) -> AbstractContextManager[Exchange]:
        """Start a request; the exchange ends with the block, finished or not."""


class ChildDied(Exception):
    """The child that worked on the request died or hung without having reached a limit of the request's own."""

    def __init__(self, how: str) -> None:
        super().__init__(how)


class InThread:
    """Renders in the calling thread: the same function, without limits, blame or confinement."""

    def __init__(self, function: Function) -> None:
        self._function = function

    @contextmanager
    def ask(self, descriptor: int, request: object, bounds: Bounds, token: Token) -> Iterator[Exchange]:
        """See `Renderer`. `bounds` cannot be enforced in a thread."""
        del bounds
        steps = self._function(descriptor, request)
        try:
            yield _ThreadExchange(steps, token)
        finally:
            close = getattr(steps, "close", None)
            if close is not None:
                close()


class _ThreadExchange:
    def __init__(self, steps: Iterator[Reply], token: Token) -> None:
        self._steps = steps
        self._token = token

    def first(self) -> object:
        return next(self._steps).payload

    def last(self) -> tuple[Reply, Meter]:
        self._token.check()
        return next(self._steps), Meter()
