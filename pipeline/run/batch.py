"""Batches: what one thread carries at a time, one picture or many cheap ones, and the outcome.

A message to a child, the waits for it and the sync of a file cost as much for one picture as for twenty, so cheap
pictures share them. How many depends on the time that pictures of their kind and size have taken in this run: batches
begin with one picture and grow to about a tenth of a second of work. With sources that are slow to read, batches stay
small, so that many threads overlap their waits. Writing time does not count: it is mostly the wait for a sync, which
the files of a batch share, and on a busy machine it made batches half as long.
"""

from __future__ import annotations

import resource
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pipeline.model.job import Job
from pipeline.model.record import Record
from pipeline.sources.magic import extension
from pipeline.targets.local import TOGETHER

LEAVE = 32 * 2**20  # bytes that the work on each picture of a batch of many may need, by its header
SECONDS = 0.1  # of work in a batch: the run waits for its last one, and a lost batch is rendered again
MOST = 32  # pictures: 16 take an eighth more CPU time, 64 no less (3,000 PNGs of 64 px)
MOST_ON_A_CLUSTER = 64  # each passes through three more processes
BYTES = 8 * 2**20  # of sources in a batch of many
_KNOWN = 8  # pictures of a kind after which their mean is used
_WEIGHT = 0.1  # of the last picture in the mean
DESCRIPTORS = 400  # that this process uses beside those of batches
_SENT = 240  # descriptors that come back in one message: a message holds a few more


@dataclass(frozen=True, slots=True)
class Batch:
    """Jobs for one thread. `last_chance`: the one job's child has died before, and nothing else is in flight now."""

    jobs: Sequence[Job]
    last_chance: bool = False
    number: int = 0  # among those given to a lane process


@dataclass(frozen=True, slots=True)
class Left:
    """A job that has not ended, and must be carried in a batch of its own."""

    job: Job
    child_died: bool = False  # while it worked on this picture only: the next time the picture is to blame
    lane_died: bool = False  # its whole process: a target may be in its place, and not reported


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a batch: each job has a record, is left, or does not fit into the time. Recorded files exist."""

    records: tuple[Record, ...] = ()
    left: tuple[Left, ...] = ()
    reads: int = 0  # of sources that returned, failed ones included
    folders: tuple[str, ...] = ()  # made in the target, by path
    unanswered: int = 0  # reads that did not return
    out_of_time: int = 0  # jobs that would not have ended in time: they stay pending
    seconds: float = 0.0  # that its thread took
    number: int = 0  # of the batch


@dataclass(slots=True)
class _Kind:
    """The costs of pictures of one extension and about one size."""

    seen: int = 0
    seconds: float = 0.0  # to read and render one, on average
    needs: int = 0  # bytes that the last one needed by its header


class Costs:
    """What pictures of a kind have taken in this run. For one thread at a time."""

    def __init__(self, *, reading: bool) -> None:
        """`reading`: whether the time to read a source counts."""
        self._reading = reading
        self._kinds: dict[tuple[str, int], _Kind] = {}

    def of(self, source: str, size: int) -> float | None:
        """Seconds that a picture will take, of `size` bytes; None to carry it alone: its kind is costly, or not known
        well enough.
        """
        kind = self._kinds.get(_kind(source, size))
        if kind is None or kind.seen < _KNOWN or kind.needs > LEAVE or kind.seconds > SECONDS / 2:
            return None
        return kind.seconds

    def took(self, record: Record) -> None:
        """Learn from the record of a picture that was rendered or copied."""
        header = record.header
        if header is None or not record.renditions:
            return
        work = sum(rendition.seconds_resize + rendition.seconds_encode for rendition in record.renditions)
        seconds = record.seconds_decode + work + (record.seconds_read if self._reading else 0.0)
        kind = self._kinds.setdefault(_kind(record.source, record.stat.size), _Kind())
        kind.seen += 1
        kind.seconds += (seconds - kind.seconds) * max(_WEIGHT, 1 / kind.seen)
        kind.needs = header.estimate


class Batching:
    """Puts batches together. For the driver's thread."""

    def __init__(self, renditions: int, *, most: int = MOST, alone: bool = False) -> None:
        """`renditions`: of each picture, when all are made. `most`: pictures in a batch. `alone`: every picture has a
        batch of its own.
        """
        self._pictures = most
        self._alone = alone
        self._renditions = renditions
        self._costs = Costs(reading=True)
        self._open_files = open_files()

    def batches(self, jobs: Iterable[Job], threads: int) -> Iterator[Batch]:
        """Batches of `jobs` for so many threads, nearly in order: jobs carried alone overtake those collected."""
        most = self._most(threads)
        together: list[Job] = []
        seconds, size = 0.0, 0
        for job in jobs:
            cost = self._cost(job)
            if cost is None or most < 2:
                yield Batch((job,))
                continue
            full = seconds + cost > SECONDS or size + job.stat.size > BYTES or len(together) == most
            if together and (full or not share_a_task(job, together[0])):
                yield Batch(tuple(together))
                together, seconds, size = [], 0.0, 0
            together.append(job)
            seconds, size = seconds + cost, size + job.stat.size
        if together:
            yield Batch(tuple(together))

    def took(self, record: Record) -> None:
        """See `Costs`."""
        self._costs.took(record)

    def _cost(self, job: Job) -> float | None:
        """As `Costs.of`. URLs are read alone, so that waits for servers overlap; see `run.gathering`."""
        if self._alone or job.stat.sidecar is not None or job.stat.remote is not None:
            return None
        return self._costs.of(job.source, job.stat.size)

    def _most(self, threads: int) -> int:
        """The most pictures in a batch, by open files."""
        share = None if self._open_files is None else self._open_files // threads
        return most_together(self._renditions, share, self._pictures)


def open_files() -> int | None:
    """How many files all batches of this process may have open together; None: no limit."""
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft < 0 else soft - DESCRIPTORS


def most_together(renditions: int, files: int | None, most: int = MOST) -> int:
    """The most pictures in a batch that may have so many files open, each with so many renditions."""
    each = 2 + renditions  # a picture, its mapping, and its renditions, which are written to as many files
    by_message = min(most, _SENT // each)
    if files is None:
        return by_message
    return min(by_message, max(files // (each + renditions), (files - TOGETHER) // each))


def _kind(source: str, size: int) -> tuple[str, int]:
    """The kind of a picture: extension and size as a power of two. Pictures of a kind take about as long."""
    return extension(source), size.bit_length()


def share_a_task(job: Job, other: Job) -> bool:
    """Whether both can be in one message to a child."""
    return [planned.spec.name for planned in job.planned] == [planned.spec.name for planned in other.planned]
