"""Writes rendered files into the target and the results into the record: the last steps of a picture."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.errors import PictureError
from pipeline.model.job import Planned
from pipeline.model.record import Record, RenditionRecord
from pipeline.model.rendering import NotRendered, RenderAnswer, Rendered
from pipeline.run import verdicts
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


def delivered(target: Target, several: Sequence[Made], token: Token) -> list[Record]:
    """Write the files of `several` into the target, and return the record of each.

    Raises `TargetTrouble` and `Revoked`. The time to write all of them is divided evenly.
    """
    parts = [_parts(one) for one in several]
    stored = iter(store(target, [part for of_one in parts for part in of_one if isinstance(part, ToStore)], token))
    return [
        _recorded(one, tuple(next(stored) if isinstance(part, ToStore) else part for part in of_one))
        for one, of_one in zip(several, parts, strict=True)
    ]


def store(target: Target, several: Sequence[ToStore], token: Token) -> list[RenditionRecord]:
    """Write the files of `several` and return the record of each. Raises `TargetTrouble` and `Revoked`."""
    token.check()
    started = time.perf_counter()
    came = target.write_all(
        [ToWrite(one.planned.target, one.descriptor, one.planned.ours, one.sha256) for one in several]
    )
    seconds = (time.perf_counter() - started) / max(1, len(several))
    return [
        verdicts.failed_rendition(one.planned, what)
        if isinstance(what, PictureError)
        else verdicts.stored(one.planned, one.like, what, seconds)
        for one, what in zip(several, came, strict=True)
    ]


def _parts(one: Made) -> list[ToStore | RenditionRecord]:
    """The renditions in order: the file to store, or the record of a failure."""
    return [
        verdicts.failed_rendition(planned, made.error)
        if isinstance(made, NotRendered)
        else ToStore(planned, made, one.descriptors[made.index])
        for planned, made in zip(one.planned, one.answer.renditions, strict=True)
    ]


def _recorded(one: Made, renditions: tuple[RenditionRecord, ...]) -> Record:
    answer, begun = one.answer, one.record
    return Record(  # `replace` would take three times as long, and this is done for every picture
        begun.source,
        begun.stat,
        verdicts.status_of(renditions),
        renditions,
        sha256=begun.sha256,
        settled=begun.settled,
        header=answer.header,
        seconds_read=begun.seconds_read,
        seconds_decode=answer.seconds_decode,
        peak_memory=one.meter.peak_memory,
        libraries=answer.libraries,
        warnings=answer.warnings + verdicts.chatter(one.meter.chatter.splitlines()),
        content=begun.content,
        upright=answer.upright,
        color=answer.color,
        thumbhash=answer.thumbhash,
        alt=begun.alt,
    )
