"""How a picture's bytes come in: when there is room for them, in the time they may take, and who never answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from pipeline.errors import ErrorKind, PictureError
from pipeline.model import Job, Limits, Stat
from pipeline.sources.source import Grown, Picture, Source
from pipeline.workers.budget import Budget
from pipeline.workers.token import TICK, Revoked, Token

_GROWTHS = 3  # times that a picture may have grown since it was looked at last, before it fails


class Intake:
    """Reads pictures within the budget. Used by many threads at once, but for what is said to be the producer's."""

    def __init__(self, source: Source, budget: Budget, limits: Limits) -> None:
        self._source = source
        self._budget = budget
        self._limits = limits
        self._answered = False  # whether the source has answered since a read timed out last
        self.unanswered = 0  # reads that timed out in a row, as the producer's thread counts them

    @contextmanager
    def picture(self, job: Job, token: Token) -> Iterator[Picture]:
        """The job's bytes, in the budget until the block ends. Raises as `Source.read` does, and `Revoked`."""
        with self._budget.for_source(token) as room:
            stat = job.stat
            for _ in range(_GROWTHS):
                room.take(min(stat.size, self._limits.file_size))
                try:
                    picture = self._read(job.source, stat, token)
                    break
                except Grown as grown:
                    stat = replace(stat, size=grown.size)
            else:
                raise PictureError(ErrorKind.CHANGED, f"it grew each of the {_GROWTHS} times it was to be read")
            with picture:
                yield picture

    def listed(self, job: Job, token: Token) -> Picture:
        """The bytes that were listed, for who has room for so many; see `Source.read`. The caller closes them."""
        return self._read(job.source, job.stat, token)

    def timed_out(self) -> PictureError:
        """The error of a job whose read did not return in time; called in the producer's thread."""
        self.unanswered = 1 if self._answered else self.unanswered + 1
        self._answered = False
        return PictureError(ErrorKind.READ_TIMED_OUT, f"no answer within {self._limits.read:g} s")

    def _read(self, source: str, stat: Stat, token: Token) -> Picture:
        """A read that never returns is given up by the crew, which then asks for `timed_out`."""
        picture: Picture | None = None
        try:
            with token.deadline(self._limits.read / TICK):
                picture = self._source.read(source, stat, self._limits)
        except Revoked:
            if picture is not None:
                picture.let_go()
            raise
        except Exception:
            self._answered = True
            raise
        self._answered = True
        return picture
