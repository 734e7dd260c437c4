"""Pictures of the same content: rendered once, and their files copied, under any source name.

Content is the bytes of the picture and of its sidecar; content and recipe determine a file. A copy has the same record
as the file it was copied from, so that nothing depends on which of the two came first.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import BinaryIO

from pipeline.errors import PictureError
from pipeline.model.job import Planned
from pipeline.model.record import Record, RenditionRecord, Status, Written
from pipeline.model.source import Header
from pipeline.model.spec import ANIMATED, Limits
from pipeline.run.delivery import ToStore
from pipeline.targets.target import Target
from pipeline.workers.token import TICK, Token

LookUp = Callable[[bytes, Collection[str]], Sequence[Record]]
"""The records of earlier runs, by content and recipes; see `manifest.made`."""

_REMEMBERED = 1024  # records of this run; the manifest holds a record some hundred records later


class Dedup:
    """Finds and shares renditions of equal content, from this run and earlier ones. Used by many threads at once."""

    def __init__(self, look_up: LookUp, target: Target, limits: Limits) -> None:
        self._look_up = look_up
        self._target = target
        self._limits = limits
        self._lock = threading.Lock()
        self._in_hand: dict[bytes, threading.Event | None] = {}  # None: no thread waits for its end
        self._of_this_run: OrderedDict[bytes, Record] = OrderedDict()

    @contextmanager
    def turn(self, content: bytes, token: Token) -> Iterator[None]:
        """Work on `content` within the block, if possible while no other thread does. Raises `Revoked` while waiting.

        A second thread waits once, until the first is through. It holds nothing meanwhile that the first could need: no
        child and no room for work. The first waits for no other here and has its source's room already, so the wait
        always ends (see `workers.budget`). If the first has failed, each of the others tries for itself.
        """
        with self._lock:
            ended = None
            if content in self._in_hand:
                ended = self._in_hand[content] = self._in_hand[content] or threading.Event()
            else:
                self._in_hand[content] = None
        if ended is None:
            try:
                yield
            finally:
                self._end(content)
            return
        while not ended.wait(TICK):
            token.check()
        yield

    def turn_now(self, content: bytes) -> Callable[[], None] | None:
        """As `turn`, without waiting, for a thread that has other pictures in hand: returns a function that ends the
        turn, or None if another thread has it.
        """
        with self._lock:
            if content in self._in_hand:
                return None
            self._in_hand[content] = None
        return lambda: self._end(content)

    def _end(self, content: bytes) -> None:
        with self._lock:
            ended = self._in_hand.pop(content)
        if ended is not None:
            ended.set()

    def known(self, content: bytes, recipes: Collection[str], *, again: bool = False) -> tuple[Record, ...]:
        """Records of this content: only this run's if it covers all `recipes`; otherwise also the manifest's, in source
        order, at the cost of a look-up. Records beyond today's limits are left out. `again`: the manifest was asked
        before and is not asked once more.
        """
        with self._lock:
            mine = self._of_this_run.get(content)
        records = [_whole(mine)] if mine else []
        if not again and (
            not mine or not {rendition.recipe for rendition in records[0].renditions}.issuperset(recipes)
        ):
            records += self._look_up(content, recipes)
        return tuple(record for record in records if self._could_be_made(record))

    def _could_be_made(self, record: Record) -> bool:
        damaged = any(rendition.status is Status.DAMAGED for rendition in record.renditions)
        return record.header is not None and _within(self._limits, record.header) and damaged <= self._limits.truncated

    def remember(self, record: Record) -> None:
        """Keep a record of this run for pictures of the same content that come before the manifest has it."""
        content = record.made_from
        if record.error is not None or content is None:
            return
        with self._lock:
            before = self._of_this_run.pop(content, None)
            self._of_this_run[content] = _merged(before, record) if before else record
            if len(self._of_this_run) > _REMEMBERED:
                self._of_this_run.popitem(last=False)

    def copyable(
        self, planned: Sequence[Planned], known: Sequence[Record], mtime_ns: int | None, opened: ExitStack
    ) -> list[ToStore]:
        """The files to copy for those of `planned` that have an equal: a file that still has its recorded size and
        mtime. They stay open until `opened` is closed. Their bytes are checked when they are copied.

        `mtime_ns` is that of the source.
        """
        files = (self._equal(rendition, known, mtime_ns, opened) for rendition in planned)
        return [file for file in files if file is not None]

    def _equal(
        self, planned: Planned, known: Sequence[Record], mtime_ns: int | None, opened: ExitStack
    ) -> ToStore | None:
        for record in known:
            for made in record.renditions:
                if made.recipe == planned.recipe and made.written is not None:
                    file = self._open(made.written)
                    if file is not None:
                        descriptor = opened.enter_context(file).fileno()
                        return ToStore(planned, made, descriptor, made.written.sha256, mtime_ns)
        return None

    def _open(self, written: Written) -> BinaryIO | None:
        try:
            return self._target.open_for_reading(written.path, (written.size, written.mtime_ns))
        except (OSError, PictureError):
            return None


def _merged(before: Record, record: Record) -> Record:
    """`record`, with the renditions that only `before` has."""
    made = {rendition.recipe: rendition for each in (before, record) for rendition in _whole(each).renditions}
    return replace(record, renditions=tuple(made.values()))


def _whole(record: Record) -> Record:
    """`record` with its written renditions only, each with its own libraries."""
    made = (
        replace(rendition, libraries=_libraries(rendition, record))
        for rendition in record.renditions
        if rendition.written
    )
    return replace(record, renditions=tuple(made))


def _libraries(rendition: RenditionRecord, record: Record) -> str:
    return record.libraries if rendition.libraries is None else rendition.libraries


def _within(limits: Limits, header: Header) -> bool:
    frames = header.frames if header.format in ANIMATED else 1  # all of them count; see `render.header`
    return frames <= limits.frames and header.width * header.height * frames <= limits.pixels
