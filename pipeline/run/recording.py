"""The records of a picture and its renditions: pure functions of a job and its result."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from pipeline.errors import ErrorKind, PictureError
from pipeline.model.job import Job, Planned
from pipeline.model.record import Reason, Record, RenditionRecord, Status, Written
from pipeline.model.rendering import CHATTER, Rendered
from pipeline.model.source import Overrides
from pipeline.sources import sidecar
from pipeline.sources.source import Picture
from pipeline.workers.exchange import ChildDied


def stale(job: Job, content: bytes) -> tuple[Planned, ...]:
    """The renditions to make now that the content is known. A change of the stat alone is no reason, unless it gives
    the files another date: then they are copied from themselves.
    """
    if job.known_sha256 != content or job.redated:
        return job.planned
    return tuple(planned for planned in job.planned if planned.reason != Reason.SOURCE_CHANGED)


def overrides(job: Job, picture: Picture) -> Overrides:
    """The settings in the picture's sidecar. Raises `PictureError` if they are wrong."""
    if picture.sidecar is None:
        return Overrides()
    return sidecar.overrides(picture.sidecar, job.source.rpartition("/")[2] + sidecar.SUFFIX)


def failed(job: Job, error: PictureError, record: Record | None = None) -> Record:
    """A source that failed, with all its planned renditions. What libraries printed is kept as warnings."""
    renditions = tuple(failed_rendition(planned, error) for planned in job.planned) + job.refused
    record = record or Record(job.source, job.stat, Status.FAILED)
    warnings = record.warnings + chatter(getattr(error, "__notes__", ()))
    return replace(record, status=Status.FAILED, error=error, renditions=renditions, warnings=warnings)


def crashed(job: Job, death: ChildDied, record: Record) -> Record:
    """A source whose child has died again, with nothing else in flight."""
    error = PictureError(ErrorKind.CRASHED, str(death))
    for line in getattr(death, "__notes__", ()):
        error.add_note(line)
    return failed(job, error, record)


def chatter(lines: Iterable[str]) -> tuple[str, ...]:
    """What libraries printed while they had a picture, as warnings."""
    return tuple(CHATTER + line for line in lines if line.strip())


def ended(job: Job, record: Record) -> Record:
    """A source whose planned renditions were all made or have failed."""
    status = Status.FAILED if job.refused else status_of(record.renditions)
    if status is record.status and not job.refused:
        return record
    return replace(record, status=status, renditions=record.renditions + job.refused)


def status_of(renditions: Iterable[RenditionRecord]) -> Status:
    """The status of a source with these renditions."""
    damaged = False
    for rendition in renditions:
        if rendition.error:
            return Status.FAILED
        damaged = damaged or rendition.status is Status.DAMAGED
    return Status.DAMAGED if damaged else Status.DONE


def failed_rendition(planned: Planned, error: PictureError) -> RenditionRecord:
    """A rendition that could not be made or written."""
    return RenditionRecord(
        planned.spec.name, planned.target, planned.recipe, Status.FAILED, planned.reason, error=error
    )


def stored(planned: Planned, like: Rendered | RenditionRecord, written: Written, seconds: float) -> RenditionRecord:
    """A rendition that was rendered, or copied from the one recorded in `like`, and written in so many seconds.

    The record of a copy equals that of its model, except for name and place.
    """
    if isinstance(like, RenditionRecord):
        return replace(
            like,
            name=planned.spec.name,
            target=planned.target,
            reason=planned.reason,
            written=written,
            seconds_resize=0.0,
            seconds_encode=0.0,
            seconds_write=seconds,
            reused=True,
        )
    return RenditionRecord(
        planned.spec.name,
        planned.target,
        planned.recipe,
        like.status,
        planned.reason,
        written=written,
        format=like.format,
        width=like.width,
        height=like.height,
        seconds_resize=like.seconds_resize,
        seconds_encode=like.seconds_encode,
        seconds_write=seconds,
        warnings=like.warnings,
        quality=like.quality,
        score=like.score,
        shown=like.shown,
    )
