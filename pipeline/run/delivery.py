"""Writes rendered files into the target and the results into the record: the last steps of a picture."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.errors import PictureError
from pipeline.model.job import Planned
from pipeline.model.record import Record, RenditionRecord
from pipeline.model.rendering import NotRendered, RenderAnswer, Rendered
from pipeline.run import recording
from pipeline.targets.target import Target, ToWrite
from pipeline.workers.exchange import Meter
from pipeline.workers.token import Token


@dataclass(frozen=True, slots=True)
class Made:
    """A renderer's checked answer for one picture; the descriptors stay the caller's."""

    planned: tuple[Planned, ...]  # the renditions requested
    record: Record  # of the picture, without renditions
    answer: RenderAnswer
    descriptors: tuple[int, ...]
    meter: Meter


@dataclass(frozen=True, slots=True)
class ToStore:
    """The bytes of a rendition's file, in `descriptor`; `like`: the result now rendered, or recorded before."""

    planned: Planned
    like: Rendered | RenditionRecord
    descriptor: int
    sha256: bytes | None = None  # that they must have
    mtime_ns: int | None = None  # of the source, where it is known


def delivered(target: Target, several: Sequence[Made], token: Token) -> list[Record]:
    """Write the files of `several` into the target, and return the record of each.

    Raises `TargetTrouble` and `Revoked`. The time to write all of them is divided evenly.
    """
    parts = [_parts(made) for made in several]
    stored = iter(
        store(target, [part for of_picture in parts for part in of_picture if isinstance(part, ToStore)], token)
    )
    return [
        _recorded(made, tuple(next(stored) if isinstance(part, ToStore) else part for part in of_picture))
        for made, of_picture in zip(several, parts, strict=True)
    ]


def store(target: Target, several: Sequence[ToStore], token: Token) -> list[RenditionRecord]:
    """Write the files of `several` and return the record of each. Raises `TargetTrouble` and `Revoked`."""
    token.check()
    started = time.perf_counter()
    came = target.write_all(
        [
            ToWrite(file.planned.target, file.descriptor, file.planned.ours, file.sha256, file.mtime_ns)
            for file in several
        ]
    )
    seconds = (time.perf_counter() - started) / max(1, len(several))
    return [
        recording.failed_rendition(file.planned, what)
        if isinstance(what, PictureError)
        else recording.stored(file.planned, file.like, what, seconds)
        for file, what in zip(several, came, strict=True)
    ]


def _parts(made: Made) -> list[ToStore | RenditionRecord]:
    """The renditions in order: the file to store, or the record of a failure."""
    return [
        recording.failed_rendition(planned, rendition.error)
        if isinstance(rendition, NotRendered)
        else ToStore(planned, rendition, made.descriptors[rendition.index], mtime_ns=made.record.stat.dated_ns)
        for planned, rendition in zip(made.planned, made.answer.renditions, strict=True)
    ]


def _recorded(made: Made, renditions: tuple[RenditionRecord, ...]) -> Record:
    answer, begun = made.answer, made.record
    return Record(  # `replace` would take three times as long, and this is done for every picture
        begun.source,
        begun.stat,
        recording.status_of(renditions),
        renditions,
        sha256=begun.sha256,
        settled=begun.settled,
        header=answer.header,
        seconds_read=begun.seconds_read,
        seconds_decode=answer.seconds_decode,
        peak_memory=made.meter.peak_memory,
        libraries=answer.libraries,
        warnings=answer.warnings + recording.chatter(made.meter.chatter.splitlines()),
        content=begun.content,
        upright=answer.upright,
        orientation=answer.orientation,
        color=answer.color,
        thumbhash=answer.thumbhash,
        alt=begun.alt,
    )
