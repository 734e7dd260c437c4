"""Puts pictures into tar shards and has these written: what is in a shard follows from the manifest's records alone.

Pictures are put into shards in their order, `pictures` to a shard, and stay there: the last shard is filled up before a
new one begins, so a new picture changes one shard at the most. While a run works, a shard is filled as soon as every
picture before its last one has been recorded, so threads and lanes never change what is in it. The rest is done at the
end of the run.

Shards are written in a thread of their own: copying one of 10,000 pictures takes seconds, in which the driver would
hand out nothing (a fifth of a run with 20 kB a picture). It gets only shards whose pictures all have their outcomes,
so nothing changes them meanwhile.
"""

from __future__ import annotations

import functools
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Protocol

from pipeline.config.settings import Config
from pipeline.manifest.shards import Place, place_of
from pipeline.manifest.store import Manifest
from pipeline.plan.orphans import Orphan
from pipeline.plan.rules import names_of
from pipeline.run.samples import list_columns
from pipeline.run.shard_writer import ShardWriter, ShardWritten
from pipeline.targets.shards import ShardTarget
from pipeline.targets.trouble import trouble

_TICK = 0.05  # seconds between two looks at whether the run must stop
_PATIENCE = 1.0  # seconds in which the thread notices that it is to stop, unless the disk hangs


class Written(Protocol):
    """Called with the name of each shard that was written, and whether it is `new`."""

    def __call__(self, name: str, *, new: bool) -> None:
        """It has its name."""


class _GivenUp(Exception):
    """The run has ended, so the thread ends."""


class Packing:
    """The shards of one run. For the driver's thread."""

    def __init__(
        self,
        target: ShardTarget,
        config: Config,
        manifest: Manifest,
        check: Callable[[], None],
        written: Written = lambda name, *, new: None,
        list_types: Callable[[], Mapping[str, Collection[str]]] = dict,
    ) -> None:
        """`check` may raise to stop what waits. `written` is called in the driver's thread.

        `list_types`: those of the source.
        """
        self.count = 0  # shards written
        self.warnings: list[str] = []
        self._pictures = config.target.pictures  # the most in a shard
        self._shards = manifest.shards
        self._asked = names_of(config)
        self._target = target
        self._flush = manifest.flush
        self._check = check
        self._written = written
        self._expected: dict[str, None] = {}  # pictures without an outcome, in their order
        self._after: Place | None = None  # up to which all that is made is in shards
        self._recorded = 0  # pictures since then
        columns = functools.cache(lambda: list_columns(self._shards, config.sources, list_types()))
        self._writer = ShardWriter(self._shards, target, columns, self._asked, self._check_thread)
        self._thread = threading.Thread()  # that writes; this one is never started
        self._came: deque[ShardWritten] = deque()  # that it has written
        self._error: BaseException | None = None  # that has ended it
        self._is_over = threading.Event()

    # -- what the run tells

    def expect(self, source: str) -> None:
        """A picture that is to be made, in the order of all."""
        self._expected[source] = None

    def came(self, source: str) -> None:
        """The outcome of a picture is recorded."""
        self._expected.pop(source, None)
        self._recorded += 1

    def begin(self) -> None:
        """Bring what an earlier run has left in order."""
        for build in self._shards.builds():
            if build.placed:
                continue
            if self._target.is_there(build):
                self._shards.finish(build.id, build.shard, build.mtime_ns)
                self._target.placed(build)
            else:
                self._shards.withdraw(build.id)

    def step(self) -> None:
        """Have the shards written that can be, while the run works. Quick where there are none."""
        if not self._heard():
            return
        number, held = self._shards.last() if self._recorded else (-1, 0)
        room = self._pictures - held if number >= 0 and held < self._pictures else self._pictures
        if self._recorded >= room:
            self._fill_before()

    def wait(self) -> None:
        """Return when no shard is being written."""
        while not self._heard():
            self._check()
            self._thread.join(_TICK)

    def end(self, orphans: Iterable[Orphan], *, complete: bool) -> None:
        """Write all shards that are due. `complete`: every picture has its outcome.

        Of `orphans`, renditions that the config has no more leave their shards; pictures that are gone stay in them.
        """
        self.wait()
        if not complete:
            self._fill_before()
            self.wait()
            return
        self._fill(None)
        self._shards.touch(orphan.target for orphan in orphans if orphan.rendition not in self._asked(orphan.source))
        self.write_due()
        try:
            self._target.forget_others(self._shards.waiting)
        except OSError as error:
            raise trouble(self._target.folder, error) from error

    def write_due(self) -> None:
        """Write the shards whose records have changed."""
        self._flush()
        self._write(self._shards.due())
        self.wait()

    def close(self) -> None:
        """End the thread, whatever it is at: what it has begun is dropped."""
        self._is_over.set()
        if self._thread.is_alive():
            self._thread.join(_PATIENCE)
        self._count()

    # -- which pictures are in which shard

    def _fill_before(self) -> None:
        """Fill what can be while some pictures are in hand, and have it written."""
        self._recorded = 0
        if self._expected:
            before = place_of(next(iter(self._expected)))
            self._fill(before)
            self._write(self._shards.due(before))

    def _fill(self, before: Place | None) -> None:
        """Put the pictures that are in no shard into shards; only as many as fill one, if some come later."""
        self._flush()
        number, held = self._shards.last()
        after = None if before is None else self._after
        while True:
            if number < 0 or held >= self._pictures:
                number, held = number + 1, 0
            chosen = self._shards.unassigned(after, before, self._pictures - held)
            if not chosen or (before is not None and len(chosen) < self._pictures - held):
                return
            self._shards.assign(number, [path for _folder, path in chosen])
            after = chosen[-1]
            if before is not None:
                self._after = after
            held += len(chosen)

    # -- the thread that writes

    def _write(self, due: Sequence[int]) -> None:
        if due:
            self._thread = threading.Thread(target=self._write_all, args=(due,), name="shards", daemon=True)
            self._thread.start()

    def _write_all(self, due: Sequence[int]) -> None:
        try:
            for written in self._writer.write(due):
                self._came.append(written)
        except _GivenUp:
            pass
        except BaseException as error:  # noqa: BLE001 - raised again in the driver's thread
            self._error = error

    def _check_thread(self) -> None:
        if self._is_over.is_set():
            raise _GivenUp

    def _heard(self) -> bool:
        """Count what was written; whether no more comes. Raises what has ended the thread."""
        is_through = not self._thread.is_alive()
        self._count()
        if is_through and self._error is not None:
            raise self._error
        return is_through

    def _count(self) -> None:
        while self._came:
            written = self._came.popleft()
            if written.warning:
                self.warnings.append(written.warning)
            if written.name:
                self.count += 1
                self._written(written.name, new=written.new)
