"""The driver of a run alone: it plans, claims, hands out, takes and records, and its lane carries nothing.

Argument: a config. Every batch comes back at once, with records of files that were never written.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar
from unittest.mock import patch

from pipeline.config.load import load
from pipeline.model.job import Job, Planned
from pipeline.model.record import Record, RenditionRecord, Status, Written
from pipeline.model.source import Header
from pipeline.run import lanes
from pipeline.run.batch import Batch, Outcome
from pipeline.run.lane import Control
from pipeline.run.options import RunOptions
from pipeline.run.run import run

_HEADER = Header("png", 64, 64, 1, "RGB", 100_000)


class Nothing:
    """Stands in for `pipeline.run.lane.LocalLane`."""

    threads = threads_together = 8
    confinement = None
    waiting = ""
    carried: ClassVar[dict[str, int]] = {}
    notes: tuple[str, ...] = ()

    def __init__(self, *given: Any) -> None:
        """Takes what a lane takes; the last of it is the `Control`."""
        self._control: Control = given[-1]
        self._outcomes: list[Outcome] = []

    def __enter__(self) -> Nothing:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def expect(self, jobs: int) -> None:
        """Nothing has to be got ready."""

    def put(self, batch: Batch) -> None:
        """The batch has come to its end; the driver hears of it when it looks, after some hundred pictures."""
        self._outcomes.append(Outcome(tuple(map(recorded, batch.jobs)), reads=len(batch.jobs)))
        if len(self._outcomes) >= _LOOK:
            self._control.tick()

    def drain(self) -> None:
        """Nothing is in flight."""

    def take(self) -> list[Outcome]:
        """The outcomes since the last call."""
        outcomes, self._outcomes = self._outcomes, []
        return outcomes


_LOOK = 16  # batches: what comes in a tenth of a second at about 3,000 small pictures a second


def recorded(job: Job) -> Record:
    """The record of a picture that nobody has made."""
    renditions = tuple(_made(planned, job) for planned in job.planned)
    content = job.source.encode().ljust(32, b"\0")[-32:]
    return Record(job.source, job.stat, Status.DONE, renditions, sha256=content, header=_HEADER, seconds_read=1e-4)


def _made(planned: Planned, job: Job) -> RenditionRecord:
    written = Written(planned.target, 1000, job.stat.mtime_ns, bytes(32))
    return RenditionRecord(
        planned.spec.name,
        planned.target,
        planned.recipe,
        Status.DONE,
        planned.reason,
        written=written,
        format="jpeg",
        width=48,
        height=48,
        seconds_encode=1e-3,
    )


@contextmanager
def lane_that_carries_nothing() -> Iterator[None]:
    """Runs within the block have it."""
    with patch.object(lanes, "LocalLane", Nothing), patch.object(lanes, "renderers", lambda *_: nullcontext()):
        yield


def main(config: Path) -> None:
    """One run of `config` with a lane that does nothing."""
    with lane_that_carries_nothing():
        run(load(config), RunOptions(lanes=0))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
