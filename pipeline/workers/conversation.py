"""One request to a child, from the question to the answer or the error. Everything a child sends is checked first."""

from __future__ import annotations

import fcntl
import os
import signal
import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import NoReturn

from pipeline.errors import OF_RENDERING, ErrorKind, PictureError, PipelineError
from pipeline.workers import wire
from pipeline.workers.child import Request
from pipeline.workers.exchange import Bounds, ChildDied, Held, Meter, Misbehaved, Reply
from pipeline.workers.process import Child
from pipeline.workers.token import TICK, Token

_WALL = 10  # the wall backstop, in multiples of the CPU limit
_GROWTH = 200 * 2**20  # bytes a child's resident memory may grow before it is replaced
_NEAR = 0.8  # a child that dies, but not by SIGKILL, with this share of its memory limit in use was out of memory
_HEADER = 256 * 2**20  # bytes that reading a header may take, beside two copies of the file: nothing is reserved yet
_SEALED = (
    fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK
    if hasattr(fcntl, "F_SEAL_WRITE") and hasattr(os, "memfd_create")
    else 0
)


class SeveralRequests:
    """A `Several`: the same request about several pictures, to the child of `conversation`."""

    def __init__(self, conversation: Conversation, several: Sequence[Held], request: object) -> None:
        self._conversation = conversation
        self._several = tuple(several)
        self._request = request

    def all(self, leave: int) -> tuple[tuple[Reply | None, ...], Meter]:
        """See `Several`. The descriptors are as those of `Conversation.last`."""
        return self._conversation.several(self._several, self._request, leave)


class Conversation:
    """An `Exchange` with a child, which this thread holds until the conversation ends."""

    def __init__(self, child: Child, bounds: Bounds, token: Token) -> None:
        self._child = child
        self._bounds = bounds
        self._token = token
        self._ticks = max(1.0, bounds.seconds * _WALL / TICK)
        self._copies = 0  # three times the picture's bytes: in its file, mapped, and read once more
        self.finished = False  # the child is idle again
        self.failure: PipelineError | None = None  # the child was not ready in time, or ended before it was
        self.by_signal = False  # the child ended by a signal before it was ready

    def meet(self) -> None:
        """Wait until the child is ready. Raises `PipelineError` if it cannot start."""
        try:
            self._child.await_ready(self._token)
        except (wire.Closed, wire.NotOurs, TimeoutError) as error:
            died = isinstance(error, wire.Closed)
            self._child.end(closed=died)
            self.by_signal = died and self._child.code is not None and self._child.code < 0
            how = self._child.how_it_ended if died else "it did not get ready"
            self.failure = PipelineError(f"a rendering child could not start ({how})")
            raise self.failure from None

    def start(self, held: Held, request: object) -> None:
        """Wait until the child is ready, and send the request. Raises `PipelineError` if it cannot start."""
        self.meet()
        self._begin((held,), min(_HEADER, self._bounds.memory))
        with suppress(wire.Closed):  # waiting for the first reply reports the death
            self._child.tell(Request(request, self._bounds), (held,))

    def first(self) -> object:
        """See `Exchange`."""
        payload, _meter, _none = self._next(0)
        if self._child.allowance is not None:
            self._child.allowance.pause()
        return payload

    def last(self) -> tuple[Reply, Meter]:
        """See `Exchange`. The descriptors are of sealed regular files (where the system has seals)."""
        if self._child.allowance is not None:
            self._child.allowance.go_on(self._bounds.memory + self._copies)
        with suppress(wire.Closed):
            self._child.tell(None)
        payload, meter, descriptors = self._next(self._bounds.files)
        if not all(map(self._is_sound, descriptors)):
            wire.close_all(descriptors)
            self._blame(Misbehaved("a file that can be changed or does not end"))
        self._finish(meter)
        return Reply(payload, descriptors), replace(meter, chatter="\n".join(self._child.chatter()))

    def several(self, asked: tuple[Held, ...], request: object, leave: int) -> tuple[tuple[Reply | None, ...], Meter]:
        """Send one request about all of `asked`, and wait; see `Several.all`."""
        self._begin(asked, self._bounds.memory)
        with suppress(wire.Closed):
            self._child.tell(Request(request, self._bounds, leave), asked)
        none = (None,) * len(asked)
        try:
            payload, meter, made = self._next(self._bounds.files * len(asked))
        except (PictureError, ChildDied):  # the picture at fault is unknown
            return none, Meter()
        replies = parted(payload, made, len(asked)) if all(map(self._is_sound, made)) else None
        if replies is not None:
            self._finish(meter)
        if replies is None or self._child.chatter():
            wire.close_all(made)
            return none, meter
        return replies, meter

    def _begin(self, asked: tuple[Held, ...], memory: int) -> None:
        self._copies = 3 * sum(held.size for held in asked)
        if self._child.allowance is not None:
            self._child.allowance.work(self._bounds.seconds, memory + self._copies)

    def _next(self, files: int) -> tuple[object, Meter, tuple[int, ...]]:
        """The next message's payload and meter, with at most `files` descriptors."""
        try:
            message, descriptors = self._child.await_reply(self._token, self._ticks, files)
        except TimeoutError:
            self._blame(PictureError(ErrorKind.TIME_LIMIT, f"no answer within {self._bounds.seconds * _WALL:g} s"))
        except wire.NotOurs as error:
            self._blame(Misbehaved(str(error)))
        except wire.Closed:
            self._blame()
        payload, meter = message if isinstance(message, tuple) and len(message) == 2 else (None, None)
        meter = self._believed(meter) if isinstance(meter, Meter) else Meter()
        if isinstance(payload, PictureError):
            wire.close_all(descriptors)
            if payload.kind not in OF_RENDERING:
                self._blame(Misbehaved(f"the error {payload.kind}"))
            self._finish(meter)
            raise self._with_words(payload)
        return payload, meter, descriptors

    def _believed(self, meter: Meter) -> Meter:
        """The child's own figures, cut to what is possible: they are for people to read."""
        most = (self._child.allowance.base if self._child.allowance else 0) + self._bounds.memory + self._copies
        peak = None if meter.peak_memory is None else min(max(0, meter.peak_memory), most)
        return Meter(peak, max(0, meter.resident))

    def _finish(self, meter: Meter) -> None:
        allowance = self._child.allowance
        if allowance is not None:
            self._child.worn = meter.resident > allowance.base + _GROWTH
            allowance.rest()
        self.finished = True

    def _is_sound(self, descriptor: int) -> bool:
        """Whether reading the file ends and gives the same bytes each time."""
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > self._bounds.memory:
            return False
        try:
            return not _SEALED or fcntl.fcntl(descriptor, fcntl.F_GET_SEALS) & _SEALED == _SEALED
        except OSError:  # not a file in memory
            return False

    def _blame(self, misbehaviour: PictureError | None = None) -> NoReturn:
        """End the child and raise the request's error, by how the child died or what it did instead of answering.

        Only a death may be an accident (`ChildDied`): silence or a wrong answer would recur and hold up other work.
        """
        self._child.end(closed=misbehaviour is None)
        code, limit = self._child.code, self._bounds.memory
        misbehaviour = misbehaviour or self._child.beyond
        if misbehaviour is not None:
            raise self._with_words(misbehaviour)
        if code == -signal.SIGXCPU:
            raise self._with_words(PictureError(ErrorKind.TIME_LIMIT, f"{self._bounds.seconds:g} s of CPU"))
        if self._child.peak > _NEAR * limit and code != -signal.SIGKILL:
            raise self._with_words(PictureError(ErrorKind.MEMORY_LIMIT, f"{limit / 2**20:.0f} MiB"))
        raise self._with_words(ChildDied(self._child.how_it_ended))

    def _with_words(self, error: PictureError | ChildDied) -> PictureError | ChildDied:
        for line in self._child.last_words or self._child.chatter():
            error.add_note(line)
        return error


def parted(payload: object, made: tuple[int, ...], count: int) -> tuple[Reply | None, ...] | None:
    """The child's replies to several requests, each with its descriptors; None if the counts do not match."""
    if not isinstance(payload, tuple) or len(payload) != count:
        return None
    replies: list[Reply | None] = []
    at = 0
    for part in payload:
        if part is None:
            replies.append(None)
            continue
        if (
            not isinstance(part, tuple)
            or len(part) != 2
            or not isinstance(part[1], int)
            or not 0 <= part[1] <= len(made)
        ):
            return None
        replies.append(Reply(part[0], made[at : at + part[1]]))
        at += part[1]
    return tuple(replies) if at == len(made) else None
