"""The group commit: records become durable in groups, and few threads ever wait for the disk.

There are two locks. The buffer lock is held for an append or a swap, never across a system call. The commit lock is
held from the swap of the buffer until its records are durable. So groups are committed in the order in which their
records were added, and of two records for one source the later one wins. The thread whose record completes a group
commits it. Meanwhile other threads go on adding; they wait for the disk only when they are `BACKLOG` groups ahead.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

from pipeline.errors import ManifestTrouble

Row = TypeVar("Row")

GROUP = 50  # records that share one fsync of 1 to 5 ms; a kill costs no more of them
SECONDS = 0.5  # that an incomplete group waits for its commit
BACKLOG = 4  # groups


class GroupCommit(Generic[Row]):
    """Collects records and commits them in groups through `write`, which runs in the committing thread.

    Once `write` has raised, the records of that group are lost (their pictures are pending) and every later call raises
    `ManifestTrouble` with the first error's text.
    """

    def __init__(self, write: Callable[[Sequence[Row]], None]) -> None:
        self._write = write
        self._buffer_lock = threading.Lock()
        self._commit_lock = threading.Lock()
        self._buffer: list[Row] = []
        self._oldest = 0.0  # when the first record was added to the buffer, by the monotonic clock
        self._broken: BaseException | None = None

    def add(self, records: Sequence[Row]) -> None:
        """Add `records`. They are durable when a group is complete, after half a second (by `tick`), or after `flush`.

        All records of one call share a commit.
        """
        with self._buffer_lock:
            self._refuse_if_broken()
            if not self._buffer:
                self._oldest = time.monotonic()
            self._buffer.extend(records)
            waiting = len(self._buffer)
        if waiting >= GROUP:
            self._commit(wait=-1.0 if waiting >= GROUP * BACKLOG else 0.0)

    def put(self, records: Iterable[Row]) -> None:
        """Add `records` without a commit, before `flush`: threads that do so at the same time share one."""
        with self._buffer_lock:
            self._refuse_if_broken()
            self._buffer.extend(records)

    def tick(self) -> None:
        """Commit if the oldest record has waited for `SECONDS` and no thread is committing. For the run's loop."""
        with self._buffer_lock:
            due = bool(self._buffer) and time.monotonic() - self._oldest >= SECONDS
        if due:
            self._commit(wait=0.0)

    def flush(self, wait: float = -1.0) -> bool:
        """Make all records durable that were added before.

        False if another thread was committing for `wait` seconds (-1: no limit).
        """
        with self._buffer_lock:
            self._refuse_if_broken()
        return self._commit(wait)

    @property
    def broken(self) -> bool:
        """Whether a commit has failed, so that no more records are taken."""
        return self._broken is not None

    def _commit(self, wait: float) -> bool:
        """Commit the buffer, and go on while whole groups are in it. False if the commit lock was not free in time."""
        if not self._commit_lock.acquire(blocking=wait != 0.0, timeout=wait if wait != 0.0 else -1):
            return False
        try:
            while True:
                with self._buffer_lock:
                    self._refuse_if_broken()
                    group, self._buffer = self._buffer, []
                if group:
                    self._make_durable(group)
                if len(self._buffer) < GROUP:
                    return True
        finally:
            self._commit_lock.release()

    def _make_durable(self, group: Sequence[Row]) -> None:
        try:
            self._write(group)
        except BaseException as error:
            self._broken = error
            raise

    def _refuse_if_broken(self) -> None:
        if self._broken is not None:
            raise ManifestTrouble(f"the manifest takes no more records after: {self._broken}") from self._broken
