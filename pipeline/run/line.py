"""The life of one picture: Job -> bytes -> render -> renditions -> write -> Record.

What an earlier picture of the same content was made into is copied instead of rendered.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace

from pipeline.errors import PictureError
from pipeline.model import (
    Header,
    Job,
    Limits,
    Overrides,
    Planned,
    Reason,
    Record,
    RenderAnswer,
    Rendered,
    RenderTask,
    RenditionRecord,
    Spec,
    Stat,
    Status,
)
from pipeline.run import verdicts
from pipeline.run.alike import Alike
from pipeline.run.answers import Asked
from pipeline.run.delivery import Made, delivered, store
from pipeline.run.intake import Intake
from pipeline.run.standing import headers, replacing
from pipeline.sources.source import Picture, Source, Unsupported, Vanished
from pipeline.targets.target import Target
from pipeline.workers.budget import Budget
from pipeline.workers.exchange import Bounds, ChildDied, Renderer
from pipeline.workers.token import Token


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for every picture of a run."""

    limits: Limits
    placeholder: bool = False  # whether colour and ThumbHash of each picture are wanted
    specs: tuple[Spec, ...] = ()  # of the whole config
    replace: bool = False  # what looks like a rendition and is not ours may be written over by it


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
        alike: Alike,
        record: Callable[[Record], None],
        again: Callable[[Job], None],
        terms: Terms,
    ) -> None:
        self._source = source
        self._renderer = renderer
        self._budget = budget
        self._target = target
        self._alike = alike
        self._libraries = ""  # that render for this run, as soon as one has said so
        self._record = record
        self._again = again
        self._terms = terms
        self._bounds = Bounds(terms.limits.seconds, terms.limits.memory, max(1, len(terms.specs)))
        self._intake = Intake(source, budget, terms.limits)

    def carry(self, job: Job, token: Token) -> None:
        """Carry one picture through its whole life. Raises `TargetTrouble`, `ManifestTrouble` and `Revoked` only."""
        self._ended(job, token, lambda: self._life(job, token))

    def go_on(self, job: Job, picture: Picture, token: Token) -> None:
        """As `carry`, with a picture that has been read and has its room; it stays the caller's."""
        self._ended(job, token, lambda: self._with_bytes(job, picture, token))

    def _ended(self, job: Job, token: Token, life: Callable[[], Record]) -> None:
        try:
            record = life()
        except ChildDied:
            self._again(job)
        else:
            token.check()
            self._record(record)

    def carry_alone(self, job: Job, token: Token) -> None:
        """Carry a picture whose child has died before, while nothing else is in flight: this time it is to blame."""
        record = self._life(job, token, last=True)
        token.check()
        self._record(record)

    def _life(self, job: Job, token: Token, *, last: bool = False) -> Record:
        try:
            with self._intake.picture(job, token) as picture:
                return self._with_bytes(job, picture, token, last=last)
        except Vanished as vanished:
            return Record(job.source, job.stat, Status.VANISHED, warnings=(str(vanished),))
        except Unsupported as unsupported:
            return Record(job.source, unsupported.stat, Status.UNSUPPORTED, settled=self._settled(unsupported.stat))
        except PictureError as error:
            return verdicts.failed(job, error)

    def read(self, job: Job, token: Token) -> Picture:
        """The job's bytes, for who has room for them. Raises as `Source.read` does, and `Revoked`."""
        return self._intake.listed(job, token)

    def read_timed_out(self, job: Job) -> None:
        """Record a job whose read did not return in time; called by the crew in the producer's thread."""
        self._record(verdicts.failed(job, self._intake.timed_out()))

    @property
    def unanswered(self) -> int:
        """How many reads in a row have timed out; for the producer's thread."""
        return self._intake.unanswered

    def _with_bytes(self, job: Job, picture: Picture, token: Token, *, last: bool = False) -> Record:
        """Raises `ChildDied` unless this is the picture's `last` chance."""
        record = self.begun(job, picture)
        planned = verdicts.stale(job, picture.content or picture.sha256)
        if not planned:
            return record
        try:
            overrides = verdicts.overrides(job, picture)
            if overrides.skip:
                return replace(record, status=Status.SKIPPED, warnings=("its sidecar says so",))
            record = replace(record, alt=overrides.alt)
            with self._alike.turn(picture.content or picture.sha256, token):
                record = self._made(planned, picture, record, overrides, token)
                self._alike.remember(record)
        except PictureError as error:
            return verdicts.failed(job, error, record)
        except ChildDied as death:
            if not last:
                raise
            return verdicts.crashed(job, death, record)
        return verdicts.ended(job, record)

    def begun(self, job: Job, picture: Picture) -> Record:
        """What can be said of a picture that was read."""
        return Record(
            job.source,
            picture.stat,
            Status.TOUCHED if job.stat_is_new else Status.UNCHANGED,
            sha256=picture.sha256,
            settled=self._settled(picture.stat),
            seconds_read=picture.seconds,
            content=picture.content,
        )

    def _settled(self, stat: Stat) -> bool:
        return self._source.settled(stat, time.time())

    def _made(
        self, planned: tuple[Planned, ...], picture: Picture, record: Record, overrides: Overrides, token: Token
    ) -> Record:
        """`record` with every planned rendition: copied where there is the like of it, rendered where there is not."""
        known = self.known(planned, picture)
        with ExitStack() as opened:
            models = self._alike.models(planned, known, opened)
            copies = {one.name: one for one in store(self._target, models, token) if one.error is None}
        rest = tuple(one for one in planned if one.spec.name not in copies)
        if rest:
            now = {one.spec.name for one in rest}
            task = RenderTask(
                tuple(one.spec for one in rest),
                self._terms.limits,
                overrides.focal_point,
                overrides.crop,
                self._hints(rest, known),
                placeholder=self._terms.placeholder and not known,
                beside=tuple(spec for spec in self._terms.specs if spec.name not in now),
            )
            terms = self._terms
            standing = headers(rest, self._target, self._renderer, terms.limits, token) if terms.replace else {}
            record = self._rendered(rest, task, picture, record, standing, token)
        if known and rest and self._terms.placeholder:
            record = replace(record, color=known[0].color, thumbhash=known[0].thumbhash)
        made = copies | {one.name: one for one in record.renditions}
        renditions = tuple(made[one.spec.name] for one in planned)
        return replace(record, renditions=renditions) if rest else self.copied(record, known[0], renditions)

    def copied(self, record: Record, model: Record, renditions: tuple[RenditionRecord, ...]) -> Record:
        """`record` with `renditions`, all of them copies, and with what is recorded of the picture that was `model`."""
        color, thumbhash = (model.color, model.thumbhash) if self._terms.placeholder else (None, None)
        return replace(
            record,
            renditions=renditions,
            header=model.header,
            upright=model.upright,
            warnings=model.warnings,
            color=color,
            thumbhash=thumbhash,
        )

    def known(self, planned: tuple[Planned, ...], picture: Picture) -> tuple[Record, ...]:
        """Records of the same content that have all that is wanted of a source; none where all is to be made anew."""
        if any(one.reason is Reason.FORCED for one in planned):
            return ()
        known = self._alike.known(picture.content or picture.sha256, {one.recipe for one in planned})
        return tuple(one for one in known if not self._terms.placeholder or one.color is not None)

    def _hints(self, planned: tuple[Planned, ...], known: tuple[Record, ...]) -> tuple[tuple[str, int], ...]:
        """The qualities that searches of the same content by the same libraries have ended with."""
        found = {
            like.recipe: like.quality
            for record in known
            for like in record.renditions
            if like.quality is not None and like.libraries == self._libraries
        }
        return tuple((one.spec.name, found[one.recipe]) for one in planned if one.recipe in found)

    def _rendered(
        self,
        planned: tuple[Planned, ...],
        task: RenderTask,
        picture: Picture,
        record: Record,
        standing: Mapping[str, Header],
        token: Token,
    ) -> Record:
        asked = Asked(task, picture.held.size, self._terms.limits.memory)
        with self._budget.for_work(token) as room:
            with self._renderer.ask(picture.held, task, self._bounds, token) as exchange:
                room.take(asked.need(asked.header(exchange.first())))
                reply, meter = exchange.last()
                answer = asked.answer(reply)
            try:
                room.shrink(sum(os.fstat(descriptor).st_size for descriptor in reply.descriptors))
                planned = _replacing(planned, answer, standing)
                made = Made(planned, record, answer, reply.descriptors, meter)
                (record,) = delivered(self._target, [made], token)
            finally:
                for descriptor in reply.descriptors:
                    os.close(descriptor)
        self._libraries = record.libraries
        return record


def _replacing(
    planned: tuple[Planned, ...], answer: RenderAnswer, standing: Mapping[str, Header]
) -> tuple[Planned, ...]:
    """`planned`, where what the child made may be written over what stands there."""
    if not standing:
        return planned
    made = {one.name: one for one in answer.renditions if isinstance(one, Rendered)}
    names = [one.spec.name for one in planned]
    return tuple(
        replacing(one, made[name], standing.get(name)) if name in made else one
        for name, one in zip(names, planned, strict=True)
    )
