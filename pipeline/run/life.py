"""The state of a batch's pictures between two steps, and how they end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace

from pipeline.errors import ErrorKind, PictureError
from pipeline.model.job import Job, Planned
from pipeline.model.record import Record, RenditionRecord, Status
from pipeline.model.source import Overrides
from pipeline.run import recording
from pipeline.run.batch import Batch, Left, Outcome
from pipeline.sources.source import Forbidden, Grown, Picture, Source, Unsupported, Untouched, Vanished
from pipeline.workers.exchange import ChildDied


@dataclass(slots=True)
class Life:
    """One picture of a batch, between two steps."""

    job: Job
    picture: Picture
    record: Record  # as far as known
    planned: tuple[Planned, ...] = ()  # the renditions to make, now that the content is known
    overrides: Overrides = field(default_factory=Overrides)
    known: tuple[Record, ...] = ()  # records of the same content
    copies: dict[str, RenditionRecord] = field(default_factory=dict)  # of `planned`, by rendition

    @property
    def content(self) -> bytes:
        """The hash of all that the renditions depend on: the picture, and its sidecar if there is one."""
        return self.picture.content or self.picture.sha256

    @property
    def rest(self) -> tuple[Planned, ...]:
        """The renditions to render: those of `planned` that were not copied."""
        if not self.copies:
            return self.planned
        return tuple(planned for planned in self.planned if planned.spec.name not in self.copies)


@dataclass(frozen=True, slots=True)
class Read:
    """A batch whose sources were read."""

    batch: Batch
    lives: Sequence[Life]
    ends: Ends
    kept: ExitStack  # holds the bytes and their room; to be closed
    seconds: float  # that it took

    @property
    def job(self) -> Job:
        """The only one of a batch of one."""
        (job,) = self.batch.jobs
        return job

    @property
    def size(self) -> int:
        """Bytes of all pictures."""
        return sum(life.picture.size for life in self.lives)


class Ended(Exception):
    """A picture has ended with this record."""

    def __init__(self, record: Record) -> None:
        super().__init__(record)
        self.record = record


class Apart(Exception):
    """A picture of a batch of many must be carried alone."""


class Ends:
    """Collects how the pictures of one batch end."""

    def __init__(self, batch: Batch, source: Source, in_time: Callable[[Job], AbstractContextManager[None]]) -> None:
        """`in_time` wraps each call of the source, which may never return."""
        self._batch = batch
        self._source = source
        self._in_time = in_time
        self.records: list[Record] = []
        self.left: list[Left] = []
        self.reads = 0  # that returned
        self._broken: list[tuple[Job, PictureError, Record | None]] = []  # by their content, as it was read

    @contextmanager
    def of(self, job: Job, life: Life | None = None) -> Iterator[None]:
        """One step of one picture: an error that the block raises about the picture ends that picture only."""
        record = None if life is None else life.record
        try:
            yield
        except Ended as ended:
            self.records.append(ended.record)
        except (Vanished, Untouched, Forbidden, Unsupported) as why:
            self.records.append(self._not_read(job, why))
        except PictureError as error:
            if record is not None or error.kind is ErrorKind.NOT_A_PICTURE:
                self._broken.append((job, error, record))
            else:
                self.records.append(recording.failed(job, error, record))
        except (Grown, Apart):
            self.left.append(Left(job))
        except ChildDied as death:
            if self._batch.last_chance and record is not None:
                self.records.append(recording.crashed(job, death, record))
            else:
                self.left.append(Left(job, child_died=True))

    def outcome(self, batch: Batch, reads: int) -> Outcome:
        """The result of `batch`, of as many reads that have returned: it is all that these are about, or a part."""
        sources = {job.source for job in batch.jobs}
        return Outcome(
            tuple(record for record in self.records if record.source in sources),
            tuple(left for left in self.left if left.job.source in sources),
            reads,
            number=batch.number,
        )

    def _not_read(self, job: Job, why: Vanished | Untouched | Forbidden | Unsupported) -> Record:
        """The record of a picture that its source has not delivered, for a reason that is no failure."""
        if isinstance(why, Untouched):
            status = Status.TOUCHED if job.stat_is_new else Status.UNCHANGED
            return Record(job.source, replace(job.stat, remote=why.remote), status)
        if isinstance(why, Unsupported):
            settled = self._source.settled(job.source, why.stat, time.time())
            return Record(job.source, why.stat, Status.UNSUPPORTED, settled=settled)
        status = Status.VANISHED if isinstance(why, Vanished) else Status.SKIPPED
        return Record(job.source, job.stat, status, warnings=(str(why),))

    def judge(self) -> None:
        """Record the pictures whose content was broken. To be called when no turn, child or room is held any more,
        because it stats their sources again, which may never return. Raises `Revoked`.
        """
        self.records += [recording.failed(job, self._blamed(job, error), record) for job, error, record in self._broken]

    def _blamed(self, job: Job, error: PictureError) -> PictureError:
        """`error` if the picture is still as listed, else `CHANGED`: it was being written. URLs keep `error`: their
        bytes are those of one answer and cannot change meanwhile.
        """
        if job.stat.remote is not None:
            return error
        folder, _, name = job.source.rpartition("/")
        with self._in_time(job):
            (now,) = self._source.stats(folder, (name,))
        if now is None or now.same_content(replace(job.stat, sidecar=None)):
            return error
        return PictureError(ErrorKind.CHANGED, f"it was being written meanwhile ({error})")
