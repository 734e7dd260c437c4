"""The way of a picture from its source to its record, in a batch of one or of many: `Line`, top to bottom.

Each step passes pictures on or ends them: by a record, or as `Left` if a picture of a batch of many is unusual (equal
content is in hand, it needs more memory than the batch has leave for, the child died). A `Left` picture is carried
alone later, as if it had never shared a batch. So no record depends on the other pictures of a batch, except
`peak_memory`, which is that of the batch.
"""

from __future__ import annotations

import functools
import itertools
import os
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace

from pipeline.errors import ErrorKind, PictureError
from pipeline.model.job import Job
from pipeline.model.only import Only
from pipeline.model.record import Reason, Record, Status
from pipeline.model.rendering import RenderAnswer, Rendered, RenderTask
from pipeline.model.source import Header
from pipeline.model.spec import Limits, Spec
from pipeline.run import recording
from pipeline.run.adoption import headers, replacing
from pipeline.run.answers import Asked, answers, lacked_memory
from pipeline.run.batch import LEAVE, Batch, Left, Outcome
from pipeline.run.dedup import Dedup
from pipeline.run.delivery import Made, ToStore, delivered, store
from pipeline.run.life import Apart, Ended, Ends, Life, Read
from pipeline.sources.magic import counts_as_raw
from pipeline.sources.source import Grown, Later, Picture, Source
from pipeline.targets.target import Target
from pipeline.workers.budget import Budget, Room
from pipeline.workers.exchange import Bounds, Misbehaved, Renderer, Reply
from pipeline.workers.token import TICK, Revoked, Token

_GROWTHS = 3  # times that a picture may have grown since its last stat, before it fails


@dataclass(frozen=True, slots=True)
class Terms:
    """The settings that hold for every picture of a run."""

    limits: Limits
    placeholder: bool = False  # whether colour and ThumbHash of each picture are wanted
    specs: tuple[tuple[Spec, ...], ...] = ((),)  # of the config, and of each of its rules
    replace: bool = False  # a rendition may overwrite a file that looks like it and is not ours


class Line:
    """Carries batches, each in the thread that calls; used by many threads at once."""

    def __init__(
        self, source: Source, renderer: Renderer, budget: Budget, target: Target, dedup: Dedup, terms: Terms
    ) -> None:
        self._source = source
        self._renderer = renderer
        self._budget = budget
        self._target = target
        self._dedup = dedup
        self._terms = terms
        self._bounds = Bounds(terms.limits.seconds, terms.limits.memory, max(1, *map(len, terms.specs)))
        self._libraries = ""  # that render for this run; set from the first answer

    def read(self, batch: Batch, token: Token) -> Read:
        """Read the bytes of each source of `batch`; they count in the budget until the result is closed.

        `read` and `finish` raise `SourceTrouble`, `TargetTrouble`, `ManifestTrouble`, `PipelineError` (no child can
        start) and `Revoked`; nothing of the batch is recorded then. Room is taken in one order: sources, turn, child,
        work; see `workers.budget`.
        """
        started = time.monotonic()
        ends = self._ends(batch, token)
        with ExitStack() as kept:
            room = kept.enter_context(self._budget.for_source(token))
            many = len(batch.jobs) > 1
            if many:
                room.take(sum(job.stat.size for job in batch.jobs))
            lives = []
            for job in batch.jobs:
                with ends.of(job):
                    picture = self._bytes(job, token, ends) if many else self._growing(job, room, token, ends)
                    kept.enter_context(picture)
                    lives.append(Life(job, picture, self._begun(job, picture)))
            return Read(batch, lives, ends, kept.pop_all(), time.monotonic() - started)

    def finish(self, several: Sequence[Read], token: Token) -> list[Outcome]:
        """Carry what was read to its records, several batches together; returns the outcome of each, and closes them.

        A picture that cannot share a message with those of other batches is carried alone after them, from the bytes
        that are here: its server is not asked twice.
        """
        with ExitStack() as kept:
            for read in several:
                kept.enter_context(read.kept)
            lives = [life for read in several for life in read.lives]
            ends = several[0].ends
            if len(several) == 1:
                self._finish(lives, token, ends)
            else:
                ends = self._ends(Batch([read.job for read in several]), token)
                self._finish(lives, token, ends)
                apart, ends.left = {left.job.source for left in ends.left}, []
                for life in lives:
                    if life.job.source in apart:
                        self._finish([life], token, ends)
        ends.judge()
        token.check()
        return [ends.outcome(read.batch, read.ends.reads) for read in several]

    def _ends(self, batch: Batch, token: Token) -> Ends:
        return Ends(batch, self._source, functools.partial(self._in_time, token))

    def _finish(self, lives: Sequence[Life], token: Token, ends: Ends) -> None:
        with ExitStack() as kept:  # holds turns and rendered files until all is written
            lives = self._stale(lives, ends)
            lives, equal = self._not_copied(lives, kept, token, ends)
            with self._budget.for_work(token) as room:
                made = self._rendered(lives, room, kept, token, ends)
                self._written(made, room, token, ends)
            ends.left += [Left(life.job) for life in self._copied(equal, token, ends, again=True)]

    # -- source -> bytes

    def _growing(self, job: Job, room: Room, token: Token, ends: Ends) -> Picture:
        """The bytes of one job's source, with more room if the file has grown since it was listed."""
        now = job
        for _ in range(_GROWTHS):
            room.take(min(now.stat.size, self._terms.limits.file_size))
            try:
                return self._bytes(now, token, ends)
            except Grown as grown:
                now = replace(job, stat=replace(job.stat, size=grown.size))
        raise PictureError(ErrorKind.CHANGED, f"it grew each of the {_GROWTHS} times it was to be read")

    def _bytes(self, job: Job, token: Token, ends: Ends) -> Picture:
        """See `Source.read`. What has to wait does so here, where no deadline runs."""
        while True:
            try:
                with self._source.turn(job.source, job.stat, token):
                    return self._bytes_now(job, token, ends)
            except Later as later:
                token.wait(later.seconds)

    def _bytes_now(self, job: Job, token: Token, ends: Ends) -> Picture:
        picture: Picture | None = None
        try:
            with self._in_time(token, job):
                picture = self._source.read(job.source, job.stat, self._terms.limits)
        except Revoked:
            if picture is not None:
                picture.close()
            raise
        finally:
            ends.reads += 1
        return picture

    def _in_time(self, token: Token, job: Job) -> AbstractContextManager[None]:
        """Wraps a call of the source: if it never returns, the crew abandons the batch; see `Crew`."""
        return token.deadline(self._terms.limits.read / TICK, about=job)

    def _begun(self, job: Job, picture: Picture) -> Record:
        """The first record of a picture that was read."""
        return Record(
            job.source,
            picture.stat,
            Status.TOUCHED if job.stat_is_new else Status.UNCHANGED,
            sha256=picture.sha256,
            settled=self._source.settled(job.source, picture.stat, time.time()),
            seconds_read=picture.seconds,
            content=picture.content,
        )

    # -- which renditions are to be made, and which of them exist

    def _stale(self, lives: Sequence[Life], ends: Ends) -> list[Life]:
        """The pictures that need renditions, now that the content is known and the sidecar is read."""
        going = []
        for life in lives:
            with ends.of(life.job, life):
                life.planned = recording.stale(life.job, life.content)
                if not life.planned:
                    raise Ended(life.record)
                life.overrides = recording.overrides(life.job, life.picture)
                if life.overrides.skip:
                    raise Ended(replace(life.record, status=Status.SKIPPED, warnings=("its sidecar says so",)))
                if life.overrides.alt is not None:
                    life.record = replace(life.record, alt=life.overrides.alt)
                going.append(life)
        return going

    def _not_copied(
        self, lives: Sequence[Life], kept: ExitStack, token: Token, ends: Ends
    ) -> tuple[list[Life], list[Life]]:
        """The pictures to render, and those of equal content with one of them. Existing renditions of equal content are
        copied.

        One thread at a time renders equal content. A picture that is alone in its batch waits for its turn; one of
        several is left instead, because the others would wait with it.
        """
        alone = len(lives) == 1
        going: list[Life] = []
        equal: list[Life] = []
        mine: set[bytes] = set()
        for life in lives if alone else self._copied(lives, token, ends, again=False):
            with ends.of(life.job, life):
                if life.content in mine:
                    equal.append(life)
                    continue
                if alone:
                    kept.enter_context(self._dedup.turn(life.content, token))
                elif (end := self._dedup.turn_now(life.content)) is not None:
                    kept.callback(end)
                else:
                    raise Apart
                mine.add(life.content)
                going.append(life)
        # Look up again once the turn has come: another thread may have made it meanwhile.
        return self._copied(going, token, ends, again=not alone), equal

    def _copied(self, lives: Sequence[Life], token: Token, ends: Ends, *, again: bool) -> list[Life]:
        """Copy renditions of equal content, all files together; returns the pictures that need more than that.
        `again`: the manifest was asked before and is not asked once more.
        """
        with ExitStack() as opened:
            by_picture = [self._copyable(life, opened, again=again) for life in lives]
            if copyable := [file for own in by_picture for file in own]:
                stored = iter(store(self._target, copyable, token))
                for life, own in zip(lives, by_picture, strict=True):
                    copies = itertools.islice(stored, len(own))
                    life.copies |= {copy.name: copy for copy in copies if copy.error is None}
        going = []
        for life in lives:
            with ends.of(life.job, life):
                if not life.rest:
                    like = life.known[0]
                    record = replace(
                        life.record,
                        header=like.header,
                        upright=like.upright,
                        orientation=like.orientation,
                        warnings=like.warnings,
                    )
                    raise Ended(self._whole(life, record))
                going.append(life)
        return going

    def _copyable(self, life: Life, opened: ExitStack, *, again: bool) -> list[ToStore]:
        """The files that can probably be copied for a picture; open until `opened` is closed."""
        known = self._known(life, again=again)
        life.known = known or life.known
        return self._dedup.copyable(life.rest, known, life.record.stat.dated_ns, opened)

    def _known(self, life: Life, *, again: bool) -> tuple[Record, ...]:
        """Records of the same content, with a placeholder if one is wanted; none if all is to be made anew."""
        if any(planned.reason is Reason.FORCED for planned in life.planned):
            return ()
        known = self._dedup.known(life.content, {planned.recipe for planned in life.planned}, again=again)
        only = life.job.only
        return tuple(
            record
            for record in known
            if (not self._terms.placeholder or record.color is not None) and (only is None or _inside(only, record))
        )

    # -- bytes -> child -> renditions

    def _rendered(
        self, lives: Sequence[Life], room: Room, kept: ExitStack, token: Token, ends: Ends
    ) -> list[tuple[Life, Made]]:
        """What a child has made of `lives`. A single picture is requested in two steps, so that the work waits for the
        room that its header calls for. Several go in one message, each with leave to need a little.
        """
        if len(lives) > 1:
            return self._rendered_together(lives, room, kept, token, ends)
        made = []
        for life in lives:
            with ends.of(life.job, life):
                standing = self._standing(life, token)
                asked = Asked(self._task(life), life.picture.size, self._terms.limits.memory)
                with self._renderer.ask(life.picture.held, asked.task, self._bounds, token) as exchange:
                    room.take(asked.need(asked.header(exchange.first())))
                    reply, meter = exchange.last()
                    answer = asked.answer(reply)
                kept.callback(_close, reply)
                _take_only(life, asked, answer)
                planned = replacing(life.rest, answer, standing)
                made.append((life, Made(planned, life.record, answer, reply.descriptors, meter)))
        return made

    def _standing(self, life: Life, token: Token) -> dict[str, Header]:
        """The headers of files in the way, if they may be overwritten."""
        if not self._terms.replace:
            return {}
        return headers(life.rest, self._target, self._renderer, self._terms.limits, token)

    def _rendered_together(
        self, lives: Sequence[Life], room: Room, kept: ExitStack, token: Token, ends: Ends
    ) -> list[tuple[Life, Made]]:
        tasks = [self._task(life) for life in lives]
        ends.left += [Left(life.job) for life, task in zip(lives, tasks, strict=True) if task != tasks[0]]
        lives = [life for life, task in zip(lives, tasks, strict=True) if task == tasks[0]]
        asked = [Asked(tasks[0], life.picture.size, LEAVE) for life in lives]
        try:
            held = [life.picture.held for life in lives]
            with self._renderer.ask_several(held, tasks[0], self._bounds, token) as several:
                room.take(LEAVE)
                replies, meter = several.all(LEAVE)
                believed = answers(asked, replies)
        except Misbehaved:  # one of the pictures may have taken over the child: alone, it is identified
            ends.left += [Left(life.job) for life in lives]
            return []
        made = []
        for life, about, answer, reply in zip(lives, asked, believed, replies, strict=True):
            if reply is not None:
                kept.callback(_close, reply)
            if answer is None or reply is None or (isinstance(answer, RenderAnswer) and lacked_memory(answer)):
                ends.left.append(Left(life.job))
                continue
            with ends.of(life.job, life):
                if isinstance(answer, PictureError):
                    raise answer
                _take_only(life, about, answer)
                made.append((life, Made(life.rest, life.record, answer, reply.descriptors, meter)))
        return made

    def _task(self, life: Life) -> RenderTask:
        """The task for a child: all renditions that were not copied."""
        specs = tuple(planned.spec for planned in life.rest)
        now = {spec.name for spec in specs}
        return RenderTask(
            specs,
            self._terms.limits,
            life.overrides.focal_point,
            life.overrides.crop,
            self._hints(life),
            placeholder=self._terms.placeholder and not life.known,
            beside=tuple(spec for spec in self._terms.specs[life.job.rule] if spec.name not in now),
            only=life.job.only,
            raw=counts_as_raw(life.job.source, life.job.only),
        )

    def _hints(self, life: Life) -> tuple[tuple[str, int], ...]:
        """The qualities found by earlier searches on the same content with the same libraries."""
        qualities = {
            like.recipe: like.quality
            for record in life.known
            for like in record.renditions
            if like.quality is not None and like.libraries == self._libraries
        }
        return tuple(
            (planned.spec.name, qualities[planned.recipe]) for planned in life.rest if planned.recipe in qualities
        )

    # -- renditions -> files -> record

    def _written(self, made: Sequence[tuple[Life, Made]], room: Room, token: Token, ends: Ends) -> None:
        """Write the files of all pictures together, so that they share one wait for the disk."""
        rendered = [
            rendition
            for _, carried in made
            for rendition in carried.answer.renditions
            if isinstance(rendition, Rendered)
        ]
        room.shrink(sum(rendition.size for rendition in rendered))
        records = delivered(self._target, [carried for _, carried in made], token)
        for (life, _), record in zip(made, records, strict=True):
            self._libraries = record.libraries
            ends.records.append(self._whole(life, record))

    def _whole(self, life: Life, record: Record) -> Record:
        """The final record of a picture whose files are all in place. `record` has what was rendered now."""
        if life.known and self._terms.placeholder:
            record = replace(record, color=life.known[0].color, thumbhash=life.known[0].thumbhash)
        if life.copies:
            made = life.copies | {rendition.name: rendition for rendition in record.renditions}
            record = replace(record, renditions=tuple(made[planned.spec.name] for planned in life.planned))
        self._dedup.remember(record)
        return recording.ended(life.job, record)


def _inside(only: Only, record: Record) -> bool:
    header = record.header
    return header is not None and not only.outside(header.format, *(record.upright or (header.width, header.height)))


def _take_only(life: Life, asked: Asked, answer: RenderAnswer) -> None:
    """Raise `Ended` for a picture that is outside of its source's `only`."""
    if why := asked.outside(answer):
        record = replace(life.record, header=answer.header, upright=answer.upright, warnings=(why,))
        raise Ended(replace(record, status=Status.FILTERED))


def _close(reply: Reply) -> None:
    for descriptor in reply.descriptors:
        os.close(descriptor)
