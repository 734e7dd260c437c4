"""The life of one picture: Job -> bytes -> render -> renditions -> write -> Record."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace

from pipeline.errors import ErrorKind, PictureError
from pipeline.model import (
    Header,
    Job,
    Limits,
    NotRendered,
    Planned,
    Reason,
    Record,
    RenderAnswer,
    Rendered,
    RenderTask,
    RenditionRecord,
    Stat,
    Status,
)
from pipeline.sources.source import Picture, Source, Unsupported, Vanished
from pipeline.targets.target import Target
from pipeline.workers.budget import Budget
from pipeline.workers.exchange import Bounds, ChildDied, Meter, Renderer, Reply
from pipeline.workers.token import Token


class Line:
    """Carries one picture after another, each in the thread that calls `carry`; used by many threads at once.

    A picture whose child died is handed to `again` instead of being recorded; `carry_alone` gives it its second and
    last chance when nothing else is in flight.
    """

    def __init__(
        self,
        source: Source,
        renderer: Renderer,
        budget: Budget,
        target: Target,
        record: Callable[[Record], None],
        again: Callable[[Job], None],
        limits: Limits,
    ) -> None:
        self._source = source
        self._renderer = renderer
        self._budget = budget
        self._target = target
        self._record = record
        self._again = again
        self._limits = limits
        self._bounds = Bounds(limits.seconds, limits.memory)

    def carry(self, job: Job, token: Token) -> None:
        """Carry one picture through its whole life. Raises `TargetTrouble`, `ManifestTrouble` and `Revoked` only."""
        try:
            record = self._life(job, token)
        except ChildDied:
            self._again(job)
        else:
            token.check()
            self._record(record)

    def carry_alone(self, job: Job, token: Token) -> None:
        """Carry a picture whose child has died before, while nothing else is in flight: this time it is to blame."""
        try:
            record = self._life(job, token)
        except ChildDied as death:
            record = _failed(job, PictureError(ErrorKind.CRASHED, str(death)))
        token.check()
        self._record(record)

    def _life(self, job: Job, token: Token) -> Record:
        try:
            with self._source.read(job.source, job.stat, self._limits) as picture:
                token.check()
                return self._with_bytes(job, picture, token)
        except Vanished:
            return Record(job.source, job.stat, Status.VANISHED)
        except Unsupported as unsupported:
            return Record(job.source, unsupported.stat, Status.UNSUPPORTED, settled=self._settled(unsupported.stat))
        except PictureError as error:
            return _failed(job, error)

    def _with_bytes(self, job: Job, picture: Picture, token: Token) -> Record:
        record = Record(
            job.source,
            picture.stat,
            Status.TOUCHED,
            sha256=picture.sha256,
            settled=self._settled(picture.stat),
            seconds_read=picture.seconds,
        )
        planned = _stale(job, picture.sha256)
        if not planned:
            return record
        try:
            return self._rendered(job, planned, picture, record, token)
        except PictureError as error:
            return _failed(job, error, record)

    def _settled(self, stat: Stat) -> bool:
        return self._source.settled(stat, time.time())

    def _rendered(
        self, job: Job, planned: tuple[Planned, ...], picture: Picture, record: Record, token: Token
    ) -> Record:
        task = RenderTask(tuple(one.spec for one in planned), self._limits)
        with self._renderer.ask(picture.descriptor, task, self._bounds, token) as exchange:
            header = exchange.first()
            if not isinstance(header, Header):
                raise ChildDied("an answer that is none")
            with self._budget.admit(header.estimate + picture.size, token):
                reply, meter = exchange.last()
        try:
            written = self._written(planned, reply, record, meter, token)
            return replace(
                written,
                status=Status.FAILED if job.refused else written.status,
                renditions=written.renditions + job.refused,
            )
        finally:
            for descriptor in reply.descriptors:
                os.close(descriptor)

    def _written(
        self, planned: tuple[Planned, ...], reply: Reply, record: Record, meter: Meter, token: Token
    ) -> Record:
        answer = reply.payload
        if not isinstance(answer, RenderAnswer) or len(answer.renditions) != len(planned):
            raise ChildDied("an answer that is none")
        renditions = tuple(
            self._deliver(one, rendition, reply.descriptors, token)
            for one, rendition in zip(planned, answer.renditions, strict=True)
        )
        chatter = tuple(line for line in meter.chatter.splitlines() if line.strip())
        return replace(
            record,
            status=Status.FAILED if any(one.error for one in renditions) else Status.DONE,
            renditions=renditions,
            header=answer.header,
            seconds_decode=answer.seconds_decode,
            peak_memory=meter.peak_memory,
            libraries=answer.libraries,
            warnings=answer.warnings + chatter,
        )

    def _deliver(
        self, planned: Planned, rendition: Rendered | NotRendered, descriptors: tuple[int, ...], token: Token
    ) -> RenditionRecord:
        if isinstance(rendition, NotRendered):
            return _failed_rendition(planned, rendition.error)
        token.check()
        started = time.perf_counter()
        try:
            written = self._target.write(planned.target, descriptors[rendition.index], replace=planned.ours)
        except PictureError as error:
            return _failed_rendition(planned, error)
        return RenditionRecord(
            planned.spec.name,
            planned.target,
            planned.recipe,
            rendition.status,
            planned.reason,
            written=written,
            format=rendition.format,
            width=rendition.width,
            height=rendition.height,
            seconds_resize=rendition.seconds_resize,
            seconds_encode=rendition.seconds_encode,
            seconds_write=time.perf_counter() - started,
            warnings=rendition.warnings,
        )


def _stale(job: Job, sha256: bytes) -> tuple[Planned, ...]:
    """What is to be rendered now that the content is known: a stat that changed alone is no reason."""
    if job.known_sha256 != sha256:
        return job.planned
    return tuple(one for one in job.planned if one.reason != Reason.SOURCE_CHANGED)


def _failed(job: Job, error: PictureError, record: Record | None = None) -> Record:
    """A source that failed: so did everything that was planned of it."""
    renditions = tuple(_failed_rendition(one, error) for one in job.planned) + job.refused
    return replace(
        record or Record(job.source, job.stat, Status.FAILED), status=Status.FAILED, error=error, renditions=renditions
    )


def _failed_rendition(planned: Planned, error: PictureError) -> RenditionRecord:
    return RenditionRecord(
        planned.spec.name, planned.target, planned.recipe, Status.FAILED, planned.reason, error=error
    )
