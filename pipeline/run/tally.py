"""The counts of a run so far: the driver's thread adds to them, any thread may read them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

from pipeline.errors import ExitStatus, PictureError
from pipeline.model.only import key_of
from pipeline.model.record import MADE, Record, Status
from pipeline.model.remarks import by_frequency, kinds

_KEPT_FAILURES = 1000  # failures listed in a summary; the manifest has them all
_KEPT_OTHERS = 1000  # passed-over sources listed in a summary
_OTHERS = frozenset({Status.VANISHED, Status.DEFERRED, Status.SKIPPED, Status.FILTERED})


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed source, or one failed rendition of it."""

    source: str
    rendition: str | None
    error: str


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A source of which nothing was made although nothing failed."""

    source: str  # ends with a slash for a folder and everything in it
    status: Status  # vanished, deferred, skipped or filtered
    reason: str


@dataclass(frozen=True, slots=True)
class Summary:
    """The result of a run. Counts are of sources (`pictures`) or of renditions; sizes in bytes, durations in seconds.

    `pictures` counts the run's sources by status: done, touched, failed (newly), known failure, unsupported, vanished,
    deferred, skipped, filtered, unchanged, pending. `errors` and `failures` have new failures only, `failures` one for
    each rendition that failed by itself. `passed_over` has a skipped or filtered source only in the run that met it
    first (the manifest keeps it), but a folder that is left out in every run. `source_bytes` and `target_bytes` are of
    the pictures rendered in this run. `reused` counts renditions copied from a target of the same content and recipe.
    """

    status: ExitStatus = ExitStatus.OK
    pictures: dict[str, int] = field(default_factory=dict)
    renditions: dict[str, int] = field(default_factory=dict)
    filtered: dict[str, int] = field(default_factory=dict)  # pictures by the key of `only` that they do not meet
    errors: dict[str, int] = field(default_factory=dict)  # newly failed pictures by kind, in each kind that they have
    remarks: dict[str, int] = field(default_factory=dict)  # pictures made with warnings, by kind of warning
    reused: int = 0
    orphans: int = 0
    removed: int = 0  # orphans, by this run
    unseen: int = 0  # of `orphans`: left by a run that prunes, because no earlier run has seen them
    failures: tuple[Failure, ...] = ()
    passed_over: tuple[PassedOver, ...] = ()
    source_bytes: int = 0
    target_bytes: int = 0
    seconds: float = 0.0
    shards: int = 0  # tar shards written
    out_of_time: bool = False  # whether work was left at the time limit, whatever the status
    stopped: str = ""  # why the run gave up, unless by a signal or the clock
    warnings: tuple[str, ...] = ()  # what was found or mended on the way, a line each

    @property
    def known_failures(self) -> int:
        """Pictures with a failure that an earlier run has reported and that would recur."""
        return self.pictures.get(Status.KNOWN_FAILURE, 0)

    @property
    def done(self) -> int:
        """Pictures rendered in this run."""
        return self.pictures.get(Status.DONE, 0) + self.damaged

    @property
    def damaged(self) -> int:
        """Those of them that were made of what is there of a source that is cut off."""
        return self.pictures.get(Status.DAMAGED, 0)

    @property
    def failed(self) -> int:
        """Pictures of which anything newly failed in this run."""
        return self.pictures.get(Status.FAILED, 0)


class Tally:
    """Counts records as they come. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pictures: dict[str, int] = {}
        self._renditions: dict[str, int] = {}
        self._errors: Counter[str] = Counter()
        self._filtered: Counter[str] = Counter()
        self._remarks: Counter[str] = Counter()
        self._failures: list[Failure] = []
        self._others: list[PassedOver] = []
        self._reused = 0
        self._carried = 0
        self._read = 0
        self._source_bytes = 0
        self._target_bytes = 0

    def add(self, record: Record, known: Collection[str] = (), *, carried: bool = False) -> None:
        """Count one record. `known`: its failures that were reported before, by rendition; "" is that of the source
        itself. `carried`: it was a job, not only a verdict of the plan.
        """
        new = record.status is Status.FAILED and any(name not in known for name in _failed(record))
        status = Status.KNOWN_FAILURE if known and not new else record.status
        failures = [Failure(record.source, None, str(record.error))] if record.error and new else []
        with self._lock:
            self._pictures[status] = self._pictures.get(status, 0) + 1
            self._carried += carried
            self._read += record.stat.size if carried else 0
            if status is Status.FILTERED:
                self._filtered.update(map(key_of, record.warnings))
            if status in _OTHERS and len(self._others) < _KEPT_OTHERS:
                self._others.append(PassedOver(record.source, status, "; ".join(record.warnings)))
            if new:
                self._errors.update({error.kind for error in _errors(record, known)})
            self._remarks.update(_remarks(record))
            written = 0
            for rendition in record.renditions:
                self._renditions[rendition.status] = self._renditions.get(rendition.status, 0) + 1
                if rendition.written:
                    written += rendition.written.size
                    self._reused += rendition.reused
                elif rendition.error and not record.error and rendition.name not in known:
                    failures.append(Failure(record.source, rendition.name, str(rendition.error)))
            if written:
                self._source_bytes += record.stat.size
                self._target_bytes += written
            self._failures.extend(failures[: _KEPT_FAILURES - len(self._failures)])

    @property
    def carried(self) -> int:
        """How many jobs have ended."""
        return self._carried

    @property
    def failed(self) -> int:
        """How many pictures have newly failed."""
        return self._pictures.get(Status.FAILED, 0)

    @property
    def vanished(self) -> int:
        """How many pictures were gone when they were to be read."""
        return self._pictures.get(Status.VANISHED, 0)

    @property
    def dealt_with(self) -> int:
        """How many pictures have been recorded."""
        with self._lock:
            return sum(self._pictures.values())

    @property
    def bytes_dealt_with(self) -> int:
        """Bytes of the jobs that have ended: the work done, for a progress bar."""
        return self._read

    def summary(self) -> Summary:
        """The counts so far, failures in source order."""
        with self._lock:
            return Summary(
                pictures=dict(sorted(self._pictures.items())),
                renditions=dict(sorted(self._renditions.items())),
                filtered=dict(self._filtered),
                errors=dict(sorted(self._errors.items())),
                remarks=by_frequency(self._remarks),
                failures=tuple(sorted(self._failures, key=lambda failure: (failure.source, failure.rendition or ""))),
                passed_over=tuple(sorted(self._others, key=lambda other: other.source)),
                reused=self._reused,
                source_bytes=self._source_bytes,
                target_bytes=self._target_bytes,
            )


def _failed(record: Record) -> list[str]:
    """What failed in `record`: names of renditions, and "" for the source itself."""
    return [*([""] if record.error else []), *(rendition.name for rendition in record.renditions if rendition.error)]


def _errors(record: Record, known: Collection[str]) -> list[PictureError]:
    """One error for a source that failed itself, else one for each rendition that newly failed."""
    if record.error:
        return [record.error]
    return [rendition.error for rendition in record.renditions if rendition.error and rendition.name not in known]


def _remarks(record: Record) -> set[str]:
    """The kinds of warnings of what was made: of the source unless it failed, and of its renditions."""
    made = [rendition for rendition in record.renditions if rendition.status in MADE]
    of_source = record.warnings if made and record.status in MADE else ()
    if not of_source and not any(rendition.warnings for rendition in made):
        return set()
    return kinds([*of_source, *(warning for rendition in made for warning in rendition.warnings)])
