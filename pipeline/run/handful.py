"""Small pictures share a message to a child, which else costs more than they do: they are carried by the handful.

A handful is what one thread carries at a time: mostly one picture, or up to 32 small ones of which all renditions are
to be made. Those are read one after the other, rendered in one go, and written one after the other. Whatever is unusual
about one of them (it cannot be read, its content is known or in hand already, its child died, a rendition failed) is
not dealt with here: that picture is carried alone, as if it had never been in a handful. So nothing of what is recorded
depends on which pictures shared one.

How many go into one follows from how long small pictures take: where reading or writing takes its time, many threads
with a picture each overlap their waits, and a handful would add them up.
"""

from __future__ import annotations

import itertools
import os
import resource
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from pipeline.errors import PictureError
from pipeline.model import Job, NotRendered, Reason, Record, RenderAnswer, RenderTask
from pipeline.run import verdicts
from pipeline.run.alike import Alike
from pipeline.run.answers import Asked, answers
from pipeline.run.delivery import Made, ToStore, delivered, store
from pipeline.run.line import Line, Terms
from pipeline.sources.source import Grown, Picture, Source, Unsupported, Vanished
from pipeline.targets.files import TOGETHER
from pipeline.targets.target import Target
from pipeline.workers.budget import Budget
from pipeline.workers.exchange import Bounds, Misbehaved, Renderer
from pipeline.workers.token import Token

_MOST = 32  # pictures: 16 take an eighth more CPU time, 64 no less
_SMALL = 16 * 2**10  # bytes of a source
_NEED = 32 * 2**20  # bytes that the work on each may need: what needs more is no small picture
_SECONDS = 0.1  # that a handful may take: a run ends with its last one, and waits for it
_WEIGHT = 0.1  # of the last picture in the mean
_KNOWN = 8  # pictures after which the mean is believed
_DESCRIPTORS = 400  # of this process beside those of handfuls
_SENT = 240  # descriptors: a message holds a few more


@dataclass(slots=True)
class Handful:
    """One or several jobs. Changed by the thread that carries them, and looked at when that is given up."""

    jobs: Sequence[Job]  # not yet ended
    reading: Job | None = None


class Handfuls:
    """Makes handfuls and carries them; see `Line`, which carries each picture that is alone."""

    def __init__(
        self,
        line: Line,
        renderer: Renderer,
        budget: Budget,
        target: Target,
        alike: Alike,
        record: Callable[[Record], None],
        terms: Terms,
    ) -> None:
        self._line = line
        self._target = target
        self._renderer = renderer
        self._budget = budget
        self._alike = alike
        self._record = record
        self._terms = terms
        self._bounds = Bounds(terms.limits.seconds, terms.limits.memory, max(1, len(terms.specs)))
        self._task = RenderTask(terms.specs, terms.limits, placeholder=terms.placeholder)
        self._lock = threading.Lock()
        self._seconds = 0.0  # that a small picture takes, on an average
        self._seen = 0
        soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._open_files = None if soft < 0 else soft - _DESCRIPTORS  # of all handfuls together; None: no limit

    def of(self, jobs: Iterable[Job], threads: int) -> Iterator[Handful]:
        """`jobs` by the handful, nearly in their order, for so many threads."""
        small: list[Job] = []
        size = self._size(threads)
        for job in jobs:
            if not self._is_small(job):
                yield Handful((job,))
                continue
            small.append(job)
            if len(small) >= size:
                yield Handful(small)
                small, size = [], self._size(threads)
        if small:
            yield Handful(small)

    def carry(self, handful: Handful, threads: int, token: Token) -> None:
        """Carry all of it, while so many threads do. Raises what `Line.carry` does."""
        left, alone = list(handful.jobs), list[Job]()
        while left:
            size = self._size(threads)  # there may be more threads by now, or slower storage
            part, left = left[:size], left[size:]
            alone += self._together(handful, part, token) if len(part) > 1 else part
            handful.jobs = alone + left
        for number, job in enumerate(alone):
            handful.jobs, handful.reading = alone[number:], job
            self._line.carry(job, token)

    def given_up(self, handful: Handful) -> Sequence[Job]:
        """Record the picture whose read did not return, and name those that nobody carries now."""
        if handful.reading is not None:
            self._line.read_timed_out(handful.reading)
        return [job for job in handful.jobs if job is not handful.reading]

    def took(self, record: Record) -> None:
        """Learn from a record how long a small picture takes. Any thread."""
        if record.stat.size > _SMALL or not record.renditions:
            return
        work = sum(one.seconds_resize + one.seconds_encode + one.seconds_write for one in record.renditions)
        seconds = record.seconds_read + record.seconds_decode + work
        with self._lock:
            self._seen += 1
            self._seconds += (seconds - self._seconds) * max(_WEIGHT, 1 / self._seen)

    def _is_small(self, job: Job) -> bool:
        """Whether it may share a message: it is asked for as all the others are."""
        whole = len(job.planned) == len(self._terms.specs)
        return job.stat.size <= _SMALL and whole and job.stat.sidecar is None and not self._terms.replace

    def _size(self, threads: int) -> int:
        if self._seen < _KNOWN:
            return 1
        specs = len(self._terms.specs)
        each = 2 + specs  # a picture and its mapping, and what comes of it; that is written to as many, up to a number
        open_files = _MOST
        if self._open_files is not None:
            rest = self._open_files // threads
            open_files = max(rest // (each + specs), (rest - TOGETHER) // each)
        return max(1, min(_MOST, int(_SECONDS / max(self._seconds, 1e-6)), open_files, _SENT // each))

    def _together(self, handful: Handful, jobs: Sequence[Job], token: Token) -> list[Job]:
        """Carry `jobs`, but for those that are returned: they could not be read."""
        unread: list[Job] = []
        with ExitStack() as held:
            held.enter_context(self._budget.for_source(token)).take(sum(job.stat.size for job in jobs))
            pictures: list[tuple[Job, Picture]] = []
            for job in jobs:
                handful.reading = job
                picture = self._read(job, token)
                if picture is None:
                    unread.append(job)
                else:
                    pictures.append((job, held.enter_context(picture)))
            handful.reading = None
            alone: list[tuple[Job, Picture]] = []
            with ExitStack() as turns:  # taken when all is read: a read that never returns must not keep one
                together: list[tuple[Job, Picture]] = []
                for job, picture in pictures:
                    (together if self._may_share(job, picture, turns) else alone).append((job, picture))
                alone += self._rendered(together, token) if len(together) > 1 else together
            self._go_on(alone, token)
        return unread

    def _go_on(self, pictures: Sequence[tuple[Job, Picture]], token: Token) -> None:
        """Carry `pictures` one by one, but for copies: of equal ones the first, which may have to wait for another
        thread, then those that can be copied by now together.
        """
        later: list[tuple[Job, Picture]] = []
        met: set[bytes] = set()
        for job, picture in self._copied(pictures, token):
            if picture.sha256 in met:
                later.append((job, picture))
            else:
                met.add(picture.sha256)
                self._line.go_on(job, picture, token)
        for job, picture in self._copied(later, token):
            self._line.go_on(job, picture, token)

    def _copied(self, pictures: Sequence[tuple[Job, Picture]], token: Token) -> list[tuple[Job, Picture]]:
        """Copy and record those of `pictures` of whose content all has been made; the others are returned."""
        left: list[tuple[Job, Picture]] = []
        whole: list[tuple[Job, Picture, Record]] = []
        with ExitStack() as opened:
            models: list[ToStore] = []
            for job, picture in pictures:
                known = self._line.known(job.planned, picture) if job.known_sha256 != picture.sha256 else ()
                of_one = self._alike.models(job.planned, known, opened)
                if of_one and len(of_one) == len(job.planned):
                    whole.append((job, picture, known[0]))
                    models += of_one
                else:
                    left.append((job, picture))
            stored = iter(store(self._target, models, token))
        for job, picture, model in whole:
            renditions = tuple(itertools.islice(stored, len(job.planned)))
            if any(one.error for one in renditions):
                left.append((job, picture))
            else:
                record = self._line.copied(self._line.begun(job, picture), model, renditions)
                self._alike.remember(record)
                self._record(verdicts.ended(job, record))
        return left

    def _read(self, job: Job, token: Token) -> Picture | None:
        try:
            return self._line.read(job, token)
        except (Vanished, Unsupported, Grown, PictureError):
            return None

    def _may_share(self, job: Job, picture: Picture, turns: ExitStack) -> bool:
        """Whether everything planned is to be rendered, by nobody else."""
        if job.known_sha256 == picture.sha256:
            return False
        end = self._alike.turn_now(picture.sha256)
        if end is None:
            return False
        turns.callback(end)
        if any(one.reason is Reason.FORCED for one in job.planned):
            return True
        return not self._alike.known(picture.sha256, {one.recipe for one in job.planned})

    def _rendered(self, pictures: list[tuple[Job, Picture]], token: Token) -> list[tuple[Job, Picture]]:
        """Render, write and record `pictures`, but for those that are returned."""
        left: list[tuple[Job, Picture]] = []
        held = [picture.held for _, picture in pictures]
        asked = [Asked(self._task, one.size, _NEED) for one in held]
        with self._budget.for_work(token) as room:
            try:
                with self._renderer.ask_several(held, self._task, self._bounds, token) as several:
                    room.take(_NEED)
                    replies, meter = several.all(_NEED)
                    believed = answers(asked, replies)
            except Misbehaved:
                return pictures  # one of them had taken over the child: alone, it will be found out
            made = [descriptor for reply in replies if reply is not None for descriptor in reply.descriptors]
            try:
                room.shrink(sum(os.fstat(descriptor).st_size for descriptor in made))
                good = {
                    number: Made(job.planned, self._line.begun(job, picture), answer, reply.descriptors, meter)
                    for number, ((job, picture), answer, reply) in enumerate(
                        zip(pictures, believed, replies, strict=True)
                    )
                    if isinstance(answer, RenderAnswer) and reply is not None and _is_whole(answer)
                }
                records = dict(zip(good, delivered(self._target, tuple(good.values()), token), strict=True))
            finally:
                for descriptor in made:
                    os.close(descriptor)
        token.check()
        for number, ((job, picture), answer) in enumerate(zip(pictures, believed, strict=True)):
            record = records.get(number)
            if record is not None:
                self._alike.remember(record)
                self._record(verdicts.ended(job, record))
            elif isinstance(answer, PictureError):
                self._record(verdicts.failed(job, answer, self._line.begun(job, picture)))
            else:
                left.append((job, picture))
        return left


def _is_whole(answer: RenderAnswer) -> bool:
    """Whether every rendition was made."""
    return not any(isinstance(one, NotRendered) for one in answer.renditions)


def carriers(
    terms: Terms,
    source: Source,
    renderer: Renderer,
    budget: Budget,
    target: Target,
    alike: Alike,
    record: Callable[[Record], None],
    again: Callable[[Job], None],
) -> tuple[Line, Handfuls]:
    """The line for single pictures and the one for handfuls, which share everything; see `Line` for the arguments."""
    line = Line(source, renderer, budget, target, alike, record, again, terms)
    return line, Handfuls(line, renderer, budget, target, alike, record, terms)
