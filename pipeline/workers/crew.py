"""The bounded queue and the I/O threads that empty it.

The producer is the thread that opened the crew (the run's main thread): it puts items and later waits for the end. Each
worker thread takes an item and calls `work` with it. The queue bounds how far the producer looks ahead, and the number
of threads bounds how many items are in flight. Any exception ends the crew: a worker's failure is raised in the
producer, and a producer's failure calls the workers off.

All threads end with the crew, except those that hang in a call. The item of such a thread is abandoned when its
deadline is over (see `Token.deadline`): a new thread takes the place of the old one, whose late result is dropped, and
the process ends without waiting for it.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Generic, TypeVar

from pipeline.workers.token import TICK, Revoked, Token

Item = TypeVar("Item")

_GRACE = 30  # ticks that items in flight may take to finish when the crew is called off
_HASTE = 3  # ticks in all after a second request to stop: replaces `_GRACE` and `_PATIENCE`
_PATIENCE = 40  # ticks that the crew then waits for its threads: 7 s in all, of the 10 in which a stopped run must end


class Crew(Generic[Item]):
    """A context manager. `work(item, token)` runs in the crew's threads; everything else in the producer's.

    The producer calls `on_tick` about every tick while it waits; it may raise to end the crew. `grace` is how many
    ticks items in flight may take to finish when the crew is called off; it counts as 0 once `hasty` returns True.
    `abandoned` is called in the producer's thread with each item whose deadline is over and the subject of the call
    that did not return (`Token.about`); it is the only report of that item.
    """

    def __init__(
        self,
        work: Callable[[Item, Token], None],
        *,
        threads: int,
        queue_size: int,
        on_tick: Callable[[], None] = lambda: None,
        grace: int = _GRACE,
        hasty: Callable[[], bool] = lambda: False,
        abandoned: Callable[[Item, object], None] | None = None,
    ) -> None:
        self._work = work
        self._on_tick = on_tick
        self._grace = grace
        self._hasty = hasty
        self._abandoned = abandoned
        self._queue: queue.Queue[tuple[Item] | None] = queue.Queue(queue_size)
        self._count = threads
        self._changed = threading.Condition()
        self._threads: dict[threading.Thread, tuple[Item, Token] | None] = {}  # thread -> what it works on; None: idle
        self._open = 0  # items put and not yet done
        self._failure: BaseException | None = None
        self._pulsed = time.monotonic()  # when the on_tick was last called
        self._looked = self._pulsed  # when deadlines were last looked at
        self._off = False  # called off: items are taken and dropped

    def __enter__(self) -> Crew[Item]:
        try:
            for _ in range(self._count):
                self._start_thread()
        except BaseException:
            self._call_off()
            raise
        return self

    @property
    def threads(self) -> int:
        """The number of threads wanted."""
        return self._count

    @property
    def queued(self) -> int:
        """How many items wait for a thread."""
        return self._queue.qsize()

    @property
    def at_work(self) -> list[Item]:
        """The items that threads are working on. Any thread."""
        with self._changed:
            return [work[0] for work in self._threads.values() if work is not None]

    def resize(self, threads: int) -> None:
        """Set the number of threads: new ones start at once, surplus ones end after their current item."""
        with self._changed:
            self._count = threads
            more = 0 if self._off else threads - len(self._threads)
        for _ in range(more):
            self._start_thread()

    def put(self, item: Item) -> None:
        """Queue one item, waiting for room. Raises what a worker raised."""
        while True:
            self._raise_failure()
            try:
                self._queue.put((item,), timeout=TICK)
            except queue.Full:
                self._beat()
            else:
                with self._changed:
                    self._open += 1
                self._beat_if_due()  # on_tick is due even while the queue never fills
                return

    @property
    def idle(self) -> bool:
        """Whether every item put is done."""
        with self._changed:
            return self._open <= 0 and not any(self._threads.values())

    def drop(self) -> None:
        """Start no more items from the queue; those in flight go on."""
        with self._changed:
            self._off = True

    def look(self) -> None:
        """Call `on_tick` if it is due, for a producer that waits for something else. Raises as `put` does."""
        self._raise_failure()
        self._beat_if_due()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.drain()
                self._dismiss()
        except BaseException:
            self._call_off()
            raise
        if error is not None:
            self._call_off()

    def drain(self) -> None:
        """Wait until every item put is done. Raises what a worker raised."""
        waited = False
        while True:
            self._raise_failure()
            with self._changed:
                if self._open <= 0 and not any(self._threads.values()):
                    break
                self._changed.wait(TICK)  # shorter if an item ends
            waited = True
            self._beat_if_due()
        if waited:
            self._beat()  # raises if a stop was requested meanwhile

    def _beat_if_due(self) -> None:
        if time.monotonic() - self._pulsed >= TICK:
            self._beat()

    def _beat(self) -> None:
        self._give_up()
        self._on_tick()
        self._pulsed = time.monotonic()

    def _give_up(self) -> None:
        """Abandon the items whose deadline is over. Each call counts one tick at the most, however late it comes."""
        now = time.monotonic()
        spent, self._looked = min(1.0, (now - self._looked) / TICK), now
        lost: list[tuple[Item, object]] = []
        with self._changed:
            for thread, task in list(self._threads.items()):
                if task is not None and task[1].spend(spent):
                    del self._threads[thread]
                    self._open -= 1
                    lost.append((task[0], task[1].about))
        for item, about in lost:
            self._start_thread()
            if self._abandoned is not None:
                self._abandoned(item, about)

    def _call_off(self) -> None:
        """Drop queued items, give those in flight some time to finish, then revoke their tokens."""
        with self._changed:
            self._off = True
            patience = self._grace
            while patience and any(self._threads.values()) and not self._hasty():
                patience -= not self._changed.wait(TICK)
            for task in self._threads.values():
                if task is not None:
                    task[1].revoke()
        self._dismiss()

    def _dismiss(self) -> None:
        """End the threads, and wait for all but those that hang in a call."""
        threads = list(self._threads)
        with self._changed:
            self._off = True
            patience = _PATIENCE
            while patience and self._threads:
                if self._hasty():
                    patience = min(patience, _HASTE)
                with suppress(queue.Full):  # a running thread empties it, drops the items, and ends
                    for _ in self._threads:
                        self._queue.put_nowait(None)
                patience -= not self._changed.wait(TICK)
            stuck = set(self._threads)
            self._threads.clear()  # a thread that returns after all finds itself abandoned
        for thread in threads:
            if thread not in stuck:
                thread.join()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _start_thread(self) -> None:
        thread = threading.Thread(target=self._serve, name=f"worker-{len(self._threads)}", daemon=True)
        with self._changed:
            self._threads[thread] = None
        try:
            thread.start()
        except BaseException:
            with self._changed:
                del self._threads[thread]
            raise

    def _serve(self) -> None:
        me = threading.current_thread()
        while (taken := self._queue.get()) is not None:
            token, failure = Token(), None
            with self._changed:
                dropped = self._off
                if not dropped:
                    self._threads[me] = (taken[0], token)
            try:
                if not dropped:
                    self._work(taken[0], token)
            except Revoked:
                pass
            except BaseException as raised:  # noqa: BLE001 - it is raised again, in the producer
                failure = raised
            with self._changed:
                if me not in self._threads:
                    return  # abandoned: another thread has this place, and the item is over
                if failure is not None:
                    self._failure, self._off = self._failure or failure, True
                self._open -= 1
                self._threads[me] = None
                self._changed.notify_all()
                if len(self._threads) > self._count:
                    del self._threads[me]
                    return
        with self._changed:
            self._threads.pop(me, None)
            self._changed.notify_all()
