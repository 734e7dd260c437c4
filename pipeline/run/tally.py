"""What a run has come to so far: counts that any thread may add to and the terminal may read."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from pipeline.errors import ExitStatus
from pipeline.model import Record, Status

_KEPT_FAILURES = 1000  # failures listed in a summary; the manifest has them all


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed source, or one failed rendition of it."""

    source: str
    rendition: str | None
    error: str


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run came to. Counts are of sources (`pictures`) or of renditions; sizes in bytes, durations in seconds.

    `pictures` counts the sources the run dealt with by status: done, touched, failed, unsupported, vanished, deferred,
    skipped, unchanged, pending. `source_bytes` and `target_bytes` are of the pictures rendered in this run. `reused` is
    how many of the renditions were copied from a target that was made of the same content by the same recipe.
    """

    status: ExitStatus = ExitStatus.OK
    pictures: dict[str, int] = field(default_factory=dict)
    renditions: dict[str, int] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)  # of failed sources and renditions, by kind
    reused: int = 0
    orphans: int = 0
    failures: tuple[Failure, ...] = ()
    source_bytes: int = 0
    target_bytes: int = 0
    seconds: float = 0.0

    @property
    def done(self) -> int:
        """Pictures rendered in this run."""
        return self.pictures.get(Status.DONE, 0)

    @property
    def failed(self) -> int:
        """Pictures of which anything failed in this run."""
        return self.pictures.get(Status.FAILED, 0)


class Tally:
    """Counts records as they come. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pictures: dict[str, int] = {}
        self._renditions: dict[str, int] = {}
        self._errors: dict[str, int] = {}
        self._failures: list[Failure] = []
        self._reused = 0
        self._read = 0
        self._source_bytes = 0
        self._target_bytes = 0

    def add(self, record: Record) -> None:
        """Count one record."""
        failures = [Failure(record.source, None, str(record.error))] if record.error else []
        with self._lock:
            self._pictures[record.status] = self._pictures.get(record.status, 0) + 1
            self._read += record.stat.size
            for error in [record.error] if record.error else [one.error for one in record.renditions if one.error]:
                self._errors[error.kind] = self._errors.get(error.kind, 0) + 1
            written = 0
            for rendition in record.renditions:
                self._renditions[rendition.status] = self._renditions.get(rendition.status, 0) + 1
                if rendition.written:
                    written += rendition.written.size
                    self._reused += rendition.reused
                elif rendition.error and not record.error:
                    failures.append(Failure(record.source, rendition.name, str(rendition.error)))
            if written:
                self._source_bytes += record.stat.size
                self._target_bytes += written
            self._failures.extend(failures[: _KEPT_FAILURES - len(self._failures)])

    @property
    def bytes_dealt_with(self) -> int:
        """Bytes of all sources recorded so far: the work done, for a progress bar."""
        return self._read

    def summary(self) -> Summary:
        """The counts so far, failures in source order."""
        with self._lock:
            return Summary(
                pictures=dict(sorted(self._pictures.items())),
                renditions=dict(sorted(self._renditions.items())),
                errors=dict(sorted(self._errors.items())),
                failures=tuple(sorted(self._failures, key=lambda failure: (failure.source, failure.rendition or ""))),
                reused=self._reused,
                source_bytes=self._source_bytes,
                target_bytes=self._target_bytes,
            )
